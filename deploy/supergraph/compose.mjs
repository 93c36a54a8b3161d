// Asks each subgraph for its schema and composes supergraph.graphql, which every federation router reads.
//   DENIZEN_URL, NEIGHBOUR_URL  the GraphQL endpoints, as the router reaches them
//   DENIZEN_ROUTER_SECRET       proves us to a Denizen in production, which shows its schema to no stranger
//   SUPERGRAPH                  where to write (default: supergraph.graphql beside this file)
import { writeFileSync } from 'node:fs';
import { composeServices, compositionHasErrors } from '@theguild/federation-composition';
import { parse } from 'graphql';

const SUBGRAPHS = {
  denizen: process.env.DENIZEN_URL ?? 'http://127.0.0.1:8080/graphql',
  documents: process.env.NEIGHBOUR_URL ?? 'http://127.0.0.1:4001/graphql',
};
const target = process.env.SUPERGRAPH ?? new URL('supergraph.graphql', import.meta.url);

async function ask(name, url) {
  const secret = process.env.DENIZEN_ROUTER_SECRET;
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(secret && { 'x-router-secret': secret }) },
    body: JSON.stringify({ query: '{ _service { sdl } }' }),
  }).catch((error) => fail(`${name} does not answer at ${url}: ${error.cause?.message ?? error.message}`));
  const answer = await response.json().catch(() => ({}));
  const sdl = answer.data?._service?.sdl;
  if (!sdl) fail(`${name} at ${url} does not show its schema: ${JSON.stringify(answer.errors ?? response.status)}`);
  return { name, url, typeDefs: parse(sdl) };
}

function fail(...lines) {
  console.error(lines.join('\n'));
  process.exit(1);
}

const subgraphs = await Promise.all(Object.entries(SUBGRAPHS).map(([name, url]) => ask(name, url)));
const result = composeServices(subgraphs);
if (compositionHasErrors(result)) fail('They do not compose:', ...result.errors.map(({ message }) => `- ${message}`));
writeFileSync(target, result.supergraphSdl);
console.log(`wrote ${target.pathname ?? target} from ${subgraphs.map(({ name }) => name).join(' and ')}`);
