// Owns the socket of a subscription: one to the same origin for each run, with the token of the signed-in person in its
// first message.
import type { FetcherParams } from '@graphiql/toolkit';
import type { ExecutionResult, GraphQLFormattedError } from 'graphql';
import { createClient } from 'graphql-ws';
import { explainClosed } from './closing';

const ENDPOINT = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/graphql`;

export interface Follower {
  connected: () => void;
  next: (result: ExecutionResult) => void;
  /** It is over; with null the server had nothing more to say. */
  ended: (problem: string | null) => void;
}

/** Returns how to end it. Nothing is reported after that. */
export function follow(params: FetcherParams, authorization: string | null, follower: Follower): () => void {
  let opened = false;
  let stopped = false;
  const client = createClient({
    url: ENDPOINT,
    connectionParams: authorization ? { authorization } : {},
    // The person sees that it ended, and runs it again if they like: nothing is repeated behind their back.
    retryAttempts: 0,
    on: {
      opened: () => (opened = true),
      connected: () => stopped || follower.connected(),
    },
  });
  const end = async (problem: string | null | Promise<string>) => {
    void client.dispose();
    const said = await problem;
    if (!stopped) follower.ended(said);
    stopped = true;
  };
  client.subscribe(
    {
      query: params.query,
      variables: params.variables as Record<string, unknown> | undefined,
      operationName: params.operationName ?? undefined,
    },
    {
      next: (result) => stopped || follower.next(result as ExecutionResult),
      error: (error) => void end(wordsFor(error, opened)),
      complete: () => void end(null),
    },
  );
  return () => {
    stopped = true;
    void client.dispose();
  };
}

/** A list of GraphQL errors, a close event, or a bare event: browsers do not say why a handshake was refused. */
function wordsFor(error: unknown, opened: boolean): string | Promise<string> {
  if (error instanceof CloseEvent) return explainClosed({ code: error.code, reason: error.reason, opened });
  if (Array.isArray(error)) return (error as GraphQLFormattedError[]).map(refusal).join(' ');
  if (error instanceof Event) return explainClosed({ code: 1006, reason: '', opened });
  return error instanceof Error ? error.message : String(error);
}

const NEXT_STEP: Record<string, string> = {
  UNAUTHENTICATED: 'Sign in, and run it again.',
  FORBIDDEN: 'Sign in as somebody who may, and run it again.',
  OVERLOADED: 'Wait a few seconds, and run it again.',
  RATE_LIMITED: 'Stop other subscriptions, or wait, and run it again.',
};

function refusal({ message, extensions }: GraphQLFormattedError): string {
  const code = String(extensions?.['code'] ?? '');
  return [message, code && `(${code})`, NEXT_STEP[code]].filter(Boolean).join(' ');
}
