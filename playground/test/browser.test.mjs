// The playground as a person meets it: the real binary, a real Chromium, the page's own Content-Security-Policy.
//   DENIZEN_BIN  the binary (default: the debug build of this repository)
//   CHROMIUM     the browser (default: /usr/bin/chromium); nothing is downloaded
// A wrong or missing binary or browser fails the test: it never skips.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium } from 'playwright-core';

const BINARY = resolve(process.env.DENIZEN_BIN ?? join(import.meta.dirname, '../../target/debug/denizen'));
const BROWSER = process.env.CHROMIUM ?? '/usr/bin/chromium';
const BROWSER_FLAGS = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];
const PASSWORD = 'seven-Grey-herons-11-wade';
const LOGIN = `mutation { login(input: { identifier: "admin", password: "${PASSWORD}" }) { tokens { accessToken } } }`;
const READY_WITHIN = 30_000;

let server;
let production;
let browser;

before(async () => {
  server = await startServer();
  production = await startServer({
    DENIZEN_MODE: 'production',
    DENIZEN_PLAYGROUND: 'on',
    DENIZEN_SECRET: randomBytes(32).toString('hex'),
    DENIZEN_PUBLIC_URL: 'https://id.example.org',
    DENIZEN_SMTP_URL: 'smtp://127.0.0.1:9',
    DENIZEN_MAIL_FROM: 'id@example.org',
    // Shorter than the margin at which the page renews: each run does.
    DENIZEN_ACCESS_TOKEN_TTL: '20s',
  });
  browser = await chromium.launch({ executablePath: BROWSER, args: BROWSER_FLAGS });
});

after(async () => {
  await browser?.close();
  await server?.stop();
  await production?.stop();
});

test('sign in, run `me`, read the answer, sign out: without a stray request or a refused script', async () => {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  const seen = watch(page);
  const bar = page.getByRole('banner');

  const response = await page.goto(`${server.origin}/playground`);
  assert.ok(response?.ok(), `/playground answered ${response?.status()}`);
  assertStrict(response.headers()['content-security-policy']);
  await page.getByRole('textbox', { name: /Editor content/ }).first().waitFor({ state: 'attached' });

  await bar.getByRole('button', { name: 'Sign in' }).click();
  await signIn(page, 'admin', PASSWORD);
  await bar.getByText('admin', { exact: true }).waitFor();
  await bar.getByText(/token until/).waitFor();
  await assertTokenOnlyInSession(page);

  await page.getByRole('region', { name: 'Operations' }).getByRole('button', { name: /^Me / }).click();
  await page.getByRole('tab', { name: 'Me', selected: true }).waitFor();
  await page.getByRole('button', { name: /^Execute query/ }).click();
  await assertAnswer(page, /"userName": "admin"/);

  await page.getByRole('button', { name: 'Show Documentation Explorer' }).click();
  await page.getByText('Root Types').waitFor();
  await page.getByRole('button', { name: 'Show Explorer' }).click();
  await page.locator('.graphiql-explorer-root').waitFor();

  await bar.getByRole('button', { name: 'Sign out' }).click();
  await bar.getByRole('button', { name: 'Sign in' }).waitFor();
  await page.getByRole('button', { name: /^Execute query/ }).click();
  await assertAnswer(page, /"me": null/);

  // A worker or a font that is refused says so a moment later.
  await sleep(500);
  assert.deepEqual(seen.problems, []);
  assert.deepEqual([...seen.hosts], [new URL(server.origin).host]);
  assert.ok(seen.workers >= 2, `Monaco started ${seen.workers} workers`);
  await page.close();
});

test('a wrong password is said plainly, and the panel stays', async () => {
  const page = await browser.newPage({ viewport: { width: 400, height: 800 } });
  await page.goto(`${server.origin}/playground`);
  await page.getByRole('banner').getByRole('button', { name: 'Sign in' }).click();
  const panel = page.getByRole('dialog', { name: 'Sign in' });
  await panel.getByLabel('User name, email or phone').fill('admin');
  await panel.getByLabel('Password').fill('not the password');
  await page.keyboard.press('Enter');
  await panel.getByRole('alert').locator('p').first().waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 400);
  await page.close();
});

test('in production the schema waits for a login, and the tokens are renewed while somebody works', async () => {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  const asked = [];
  page.on('request', (request) => {
    if (request.url().endsWith('/graphql')) asked.push(/\b(IntrospectionQuery|refreshTokens|login)\b/.exec(request.postData())?.[1]);
  });
  await page.goto(`${production.origin}/playground`);
  const panel = page.getByRole('dialog', { name: 'Sign in' });
  await panel.waitFor();
  await page.getByText('The schema loads when you sign in.').waitFor();
  assert.deepEqual(asked, [], 'nothing is asked for before the login');
  await signIn(page, 'admin', PASSWORD);
  await page.getByText('The schema loads when you sign in.').waitFor({ state: 'hidden' });
  await page.getByRole('button', { name: 'Show Documentation Explorer' }).click();
  await page.getByText('Root Types').waitFor();

  await page.getByRole('button', { name: 'Show Operations' }).click();
  await page.getByRole('region', { name: 'Operations' }).getByRole('button', { name: /^Me / }).click();
  asked.length = 0;
  await page.getByRole('button', { name: /^Execute query/ }).click();
  await assertAnswer(page, /"userName": "admin"/);
  assert.deepEqual(asked, ['refreshTokens', undefined], 'new tokens first, and then the operation');
  await page.close();
});

test('a subscription shows what happens while it runs', async () => {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  await page.goto(`${server.origin}/playground`);
  const bar = page.getByRole('banner');
  await bar.getByRole('button', { name: 'Sign in' }).click();
  await signIn(page, 'admin', PASSWORD);
  await bar.getByText('admin', { exact: true }).waitFor();
  await page.getByRole('region', { name: 'Operations' }).getByRole('button', { name: /^FollowEvents / }).click();
  await page.getByRole('tab', { name: 'FollowEvents', selected: true }).waitFor();
  const listening = page.waitForEvent('websocket').then((socket) => socket.waitForEvent('framesent', (frame) => /"subscribe"/.test(frame.payload)));
  await page.getByRole('button', { name: /^Execute query/ }).click();
  await listening;
  // The stream begins a moment after it was asked for: what happens is repeated until it is seen.
  const answer = page.locator('.result-window .view-lines');
  for (let tries = 0; tries < 40 && !/session.started/.test(await answer.innerText().catch(() => '')); tries += 1) {
    await ask(LOGIN);
    await sleep(250);
  }
  await assertAnswer(page, /"type": "session.started"/);
  await page.close();
});

test('an account with an authenticator app signs in with its second factor', async () => {
  const { accessToken } = (await ask(LOGIN)).login.tokens;
  const mutate = (text) => ask(`mutation { ${text} }`, accessToken);
  const { enrollTotp } = await mutate(`enrollTotp(input: {}) { secret errors { message } }`);
  assert.deepEqual(enrollTotp.errors, []);
  const code = totp(enrollTotp.secret);
  const { confirmTotp } = await mutate(`confirmTotp(input: { code: "${code}" }) { recoveryCodes errors { message } }`);
  assert.deepEqual(confirmTotp.errors, []);

  const page = await browser.newPage({ viewport: { width: 400, height: 800 } });
  await page.goto(`${server.origin}/playground`);
  await page.getByRole('banner').getByRole('button', { name: 'Sign in' }).click();
  await signIn(page, 'admin', PASSWORD);
  const panel = page.getByRole('dialog', { name: 'Sign in' });
  await panel.getByLabel('Confirm that it is you').selectOption('Recovery code');
  await panel.getByLabel('Code', { exact: true }).fill('not a code');
  await panel.getByRole('button', { name: 'Sign in' }).click();
  await panel.getByRole('alert').locator('p').first().waitFor();
  await panel.getByLabel('Code', { exact: true }).fill(confirmTotp.recoveryCodes[0]);
  await panel.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('banner').getByText('admin', { exact: true }).waitFor();
  await page.close();
});

async function signIn(page, identifier, password) {
  const panel = page.getByRole('dialog', { name: 'Sign in' });
  await panel.getByLabel('User name, email or phone').fill(identifier);
  await panel.getByLabel('Password').fill(password);
  await panel.getByRole('button', { name: 'Sign in' }).click();
}

/** What an authenticator app shows for this secret now. */
function totp(base32) {
  const bits = [...base32].map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const digest = createHmac('sha1', key).update(counter).digest();
  const number = digest.readUInt32BE(digest.at(-1) & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, '0');
}

async function ask(query, accessToken) {
  const headers = { 'content-type': 'application/json', ...(accessToken && { authorization: `Bearer ${accessToken}` }) };
  const response = await fetch(`${server.origin}/graphql`, { method: 'POST', headers, body: JSON.stringify({ query }) });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined, JSON.stringify(errors));
  return data;
}

/** Collects what must not happen on a page: errors, refusals by the policy, requests to anyone else. */
function watch(page) {
  const seen = { problems: [], hosts: new Set(), workers: 0 };
  page.on('console', (message) => {
    if (message.type() === 'error' || /Content.Security.Policy/i.test(message.text())) seen.problems.push(message.text());
  });
  page.on('pageerror', (error) => seen.problems.push(String(error)));
  page.on('requestfailed', (request) => seen.problems.push(`${request.url()}: ${request.failure()?.errorText}`));
  page.on('worker', () => (seen.workers += 1));
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (url.protocol !== 'data:') seen.hosts.add(url.host);
  });
  return seen;
}

function assertStrict(policy) {
  assert.ok(policy, 'the page has no Content-Security-Policy');
  const directives = new Map(policy.split(';').map((part) => part.trim().split(/\s+/)).map(([name, ...rest]) => [name, rest]));
  assert.deepEqual(directives.get('script-src') ?? directives.get('default-src'), ["'self'"], policy);
  assert.doesNotMatch(policy, /unsafe-eval|https?:|\*|blob:/);
}

async function assertTokenOnlyInSession(page) {
  const [session, local] = await page.evaluate(() => [
    JSON.parse(sessionStorage.getItem('denizen:session')),
    JSON.stringify({ ...localStorage }),
  ]);
  assert.ok(session.accessToken.length > 20);
  assert.ok(!local.includes(session.accessToken), 'the token is in localStorage');
}

async function assertAnswer(page, pattern) {
  const answer = page.locator('.result-window .view-lines');
  const deadline = Date.now() + 10_000;
  let text = '';
  while (Date.now() < deadline) {
    // Monaco writes its spaces as no-break spaces.
    text = (await answer.innerText()).replaceAll('\u00a0', ' ');
    if (pattern.test(text)) return;
    await sleep(100);
  }
  assert.match(text, pattern);
}

async function startServer(settings = {}) {
  const home = await mkdtemp(join(tmpdir(), 'denizen-playground-'));
  const listen = `127.0.0.1:${await freePort()}`;
  const child = spawn(BINARY, ['serve'], {
    cwd: home,
    env: {
      ...process.env,
      DENIZEN_LISTEN: listen,
      DENIZEN_DATABASE_URL: `sqlite://${home}/denizen.db`,
      DENIZEN_ADMIN_PASSWORD: PASSWORD,
      ...settings,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  let gone;
  child.stdout.on('data', (text) => (log += text));
  child.stderr.on('data', (text) => (log += text));
  child.on('error', (error) => (gone = String(error)));
  child.on('exit', (code, signal) => (gone ??= `it ended with ${signal ?? code}`));
  // Whatever becomes of this process, the server does not outlive it.
  process.once('exit', () => child.kill('SIGKILL'));

  const origin = `http://${listen}`;
  const stop = async () => {
    if (gone === undefined) {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      const inTime = await Promise.race([ended.then(() => true), sleep(5_000, false, { ref: false })]);
      if (!inTime) child.kill('SIGKILL');
    }
    await rm(home, { recursive: true, force: true });
  };

  const deadline = Date.now() + READY_WITHIN;
  while (Date.now() < deadline && gone === undefined) {
    const ready = await fetch(`${origin}/health/ready`).then((response) => response.ok, () => false);
    if (ready) return { origin, stop };
    await sleep(100);
  }
  await stop();
  throw new Error(`${BINARY} serve is not ready: ${gone ?? 'no answer in time'}\n${log}`);
}

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  return port;
}
