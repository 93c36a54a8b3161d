// The sign-in panel while one has to wait, and the tabs that open for whoever signs in.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ask, LOGIN, openPlayground, openSignedIn, PASSWORD, signIn, startBrowser, startServer, tabNames, until } from './support.mjs';

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

async function openPanel(page) {
  await page.getByRole('banner').getByRole('button', { name: 'Sign in', exact: true }).click();
  return page.getByRole('dialog', { name: 'Sign in' });
}

test('after too many attempts the panel counts down, and its button waits', async () => {
  const page = await openPlayground(browser, server);
  const panel = await openPanel(page);
  for (let tries = 0; tries < 12 && !(await panel.getByRole('timer').isVisible()); tries += 1) {
    await signIn(page, 'nobody-by-that-name', 'wrong');
    await panel.getByRole('alert').locator('p').first().waitFor();
  }
  await panel.getByText('Too many attempts: wait a while.').waitFor();
  const first = await panel.getByRole('timer').innerText();
  assert.match(first, /Try again in (\d+ min( \d+ s)?|\d+ s)\./);
  assert.ok(await panel.getByRole('button', { name: /^Wait / }).isDisabled());
  await until(async () => (await panel.getByRole('timer').innerText()) !== first, 'the countdown');
  await page.close();
});

for (const [what, answer] of [
  ['a payload', { json: { data: { login: { errors: [{ code: 'TOO_MANY_ATTEMPTS', message: 'Wait.', retryAfterSeconds: 2 }] } } } }],
  ['an error', { json: { errors: [{ message: 'Wait.', extensions: { code: 'RATE_LIMITED', retryAfterSeconds: 2 } }] } }],
  ['a header', { status: 503, headers: { 'retry-after': '2' }, json: { errors: [{ message: 'Busy.', extensions: { code: 'OVERLOADED' } }] } }],
  ['a header without GraphQL', { status: 503, headers: { 'retry-after': '2' }, body: 'busy' }],
]) {
  test(`the wait that ${what} asks for is kept, and then the button works again`, async () => {
    const page = await openPlayground(browser, server);
    const panel = await openPanel(page);
    await page.route(/\/graphql$/, (route) => route.fulfill(answer));
    await signIn(page, 'admin', PASSWORD);
    await panel.getByText(/Try again in \d s/).waitFor();
    assert.ok(await panel.getByRole('button', { name: /^Wait / }).isDisabled());
    await panel.getByRole('button', { name: 'Sign in', exact: true }).waitFor();
    assert.ok(await panel.getByRole('button', { name: 'Sign in', exact: true }).isEnabled());
    await page.close();
  });
}

test('tabs open on what the person needs: a stranger, a person, an administrator of an organisation, one of the platform', async () => {
  const { accessToken } = (await ask(server, LOGIN)).login.tokens;
  const made = await ask(server, `mutation {
    upsertOrganizations(input: { organizations: [{ code: "GLOBEX", name: "Globex", active: true, listed: true, selfRegistration: false }] }) { errors { message } }
    onboardUsers(input: { users: [
      { userName: "ada", email: "ada@example.org", password: "${PASSWORD}", roleCodes: [] },
      { userName: "hank", email: "hank@example.org", password: "${PASSWORD}", orgCode: "GLOBEX", roleCodes: ["ADMIN"] }
    ] }) { errors { message } }
  }`, accessToken);
  assert.deepEqual(made, { upsertOrganizations: { errors: [] }, onboardUsers: { errors: [] } });

  const page = await openPlayground(browser, server);
  await page.getByRole('tab').first().waitFor();
  const stranger = ['RegisterUser', 'VerifyUserByCode', 'Login', 'ForgotPassword', 'ResetPassword'];
  assert.deepEqual(await tabNames(page), stranger);
  await page.close();

  for (const [identifier, names] of [
    ['ada', ['Me', 'MySessions', 'UpdateProfile', 'MyFactors']],
    ['hank', ['Members', 'InviteMembers']],
    ['admin', ['Users', 'OnboardUsers', 'Events']],
  ]) {
    const theirs = await openSignedIn(browser, server, { identifier });
    await until(async () => (await tabNames(theirs)).join() === names.join(), `the tabs of ${identifier}`);
    if (identifier === 'hank') {
      const variables = theirs.getByRole('region', { name: 'Variables' });
      await until(async () => /GLOBEX/.test(await variables.innerText()), 'their organisation in the variables');
    }
    await theirs.getByRole('button', { name: 'Sign out' }).click();
    await until(async () => (await tabNames(theirs)).join() === stranger.join(), `the tabs after ${identifier}`);
    await theirs.close();
  }
});
