// Holds schema.graphql to what the last release promised: nothing that clients rely on goes away or changes, unless the
// version says that it may.  node released.mjs
//
// released.graphql is the schema of that release; its first line names the version. Whoever releases writes it anew:
//   node released.mjs --release
import { readFileSync, writeFileSync } from 'node:fs';
import { CriticalityLevel, diff } from '@graphql-inspector/core';
import { buildSchema } from 'graphql';

const at = (path) => new URL(path, import.meta.url);
const now = readFileSync(at('../../schema.graphql'), 'utf8');
const version = /^version = "([\d.]+)"/m.exec(readFileSync(at('../../Cargo.toml'), 'utf8'))[1];

if (process.argv.includes('--release')) {
  writeFileSync(at('released.graphql'), `# ${version}\n${now}`);
  process.exit();
}

const then = readFileSync(at('released.graphql'), 'utf8');
const released = /^# ([\d.]+)\n/.exec(then)[1];

/** By semantic versioning the first number that is not 0 has to grow. */
function mayBreak(from, to) {
  const [major, minor] = to.split('.').map(Number);
  const [before, beforeMinor] = from.split('.').map(Number);
  return major > before || (major === 0 && before === 0 && minor > beforeMinor);
}

const changes = await diff(buildSchema(then), buildSchema(now));
const breaking = changes.filter(({ criticality }) => criticality.level === CriticalityLevel.Breaking);
for (const { message, path } of breaking) console.error(`breaks what ${released} promised: ${path ?? ''}  ${message}`);
if (breaking.length > 0 && !mayBreak(released, version)) {
  console.error(`${breaking.length} breaking changes, and the version is still ${version}: clients would find out by failing.`);
  process.exit(1);
}
