// Subscriptions in the playground: each in a tab of its own, as a list, and in words when one is refused or breaks.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  ask, assertAnswer, LOGIN, openOperation, openSignedIn, PRODUCTION, run, startBrowser, startServer, tabNames, until, write,
} from './support.mjs';

const SOCKET = /\/graphql$/;
const FOLLOW = 'subscription Follow { events { type occurredAt } }';

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

const list = (page) => page.getByRole('region', { name: /^Events of / });
const events = (page) => list(page).getByRole('listitem');
const state = (page, words) => list(page).locator('.stream-state').filter({ hasText: words });
const button = (page, name) => list(page).getByRole('button', { name });

async function isRunning(page) {
  await state(page, 'Running').waitFor();
}

/** The stream begins a moment after it was acknowledged: what happens is repeated until it is seen. */
async function happens(page) {
  const before = await events(page).count();
  await until(async () => {
    await ask(server, LOGIN);
    return (await events(page).count()) > before;
  }, 'an event in the list');
}

test('a subscription has its own tab and a list, the newest first; other tabs keep their answers', async () => {
  const page = await openSignedIn(browser, server);
  await openOperation(page, 'Me');
  await run(page);
  await assertAnswer(page, /"userName": "admin"/);

  await openOperation(page, 'FollowEvents');
  await run(page);
  await isRunning(page);
  await happens(page);
  await happens(page);
  const numbers = (await list(page).locator('.stream-number').allInnerTexts()).map(Number);
  assert.deepEqual(numbers, numbers.toSorted((a, b) => b - a), 'the newest is first');
  assert.ok(numbers.length >= 2);
  await events(page).first().locator('summary').click();
  await events(page).first().getByText('"type": "session.started"').waitFor();

  await page.getByRole('tab', { name: 'Me', exact: true }).click();
  await assertAnswer(page, /"userName": "admin"/);
  assert.equal(await list(page).count(), 0);
  await ask(server, LOGIN);
  await assertAnswer(page, /"userName": "admin"/);

  await page.getByRole('tab', { name: 'FollowEvents' }).click();
  await until(async () => (await events(page).count()) > numbers.length, 'what happened while another tab was open');
  await page.close();
});

test('a tab that shows an answer keeps it when a subscription is started in it: that opens another', async () => {
  const page = await openSignedIn(browser, server);
  await openOperation(page, 'Me');
  await run(page);
  await assertAnswer(page, /"userName": "admin"/);
  const before = (await tabNames(page)).length;
  await write(page, 'Operation Editor', FOLLOW);
  await run(page);
  await isRunning(page);
  assert.equal((await tabNames(page)).length, before + 1);
  await page.getByRole('tab').nth((await tabNames(page)).indexOf('Follow')).click();
  await assertAnswer(page, /"userName": "admin"/);
  await page.close();
});

test('an answer that comes while another tab is open goes to the tab that asked', async () => {
  const page = await openSignedIn(browser, server);
  await openOperation(page, 'Users');
  await run(page);
  await assertAnswer(page, /"totalCount"/);
  await openOperation(page, 'Me');
  let go;
  const held = new Promise((resolve) => (go = resolve));
  await page.route(SOCKET, async (route) => {
    if (/query Me/.test(route.request().postData())) await held;
    await route.continue();
  });
  await run(page);
  await page.getByRole('tab', { name: 'Users', exact: true }).click();
  const answered = page.waitForResponse((response) => /query Me/.test(response.request().postData() ?? ''));
  go();
  await (await answered).finished();
  await assertAnswer(page, /"totalCount"/);
  await page.getByRole('tab', { name: 'Me', exact: true }).click();
  await assertAnswer(page, /"userName": "admin"/);
  await page.close();
});

test('it is paused, cleared, stopped and run again; two run at once; closing the tab ends it on the server', async () => {
  const page = await openSignedIn(browser, server);
  const sockets = [];
  page.on('websocket', (socket) => sockets.push(socket));
  await openOperation(page, 'FollowEvents');
  await run(page);
  await isRunning(page);
  await happens(page);

  await button(page, 'Pause').click();
  const count = await events(page).count();
  await ask(server, LOGIN);
  await button(page, /^Show \d+ more$/).waitFor();
  assert.equal(await events(page).count(), count, 'the list stands still');
  await button(page, /^Show \d+ more$/).click();
  await until(async () => (await events(page).count()) > count, 'what came meanwhile');
  await button(page, 'Clear').click();
  assert.equal(await events(page).count(), 0);

  // A second one beside it.
  await page.getByRole('button', { name: 'New tab' }).click();
  await write(page, 'Operation Editor', FOLLOW);
  await run(page);
  await isRunning(page);
  await happens(page);
  assert.equal(await page.locator('.graphiql-tab-button[data-running]').count(), 2);
  assert.equal(sockets.filter((socket) => !socket.isClosed()).length, 2);

  await button(page, 'Stop').click();
  await state(page, 'Stopped').waitFor();
  await until(() => sockets[1].isClosed(), 'the socket of the stopped one');
  await button(page, 'Run again').click();
  await isRunning(page);
  await happens(page);
  await page.locator('.graphiql-tab-active .graphiql-tab-close').click();
  await until(() => sockets[2].isClosed(), 'the socket of the closed tab');
  assert.ok(!sockets[0].isClosed(), 'the other one goes on');
  await page.close();
});

test('a stream keeps the last 500 events, and counts them all', async () => {
  const page = await openSignedIn(browser, server);
  await page.routeWebSocket(SOCKET, (socket) => {
    socket.onMessage((text) => {
      const { type, id } = JSON.parse(text);
      if (type === 'connection_init') socket.send('{"type":"connection_ack"}');
      if (type !== 'subscribe') return;
      for (let n = 1; n <= 600; n += 1) {
        socket.send(JSON.stringify({ type: 'next', id, payload: { data: { events: { type: `number ${n}` } } } }));
      }
    });
  });
  await openOperation(page, 'FollowEvents');
  await run(page);
  await list(page).getByText('600 events, the last 500 are kept').waitFor();
  assert.equal(await events(page).count(), 500);
  assert.match(await events(page).first().innerText(), /number 600/);
  assert.match(await events(page).last().innerText(), /number 101/);
  await page.close();
});

for (const [code, reason, words] of [
  [4401, 'Unauthorized', /does not know who is asking\. Sign in again\..*4401 Unauthorized/],
  [4403, 'Forbidden', /the session has ended\. Sign in again\..*4403 Forbidden/],
  [4408, 'Connection initialisation timeout', /longer than the server waits.*Run it again.*4408/],
  [1013, 'Try again later', /cannot take it on just now.*Wait a few seconds/],
  [1013, 'Too many sockets are open: close some', /Too many sockets are open.*Stop other subscriptions/],
]) {
  test(`a socket that is closed with ${code} (${reason}) says why, and how to go on`, async () => {
    const page = await openSignedIn(browser, server);
    await page.routeWebSocket(SOCKET, (socket) => {
      socket.onMessage(() => socket.close({ code, reason }));
    });
    await openOperation(page, 'FollowEvents');
    await run(page);
    await list(page).getByRole('alert').getByText(words).waitFor();
    assert.doesNotMatch(await page.locator('body').innerText(), /isTrusted/);
    await page.close();
  });
}

test('a session that ends elsewhere ends the stream in words, and the list stays', async () => {
  const page = await openSignedIn(browser, server);
  await openOperation(page, 'FollowEvents');
  await run(page);
  await isRunning(page);
  await happens(page);
  const { accessToken } = await page.evaluate(() => JSON.parse(sessionStorage.getItem('denizen:session')));
  await ask(server, 'mutation { logout(input: {}) { endedSessions } }', accessToken);
  await list(page).getByRole('alert').getByText(/the session has ended\. Sign in again/).waitFor({ timeout: 20_000 });
  assert.ok((await events(page).count()) > 0);
  await page.close();
});

test('a socket that this origin may not open is refused in words', async () => {
  const production = await startServer(PRODUCTION());
  try {
    const page = await openSignedIn(browser, production);
    await openOperation(page, 'FollowEvents');
    await run(page);
    const alert = list(page).getByRole('alert');
    await alert.getByText(/refused a WebSocket from this page.*DENIZEN_ALLOWED_ORIGINS/).waitFor();
    assert.match(await alert.innerText(), new RegExp(production.origin));
    assert.doesNotMatch(await page.locator('body').innerText(), /isTrusted/);
    await page.close();
  } finally {
    await production.stop();
  }
});

test('a server that is away is said to be away', async () => {
  const mortal = await startServer();
  const page = await openSignedIn(browser, mortal);
  await openOperation(page, 'FollowEvents');
  await run(page);
  await isRunning(page);
  await mortal.stop();
  await list(page).getByRole('alert').getByText(/The server is stopping/).waitFor();
  await button(page, 'Run again').click();
  await list(page).getByRole('alert').getByText(/The server cannot be reached/).waitFor();
  await page.close();
});

test('without a network that is what is said', async () => {
  const page = await openSignedIn(browser, server);
  await page.routeWebSocket(SOCKET, (socket) => socket.close({ code: 1006 }));
  await openOperation(page, 'FollowEvents');
  await page.context().setOffline(true);
  await run(page);
  await list(page).getByRole('alert').getByText(/This device is offline/).waitFor();
  await page.close();
});
