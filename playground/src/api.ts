// Owns the wire: GraphQL over HTTP to the same origin, with the token of the signed-in person. It knows no
// component, and the only answers that it reads are those of signing in and out.
import type { FetcherOpts, FetcherParams } from '@graphiql/toolkit';
import { getOperationAST, Kind, parse, type ExecutionResult } from 'graphql';
import { follow } from './follow';
import { currentSession, endSession, startSession, type Session } from './session';

const ENDPOINT = '/graphql';
const ACCEPT = 'application/graphql-response+json, application/json;q=0.9';

const LOGIN = `mutation PlaygroundLogin($identifier: String!, $password: String!) {
  login(input: { identifier: $identifier, password: $password }) {
    tokens { accessToken expiresAt }
    user { userName }
    errors { code message }
  }
}`;

const LOGOUT = 'mutation PlaygroundLogout { logout(input: {}) { endedSessions } }';

interface LoginAnswer {
  login: {
    tokens: { accessToken: string; expiresAt: string } | null;
    user: { userName: string } | null;
    errors: { code: string; message: string | null }[];
  } | null;
}

interface Reply<Data> {
  status: number;
  body: ExecutionResult<Data>;
}

async function post<Data>(params: FetcherParams, headers: Headers): Promise<Reply<Data>> {
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

function bearer(session: Session): Record<string, string> {
  return { authorization: `Bearer ${session.accessToken}` };
}

type Results = ExecutionResult | AsyncIterableIterator<ExecutionResult>;

/** What GraphiQL sends its requests with. An Authorization header that the user typed wins over the session. */
export async function sendAsSignedIn(params: FetcherParams, options?: FetcherOpts): Promise<Results> {
  const typed = new Headers(options?.headers);
  const session = typed.has('authorization') ? null : currentSession();
  const headers = session ? new Headers({ ...options?.headers, ...bearer(session) }) : typed;
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

/** Signs in, and answers what was wrong: an empty list is success. */
export async function signIn(identifier: string, password: string): Promise<string[]> {
  let body: ExecutionResult<LoginAnswer>;
  try {
    ({ body } = await post<LoginAnswer>({ query: LOGIN, variables: { identifier, password } }, new Headers()));
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
  const login = body.data?.login;
  if (!login) return body.errors?.map((error) => error.message) ?? ['The server gave no answer.'];
  if (login.errors.length > 0) return login.errors.map((error) => error.message ?? error.code);
  if (!login.tokens) return ['The server gave no token.'];
  startSession({ ...login.tokens, userName: login.user?.userName ?? identifier });
  return [];
}

/** Ends the session here and on the server. Here it ends in any case. */
export async function signOut(session: Session): Promise<void> {
  try {
    await post({ query: LOGOUT }, new Headers(bearer(session)));
  } catch {
    // Not reached: the token is forgotten all the same, and dies by itself when it expires.
  } finally {
    endSession(session, 'signed-out');
  }
}
