// Owns what GraphiQL sends its requests with: the token of the signed-in person, and what becomes of the session. What
// comes back goes to the tab that asked, whichever is open by then.
import { formatError, formatResult, type FetcherOpts, type FetcherParams } from '@graphiql/toolkit';
import { getOperationAST, Kind, parse, type DocumentNode, type ExecutionResult } from 'graphql';
import { forgetNotes, noteAnswer } from './answers';
import { activeTab, currentDesk, keepForLater, openTabs, shownAnswer } from './desk';
import { currentTurn, endSession } from './session';
import { freshSession } from './signing-in';
import { startStream, streamOf } from './streams';
import { bearer, post } from './wire';

type Results = ExecutionResult | AsyncIterableIterator<ExecutionResult>;

/** An Authorization header that the user typed wins over the session. */
export async function sendAsSignedIn(params: FetcherParams, options?: FetcherOpts): Promise<Results> {
  const headers = new Headers(options?.headers);
  // GraphiQL's own question for the schema brings no document.
  if (!options || !('documentAST' in options)) return ask(params, headers);
  const document = read(params.query);
  const named = withItsOwnName(params, document);
  const tab = activeTab();
  if (document && getOperationAST(document, named.operationName)?.operation === 'subscription') {
    subscribe(named, headers, document);
    return nothing();
  }
  return tab ? askFor(tab.id, named, headers) : ask(named, headers);
}

async function ask(params: FetcherParams, typed: Headers): Promise<ExecutionResult> {
  const session = typed.has('authorization') ? null : await freshSession();
  const headers = new Headers(typed);
  if (session) headers.set('authorization', bearer(session.accessToken).authorization);
  const { status, body } = await post<Record<string, unknown>>(params, headers);
  if (session && isRefused(status, body)) endSession(session, 'refused');
  return body;
}

/** GraphiQL writes what it gets into the tab that is open: to another one it goes when that is opened. */
async function askFor(tabId: string, params: FetcherParams, headers: Headers): Promise<Results> {
  const turn = currentTurn();
  const elsewhere = () => activeTab()?.id !== tabId;
  forgetNotes(tabId);
  try {
    const body = await ask(params, headers);
    // Somebody signed in or out meanwhile: this answer is not for who sits there now.
    if (turn !== currentTurn()) return nothing();
    noteAnswer(tabId, params, body);
    if (!elsewhere()) return body;
    keepForLater(tabId, formatResult(body));
  } catch (error) {
    if (turn === currentTurn() && !elsewhere()) throw error;
    if (turn === currentTurn()) keepForLater(tabId, formatError(error));
  }
  return nothing();
}

/**
 * A subscription has its tab: the one it was started in, if that holds nothing else, or else one that is opened for it.
 */
function subscribe(params: FetcherParams, headers: Headers, document: DocumentNode): void {
  const source = activeTab();
  const desk = currentDesk();
  if (!source || !desk) return;
  const holdsMore =
    document.definitions.filter((each) => each.kind === Kind.OPERATION_DEFINITION).length > 1 ||
    Boolean(shownAnswer(source.id)) ||
    streamOf(source.id)?.state === 'running' ||
    streamOf(source.id)?.state === 'connecting';
  const name = params.operationName ?? 'Subscription';
  if (holdsMore) {
    // GraphiQL has emptied the answer for this run.
    const answer = shownAnswer(source.id);
    if (answer) desk.showAnswer(answer);
    const variables = params.variables ? JSON.stringify(params.variables, null, 2) : '';
    const typed = JSON.stringify(Object.fromEntries(headers), null, 2);
    desk.open({ query: params.query, variables, headers: typed === '{}' ? '' : typed, operationName: name });
  }
  const tabId = openTabs().tabs[openTabs().activeTabIndex]?.id;
  if (!tabId) return;
  startStream(tabId, name, params, async () => {
    const session = headers.has('authorization') ? null : await freshSession();
    return session ? bearer(session.accessToken).authorization : headers.get('authorization');
  });
}

/** Tells GraphiQL that the run is over, and that it has nothing to show. */
async function* nothing(): AsyncIterableIterator<ExecutionResult> {
  // Nothing is given.
}

function read(query: string): DocumentNode | null {
  try {
    return parse(query);
  } catch {
    // Not a document: the server says what is wrong with it.
    return null;
  }
}

/**
 * GraphiQL learns an operation's name a moment after its text: a quick run of a tab that was just opened would
 * otherwise send the name of the one before, which the document does not hold.
 */
function withItsOwnName(params: FetcherParams, document: DocumentNode | null): FetcherParams {
  const operations = (document?.definitions ?? []).filter((each) => each.kind === Kind.OPERATION_DEFINITION);
  return operations.length === 1 ? { ...params, operationName: operations[0]?.name?.value } : params;
}

function isRefused(status: number, body: ExecutionResult): boolean {
  if (status === 401) return true;
  return !body.data && (body.errors ?? []).some((error) => error.extensions?.['code'] === 'UNAUTHENTICATED');
}
