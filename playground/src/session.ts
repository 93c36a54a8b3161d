// Owns who is signed in: the access token in this browser tab's sessionStorage, and nowhere else. The token is
// never handed to GraphiQL's own storage or header editor. Whether a token still lives is the server's to say:
// the clock here only informs.
import { useSyncExternalStore } from 'react';

const KEY = 'denizen:session';

export interface Session {
  accessToken: string;
  expiresAt: string;
  userName: string;
}

export interface SignIn {
  session: Session | null;
  /** Why the last session is over; null when nobody was signed in, or somebody is. */
  ended: 'signed-out' | 'refused' | null;
}

let state: SignIn = { session: restore(), ended: null };
const listeners = new Set<() => void>();

function restore(): Session | null {
  try {
    const stored: unknown = JSON.parse(sessionStorage.getItem(KEY) ?? 'null');
    return isSession(stored) ? stored : null;
  } catch {
    return null;
  }
}

function isSession(value: unknown): value is Session {
  if (typeof value !== 'object' || value === null) return false;
  const { accessToken, expiresAt, userName } = value as Record<string, unknown>;
  return typeof accessToken === 'string' && typeof expiresAt === 'string' && typeof userName === 'string';
}

function become(next: SignIn): void {
  state = next;
  try {
    if (next.session) sessionStorage.setItem(KEY, JSON.stringify(next.session));
    else sessionStorage.removeItem(KEY);
  } catch {
    // Storage may be switched off: the sign-in then lasts until the page is reloaded.
  }
  for (const listener of listeners) listener();
}

export function currentSession(): Session | null {
  return state.session;
}

export function startSession(session: Session): void {
  become({ session, ended: null });
}

/** Forgets this session, unless another sign-in has replaced it in the meantime. */
export function endSession(session: Session, reason: NonNullable<SignIn['ended']>): void {
  if (state.session?.accessToken === session.accessToken) become({ session: null, ended: reason });
}

export function useSignIn(): SignIn {
  return useSyncExternalStore(subscribe, () => state);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
