// The playground as a person meets it, from the first visit to the sign-out.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  ask, assertAnswer, assertStrict, assertTokenOnlyInSession, LOGIN, newPage, openOperation, PASSWORD, PRODUCTION,
  signIn, startBrowser, startServer, totp, watch,
} from './support.mjs';

let server;
let production;
let browser;

before(async () => {
  server = await startServer();
  production = await startServer({
    ...PRODUCTION(),
    // Shorter than the margin at which the page renews: each run does.
    DENIZEN_ACCESS_TOKEN_TTL: '20s',
  });
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await server?.stop();
  await production?.stop();
});

test('sign in, run `me`, read the answer, sign out: without a stray request or a refused script', async () => {
  const page = await newPage(browser);
  const seen = watch(page);
  const bar = page.getByRole('banner');

  const response = await page.goto(`${server.origin}/playground`);
  assert.ok(response?.ok(), `/playground answered ${response?.status()}`);
  assertStrict(response.headers()['content-security-policy']);
  await page.getByRole('textbox', { name: /Editor content/ }).first().waitFor({ state: 'attached' });

  await bar.getByRole('button', { name: 'Sign in', exact: true }).click();
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
  await bar.getByRole('button', { name: 'Sign in', exact: true }).waitFor();
  await openOperation(page, 'Me');
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
  const page = await newPage(browser, { viewport: { width: 400, height: 800 } });
  await page.goto(`${server.origin}/playground`);
  await page.getByRole('banner').getByRole('button', { name: 'Sign in', exact: true }).click();
  const panel = page.getByRole('dialog', { name: 'Sign in' });
  await panel.getByLabel('User name, email or phone').fill('admin');
  await panel.getByLabel('Password').fill('not the password');
  await page.keyboard.press('Enter');
  await panel.getByRole('alert').locator('p').first().waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 400);
  await page.close();
});

test('in production the schema waits for a login, and the tokens are renewed while somebody works', async () => {
  const page = await newPage(browser);
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

test('an account with an authenticator app signs in with its second factor', async () => {
  const { accessToken } = (await ask(server, LOGIN)).login.tokens;
  const mutate = (text) => ask(server, `mutation { ${text} }`, accessToken);
  const { enrollTotp } = await mutate(`enrollTotp(input: {}) { secret errors { message } }`);
  assert.deepEqual(enrollTotp.errors, []);
  const code = totp(enrollTotp.secret);
  const { confirmTotp } = await mutate(`confirmTotp(input: { code: "${code}" }) { recoveryCodes errors { message } }`);
  assert.deepEqual(confirmTotp.errors, []);

  const page = await newPage(browser, { viewport: { width: 400, height: 800 } });
  await page.goto(`${server.origin}/playground`);
  await page.getByRole('banner').getByRole('button', { name: 'Sign in', exact: true }).click();
  await signIn(page, 'admin', PASSWORD);
  const panel = page.getByRole('dialog', { name: 'Sign in' });
  await panel.getByLabel('Confirm that it is you').selectOption('Recovery code');
  await panel.getByLabel('Code', { exact: true }).fill('not a code');
  await panel.getByRole('button', { name: 'Sign in', exact: true }).click();
  await panel.getByRole('alert').locator('p').first().waitFor();
  await panel.getByLabel('Code', { exact: true }).fill(confirmTotp.recoveryCodes[0]);
  await panel.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('banner').getByText('admin', { exact: true }).waitFor();
  await page.close();
});

