// What most teams would pick: Apollo Server and its subgraph library, dataloader, pg, and two worker processes.
// It answers the queries of the bench from the same tables, without authorisation.
import cluster from 'node:cluster';
import { ApolloServer } from '@apollo/server';
import { startStandaloneServer } from '@apollo/server/standalone';
import { buildSubgraphSchema } from '@apollo/subgraph';
import DataLoader from 'dataloader';
import { parse } from 'graphql';
import pg from 'pg';

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';
const encode = (prefix, uuid) => {
  let bits = BigInt(`0x${uuid.replaceAll('-', '')}`);
  let text = '';
  for (let place = 0; place < 26; place += 1, bits >>= 5n) text = alphabet[Number(bits & 31n)] + text;
  return `${prefix}_${text}`;
};
const decode = (id) => {
  let bits = 0n;
  for (const letter of id.split('_')[1]) bits = (bits << 5n) | BigInt(alphabet.indexOf(letter));
  return bits.toString(16).padStart(32, '0').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
};

const typeDefs = parse(`
  extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])
  type User @key(fields: "id") {
    id: ID! userName: String! name: String email: String status: String! organization: Organization roles: [Role!]
  }
  type Organization { id: ID! code: String! name: String }
  type Role { id: ID! code: String! permissions: [String!]! }
  type UserConnection { edges: [UserEdge] }
  type UserEdge { node: User }
  input UserBy { id: ID }
  type Query { user(by: UserBy!): User users(first: Int): UserConnection }
`);

const loaders = (pool) => ({
  users: new DataLoader(async (ids) => {
    const { rows } = await pool.query({ name: 'users', text: 'SELECT * FROM users WHERE id = ANY($1)', values: [ids] });
    const byId = new Map(rows.map((row) => [row.id, row]));
    return ids.map((id) => byId.get(id) ?? null);
  }),
  organizations: new DataLoader(async (ids) => {
    const { rows } = await pool.query({
      name: 'organizations',
      text: 'SELECT m.user_id, o.* FROM memberships m JOIN organizations o ON o.id = m.organization_id WHERE m.is_primary AND m.user_id = ANY($1)',
      values: [ids],
    });
    const byUser = new Map(rows.map((row) => [row.user_id, row]));
    return ids.map((id) => byUser.get(id) ?? null);
  }),
  roles: new DataLoader(async (ids) => {
    const { rows } = await pool.query({
      name: 'roles',
      text: 'SELECT g.user_id, r.* FROM grants g JOIN roles r ON r.id = g.role_id WHERE g.user_id = ANY($1) ORDER BY r.code_key',
      values: [ids],
    });
    const byUser = new Map();
    for (const row of rows) byUser.set(row.user_id, [...(byUser.get(row.user_id) ?? []), row]);
    return ids.map((id) => byUser.get(id) ?? []);
  }),
});

const resolvers = {
  Query: {
    user: (_, { by }, { load }) => load.users.load(decode(by.id)),
    users: async (_, { first }, { pool }) => {
      const text = 'SELECT * FROM users ORDER BY created_at DESC, id DESC LIMIT $1';
      const { rows } = await pool.query({ name: 'page', text, values: [first] });
      return { edges: rows.map((node) => ({ node })) };
    },
  },
  User: {
    __resolveReference: ({ id }, { load }) => load.users.load(decode(id)),
    id: (user) => encode('user', user.id),
    userName: (user) => user.user_name,
    organization: (user, _, { load }) => load.organizations.load(user.id),
    roles: (user, _, { load }) => load.roles.load(user.id),
  },
  Organization: { id: (organization) => encode('org', organization.id) },
  Role: { id: (role) => encode('role', role.id) },
};

if (cluster.isPrimary) {
  cluster.fork();
  cluster.fork();
} else {
  const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 8 });
  const server = new ApolloServer({ schema: buildSubgraphSchema({ typeDefs, resolvers }), introspection: false });
  const context = async () => ({ pool, load: loaders(pool) });
  await startStandaloneServer(server, { listen: { host: '127.0.0.1', port: Number(process.env.PORT) }, context });
}
