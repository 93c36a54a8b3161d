// The rows of `data.sql` for SQLite, whose shell cannot make ids out of numbers; and the ids as the API writes them.
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';
const hex = (kind, number) => `${kind.toString(16).padStart(8, '0')}000070008000${number.toString(16).padStart(12, '0')}`;

export const typeId = (prefix, kind, number) => {
  let bits = BigInt(`0x${hex(kind, number)}`);
  let text = '';
  for (let place = 0; place < 26; place += 1, bits >>= 5n) text = alphabet[Number(bits & 31n)] + text;
  return `${prefix}_${text}`;
};

const epoch = 1767225600000;
const blob = (kind, number) => `x'${hex(kind, number)}'`;
const held = ['TRANSLATOR', 'ANNOTATOR', 'REVIEWER', 'SCHOLAR'];

function* rows(table, columns, count, row) {
  const perStatement = 500;
  for (let from = 1; from <= count; from += perStatement) {
    const lines = [];
    for (let n = from; n < from + perStatement && n <= count; n += 1) lines.push(`(${row(n).join(',')})`);
    yield `INSERT INTO ${table} (${columns}) VALUES ${lines.join(',')};\n`;
  }
}

/** SQL for a database that Denizen has migrated. */
export function* sqlite(users, orgs) {
  yield 'BEGIN;\n';
  yield 'CREATE TEMP TABLE known AS SELECT code, id FROM roles;\n';
  yield* rows('organizations', 'id, code, code_key, name, active, listed, self_registration, created_at, updated_at', orgs, (n) =>
    [blob(1, n), `'org-${n}'`, `'org-${n}'`, `'Organisation ${n}'`, 1, n % 2 === 0 ? 1 : 0, 0, epoch + n, epoch + n]);
  const person = 'id, user_name, user_name_key, name, given_name, family_name, status, email, email_key, email_verified_at, created_at, updated_at';
  yield* rows('users', person, users, (n) => {
    const [name, family, email] = [`'user${n}'`, `Family${n % 5000}`, `'user${n}@example.org'`];
    return [blob(2, n), name, name, `'Given${n} ${family}'`, `'Given${n}'`, `'${family}'`, `'ACTIVE'`, email, email, epoch + n, epoch + n, epoch + n];
  });
  const application = '(SELECT id FROM applications WHERE is_default)';
  yield* rows('registrations', 'user_id, application_id, created_at', users, (n) => [blob(2, n), application, epoch + n]);
  yield* rows('memberships', 'id, organization_id, user_id, is_primary, joined_at', users, (n) =>
    [blob(3, n), blob(1, (n % orgs) + 1), blob(2, n), 1, epoch + n]);
  for (const kind of [4, 5]) {
    yield* rows('grants', 'id, user_id, role_id, organization_id, created_at', users, (n) => {
      const code = kind === 4 ? 'MEMBER' : held[n % 4];
      return [blob(kind, n), blob(2, n), `(SELECT id FROM known WHERE code = '${code}')`, blob(1, (n % orgs) + 1), epoch + n];
    });
  }
  yield 'COMMIT;\nANALYZE;\n';
}
