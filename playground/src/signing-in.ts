// Owns how somebody comes in, stays in and goes: the operations behind the sign-in panel, and the renewal of tokens. What
// goes wrong comes back as lines for the person who reads them.
import { askForPasskey, ceremonyWords } from './ceremony';
import { refusals, waitAfter, waitIn, words, type Problem } from './problem';
import { currentSession, endSession, refreshTokenOf, renewSession, startSession, type Session } from './session';
import { askStanding } from './standing';
import { bearer, post, type Reply } from './wire';

export type Method = 'TOTP' | 'RECOVERY_CODE' | 'EMAIL_CODE' | 'SMS_CODE' | 'PASSKEY';

/** A login that waits for its second factor. */
export interface Challenge {
  id: string;
  methods: Method[];
  passkeyOptions: { publicKey: PublicKeyCredentialRequestOptionsJSON } | null;
}

/** What was wrong, and how many seconds to wait before the next try, if the server said so. */
export interface Refused {
  kind: 'problems';
  problems: string[];
  wait: number | null;
}

/** Signed in; or one step further; or what was wrong. */
export type Outcome = { kind: 'in' } | { kind: 'challenge'; challenge: Challenge } | Refused;

export type Sending = { kind: 'sent'; said: string } | Refused;

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
const LOGIN_ANSWER = `{ ${TOKENS} user { userName } challenge { id methods passkeyOptions } errors { code message retryAfterSeconds } }`;

const LOGIN = `mutation PlaygroundLogin($input: LoginInput!) { login(input: $input) ${LOGIN_ANSWER} }`;
const COMPLETE = `mutation PlaygroundCompleteLogin($input: CompleteLoginInput!) { completeLogin(input: $input) ${LOGIN_ANSWER} }`;
const SEND_CODE = `mutation PlaygroundSendCode($input: SendChallengeCodeInput!) {
  sendChallengeCode(input: $input) { delivery { destination } errors { code message retryAfterSeconds } }
}`;
const START_PASSKEY = `mutation PlaygroundStartPasskeyLogin($input: StartPasskeyLoginInput) {
  startPasskeyLogin(input: $input) { challengeId options errors { code message retryAfterSeconds } }
}`;
const PASSKEY = `mutation PlaygroundPasskeyLogin($input: LoginWithPasskeyInput!) { loginWithPasskey(input: $input) ${LOGIN_ANSWER} }`;
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
  if (!options) return refused(['The server offered no passkey.']);
  try {
    const passkey = await askForPasskey(options);
    if (!passkey) return refused(['No passkey was chosen.']);
    return await comeIn(COMPLETE, 'completeLogin', { ...input, passkey }, '');
  } catch (error) {
    return refused([ceremonyWords(error)]);
  }
}

interface PasskeyLogin {
  challengeId: string | null;
  options: { publicKey: PublicKeyCredentialRequestOptionsJSON } | null;
  errors: Problem[];
}

/** In with a passkey alone: without an identifier, whoever the chosen one belongs to. */
export async function signInWithPasskey(identifier: string): Promise<Outcome> {
  try {
    const input = identifier ? { identifier } : {};
    const reply = await post<{ startPasskeyLogin: PasskeyLogin | null }>({ query: START_PASSKEY, variables: { input } });
    const started = reply.body.data?.startPasskeyLogin;
    if (!started) return refused(refusals(reply.body), waitIn(reply, []));
    if (started.errors.length > 0) return refused(started.errors.map(line), waitIn(reply, started.errors));
    if (!started.challengeId || !started.options) return refused(['The server offered no passkey.']);
    const passkey = await askForPasskey(started.options.publicKey);
    if (!passkey) return refused(['No passkey was chosen.']);
    return await comeIn(PASSKEY, 'loginWithPasskey', { challengeId: started.challengeId, passkey }, identifier);
  } catch (error) {
    return refused([ceremonyWords(error)], waitAfter(error));
  }
}

interface SentCode {
  delivery: { destination: string } | null;
  errors: Problem[];
}

/** Has a code sent, and answers with a line about it. */
export async function sendCode(challenge: Challenge, method: Method): Promise<Sending> {
  try {
    const input = { challengeId: challenge.id, method };
    const reply = await post<{ sendChallengeCode: SentCode | null }>({ query: SEND_CODE, variables: { input } });
    const sent = reply.body.data?.sendChallengeCode;
    if (sent?.delivery) return { kind: 'sent', said: `A code is on its way to ${sent.delivery.destination}.` };
    return refused(sent ? sent.errors.map(line) : refusals(reply.body), waitIn(reply, sent?.errors ?? []));
  } catch (error) {
    return refused([words(error)], waitAfter(error));
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
  if (!payload) return;
  // Both do nothing where somebody else has signed in here meanwhile, or this one signed out.
  if (payload.tokens) renewSession(session, payload.tokens);
  else endSession(session, 'refused');
}

async function comeIn(query: string, field: string, input: Record<string, unknown>, name: string): Promise<Outcome> {
  let reply: Reply<Record<string, LoginAnswer | null>>;
  try {
    reply = await post<Record<string, LoginAnswer | null>>({ query, variables: { input } });
  } catch (error) {
    return refused([words(error)], waitAfter(error));
  }
  const login = reply.body.data?.[field];
  if (!login) return refused(refusals(reply.body), waitIn(reply, []));
  if (login.errors.length > 0) return refused(login.errors.map(line), waitIn(reply, login.errors));
  if (login.challenge) return { kind: 'challenge', challenge: login.challenge };
  if (!login.tokens) return refused(['The server gave no token.']);
  // The tabs that open depend on it, so it is asked for first.
  const standing = await askStanding(login.tokens.accessToken);
  startSession({ ...login.tokens, userName: login.user?.userName ?? name, standing });
  return { kind: 'in' };
}

function refused(problems: string[], wait: number | null = null): Refused {
  return { kind: 'problems', problems, wait };
}

function line({ code, message }: Problem): string {
  return message || code;
}
