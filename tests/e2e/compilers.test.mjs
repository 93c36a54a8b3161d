// What makes code out of schema.graphql: the Relay compiler and graphql-codegen, as front ends run them, without a server.
import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { buildSchema, GraphQLScalarType, parse, specifiedScalarTypes, validate } from 'graphql';
import { ROOT, run } from './support/process.mjs';

const SCHEMA = join(ROOT, 'schema.graphql');
const WEB = join(ROOT, 'examples/web');
/** Each scalar of ours and how it comes in JSON: with strict scalars, one that is missing fails. */
const SCALARS = {
  DateTime: 'string',
  EmailAddress: 'string',
  JSON: 'unknown',
  Locale: 'string',
  PhoneNumber: 'string',
  URL: 'string',
};

let home;
let schema;

before(async () => {
  home = await mkdtemp(join(tmpdir(), 'denizen-compilers-'));
  schema = buildSchema(await readFile(SCHEMA, 'utf8'));
});

after(() => rm(home, { recursive: true, force: true }));

test('the Relay compiler: connections, fragments that are fetched again, and Node', async () => {
  const project = join(home, 'relay');
  await mkdir(join(project, 'src'), { recursive: true });
  await cp(SCHEMA, join(project, 'schema.graphql'));
  await writeFile(join(project, 'package.json'), '{ "type": "module" }');
  await writeFile(
    join(project, 'relay.config.json'),
    JSON.stringify({
      src: './src',
      schema: './schema.graphql',
      language: 'javascript',
      eagerEsModules: true,
      customScalarTypes: SCALARS,
    }),
  );
  await writeFile(
    join(project, 'src/Organization.js'),
    `graphql\`
      query OrganizationQuery($code: String!) {
        organization(by: { code: $code }) { ...Organization_members }
      }
    \`;
    graphql\`
      fragment Organization_members on Organization
      @refetchable(queryName: "OrganizationMembersQuery")
      @argumentDefinitions(count: { type: "Int", defaultValue: 20 }, cursor: { type: "String" }) {
        name
        members(first: $count, after: $cursor) @connection(key: "Organization_members") {
          edges { node { id joinedAt user { id ...Organization_user } } }
        }
      }
    \`;
    graphql\`
      fragment Organization_user on User @refetchable(queryName: "OrganizationUserQuery") { userName name avatarUrl }
    \`;
    graphql\`
      mutation OrganizationInviteMutation($input: InviteMembersInput!, $connections: [ID!]!) {
        inviteMembers(input: $input) {
          invitations @appendNode(connections: $connections, edgeTypeName: "InvitationEdge") { id email status }
          errors { code message path }
        }
      }
    \`;`,
  );
  const cli = createRequire(import.meta.url).resolve('relay-compiler/cli.js');
  const { code, output } = await run(process.execPath, [cli, 'relay.config.json'], { cwd: project });
  assert.equal(code, 0, output);

  const names = ['OrganizationQuery', 'OrganizationMembersQuery', 'OrganizationUserQuery', 'OrganizationInviteMutation'];
  for (const name of names) {
    const { default: artifact } = await import(join(project, `src/__generated__/${name}.graphql.js`));
    assert.deepEqual(validate(schema, parse(artifact.params.text)), [], name);
  }
  const { default: again } = await import(join(project, 'src/__generated__/OrganizationMembersQuery.graphql.js'));
  assert.match(again.params.text, /node\(id: \$id\)/);
});

test('graphql-codegen: every type and scalar of the schema, and documents with their types', async () => {
  const custom = Object.values(schema.getTypeMap()).filter(
    (type) => type instanceof GraphQLScalarType && !specifiedScalarTypes.some(({ name }) => name === type.name),
  );
  assert.deepEqual(custom.map(({ name }) => name).sort(), Object.keys(SCALARS).sort(), 'the scalars of schema.graphql');

  const complete = await codegen('complete', SCALARS);
  assert.equal(complete.code, 0, complete.output);
  const made = await readFile(join(home, 'complete.ts'), 'utf8');
  for (const name of ['export type User =', 'export const MeDocument =']) assert.ok(made.includes(name), name);
  assert.doesNotMatch(made, /: any\b/);

  const { DateTime, ...without } = SCALARS;
  assert.ok(DateTime);
  const refused = await codegen('refused', without);
  assert.notEqual(refused.code, 0);
  assert.match(refused.output, /DateTime/);
});

test('the generated types hold in the front end of examples/web', async () => {
  const { code, output } = await run('npm', ['run', '--silent', 'check'], { cwd: WEB });
  assert.equal(code, 0, output);
});

/** With the packages of examples/web, which has them for itself. */
async function codegen(name, scalars) {
  const document = join(home, `${name}.graphql`);
  await writeFile(document, 'query Me { me { id userName locale avatarUrl createdAt memberships { totalCount } } }');
  const config = join(home, `${name}.json`);
  const plugins = ['typescript', 'typescript-operations', 'typed-document-node'];
  await writeFile(
    config,
    JSON.stringify({
      schema: SCHEMA,
      documents: [document],
      generates: { [join(home, `${name}.ts`)]: { plugins, config: { strictScalars: true, scalars } } },
    }),
  );
  const cli = join(WEB, 'node_modules/.bin/graphql-codegen');
  return run(process.execPath, [cli, '--config', config], { cwd: WEB });
}
