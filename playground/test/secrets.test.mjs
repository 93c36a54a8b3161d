// What the playground stores, and what a sign-out leaves behind: no secrets.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  assertAnswer, openOperation, openPlayground, openSignedIn, PASSWORD, run, signInFromBar, startBrowser, startServer, until, write,
} from './support.mjs';

const TYPED = 'a-password-that-was-typed';

let server;
let browser;

before(async () => {
  server = await startServer();
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

const stored = (page) => page.evaluate(() => JSON.stringify([{ ...sessionStorage }, { ...localStorage }]));

/** GraphiQL writes half a second after the last change. */
async function storedAfterAWhile(page) {
  await sleep(1_000);
  return stored(page);
}

/** Every text of every tab, as somebody sees it who opens one after the other. */
async function everythingOnScreen(page) {
  const seen = [];
  for (const tab of await page.getByRole('tab').all()) {
    await tab.click();
    for (const name of ['Headers', 'Variables']) {
      await page.getByRole('button', { name, exact: true }).click();
      seen.push(await page.locator('body').innerText());
    }
  }
  return seen.join('\n').replaceAll('\u00a0', ' ');
}

test('signing out takes a TOTP secret, typed tokens and passwords from the screen and from both storages', async () => {
  const page = await openSignedIn(browser, server);
  const { accessToken } = await page.evaluate(() => JSON.parse(sessionStorage.getItem('denizen:session')));
  await openOperation(page, 'Login');
  await write(page, 'Variables', `{"input": {"identifier": "nobody", "password": "${TYPED}"}}`);
  await write(page, 'Headers', `{"authorization": "Bearer ${accessToken}"}`);
  await run(page);
  await assertAnswer(page, /WRONG_CREDENTIALS/);
  await openOperation(page, 'EnrollTotp');
  await run(page);
  await assertAnswer(page, /"secret": "[A-Z2-7]{32}"/);
  const secret = await page.locator('.enrolment-secret code').innerText();

  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('banner').getByRole('button', { name: 'Sign in', exact: true }).waitFor();
  const left = { screen: await everythingOnScreen(page), storage: await storedAfterAWhile(page) };
  for (const [where, text] of Object.entries(left)) {
    for (const [what, value] of Object.entries({ secret, TYPED, accessToken })) {
      assert.ok(!text.includes(value), `${what} is left in the ${where}`);
    }
  }
  assert.match(left.screen, /"identifier": "nobody"/, 'what is no secret stays');

  // The history is a way back to what was run.
  await page.getByRole('button', { name: 'Show History' }).click();
  await page.locator('.graphiql-history-item-label').filter({ hasText: 'Login' }).first().click();
  await sleep(300);
  assert.ok(!(await page.locator('body').innerText()).includes(TYPED));
  await page.close();
});

test('secrets are never stored, in variables or in the text of an operation; what is no secret is there after a reload', async () => {
  const page = await openPlayground(browser, server);
  await openOperation(page, 'Login');
  await write(page, 'Variables', `{"input": {"identifier": "someone", "password": "${TYPED}"}}`);
  await page.getByRole('button', { name: 'New tab' }).click();
  await write(page, 'Operation Editor', `mutation Two { resetPassword(input: { token: "${TYPED}", code: "${TYPED}-code", newPassword: "${TYPED}" }) { errors { code } } }`);
  await write(page, 'Variables', '{"by": {"code": "ACME"}}');
  const text = await storedAfterAWhile(page);
  assert.ok(!text.includes(TYPED), text);
  assert.match(text, /someone/);
  assert.match(text, /ACME/, 'the code of an organisation is its name');
  await page.reload();
  await page.getByRole('tab', { name: 'Login', exact: true }).click();
  await until(async () => /someone/.test(await page.getByRole('region', { name: 'Variables' }).innerText()), 'the variables');
  await page.close();
});

test('signing out ends the subscriptions and their events', async () => {
  const page = await openSignedIn(browser, server);
  const sockets = [];
  page.on('websocket', (socket) => sockets.push(socket));
  await openOperation(page, 'FollowEvents');
  await run(page);
  await page.locator('.stream-state').filter({ hasText: 'Running' }).waitFor();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await until(() => sockets.every((socket) => socket.isClosed()), 'the socket to be closed');
  assert.equal(await page.locator('.stream').count(), 0);
  await signInFromBar(page, 'admin', PASSWORD);
  assert.equal(await page.locator('.stream').count(), 0);
  await page.close();
});
