// Runs the tests of Apollo's federation subgraph compatibility suite as tests of Node's own runner. The suite's runner would
// bring Docker and Jest, and ports that are taken elsewhere: its tests need neither, only `describe`, `test`, `expect` and
// a module that asks the subgraph and the router.
import { createRequire } from 'node:module';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it, test } from 'node:test';
import { expect } from 'expect';

const require = createRequire(import.meta.url);
export const SUITE = dirname(require.resolve('@apollo/federation-subgraph-compatibility-tests/package.json'));

/** `products` and `router` say where the two are, once the tests run. */
export function runSuite({ products, router }) {
  const client = join(SUITE, 'dist/utils/client.js');
  const exports = {
    productsRequest: (body, headers) => ask(products(), body, headers),
    routerRequest: (body, headers) => ask(router(), body, headers),
  };
  require.cache[client] = { id: client, filename: client, loaded: true, exports };
  Object.assign(globalThis, { describe, it, test, expect });
  const tests = join(SUITE, 'dist/tests');
  const files = readdirSync(tests).filter((name) => name.endsWith('.test.js'));
  for (const name of files) require(join(tests, name));
}

async function ask(url, body, headers) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { accept: 'application/json', 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  const isJson = response.headers.get('content-type')?.startsWith('application/json');
  return response.ok && isJson ? response.json() : response.text();
}
