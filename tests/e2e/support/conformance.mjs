// examples/conformance, alone or as `products` between the suite's own two subgraphs and the router of deploy/.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { BINARY } from './denizen.mjs';
import { freePort, ROOT, start } from './process.mjs';

const ROUTER = join(ROOT, 'deploy/supergraph');
const QUERY = 'query=%7B__typename%7D';

/** The example, which `cargo test --no-run` builds beside the binary. */
export async function startConformance() {
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const binary = join(dirname(BINARY), 'examples/conformance');
  const started = await start(binary, ['--listen', `127.0.0.1:${port}`], { ready: `${origin}/graphql?${QUERY}` });
  return { ...started, url: `${origin}/graphql` };
}

/** `products`, `users` and `inventory` behind the router. */
export async function startSuite(suite) {
  const started = [];
  const stop = async () => {
    for (const part of started.reverse()) await part.stop();
  };
  const keep = (part) => {
    started.push(part);
    return part;
  };
  try {
    const home = await mkdtemp(join(tmpdir(), 'denizen-suite-'));
    keep({ stop: () => rm(home, { recursive: true, force: true }) });
    const products = keep(await startConformance());
    const subgraphs = [{ name: 'products', url: products.url }];
    for (const name of ['users', 'inventory']) {
      const port = await freePort();
      const url = `http://127.0.0.1:${port}/`;
      keep(
        await start(process.execPath, ['index.js'], {
          cwd: join(suite, 'dist/subgraphs', name),
          env: { [`${name.toUpperCase()}_PORT`]: String(port), NODE_ENV: 'development' },
          ready: `${url}?${QUERY}&extensions=%7B%7D`,
          headers: { 'apollo-require-preflight': 'true' },
        }),
      );
      subgraphs.push({ name, url });
    }
    const supergraph = join(home, 'supergraph.graphql');
    await writeFile(supergraph, await composed(subgraphs));
    const port = await freePort();
    const origin = `http://127.0.0.1:${port}`;
    const args = [join(ROUTER, 'node_modules/.bin/hive-gateway'), 'supergraph', supergraph, '-p', String(port)];
    keep(await start(process.execPath, [...args, '--host', '127.0.0.1'], { cwd: home, ready: `${origin}/readiness` }));
    return { products: products.url, router: `${origin}/graphql`, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function composed(subgraphs) {
  const require = createRequire(join(ROUTER, 'package.json'));
  const { composeServices, compositionHasErrors } = require('@theguild/federation-composition');
  const { parse } = require('graphql');
  const services = await Promise.all(
    subgraphs.map(async ({ name, url }) => {
      const headers = { 'content-type': 'application/json' };
      const body = JSON.stringify({ query: '{ _service { sdl } }' });
      const { data } = await (await fetch(url, { method: 'POST', headers, body })).json();
      return { name, url, typeDefs: parse(data._service.sdl) };
    }),
  );
  const result = composeServices(services);
  if (compositionHasErrors(result)) throw new Error(result.errors.map(({ message }) => message).join('\n'));
  return result.supergraphSdl;
}
