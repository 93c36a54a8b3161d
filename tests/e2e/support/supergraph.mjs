// Denizen, the neighbour of examples/ and the router of deploy/, as their READMEs start them, with a counting proxy in
// front of each subgraph.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort, ROOT, run, start } from './process.mjs';
import { startDenizen } from './denizen.mjs';
import { startProxy } from './proxy.mjs';

const HERE = join(ROOT, 'deploy/supergraph');
export const ROUTER_SECRET = 'the-router-of-the-e2e-tests-proves-itself';
const QUERY = 'query=%7B__typename%7D';

/** `before` happens while tokens of Denizen live for a second only. */
export async function startSupergraph({ before }) {
  const started = [];
  const stop = async () => {
    for (const part of started.reverse()) await part.stop();
  };
  const keep = (part) => {
    started.push(part);
    return part;
  };
  try {
    const denizen = keep(
      await startDenizen({
        env: {
          DENIZEN_ROUTER_SECRET: ROUTER_SECRET,
          DENIZEN_TRUSTED_PROXIES: '127.0.0.1/32',
          DENIZEN_ACCESS_TOKEN_TTL: '1s',
        },
      }),
    );
    await before(denizen);
    await denizen.restart({ DENIZEN_ACCESS_TOKEN_TTL: '15m' });

    const port = await freePort();
    keep(
      await start(process.execPath, ['server.mjs'], {
        cwd: join(ROOT, 'examples/neighbour'),
        env: { PORT: String(port), ROUTER_SECRET },
        ready: `http://127.0.0.1:${port}/graphql?${QUERY}`,
      }),
    );
    const toDenizen = keep(await startProxy(denizen.origin));
    const toNeighbour = keep(await startProxy(`http://127.0.0.1:${port}`));
    const supergraph = join(denizen.home, 'supergraph.graphql');
    const env = {
      DENIZEN_URL: toDenizen.endpoint,
      NEIGHBOUR_URL: toNeighbour.endpoint,
      SUPERGRAPH: supergraph,
      DENIZEN_ISSUER: denizen.origin,
      DENIZEN_ROUTER_SECRET: ROUTER_SECRET,
    };
    const composed = await run(process.execPath, ['compose.mjs'], { cwd: HERE, env });
    if (composed.code !== 0) throw new Error(composed.output);

    const gatewayPort = await freePort();
    const origin = `http://127.0.0.1:${gatewayPort}`;
    const binary = join(HERE, 'node_modules/.bin/hive-gateway');
    const args = [binary, 'supergraph', supergraph, '-c', 'gateway.config.mjs', '-p', String(gatewayPort)];
    const gateway = keep(await start(process.execPath, args, { cwd: HERE, env, ready: `${origin}/readiness` }));
    return {
      denizen,
      endpoint: `${origin}/graphql`,
      sdl: await readFile(supergraph, 'utf8'),
      toDenizen,
      toNeighbour,
      gateway,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

