// A subgraph beside Denizen. It keeps documents, knows people and organisations only by their ids, and leaves to Denizen
// what they are called and who may see them.
//   PORT           where to listen on this machine (default: 4001)
//   ROUTER_SECRET  what the router sends in `x-router-secret`; with it, what the router says of the caller is believed
import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { buildSubgraphSchema } from '@apollo/subgraph';
import { GraphQLError, parse } from 'graphql';
import { createYoga } from 'graphql-yoga';

const PORT = Number(process.env.PORT ?? 4001);
const ROUTER_SECRET = process.env.ROUTER_SECRET;

/** As many as were ever written since the start: this is an example, and keeps them in memory. */
const documents = [];

const reference = (typename, id) => (id ? { __typename: typename, id } : null);

const resolvers = {
  Query: { documents: () => documents },
  Mutation: {
    createDocument(_root, { input: { title, organizationId } }, { callerId }) {
      if (!callerId) throw refused();
      if (!title.trim() || title.length > 200) throw new GraphQLError('A title has 1 to 200 characters.', code('BAD_USER_INPUT'));
      const document = { id: String(documents.length + 1), title, authorId: callerId, organizationId };
      documents.push(document);
      return document;
    },
  },
  Document: {
    __resolveReference: ({ id }) => documents.find((document) => document.id === id) ?? null,
    author: ({ authorId }) => reference('User', authorId),
    organization: ({ organizationId }) => reference('Organization', organizationId),
  },
  // Asked for by the router with the ids that it has from Denizen, many at a time.
  User: { documents: ({ id }) => documents.filter(({ authorId }) => authorId === id) },
  Organization: { documents: ({ id }) => documents.filter(({ organizationId }) => organizationId === id) },
};

/** The router has verified the token and passes on what it says; nobody else is believed. */
function caller({ request, params }) {
  const claims = fromRouter(request) ? params.extensions?.jwt?.payload : undefined;
  return { callerId: claims?.sub };
}

function fromRouter(request) {
  const shown = request.headers.get('x-router-secret');
  if (!ROUTER_SECRET || !shown) return false;
  return timingSafeEqual(...[ROUTER_SECRET, shown].map((text) => createHash('sha256').update(text).digest()));
}

const code = (name) => ({ extensions: { code: name } });
const refused = () => new GraphQLError('Sign in first.', code('UNAUTHENTICATED'));

const typeDefs = parse(readFileSync(new URL('schema.graphql', import.meta.url), 'utf8'));
const yoga = createYoga({
  schema: buildSubgraphSchema([{ typeDefs, resolvers }]),
  context: caller,
  landingPage: false,
  graphiql: false,
  logging: 'warn',
});

const server = createServer(yoga).listen(PORT, '127.0.0.1', () => {
  console.log(`documents: http://127.0.0.1:${server.address().port}${yoga.graphqlEndpoint}`);
});
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => server.close().closeAllConnections());
