// The libraries that front ends use, against the real binary: what they expect of a server, it does.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import { ApolloClient, ApolloLink, CombinedGraphQLErrors, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { BatchHttpLink } from '@apollo/client/link/batch-http';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { relayStylePagination } from '@apollo/client/utilities';
import { cacheExchange, Client, fetchExchange } from '@urql/core';
import { GraphQLClient } from 'graphql-request';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { login, organization, PASSWORD, person, startDenizen } from './support/denizen.mjs';

const ME = gql`
  query Me {
    me {
      id
      userName
      email
    }
  }
`;
const MIXED = gql`
  query Mixed {
    me {
      id
      userName
    }
    users {
      totalCount
    }
  }
`;
const UPDATE = gql`
  mutation Update($input: UpdateProfileInput!) {
    updateProfile(input: $input) {
      user {
        id
        name
      }
      errors {
        code
        path
      }
    }
  }
`;
const ORGANIZATIONS = gql`
  query Organizations($first: Int!, $after: String) {
    organizations(first: $first, after: $after) {
      totalCount
      pageInfo {
        hasNextPage
        endCursor
      }
      edges {
        cursor
        node {
          id
          code
        }
      }
    }
  }
`;
const EVENTS = gql`
  subscription Events($filter: EventFilter) {
    events(filter: $filter) {
      id
      type
    }
  }
`;
const CODES = ['acme', 'beta', 'gamma', 'delta', 'epsilon'];

let denizen;
let admin;
let ada;
let made = 0;

before(async () => {
  denizen = await startDenizen();
  admin = await login(denizen.endpoint, 'admin');
  ada = await person(denizen, 'ada');
  for (const code of CODES) await organization(denizen, code, admin.token);
});

after(() => denizen?.stop());

const bearer = ({ token }) => ({ authorization: `Bearer ${token}` });

function apollo(who, makeLink = (options) => new HttpLink(options)) {
  const link = makeLink({ uri: denizen.endpoint, headers: who && bearer(who) });
  const organizations = relayStylePagination();
  return new ApolloClient({ link, cache: new InMemoryCache({ typePolicies: { Query: { fields: { organizations } } } }) });
}

test('Apollo Client: queries, and mutations that its cache knows by the global id', async () => {
  const client = apollo(ada);
  const { data } = await client.query({ query: ME });
  assert.deepEqual({ ...data.me }, { __typename: 'User', id: ada.id, userName: 'ada', email: 'ada@example.org' });
  const named = gql`
    query Named {
      me {
        id
        name
      }
    }
  `;
  await client.query({ query: named });
  const changed = await client.mutate({ mutation: UPDATE, variables: { input: { name: 'Ada Lovelace' } } });
  assert.deepEqual(changed.data.updateProfile.errors, []);
  assert.equal(client.readQuery({ query: named }).me.name, 'Ada Lovelace');
  const refused = await client.mutate({ mutation: UPDATE, variables: { input: { locale: 'no language' } } });
  assert.equal(refused.data.updateProfile.user, null);
  assert.equal(refused.data.updateProfile.errors[0].code, 'INVALID');
  assert.deepEqual([...refused.data.updateProfile.errors[0].path], ['locale']);
});

test('Apollo Client: a refused field is an error with a code, and with errorPolicy "all" the rest is there', async () => {
  const client = apollo(ada);
  await assert.rejects(client.query({ query: MIXED }), (error) => {
    assert.ok(CombinedGraphQLErrors.is(error));
    assert.equal(error.errors[0].extensions.code, 'FORBIDDEN');
    return true;
  });
  const { data, error } = await client.query({ query: MIXED, errorPolicy: 'all', fetchPolicy: 'network-only' });
  assert.equal(data.me.userName, 'ada');
  assert.equal(data.users, null);
  assert.deepEqual(error.errors[0].path, ['users']);

  await assert.rejects(apollo({ token: 'garbage' }).query({ query: ME }), (failure) => {
    assert.ok(CombinedGraphQLErrors.is(failure), String(failure));
    assert.equal(failure.errors[0].extensions.code, 'UNAUTHENTICATED');
    return true;
  });
});

test('Apollo Client: relayStylePagination walks a connection', async () => {
  const client = apollo(admin);
  const watched = client.watchQuery({ query: ORGANIZATIONS, variables: { first: 2 } });
  let { data } = await client.query({ query: ORGANIZATIONS, variables: { first: 2 } });
  while (data.organizations.pageInfo.hasNextPage) {
    const { endCursor } = data.organizations.pageInfo;
    await watched.fetchMore({ variables: { first: 2, after: endCursor } });
    data = client.readQuery({ query: ORGANIZATIONS, variables: { first: 2 } });
  }
  const codes = data.organizations.edges.map(({ node }) => node.code);
  assert.equal(data.organizations.totalCount, CODES.length);
  assert.deepEqual(codes.sort(), [...CODES].sort());
});

test('Apollo Client: automatic persisted queries', async () => {
  const probe = await answerTo({ extensions: { persistedQuery: { version: 1, sha256Hash: '0'.repeat(64) } } });
  assert.equal(probe.errors?.[0]?.extensions?.code, 'PERSISTED_QUERY_NOT_FOUND');
  const sent = [];
  const client = () =>
    apollo(ada, (options) =>
      ApolloLink.from([
        new PersistedQueryLink({
          sha256: (query) => createHash('sha256').update(query).digest('hex'),
          useGETForHashedQueries: true,
        }),
        new HttpLink({ ...options, fetch: recording(sent) }),
      ]),
    );
  for (const expected of [['GET', 'POST'], ['GET']]) {
    sent.length = 0;
    const { data } = await client().query({ query: ME });
    assert.equal(data.me.userName, 'ada');
    assert.deepEqual(sent.map(({ method }) => method), expected);
  }
  assert.ok(!sent[0].url.includes('userName'), 'the document itself was sent again');
});

test('Apollo Client: batches', async () => {
  const sent = [];
  const client = apollo(ada, (options) => new BatchHttpLink({ ...options, batchInterval: 20, fetch: recording(sent) }));
  const [me, mixed] = await Promise.all([
    client.query({ query: ME }),
    client.query({ query: MIXED, errorPolicy: 'all' }),
  ]);
  assert.equal(sent.length, 1);
  assert.equal(me.data.me.userName, 'ada');
  assert.equal(mixed.data.users, null);
});

test('Apollo Client: a subscription over WebSocket, and over multipart HTTP', async () => {
  const socket = createClient({
    url: denizen.endpoint.replace('http', 'ws'),
    webSocketImpl: WebSocket,
    connectionParams: bearer(admin),
  });
  const links = { WebSocket: () => new GraphQLWsLink(socket), multipart: (options) => new HttpLink(options) };
  for (const [name, makeLink] of Object.entries(links)) {
    const client = apollo(admin, makeLink);
    const variables = { filter: { types: ['org.created'] } };
    const { data } = await firstOf((next) => client.subscribe({ query: EVENTS, variables }).subscribe(next));
    assert.equal(data?.events.type, 'org.created', name);
    client.stop();
  }
  await socket.dispose();
});

test('urql: queries, mutations, partial answers', async () => {
  const client = urql(ada);
  const { data } = await client.query(ME, {}).toPromise();
  assert.equal(data.me.userName, 'ada');
  const mixed = await client.query(MIXED, {}).toPromise();
  assert.equal(mixed.data.me.userName, 'ada');
  assert.equal(mixed.data.users, null);
  assert.equal(mixed.error.graphQLErrors[0].extensions.code, 'FORBIDDEN');
  const updated = await client.mutation(UPDATE, { input: { givenName: 'Ada' } }).toPromise();
  assert.deepEqual(updated.data.updateProfile.errors, []);
  const refused = await urql({ token: 'garbage' }).query(ME, {}).toPromise();
  assert.equal(refused.error.graphQLErrors[0]?.extensions.code, 'UNAUTHENTICATED');
});

test('urql: a query by GET', async () => {
  const { data, operation } = await urql(ada, { preferGetMethod: 'force' }).query(ME, {}).toPromise();
  assert.equal(operation.context.preferGetMethod, 'force');
  assert.equal(data.me.userName, 'ada');
});

test('urql: a subscription over server-sent events', async () => {
  const client = urql(admin, { fetchSubscriptions: true });
  const variables = { filter: { types: ['org.created'] } };
  const { data, error } = await firstOf((next) => client.subscription(EVENTS, variables).subscribe(next));
  assert.equal(error, undefined);
  assert.equal(data.events.type, 'org.created');
});

test('graphql-request: data, and errors that carry the whole answer', async () => {
  const client = new GraphQLClient(denizen.endpoint, { headers: bearer(ada) });
  assert.equal((await client.request(ME)).me.userName, 'ada');
  await assert.rejects(client.request(MIXED), ({ response }) => {
    assert.equal(response.errors[0].extensions.code, 'FORBIDDEN');
    assert.equal(response.data.me.userName, 'ada');
    return true;
  });
  const all = new GraphQLClient(denizen.endpoint, { headers: bearer(ada), errorPolicy: 'all' });
  assert.equal((await all.request(MIXED)).users, null);
  const stranger = new GraphQLClient(denizen.endpoint);
  const wrong = await stranger.request(
    'mutation Login($input: LoginInput!) { login(input: $input) { tokens { accessToken } errors { code } } }',
    { input: { identifier: 'ada', password: `${PASSWORD}?` } },
  );
  assert.deepEqual(wrong.login, { tokens: null, errors: [{ code: 'WRONG_CREDENTIALS' }] });
});

function urql(who, options = {}) {
  const exchanges = [cacheExchange, fetchExchange];
  return new Client({ url: denizen.endpoint, exchanges, preferGetMethod: false, fetchOptions: { headers: bearer(who) }, ...options });
}

async function answerTo(body) {
  const headers = { 'content-type': 'application/json', ...bearer(ada) };
  const response = await fetch(denizen.endpoint, { method: 'POST', headers, body: JSON.stringify(body) });
  return response.json();
}

const recording = (sent) => (url, options) => {
  sent.push({ url: String(url), method: options.method });
  return fetch(url, options);
};

/** The first thing that a subscription brings. Whether it listens already, nobody tells: so it happens until it is seen. */
function firstOf(subscribe) {
  return new Promise((resolve, reject) => {
    const happening = setInterval(() => organization(denizen, `new-${(made += 1)}`, admin.token).catch(reject), 200);
    const giveUp = setTimeout(() => reject(new Error('nothing came')), 10_000);
    const subscription = subscribe((value) => {
      clearInterval(happening);
      clearTimeout(giveUp);
      resolve(value);
      setImmediate(() => subscription.unsubscribe());
    });
  });
}
