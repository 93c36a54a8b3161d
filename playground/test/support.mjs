// What the browser tests share: the real binary, a real Chromium, and what a person does on the page.
//   DENIZEN_BIN      the binary (default: the debug build of this repository)
//   CHROMIUM         the browser (default: /usr/bin/chromium); nothing is downloaded
//   PLAYGROUND_DIST  a build of the playground that is served in place of the one in the binary, under its policy
// A wrong or missing binary or browser fails the tests: they never skip.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium } from 'playwright-core';

const BINARY = resolve(process.env.DENIZEN_BIN ?? join(import.meta.dirname, '../../target/debug/denizen'));
const BROWSER = process.env.CHROMIUM ?? '/usr/bin/chromium';
const BROWSER_FLAGS = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];
const DIST = process.env.PLAYGROUND_DIST && resolve(process.env.PLAYGROUND_DIST);
// Chromium takes a page that the test hands out for one from elsewhere, and keeps it from this machine's sockets.
if (DIST) BROWSER_FLAGS.push('--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets');
const READY_WITHIN = 30_000;

export const PASSWORD = 'seven-Grey-herons-11-wade';
export const LOGIN = `mutation { login(input: { identifier: "admin", password: "${PASSWORD}" }) { tokens { accessToken } } }`;

export function startBrowser() {
  return chromium.launch({ executablePath: BROWSER, args: BROWSER_FLAGS });
}

/** A page of its own, with nothing stored. */
export async function newPage(browser, options = {}) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, ...options });
  page.setDefaultTimeout(20_000);
  if (DIST) await page.route(/\/playground(\/|$)/, serveDist);
  return page;
}

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.ttf': 'font/ttf' };
const policies = new Map();

async function serveDist(route) {
  const { origin, pathname } = new URL(route.request().url());
  if (!policies.has(origin)) {
    const embedded = await fetch(`${origin}/playground`);
    const signedIn = (await embedded.text()).includes('content="signed-in"');
    policies.set(origin, { policy: embedded.headers.get('content-security-policy'), signedIn });
  }
  const { policy, signedIn } = policies.get(origin);
  const path = pathname.replace(/^\/playground\/?/, '') || 'index.html';
  let body = await readFile(join(DIST, path));
  if (signedIn && path === 'index.html') body = body.toString().replace('content="open"', 'content="signed-in"');
  const headers = { 'content-type': TYPES[extname(path)], 'content-security-policy': policy, 'cache-control': 'no-store' };
  await route.fulfill({ body, headers });
}

export async function openPlayground(browser, server, options = {}) {
  const page = await newPage(browser, options);
  await page.goto(`${server.origin}/playground`);
  return page;
}

export async function openSignedIn(browser, server, { identifier = 'admin', password = PASSWORD, ...options } = {}) {
  const page = await openPlayground(browser, server, options);
  await signInFromBar(page, identifier, password);
  return page;
}

export async function signInFromBar(page, identifier, password) {
  const bar = page.getByRole('banner');
  const panel = page.getByRole('dialog', { name: 'Sign in' });
  await page.getByRole('textbox', { name: /Editor content/ }).first().waitFor({ state: 'attached' });
  // In production it is open from the start.
  if (!(await panel.isVisible())) await bar.getByRole('button', { name: 'Sign in', exact: true }).first().click();
  await signIn(page, identifier, password);
  await bar.getByText(identifier, { exact: true }).waitFor();
}

export async function openOperation(page, name) {
  const panel = page.getByRole('region', { name: 'Operations' });
  if (!(await panel.isVisible())) await page.getByRole('button', { name: 'Show Operations' }).click();
  await panel.getByRole('button', { name: new RegExp(`^${name} `) }).click();
  await page.getByRole('tab', { name, selected: true }).waitFor();
}

export async function run(page) {
  await page.getByRole('button', { name: /^Execute query/ }).click();
}

/** Replaces what stands in one of the editors, as somebody who pastes. */
export async function write(page, section, text) {
  const editor = page.getByRole('region', { name: section, exact: true });
  if (section !== 'Operation Editor') await page.getByRole('button', { name: section, exact: true }).click();
  // Variables and headers share a place: one of them is hidden.
  await editor.locator('.graphiql-editor:not(.hidden) .view-lines').first().click();
  await page.keyboard.press('ControlOrMeta+A');
  await page.keyboard.press('Delete');
  await page.keyboard.insertText(text);
}

export async function tabNames(page) {
  return (await page.locator('.graphiql-tab-button').allInnerTexts()).map((name) => name.trim());
}

export async function until(check, what, within = 20_000) {
  const deadline = Date.now() + within;
  while (Date.now() < deadline) {
    if (await check()) return;
    await sleep(50);
  }
  assert.fail(`not within ${within} ms: ${what}`);
}

export async function signIn(page, identifier, password) {
  const panel = page.getByRole('dialog', { name: 'Sign in' });
  await panel.getByLabel('User name, email or phone').fill(identifier);
  await panel.getByLabel('Password').fill(password);
  await panel.getByRole('button', { name: 'Sign in', exact: true }).click();
}

/** What an authenticator app shows for this secret now. */
export function totp(base32) {
  const bits = [...base32].map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const digest = createHmac('sha1', key).update(counter).digest();
  const number = digest.readUInt32BE(digest.at(-1) & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, '0');
}

export async function ask(server, query, accessToken) {
  const headers = { 'content-type': 'application/json', ...(accessToken && { authorization: `Bearer ${accessToken}` }) };
  const response = await fetch(`${server.origin}/graphql`, { method: 'POST', headers, body: JSON.stringify({ query }) });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined, JSON.stringify(errors));
  return data;
}

/** Collects what must not happen on a page: errors, refusals by the policy, requests to anyone else. */
export function watch(page) {
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

export function assertStrict(policy) {
  assert.ok(policy, 'the page has no Content-Security-Policy');
  const directives = new Map(policy.split(';').map((part) => part.trim().split(/\s+/)).map(([name, ...rest]) => [name, rest]));
  assert.deepEqual(directives.get('script-src') ?? directives.get('default-src'), ["'self'"], policy);
  assert.doesNotMatch(policy, /unsafe-eval|https?:|\*|blob:/);
}

export async function assertTokenOnlyInSession(page) {
  const [session, local] = await page.evaluate(() => [
    JSON.parse(sessionStorage.getItem('denizen:session')),
    JSON.stringify({ ...localStorage }),
  ]);
  assert.ok(session.accessToken.length > 20);
  assert.ok(!local.includes(session.accessToken), 'the token is in localStorage');
}

export async function assertAnswer(page, pattern) {
  const answer = page.locator('.result-window .view-lines');
  const deadline = Date.now() + 20_000;
  let text = '';
  while (Date.now() < deadline) {
    // Monaco writes its spaces as no-break spaces.
    text = (await answer.innerText()).replaceAll('\u00a0', ' ');
    // A long line is wrapped.
    const unwrapped = text.replace(/\n\s*/g, '');
    if (pattern.test(unwrapped)) return;
    if (pattern.test(text)) return;
    await sleep(100);
  }
  assert.match(text, pattern);
}

export async function startServer(settings = {}) {
  const home = await mkdtemp(join(tmpdir(), 'denizen-playground-'));
  const listen = `127.0.0.1:${await freePort()}`;
  const child = spawn(BINARY, ['serve'], {
    cwd: home,
    env: {
      ...process.env,
      DENIZEN_LISTEN: listen,
      DENIZEN_DATABASE_URL: `sqlite://${home}/denizen.db`,
      DENIZEN_ADMIN_PASSWORD: PASSWORD,
      // Hashing is not what is tested here; production refuses less than 10.
      DENIZEN_BCRYPT_COST: settings.DENIZEN_MODE === 'production' ? '10' : '4',
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

export const PRODUCTION = () => ({
  DENIZEN_MODE: 'production',
  DENIZEN_PLAYGROUND: 'on',
  DENIZEN_SECRET: randomBytes(32).toString('hex'),
  DENIZEN_PUBLIC_URL: 'https://id.example.org',
  DENIZEN_SMTP_URL: 'smtp://127.0.0.1:9',
  DENIZEN_MAIL_FROM: 'id@example.org',
});

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  return port;
}
