// A Denizen of its own: the real binary on a database that is thrown away.
//   DENIZEN_BIN  the binary (default: the debug build of this repository). A missing one fails the tests: they never skip.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { freePort, ROOT, start, until } from './process.mjs';

export const BINARY = resolve(process.env.DENIZEN_BIN ?? join(ROOT, 'target/debug/denizen'));
export const PASSWORD = 'seven-Grey-herons-11-wade';

export async function startDenizen({ env = {} } = {}) {
  const home = await mkdtemp(join(tmpdir(), 'denizen-e2e-'));
  const listen = `127.0.0.1:${await freePort()}`;
  const origin = `http://${listen}`;
  let server;

  const up = (more = {}) =>
    start(BINARY, ['serve'], {
      cwd: home,
      env: {
        DENIZEN_LISTEN: listen,
        DENIZEN_PUBLIC_URL: origin,
        DENIZEN_DATABASE_URL: `sqlite://${home}/denizen.db`,
        DENIZEN_ADMIN_PASSWORD: PASSWORD,
        // The tests measure other things than the hash.
        DENIZEN_BCRYPT_COST: '4',
        ...env,
        ...more,
      },
      ready: `${origin}/health/ready`,
    });

  server = await up();
  return {
    home,
    origin,
    endpoint: `${origin}/graphql`,
    /** Once more on the same data and port, with other settings. */
    async restart(more) {
      await server.stop();
      server = await up(more);
    },
    async stop() {
      await server.stop();
      await rm(home, { recursive: true, force: true });
    },
    /** The newest mail to the address whose text matches; what the pattern captures. */
    mail: (address, pattern) =>
      until(async () => {
        const mails = await fetch(`${origin}/dev/mailbox`).then((response) => response.json());
        return mails.filter(({ to }) => to === address).map(({ text }) => text.match(pattern)).find(Boolean);
      }, `a mail to ${address} that matches ${pattern}`),
  };
}

/** One request, as a front end without any library makes it. */
export async function ask(endpoint, query, { variables, token } = {}) {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
    body: JSON.stringify({ query, variables }),
  });
  return { status: response.status, ...(await response.json()) };
}

/** Logs in; the tokens, the user's id and the session. */
export async function login(endpoint, identifier, password = PASSWORD) {
  const { data, errors } = await ask(
    endpoint,
    `mutation Login($input: LoginInput!) {
      login(input: $input) { user { id } tokens { accessToken refreshToken expiresAt } errors { code message } }
    }`,
    { variables: { input: { identifier, password } } },
  );
  if (!data?.login?.tokens) throw new Error(`${identifier} cannot log in: ${JSON.stringify(errors ?? data)}`);
  return { id: data.login.user.id, token: data.login.tokens.accessToken };
}

/** Registers by mail, verifies by its code, and logs in. */
export async function person(denizen, userName) {
  const email = `${userName}@example.org`;
  const { data } = await ask(
    denizen.endpoint,
    'mutation Register($input: RegisterUserInput!) { registerUser(input: $input) { registrationToken errors { code path } } }',
    { variables: { input: { userName, email, password: PASSWORD, name: userName.toUpperCase() } } },
  );
  if (data.registerUser.errors.length > 0) throw new Error(JSON.stringify(data.registerUser.errors));
  const [, code] = await denizen.mail(email, /\b(\d{6})\b/);
  await ask(denizen.endpoint, 'mutation Verify($input: VerifyUserInput!) { verifyUser(input: $input) { user { id } } }', {
    variables: { input: { userName, code, registrationToken: data.registerUser.registrationToken } },
  });
  return { ...(await login(denizen.endpoint, userName)), userName, email };
}

/** An organisation, made by whoever holds the token. */
export async function organization(denizen, code, token) {
  const { data, errors } = await ask(
    denizen.endpoint,
    'mutation Make($input: UpsertOrganizationsInput!) { upsertOrganizations(input: $input) { organizations { id } } }',
    { token, variables: { input: { organizations: [{ code, name: code.toUpperCase(), active: true }] } } },
  );
  if (!data?.upsertOrganizations) throw new Error(JSON.stringify(errors));
  return data.upsertOrganizations.organizations[0].id;
}
