// The playground as a person meets it: the real binary, a real Chromium, the page's own Content-Security-Policy.
//   DENIZEN_BIN  the binary (default: the debug build of this repository)
//   CHROMIUM     the browser (default: /usr/bin/chromium); nothing is downloaded
// A wrong or missing binary or browser fails the test: it never skips.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
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
const READY_WITHIN = 30_000;

let server;
let browser;

before(async () => {
  server = await startServer();
  browser = await chromium.launch({ executablePath: BROWSER, args: BROWSER_FLAGS });
});

after(async () => {
  await browser?.close();
  await server?.stop();
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
  const panel = page.getByRole('dialog', { name: 'Sign in' });
  await panel.getByLabel('User name, email or phone').fill('admin');
  await panel.getByLabel('Password').fill(PASSWORD);
  await panel.getByRole('button', { name: 'Sign in' }).click();
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

async function startServer() {
  const home = await mkdtemp(join(tmpdir(), 'denizen-playground-'));
  const listen = `127.0.0.1:${await freePort()}`;
  const child = spawn(BINARY, ['serve'], {
    cwd: home,
    env: {
      ...process.env,
      DENIZEN_LISTEN: listen,
      DENIZEN_DATABASE_URL: `sqlite://${home}/denizen.db`,
      DENIZEN_ADMIN_PASSWORD: PASSWORD,
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
