// Owns who is signed in: the access token in this browser tab's sessionStorage, and nowhere else. The token is
// never handed to GraphiQL's own storage or header editor. Whether a token still lives is the server's to say:
// the clock here only informs.
//
// The refresh token stays in memory. A tab that is duplicated takes a copy of sessionStorage with it, and a refresh token
// that two use counts as stolen; after a reload the access token alone goes on, until it runs out.
import { useSyncExternalStore } from 'react';

const KEY = 'denizen:session';

export interface Session {
  accessToken: string;
  expiresAt: string;
  userName: string;
  /** Whether it is renewed by itself, for as long as this page is open. */
  renews: boolean;
}

export interface SignIn {
  session: Session | null;
  /** Why the last session is over; null when nobody was signed in, or somebody is. */
  ended: 'signed-out' | 'refused' | null;
}

interface NewSession {
  accessToken: string;
  expiresAt: string;
  refreshToken: string;
  userName: string;
}

let refreshToken: string | null = null;
let state: SignIn = { session: restore(), ended: null };
const listeners = new Set<() => void>();

function restore(): Session | null {
  try {
    const stored: unknown = JSON.parse(sessionStorage.getItem(KEY) ?? 'null');
    return isStored(stored) ? { ...stored, renews: false } : null;
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

function stored({ accessToken, expiresAt, userName }: Session): string {
  return JSON.stringify({ accessToken, expiresAt, userName });
}

export function currentSession(): Session | null {
  return state.session;
}

export function startSession({ accessToken, expiresAt, userName, refreshToken: renewal }: NewSession): void {
  refreshToken = renewal;
  become({ session: { accessToken, expiresAt, userName, renews: true }, ended: null });
}

/** With what this session can be renewed, if this page knows. */
export function refreshTokenOf(session: Session): string | null {
  return session.renews ? refreshToken : null;
}

/** Forgets this session, unless another sign-in has replaced it in the meantime. */
export function endSession(session: Session, reason: NonNullable<SignIn['ended']>): void {
  if (state.session?.accessToken !== session.accessToken) return;
  refreshToken = null;
  become({ session: null, ended: reason });
}

export function useSignIn(): SignIn {
  return useSyncExternalStore(subscribe, () => state);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
