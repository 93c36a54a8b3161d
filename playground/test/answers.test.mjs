// What the playground adds to answers: what a dry run would do, a QR code to scan, a passkey to make.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ask, assertAnswer, LOGIN, openOperation, openSignedIn, PASSWORD, run, startBrowser, startServer, write } from './support.mjs';

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

test('a dry run that would succeed says what it would do, and one that would not says nothing of the kind', async () => {
  const page = await openSignedIn(browser, server);
  const said = page.locator('.dry-run');
  await openOperation(page, 'OnboardUsers');
  await run(page);
  await said.waitFor();
  assert.equal(await said.innerText(), 'Nothing was changed. Without dryRun this would onboard 2 users: ada, grace.');

  await openOperation(page, 'UpsertOrganizations');
  await run(page);
  await said.waitFor();
  assert.equal(await said.innerText(), 'Nothing was changed. Without dryRun this would create or change 1 organisation: ACME.');

  await write(page, 'Variables', '{"input": {"dryRun": true, "organizations": [{"code": "", "name": "", "active": true, "listed": true, "selfRegistration": false}]}}');
  await run(page);
  await assertAnswer(page, /"path"/);
  assert.equal(await said.count(), 0);

  await write(page, 'Variables', '{"input": {"organizations": [{"code": "ACME", "name": "Acme", "active": true, "listed": true, "selfRegistration": false}]}}');
  await run(page);
  await assertAnswer(page, /"code": "ACME"/);
  assert.equal(await said.count(), 0, 'this was no dry run');
  await page.close();
});

test('enrolling an authenticator app shows the QR code as a picture, and the secret beside it to copy', async () => {
  const page = await openSignedIn(browser, server);
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write'], { origin: server.origin });
  await openOperation(page, 'EnrollTotp');
  await run(page);
  const picture = page.getByRole('img', { name: 'QR code for an authenticator app' });
  await picture.waitFor();
  const { source, width } = await picture.evaluate(async (image) => {
    await image.decode();
    return { source: image.src, width: image.naturalWidth };
  });
  assert.match(source, /^data:image\/svg\+xml/);
  assert.ok(width > 0, 'the policy lets the picture be drawn');
  const secret = await page.locator('.enrolment-secret code').innerText();
  await assertAnswer(page, new RegExp(`"secret": "${secret}"`));
  await page.getByRole('button', { name: 'Copy', exact: true }).click();
  await page.getByText('Copied.').waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), secret);
  await page.close();
});

async function addAuthenticator(page) {
  const client = await page.context().newCDPSession(page);
  await client.send('WebAuthn.enable');
  const options = { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true };
  await client.send('WebAuthn.addVirtualAuthenticator', { options });
}

test('a passkey is made in the playground, and signs in without a password', async () => {
  // Passkeys belong to the public address, and that has a name.
  const named = { ...server, origin: server.origin.replace('127.0.0.1', 'localhost') };
  const page = await openSignedIn(browser, named);
  await addAuthenticator(page);
  await page.getByRole('banner').getByRole('button', { name: 'Passkey' }).click();
  const panel = page.getByRole('dialog', { name: 'Add a passkey' });
  await panel.getByLabel('Name of the passkey').fill('Test laptop');
  await panel.getByRole('button', { name: 'Add a passkey' }).click();
  await panel.getByText('The passkey “Test laptop” was added.').waitFor();
  await page.keyboard.press('Escape');
  await openOperation(page, 'MyFactors');
  await run(page);
  await assertAnswer(page, /"name": "Test laptop"/);

  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('banner').getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
  await page.getByRole('banner').getByText('admin', { exact: true }).waitFor();
  await page.close();
});

test('the options of startPasskeyRegistration can be used from the answer', async () => {
  const named = { ...server, origin: server.origin.replace('127.0.0.1', 'localhost') };
  const { accessToken } = (await ask(server, LOGIN)).login.tokens;
  // The account of the test before has a passkey; another one has none.
  const created = await ask(server, `mutation { onboardUsers(input: { users: [{ userName: "ada", email: "ada@example.org", password: "${PASSWORD}", roleCodes: [] }] }) { errors { code message } } }`, accessToken);
  assert.deepEqual(created.onboardUsers.errors, []);
  const page = await openSignedIn(browser, named, { identifier: 'ada' });
  await addAuthenticator(page);
  await openOperation(page, 'StartPasskeyRegistration');
  await run(page);
  await page.getByRole('button', { name: 'Make the passkey' }).click();
  await page.getByText('The passkey “My laptop” was added.').waitFor();
  await page.close();
});

test('a passkey that cannot be made is refused in words', async () => {
  // Under its number the server is not at its public address.
  const page = await openSignedIn(browser, server, { identifier: 'ada' });
  await page.getByRole('banner').getByRole('button', { name: 'Passkey' }).click();
  const panel = page.getByRole('dialog', { name: 'Add a passkey' });
  await panel.getByRole('button', { name: 'Add a passkey' }).click();
  await panel.getByRole('alert').getByText(/belongs to the public address of the server/).waitFor();
  await page.close();
});
