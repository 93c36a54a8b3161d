// Owns what GraphiQL sends its requests with: the token of the signed-in person, and what becomes of the session.
import type { FetcherOpts, FetcherParams } from '@graphiql/toolkit';
import { getOperationAST, Kind, parse, type ExecutionResult } from 'graphql';
import { follow } from './follow';
import { endSession } from './session';
import { freshSession } from './signing-in';
import { bearer, post } from './wire';

type Results = ExecutionResult | AsyncIterableIterator<ExecutionResult>;

/** An Authorization header that the user typed wins over the session. */
export async function sendAsSignedIn(params: FetcherParams, options?: FetcherOpts): Promise<Results> {
  const typed = new Headers(options?.headers);
  const session = typed.has('authorization') ? null : await freshSession();
  const headers = session ? new Headers({ ...options?.headers, ...bearer(session.accessToken) }) : typed;
  const named = withItsOwnName(params);
  if (isSubscription(named)) return follow(named, headers.get('authorization'));
  const { status, body } = await post<Record<string, unknown>>(named, headers);
  if (session && isRefused(status, body)) endSession(session, 'refused');
  return body;
}

/**
 * GraphiQL learns an operation's name a moment after its text: a quick run of a tab that was just opened would
 * otherwise send the name of the one before, which the document does not hold.
 */
function withItsOwnName(params: FetcherParams): FetcherParams {
  try {
    const operations = parse(params.query).definitions.filter((each) => each.kind === Kind.OPERATION_DEFINITION);
    return operations.length === 1 ? { ...params, operationName: operations[0]?.name?.value } : params;
  } catch {
    // Not a document: the server says what is wrong with it.
    return params;
  }
}

function isSubscription(params: FetcherParams): boolean {
  try {
    return getOperationAST(parse(params.query), params.operationName)?.operation === 'subscription';
  } catch {
    return false;
  }
}

function isRefused(status: number, body: ExecutionResult): boolean {
  if (status === 401) return true;
  return !body.data && (body.errors ?? []).some((error) => error.extensions?.['code'] === 'UNAUTHENTICATED');
}
