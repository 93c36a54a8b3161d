// Holds schema.graphql to the rules of graphql-eslint: its recommended ones, Relay's, and a few more. It ends with 1 when
// there is a problem:  node lint.mjs
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ESLint } from 'eslint';
import * as graphqlEslint from '@graphql-eslint/eslint-plugin';

const plugin = graphqlEslint.default ?? graphqlEslint;
const file = fileURLToPath(new URL('../../schema.graphql', import.meta.url));
const schema = readFileSync(file, 'utf8');

/** What has no identity of its own: a value of something that has. */
const VALUES = ['AuthTokens', 'Delivery', 'EventActor', 'LoginChallenge', 'MfaStatus', 'PageInfo', 'TokenInfo'];
const ROOTS = ['Query', 'Mutation', 'Subscription'];

const rule = (name) => `@graphql-eslint/${name}`;
const rules = {
  ...plugin.configs['flat/schema-recommended'].rules,
  ...plugin.configs['flat/schema-relay'].rules,
  [rule('relay-edge-types')]: ['error', { withEdgeSuffix: true, shouldImplementNode: true, listTypeCanWrapOnlyEdgeType: false }],
  [rule('strict-id-in-types')]: [
    'error',
    {
      acceptedIdNames: ['id'],
      acceptedIdTypes: ['ID'],
      exceptions: { suffixes: ['Payload', 'Connection', 'Edge', 'Error', 'Result'], types: [...ROOTS, ...VALUES] },
    },
  ],
  // `userName` is what the field is called everywhere, on inputs too.
  [rule('no-typename-prefix')]: 'off',
  [rule('no-hashtag-description')]: 'error',
  [rule('require-description')]: [
    'error',
    { types: true, DirectiveDefinition: true, FieldDefinition: true, InputValueDefinition: true, EnumValueDefinition: true, rootField: true },
  ],
  [rule('input-name')]: ['error', { checkInputType: true, caseSensitiveInputType: false }],
  [rule('no-scalar-result-type-on-mutation')]: 'error',
  [rule('require-nullable-fields-with-oneof')]: 'error',
  [rule('require-deprecation-reason')]: 'error',
};

const languageOptions = { parser: plugin.parser, parserOptions: { graphQLConfig: { schema } } };
const eslint = new ESLint({
  cwd: '/',
  overrideConfigFile: true,
  overrideConfig: [{ files: ['**/*.graphql'], plugins: { '@graphql-eslint': plugin }, languageOptions, rules }],
});
const [{ messages }] = await eslint.lintText(schema, { filePath: file });
for (const { line, column, message, ruleId } of messages) {
  console.error(`schema.graphql:${line}:${column}  ${message.split('\n')[0]}  (${ruleId})`);
}
if (messages.length > 0) process.exit(1);
