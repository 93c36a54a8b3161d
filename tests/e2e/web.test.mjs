// examples/web as people meet it: a real Chromium, the built page, the mails of /dev/mailbox, a Denizen behind it.
//   CHROMIUM     the browser (default: /usr/bin/chromium); nothing is downloaded
//   SCREENSHOTS  a directory to keep pictures of the pages in
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { ask, PASSWORD, person, startDenizen } from './support/denizen.mjs';
import { freePort, ROOT, run, start } from './support/process.mjs';

const WEB = join(ROOT, 'examples/web');
const BROWSER = process.env.CHROMIUM ?? '/usr/bin/chromium';
const BROWSER_FLAGS = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

let denizen;
let web;
let browser;
let origin;

before(async () => {
  const built = await run('npm', ['run', '--silent', 'build'], { cwd: WEB });
  assert.equal(built.code, 0, built.output);
  const port = await freePort();
  origin = `http://127.0.0.1:${port}`;
  // The page renews tokens half a minute before their end: with these it renews before every request.
  denizen = await startDenizen({ env: { DENIZEN_PUBLIC_URL: origin, DENIZEN_ACCESS_TOKEN_TTL: '20s' } });
  const vite = join(WEB, 'node_modules/vite/bin/vite.js');
  web = await start(process.execPath, [vite, 'preview', '--host', '127.0.0.1', '--port', String(port), '--strictPort'], {
    cwd: WEB,
    env: { DENIZEN_URL: denizen.origin },
    ready: origin,
  });
  browser = await chromium.launch({ executablePath: BROWSER, args: BROWSER_FLAGS });
});

after(async () => {
  await browser?.close();
  await web?.stop();
  await denizen?.stop();
});

test('sign up, confirm by code, log in, see and change the profile, log out', async () => {
  const { page, seen, close } = await visit({ width: 1280, height: 800 });
  await signUp(page, 'ada');
  await picture(page, 'code');
  await page.getByLabel('Code').fill('12345');
  await page.getByRole('button', { name: 'Confirm', exact: true }).click();
  await page.locator('.problem').first().waitFor();
  const [, code] = await denizen.mail('ada@example.org', /\b(\d{6})\b/);
  await page.getByLabel('Code').fill(code);
  await page.getByRole('button', { name: 'Confirm', exact: true }).click();
  await page.getByText('Your address is confirmed').waitFor();

  await logIn(page, 'ada', 'not the password');
  await page.getByRole('alert').waitFor();
  await logIn(page, 'ada');
  await page.getByText('ada@example.org').waitFor();
  assert.deepEqual(await page.evaluate(() => [{ ...localStorage }, { ...sessionStorage }, document.cookie]), [{}, {}, '']);

  await page.getByRole('button', { name: 'Edit' }).click();
  await page.getByLabel('Name', { exact: true }).fill('Ada Lovelace');
  await page.getByLabel('Language').fill('not a language!');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.locator('.field', { hasText: 'Language' }).locator('.problem').waitFor();
  await picture(page, 'profile-edit');
  await page.getByLabel('Language').fill('en-GB');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('heading', { name: 'Ada Lovelace' }).waitFor();
  await page.getByText('en-GB').waitFor();
  await picture(page, 'profile');

  await page.getByRole('button', { name: 'Log out' }).click();
  await page.getByRole('heading', { name: 'Log in' }).waitFor();
  assert.deepEqual(seen.problems, []);
  assert.ok(seen.renewals >= 3, `${seen.renewals} renewals`);
  await close();
});

test('on a narrow screen: confirm by the link, be invited, accept, invite others, who decline', async () => {
  const { page, seen, close } = await visit({ width: 400, height: 800 });
  await signUp(page, 'bert');
  await page.goto(await linkTo('bert@example.org', 'verify'));
  await page.getByRole('button', { name: 'Confirm my address' }).click();
  await page.getByText('Your address is confirmed').waitFor();

  await logIn(page, 'admin');
  await open(page, 'Organisations');
  await page.getByLabel('Code').fill('acme');
  await page.getByLabel('Name').fill('Acme Translations');
  await page.getByRole('button', { name: 'Create' }).click();
  await page.getByRole('heading', { name: 'Acme Translations' }).waitFor();
  await invite(page, 'not an address');
  await page.locator('.field', { hasText: 'Email' }).locator('.problem').waitFor();
  await invite(page, 'bert@example.org', 'ADMIN');
  await page.getByText('pending · ADMIN').waitFor();
  await page.getByRole('button', { name: 'Log out' }).click();

  await page.goto(await linkTo('bert@example.org', 'invitation'));
  await page.getByText('Acme Translations').waitFor();
  await picture(page, 'invitation');
  await page.getByRole('link', { name: 'Log in to accept' }).click();
  await logIn(page, 'bert');
  await page.getByRole('button', { name: 'Accept' }).click();
  await page.getByRole('heading', { name: 'Members (1)' }).waitFor();

  await invite(page, 'carl@example.org');
  await page.getByText('pending · MEMBER').waitFor();
  await picture(page, 'organisation');
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 400);

  const stranger = await visit({ width: 400, height: 800 });
  await stranger.page.goto(await linkTo('carl@example.org', 'invitation'));
  await stranger.page.getByRole('button', { name: 'Decline' }).click();
  await stranger.page.getByRole('heading', { name: 'Declined' }).waitFor();
  await stranger.page.reload();
  await stranger.page.getByRole('heading', { name: 'This invitation is over' }).waitFor();
  await stranger.close();

  await open(page, 'Organisations');
  await page.getByRole('link', { name: 'Acme Translations' }).click();
  await page.getByText('declined · MEMBER').waitFor();
  assert.deepEqual([...seen.problems, ...stranger.seen.problems], []);
  await close();
});

test('a link that is opened elsewhere asks for the password, or for a new one', async () => {
  const { page: here, close: closeHere } = await visit({ width: 400, height: 800 });
  for (const name of ['finn', 'gwen']) await signUp(here, name);
  await closeHere();

  const { page, seen, close } = await visit({ width: 400, height: 800 });
  await page.goto(await linkTo('finn@example.org', 'verify'));
  await page.getByLabel('Password', { exact: true }).fill('not the password');
  await page.getByRole('button', { name: 'Confirm my address' }).click();
  await page.locator('.field .problem').waitFor();
  await picture(page, 'verify');
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByRole('button', { name: 'Confirm my address' }).click();
  await page.getByText('Your address is confirmed').waitFor();
  await logIn(page, 'finn');
  await page.getByText('finn@example.org').waitFor();
  await page.getByRole('button', { name: 'Log out' }).click();

  await page.goto(await linkTo('gwen@example.org', 'verify'));
  await page.getByLabel('New password').fill('12345678');
  await page.getByRole('button', { name: 'Set this password and confirm' }).click();
  await page.locator('.field .problem').waitFor();
  await page.getByLabel('New password').fill('four-Blue-otters-12-dive');
  await page.getByRole('button', { name: 'Set this password and confirm' }).click();
  await page.getByText('Your address is confirmed').waitFor();
  await logIn(page, 'gwen');
  await page.getByRole('alert').waitFor();
  await logIn(page, 'gwen', 'four-Blue-otters-12-dive');
  await page.getByText('gwen@example.org').waitFor();
  assert.deepEqual(seen.problems, []);
  await close();
});

test('a forgotten password: ask for a link, choose a new one, log in with it', async () => {
  const { page, seen, close } = await visit({ width: 400, height: 800, colorScheme: 'dark' });
  await page.goto(origin);
  await picture(page, 'login');
  await page.getByRole('link', { name: 'Forgot your password?' }).click();
  await page.getByLabel('User name or email').fill('ada');
  await page.getByRole('button', { name: 'Send a link' }).click();
  await page.getByText('a mail with a link is on its way').waitFor();
  await page.goto(await linkTo('ada@example.org', 'reset'));
  await page.getByLabel('New password').fill('12345678');
  await page.getByRole('button', { name: 'Set the password' }).click();
  await page.locator('.field .problem').waitFor();
  await picture(page, 'reset');
  await page.getByLabel('New password').fill('four-Blue-otters-12-dive');
  await page.getByRole('button', { name: 'Set the password' }).click();
  await page.getByText('Your password is set').waitFor();
  await logIn(page, 'ada', 'four-Blue-otters-12-dive');
  await page.getByRole('heading', { name: 'Ada Lovelace' }).waitFor();
  assert.deepEqual(seen.problems, []);
  await close();
});

test('an account with a second factor asks for it', async () => {
  const eve = await person(denizen, 'eve');
  const { data } = await ask(denizen.endpoint, 'mutation { enrollTotp { secret } }', { token: eve.token });
  const confirmed = await ask(
    denizen.endpoint,
    'mutation Confirm($input: ConfirmTotpInput!) { confirmTotp(input: $input) { recoveryCodes errors { code } } }',
    { token: eve.token, variables: { input: { code: totp(data.enrollTotp.secret) } } },
  );
  const [recoveryCode] = confirmed.data.confirmTotp.recoveryCodes;

  const { page, seen, close } = await visit({ width: 400, height: 800 });
  await page.goto(origin);
  await logIn(page, 'eve');
  await page.getByLabel('Code of your app').fill('000000');
  await page.getByRole('main').getByRole('button', { name: 'Log in' }).click();
  await page.locator('.problem').first().waitFor();
  await picture(page, 'second-factor');
  await page.getByRole('button', { name: 'Recovery code instead' }).click();
  await page.getByLabel('Recovery code').fill(recoveryCode);
  await page.getByRole('main').getByRole('button', { name: 'Log in' }).click();
  await page.getByText('eve@example.org').waitFor();
  assert.deepEqual(seen.problems, []);
  await close();
});

test('somebody invited who has no account joins by signing up', async () => {
  const { page, close } = await visit({ width: 1280, height: 800, colorScheme: 'dark' });
  await page.goto(origin);
  await logIn(page, 'admin');
  await page.getByRole('button', { name: 'Edit' }).waitFor();
  await open(page, 'Organisations');
  await picture(page, 'organisations-dark');
  await page.getByLabel('Code').fill('zeta');
  await page.getByRole('button', { name: 'Create' }).click();
  await invite(page, 'dora@example.org');
  await page.getByText('pending · MEMBER').waitFor();
  await page.getByRole('button', { name: 'Log out' }).click();

  await page.goto(await linkTo('dora@example.org', 'invitation'));
  await page.getByRole('main').getByRole('link', { name: 'Sign up' }).click();
  await fillSignUp(page, 'dora');
  const [, code] = await denizen.mail('dora@example.org', /\b(\d{6})\b/);
  await page.getByLabel('Code').fill(code);
  await page.getByRole('button', { name: 'Confirm', exact: true }).click();
  await logIn(page, 'dora');
  await open(page, 'Organisations');
  await page.getByRole('link', { name: 'zeta' }).click();
  await page.getByRole('heading', { name: 'Members (1)' }).waitFor();
  await picture(page, 'member-dark');
  // A member may not invite: the list that is refused takes nothing with it.
  assert.equal(await page.getByRole('button', { name: 'Invite' }).count(), 0);
  await close();
});

/** A browser of one's own, and what must not happen in it. */
async function visit({ width, height, colorScheme = 'light' }) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  const seen = { problems: [], renewals: 0 };
  page.on('console', (message) => message.type() === 'error' && seen.problems.push(message.text()));
  page.on('pageerror', (error) => seen.problems.push(String(error)));
  page.on('request', (request) => {
    if (request.postData()?.includes('refreshTokens(')) seen.renewals += 1;
    if (!request.url().startsWith(origin) && !request.url().startsWith('data:')) seen.problems.push(request.url());
  });
  return { page, seen, close: () => context.close() };
}

async function signUp(page, userName) {
  await page.goto(`${origin}/sign-up`);
  await picture(page, 'sign-up');
  await fillSignUp(page, userName);
}

async function fillSignUp(page, userName) {
  await page.getByLabel('User name').fill(userName);
  await page.getByLabel('Email').fill(`${userName}@example.org`);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign up' }).click();
  await page.getByRole('heading', { name: 'Confirm your address' }).waitFor();
}

async function logIn(page, identifier, password = PASSWORD) {
  await page.getByLabel('User name or email').fill(identifier);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('main').getByRole('button', { name: 'Log in' }).click();
}

const open = (page, name) => page.getByRole('navigation').getByRole('link', { name }).click();

async function invite(page, email, role = 'MEMBER') {
  await page.getByLabel('Email').fill(email);
  await page.getByLabel('Role').selectOption(role);
  await page.getByRole('button', { name: 'Invite' }).click();
}

async function linkTo(address, path) {
  const [found] = await denizen.mail(address, new RegExp(`${origin}/${path}\\?token=\\S+`));
  return found;
}

async function picture(page, name) {
  const directory = process.env.SCREENSHOTS;
  const { width } = page.viewportSize();
  if (directory) await page.screenshot({ path: join(directory, `${name}-${width}.png`), fullPage: true });
}

/** What an authenticator shows now for the secret (RFC 6238). */
function totp(secret) {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...secret].map((letter) => alphabet.indexOf(letter).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const digest = createHmac('sha1', key).update(step).digest();
  const number = digest.readUInt32BE(digest.at(-1) & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, '0');
}
