// Stands between the router and a subgraph and remembers what was asked, so that a test can count.
import { once } from 'node:events';
import { createServer, request as forward } from 'node:http';

export async function startProxy(target) {
  const { hostname, port } = new URL(target);
  const requests = [];

  const server = createServer((incoming, outgoing) => {
    const chunks = [];
    incoming.on('data', (chunk) => chunks.push(chunk));
    incoming.on('end', () => {
      const body = Buffer.concat(chunks);
      requests.push({ headers: incoming.headers, ...parsed(body) });
      const { method, url, headers } = incoming;
      const onward = forward({ hostname, port, method, path: url, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode, answer.headers);
        answer.pipe(outgoing);
      });
      onward.on('error', () => outgoing.destroy());
      outgoing.on('close', () => onward.destroy());
      onward.end(body);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    endpoint: `http://127.0.0.1:${server.address().port}/graphql`,
    requests,
    /** The requests for entities since the last `forget`, each with its representations. */
    entityRequests: () => requests.filter(({ query }) => query?.includes('_entities')),
    forget: () => requests.splice(0),
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

function parsed(body) {
  try {
    const { query, variables } = JSON.parse(body.toString());
    return { query, variables };
  } catch {
    return {};
  }
}
