// Owns subscriptions: a WebSocket to the same origin for each run, with the token of the signed-in person in its first
// message. It ends when GraphiQL stops it, or when the server does.
import type { FetcherParams } from '@graphiql/toolkit';
import type { ExecutionResult } from 'graphql';
import { createClient } from 'graphql-ws';

const ENDPOINT = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/graphql`;

/** What the server says when it closes, in words for the person who waits for results. */
const CLOSED: Record<number, string> = {
  1001: 'The server is stopping. Run it again in a moment.',
  1006: 'The connection was lost.',
  4403: 'The session has ended. Sign in again and run it once more.',
};

export function follow(params: FetcherParams, authorization: string | null): AsyncIterableIterator<ExecutionResult> {
  const client = createClient({
    url: ENDPOINT,
    connectionParams: authorization ? { authorization } : {},
    // The person sees that it ended, and runs it again if they like: nothing is repeated behind their back.
    retryAttempts: 0,
  });
  const results = client.iterate({
    query: params.query,
    variables: params.variables as Record<string, unknown> | undefined,
    operationName: params.operationName ?? undefined,
  });
  return closing(results as AsyncIterableIterator<ExecutionResult>, () => void client.dispose());
}

async function* closing(
  results: AsyncIterableIterator<ExecutionResult>,
  dispose: () => void,
): AsyncIterableIterator<ExecutionResult> {
  try {
    yield* results;
  } catch (error) {
    throw readable(error);
  } finally {
    dispose();
  }
}

/** GraphiQL shows errors and lists of errors; a close event says nothing to it. */
function readable(error: unknown): unknown {
  if (!(error instanceof CloseEvent)) return error;
  return new Error(CLOSED[error.code] ?? `The server closed the connection: ${error.code} ${error.reason}`);
}
