// Denizen in a supergraph: a neighbour beside it, a real router in front, nothing pretended.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { ask, login, organization, PASSWORD, person } from './support/denizen.mjs';
import { ROUTER_SECRET, startSupergraph } from './support/supergraph.mjs';

const CREATE = `mutation Create($input: CreateDocumentInput!) {
  createDocument(input: $input) { id title author { userName } organization { code } }
}`;

let graph;
let expired;
let admin;
let ada;
let acme;

before(async () => {
  graph = await startSupergraph({
    before: async (denizen) => {
      ({ token: expired } = await login(denizen.endpoint, 'admin'));
    },
  });
  admin = await login(graph.endpoint, 'admin');
  ada = await person(graph.denizen, 'ada');
  acme = await organization(graph.denizen, 'acme', admin.token);
  await ask(
    graph.endpoint,
    'mutation Add($input: AddMembersInput!) { addMembers(input: $input) { errors { code } } }',
    { token: admin.token, variables: { input: { organizationId: acme, members: [{ userId: ada.id }] } } },
  );
  for (const [who, title, organizationId] of [[ada, 'One', acme], [ada, 'Two'], [admin, 'Three', acme], [ada, 'Four']]) {
    await create(who, title, organizationId);
  }
});

after(() => graph?.stop());

const create = (who, title, organizationId) =>
  ask(graph.endpoint, CREATE, { token: who.token, variables: { input: { title, organizationId } } });

test('one query joins people of Denizen and documents of the neighbour', async () => {
  const { data, errors } = await ask(
    graph.endpoint,
    '{ me { userName email documents { title organization { code name } author { userName } } } }',
    { token: ada.token },
  );
  assert.equal(errors, undefined);
  assert.deepEqual(data.me, {
    userName: 'ada',
    email: 'ada@example.org',
    documents: [
      { title: 'One', organization: { code: 'acme', name: 'ACME' }, author: { userName: 'ada' } },
      { title: 'Two', organization: null, author: { userName: 'ada' } },
      { title: 'Four', organization: null, author: { userName: 'ada' } },
    ],
  });
});

test('the neighbour learns from the router who is asking, and not from anybody else', async () => {
  const written = await create(ada, 'Signed');
  assert.equal(written.data.createDocument.author.userName, 'ada');
  const body = {
    query: 'mutation { createDocument(input: { title: "Forged" }) { id author { id } } }',
    extensions: { jwt: { payload: { sub: admin.id } } },
  };
  for (const [token, expected] of [[ada.token, ada.id], [undefined, undefined]]) {
    const response = await fetch(graph.endpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
      body: JSON.stringify(body),
    });
    const { data } = await response.json();
    assert.equal(data.createDocument?.author.id, expected, 'what a client says of itself is not believed');
  }
  for (const secret of [undefined, 'not-the-secret', `${ROUTER_SECRET} `.slice(1)]) {
    const response = await fetch(graph.toNeighbour.endpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(secret && { 'x-router-secret': secret }) },
      body: JSON.stringify(body),
    });
    const { data, errors } = await response.json();
    assert.equal(data?.createDocument ?? null, null);
    assert.equal(errors[0].extensions.code, 'UNAUTHENTICATED');
  }
});

test('the router refuses tokens that our keys did not sign or that have run out, and asks no subgraph', async () => {
  const [head, claims, signature] = ada.token.split('.');
  const bytes = Buffer.from(signature, 'base64url');
  bytes[10] ^= 1;
  const none = Buffer.from(JSON.stringify({ typ: 'at+jwt', alg: 'none' })).toString('base64url');
  const forged = JSON.parse(Buffer.from(claims, 'base64url'));
  const more = Buffer.from(JSON.stringify({ ...forged, scope: 'user.read' })).toString('base64url');
  const { exp } = JSON.parse(Buffer.from(expired.split('.')[1], 'base64url'));
  while (Date.now() / 1_000 < exp + 1) await sleep(100);
  const bad = {
    garbage: 'garbage',
    'another signature': `${head}.${claims}.${bytes.toString('base64url')}`,
    'other claims': `${head}.${more}.${signature}`,
    'no algorithm': `${none}.${claims}.`,
    expired,
  };
  for (const [name, token] of Object.entries(bad)) {
    graph.toDenizen.forget();
    graph.toNeighbour.forget();
    const { status, data, errors } = await ask(graph.endpoint, '{ me { id } documents { id } }', { token });
    assert.ok(status === 400 || status === 401, `${name}: ${status}`);
    assert.equal(data ?? null, null, name);
    assert.equal(errors.length, 1, name);
    assert.equal(graph.toDenizen.requests.length + graph.toNeighbour.requests.length, 0, name);
  }
});

test('what the token may not do is refused alone, and its neighbours answer', async () => {
  const query = '{ me { userName } users { totalCount } documents { title } }';
  graph.toDenizen.forget();
  const refused = await ask(graph.endpoint, query, { token: ada.token });
  assert.equal(refused.data.me.userName, 'ada');
  assert.equal(refused.data.users, null);
  assert.ok(refused.data.documents.length >= 4);
  assert.deepEqual(refused.errors.map(({ path }) => path), [['users']]);
  // The router knows the scopes, and does not even ask.
  assert.ok(graph.sdl.includes('@requiresScopes(scopes: [["user.read"]])'));
  assert.ok(graph.toDenizen.requests.every(({ query: sent }) => !sent.includes('users')));
  const allowed = await ask(graph.endpoint, query, { token: admin.token });
  assert.equal(allowed.errors, undefined);
  assert.equal(allowed.data.users.totalCount, 2);

  const stranger = await ask(graph.endpoint, CREATE, { variables: { input: { title: 'Nobody' } } });
  assert.equal(stranger.data.createDocument, null);
  assert.equal(stranger.errors.length, 1);
});

test('who may not be seen is null in the documents of the neighbour, and the documents stay', async () => {
  const { data } = await ask(graph.endpoint, '{ documents { title author { userName } organization { code } } }');
  assert.ok(data.documents.length >= 4);
  assert.ok(data.documents.every(({ author, organization: where }) => author === null && where === null));
});

test('entities are asked for together: one request for each kind, each person once', async () => {
  graph.toDenizen.forget();
  graph.toNeighbour.forget();
  const { data, errors } = await ask(
    graph.endpoint,
    '{ documents { title author { userName documents { id } } organization { code name } } }',
    { token: admin.token },
  );
  assert.equal(errors, undefined);
  assert.ok(data.documents.length >= 4);
  const asked = graph.toDenizen.entityRequests();
  assert.ok(asked.length <= 2, `${asked.length} requests for entities`);
  const representations = asked.flatMap(({ variables }) => Object.values(variables).flat());
  const ids = representations.map(({ __typename, id }) => `${__typename} ${id}`).sort();
  assert.deepEqual(ids, [`Organization ${acme}`, `User ${ada.id}`, `User ${admin.id}`].sort());
  assert.ok(asked.every(({ headers }) => headers['x-router-secret'] === ROUTER_SECRET));
  assert.ok(graph.toNeighbour.entityRequests().length <= 1);
  assert.ok(graph.toNeighbour.requests.every(({ headers }) => headers.authorization === undefined));
});

test('Denizen learns through the router where a request comes from', async () => {
  const query = `mutation { login(input: { identifier: "ada", password: "${PASSWORD}" }) { session { ip } } }`;
  const sent = request(graph.endpoint, {
    method: 'POST',
    localAddress: '127.0.0.2',
    headers: { 'content-type': 'application/json', 'user-agent': 'a-front-end/1.0', 'x-forwarded-for': '127.0.0.1' },
  });
  sent.end(JSON.stringify({ query }));
  const [answer] = await once(sent, 'response');
  const { data } = JSON.parse((await answer.toArray()).join(''));
  assert.equal(data.login.session.ip, '127.0.0.2');
  const events = '{ events(filter: { types: ["session.started"] }, first: 1) { edges { node { userAgent } } } }';
  const logged = await ask(graph.endpoint, events, { token: admin.token });
  assert.equal(logged.data.events.edges[0].node.userAgent, 'a-front-end/1.0');
});

test('a subscription passes through the router, to a client over WebSocket', async () => {
  const client = createClient({
    url: graph.endpoint.replace('http', 'ws'),
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${admin.token}` },
    retryAttempts: 0,
  });
  const events = client.iterate({ query: 'subscription { events(filter: { types: ["org.created"] }) { type actor { id } } }' });
  const first = events.next();
  // Whether it listens already, nobody tells: what happens is repeated until it has seen one.
  let seen = false;
  const happening = (async () => {
    for (let number = 1; !seen && number <= 40; number++) {
      await organization(graph.denizen, `new-${number}`, admin.token);
      await Promise.race([first.catch(() => {}), sleep(250)]);
    }
  })();
  const { value } = await first.finally(() => (seen = true));
  await happening;
  await events.return();
  await client.dispose();

  const forged = createClient({
    url: graph.endpoint.replace('http', 'ws'),
    webSocketImpl: WebSocket,
    connectionParams: { authorization: 'Bearer garbage' },
    retryAttempts: 0,
  });
  const refused = await forged.iterate({ query: 'subscription { events { type } }' }).next().catch((error) => ({ error }));
  assert.ok(refused.error || refused.value.errors.length > 0, JSON.stringify(refused));
  await forged.dispose();
  assert.deepEqual(value, { data: { events: { type: 'org.created', actor: { id: admin.id } } } });
});
