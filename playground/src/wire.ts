// Owns the wire: GraphQL over HTTP to the same origin. It knows nobody's session and no component.
import type { FetcherParams } from '@graphiql/toolkit';
import type { ExecutionResult } from 'graphql';

const ENDPOINT = '/graphql';
const ACCEPT = 'application/graphql-response+json, application/json;q=0.9';

export interface Reply<Data> {
  status: number;
  body: ExecutionResult<Data>;
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
  try {
    return { status: response.status, body: (await response.json()) as ExecutionResult<Data> };
  } catch {
    throw new Error(`The server answered ${response.status} ${response.statusText} and no GraphQL.`);
  }
}

export function bearer(accessToken: string): { authorization: string } {
  return { authorization: `Bearer ${accessToken}` };
}
