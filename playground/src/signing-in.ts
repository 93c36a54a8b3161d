// Owns how somebody comes in, stays in and goes: the operations behind the sign-in panel, and the renewal of tokens. What
// goes wrong comes back as lines for the person who reads them.
import type { ExecutionResult } from 'graphql';
import { currentSession, endSession, refreshTokenOf, startSession, type Session } from './session';
import { bearer, post } from './wire';

export type Method = 'TOTP' | 'RECOVERY_CODE' | 'EMAIL_CODE' | 'SMS_CODE' | 'PASSKEY';

/** A login that waits for its second factor. */
export interface Challenge {
  id: string;
  methods: Method[];
  passkeyOptions: { publicKey: PublicKeyCredentialRequestOptionsJSON } | null;
}

/** Signed in; or one step further; or what was wrong. */
export type Outcome = { kind: 'in' } | { kind: 'challenge'; challenge: Challenge } | { kind: 'problems'; problems: string[] };

interface Problem {
  code: string;
  message: string | null;
}

interface Tokens {
  accessToken: string;
  expiresAt: string;
  refreshToken: string;
}

interface LoginAnswer {
  tokens: Tokens | null;
  user: { userName: string } | null;
  challenge: Challenge | null;
  errors: Problem[];
}

const TOKENS = 'tokens { accessToken expiresAt refreshToken }';
const LOGIN_ANSWER = `{ ${TOKENS} user { userName } challenge { id methods passkeyOptions } errors { code message } }`;

const LOGIN = `mutation PlaygroundLogin($input: LoginInput!) { login(input: $input) ${LOGIN_ANSWER} }`;
const COMPLETE = `mutation PlaygroundCompleteLogin($input: CompleteLoginInput!) { completeLogin(input: $input) ${LOGIN_ANSWER} }`;
const SEND_CODE = `mutation PlaygroundSendCode($input: SendChallengeCodeInput!) {
  sendChallengeCode(input: $input) { delivery { destination } errors { code message } }
}`;
const REFRESH = `mutation PlaygroundRefresh($input: RefreshTokensInput!) {
  refreshTokens(input: $input) { ${TOKENS} errors { code message } }
}`;
const LOGOUT = 'mutation PlaygroundLogout { logout(input: {}) { endedSessions } }';

export function signIn(identifier: string, password: string): Promise<Outcome> {
  return comeIn(LOGIN, 'login', { identifier, password }, identifier);
}

/** The second step: a code, or for a passkey what the browser made of it. */
export async function answer(challenge: Challenge, method: Method, code: string): Promise<Outcome> {
  const input = { challengeId: challenge.id, method };
  if (method !== 'PASSKEY') return comeIn(COMPLETE, 'completeLogin', { ...input, code: code.trim() }, '');
  const options = challenge.passkeyOptions?.publicKey;
  if (!options) return problems('The server offered no passkey.');
  try {
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
    const credential = (await navigator.credentials.get({ publicKey })) as PublicKeyCredential | null;
    if (!credential) return problems('No passkey was chosen.');
    return await comeIn(COMPLETE, 'completeLogin', { ...input, passkey: credential.toJSON() as unknown }, '');
  } catch (error) {
    return problems(words(error));
  }
}

/** Has a code sent, and answers with a line about it. */
export async function sendCode(challenge: Challenge, method: Method): Promise<string> {
  try {
    const input = { challengeId: challenge.id, method };
    const { body } = await post<{ sendChallengeCode: { delivery: { destination: string } | null; errors: Problem[] } | null }>(
      { query: SEND_CODE, variables: { input } },
    );
    const sent = body.data?.sendChallengeCode;
    if (sent?.delivery) return `A code is on its way to ${sent.delivery.destination}.`;
    return (sent ? sent.errors.map(line) : refusals(body)).join(' ');
  } catch (error) {
    return words(error);
  }
}

/** Ends the session here and on the server. Here it ends in any case. */
export async function signOut(session: Session): Promise<void> {
  try {
    await post({ query: LOGOUT }, new Headers(bearer(session.accessToken)));
  } catch {
    // Not reached: the tokens are forgotten all the same, and die by themselves when they expire.
  } finally {
    endSession(session, 'signed-out');
  }
}

/** How long before its end an access token is renewed: clocks differ, and requests take time. */
const MARGIN = 30_000;

let renewing: Promise<void> | null = null;

/** The session with a token that is good for a request now, if there is one. Requests at the same time share a renewal. */
export async function freshSession(): Promise<Session | null> {
  const session = currentSession();
  const token = session && refreshTokenOf(session);
  if (token && Date.parse(session.expiresAt) - Date.now() < MARGIN) {
    renewing ??= renew(session, token).finally(() => (renewing = null));
    await renewing;
  }
  return currentSession();
}

async function renew(session: Session, refreshToken: string): Promise<void> {
  const asked = post<{ refreshTokens: { tokens: Tokens | null } | null }>({ query: REFRESH, variables: { input: { refreshToken } } });
  // Where it is not reached, the request that comes next says so.
  const payload = (await asked.catch(() => null))?.body.data?.refreshTokens;
  // Somebody else may have signed in here meanwhile, or this one signed out.
  if (!payload || currentSession()?.accessToken !== session.accessToken) return;
  if (payload.tokens) startSession({ ...payload.tokens, userName: session.userName });
  else endSession(session, 'refused');
}

async function comeIn(query: string, field: string, input: Record<string, unknown>, name: string): Promise<Outcome> {
  let body: ExecutionResult<Record<string, LoginAnswer | null>>;
  try {
    ({ body } = await post<Record<string, LoginAnswer | null>>({ query, variables: { input } }));
  } catch (error) {
    return problems(words(error));
  }
  const login = body.data?.[field];
  if (!login) return problems(...refusals(body));
  if (login.errors.length > 0) return problems(...login.errors.map(line));
  if (login.challenge) return { kind: 'challenge', challenge: login.challenge };
  if (!login.tokens) return problems('The server gave no token.');
  startSession({ ...login.tokens, userName: login.user?.userName ?? name });
  return { kind: 'in' };
}

function problems(...lines: string[]): Outcome {
  return { kind: 'problems', problems: lines };
}

function line({ code, message }: Problem): string {
  return message ?? code;
}

function refusals(body: ExecutionResult): string[] {
  return body.errors?.map((error) => error.message) ?? ['The server gave no answer.'];
}

function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
