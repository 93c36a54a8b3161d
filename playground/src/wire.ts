// Owns the wire: GraphQL over HTTP to the same origin. It knows nobody's session and no component.
import type { FetcherParams } from '@graphiql/toolkit';
import type { ExecutionResult } from 'graphql';

const ENDPOINT = '/graphql';
const ACCEPT = 'application/graphql-response+json, application/json;q=0.9';

export interface Reply<Data> {
  status: number;
  body: ExecutionResult<Data>;
  /** Seconds, from the header of that name. */
  retryAfter: number | null;
}

/** Something between here and the service has answered, or the service could not. */
export class NoAnswer extends Error {
  constructor(
    message: string,
    readonly retryAfter: number | null,
  ) {
    super(message);
  }
}

export async function post<Data>(params: FetcherParams, headers = new Headers()): Promise<Reply<Data>> {
  headers.set('accept', ACCEPT);
  headers.set('content-type', 'application/json');
  let response: Response;
  try {
    response = await fetch(ENDPOINT, { method: 'POST', headers, body: JSON.stringify(params), credentials: 'omit' });
  } catch {
    throw new Error('The server cannot be reached.');
  }
  const retryAfter = secondsIn(response.headers.get('retry-after'));
  try {
    return { status: response.status, body: (await response.json()) as ExecutionResult<Data>, retryAfter };
  } catch {
    throw new NoAnswer(`The server answered ${response.status} ${response.statusText} and no GraphQL.`, retryAfter);
  }
}

/** The header holds seconds, or a date. */
function secondsIn(retryAfter: string | null): number | null {
  if (retryAfter === null) return null;
  const seconds = /^\d+$/.test(retryAfter) ? Number(retryAfter) : (Date.parse(retryAfter) - Date.now()) / 1000;
  return seconds > 0 ? Math.ceil(seconds) : null;
}

export function bearer(accessToken: string): { authorization: string } {
  return { authorization: `Bearer ${accessToken}` };
}
