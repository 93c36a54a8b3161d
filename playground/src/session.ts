// Owns who is signed in: the access token in this browser tab's sessionStorage, and nowhere else. The token is
// never handed to GraphiQL's own storage or header editor. Whether a token still lives is the server's to say:
// the clock here only informs.
//
// The refresh token stays in memory. A tab that is duplicated takes a copy of sessionStorage with it, and a refresh token
// that two use counts as stolen; after a reload the access token alone goes on, until it runs out.
import { useSyncExternalStore } from 'react';
import { isStanding, PERSON, type Standing } from './standing';

const KEY = 'denizen:session';

export interface Session {
  accessToken: string;
  expiresAt: string;
  userName: string;
  /** What the signed-in person is here for. */
  standing: Standing;
  /** Whether it is renewed by itself, for as long as this page is open. */
  renews: boolean;
}

export interface SignIn {
  session: Session | null;
  /** Why the last session is over; null when nobody was signed in, or somebody is. */
  ended: 'signed-out' | 'refused' | null;
  /** Grows with each sign-in and sign-out: what one person sees must not stay for the next. */
  turn: number;
}

interface NewSession {
  accessToken: string;
  expiresAt: string;
  refreshToken: string;
  userName: string;
  standing: Standing;
}

type RenewedTokens = Pick<NewSession, 'accessToken' | 'expiresAt' | 'refreshToken'>;

let refreshToken: string | null = null;
let state: SignIn = { session: restore(), ended: null, turn: 0 };
const listeners = new Set<() => void>();
const turnListeners = new Set<(session: Session | null) => void>();

function restore(): Session | null {
  try {
    const stored: unknown = JSON.parse(sessionStorage.getItem(KEY) ?? 'null');
    if (!isStored(stored)) return null;
    const { accessToken, expiresAt, userName, standing } = stored;
    return { accessToken, expiresAt, userName, standing: isStanding(standing) ? standing : PERSON, renews: false };
  } catch {
    return null;
  }
}

function isStored(value: unknown): value is Omit<Session, 'renews'> {
  if (typeof value !== 'object' || value === null) return false;
  const { accessToken, expiresAt, userName } = value as Record<string, unknown>;
  return typeof accessToken === 'string' && typeof expiresAt === 'string' && typeof userName === 'string';
}

function become(next: SignIn): void {
  state = next;
  try {
    if (next.session) sessionStorage.setItem(KEY, stored(next.session));
    else sessionStorage.removeItem(KEY);
  } catch {
    // Storage may be switched off: the sign-in then lasts until the page is reloaded.
  }
  for (const listener of listeners) listener();
}

/** As `become`, after everything that belongs to the person before has been put away. */
function turn(session: Session | null, ended: SignIn['ended']): void {
  for (const listener of turnListeners) listener(session);
  become({ session, ended, turn: state.turn + 1 });
}

function stored({ accessToken, expiresAt, userName, standing }: Session): string {
  return JSON.stringify({ accessToken, expiresAt, userName, standing });
}

export function onTurn(listener: (session: Session | null) => void): void {
  turnListeners.add(listener);
}

export function currentSession(): Session | null {
  return state.session;
}

export function startSession({ refreshToken: renewal, ...session }: NewSession): void {
  refreshToken = renewal;
  turn({ ...session, renews: true }, null);
}

/** The same sign-in goes on with new tokens. */
export function renewSession(session: Session, { refreshToken: renewal, ...tokens }: RenewedTokens): void {
  if (state.session?.accessToken !== session.accessToken) return;
  refreshToken = renewal;
  become({ ...state, session: { ...session, ...tokens } });
}

/** With what this session can be renewed, if this page knows. */
export function refreshTokenOf(session: Session): string | null {
  return session.renews ? refreshToken : null;
}

/** Forgets this session, unless another sign-in has replaced it in the meantime. */
export function endSession(session: Session, reason: NonNullable<SignIn['ended']>): void {
  if (state.session?.accessToken !== session.accessToken) return;
  refreshToken = null;
  // Whoever is refused is still there, and may sign in again to go on where they were.
  if (reason === 'signed-out') turn(null, reason);
  else become({ ...state, session: null, ended: reason });
}

export function useSignIn(): SignIn {
  return useSyncExternalStore(subscribe, () => state);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function currentTurn(): number {
  return state.turn;
}
