// The people of `data.sql`, as `denizen import` reads them; and their ids there, as the API writes them.
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';

export const typeId = (prefix, kind, number) => {
  let bits = BigInt(`0x${kind.toString(16).padStart(8, '0')}000070008000${number.toString(16).padStart(12, '0')}`);
  let text = '';
  for (let place = 0; place < 26; place += 1, bits >>= 5n) text = alphabet[Number(bits & 31n)] + text;
  return `${prefix}_${text}`;
};

const epoch = 1767225600000;
const held = ['TRANSLATOR', 'ANNOTATOR', 'REVIEWER', 'SCHOLAR'];

export function* people(users, orgs) {
  for (let n = 1; n <= users; n += 1) {
    const family = `Family${n % 5000}`;
    const line = {
      userName: `user${n}`,
      email: `user${n}@example.org`,
      name: `Given${n} ${family}`,
      givenName: `Given${n}`,
      familyName: family,
      orgCode: `org-${(n % orgs) + 1}`,
      roleCodes: ['MEMBER', held[n % 4]],
      status: 'ACTIVE',
      createdAt: new Date(epoch + n).toISOString(),
    };
    yield `${JSON.stringify(line)}\n`;
  }
}

export const organizations = (from, to) =>
  Array.from({ length: to - from + 1 }, (_, index) => ({ code: `org-${from + index}`, name: `Organisation ${from + index}`, active: true }));
