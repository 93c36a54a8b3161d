// Who is signed in. The tokens live in this module's memory and nowhere else: no script that gets hold of the browser's
// storage finds them, and a reload asks for the password again.
import { useSyncExternalStore } from 'react';
import { refresh } from './refresh';

export interface Tokens {
  readonly accessToken: string;
  readonly expiresAt: string;
  readonly refreshToken: string;
}

let tokens: Tokens | null = null;
let renewing: Promise<string | null> | null = null;
const listeners = new Set<() => void>();

/** How long before its end an access token is renewed: clocks differ, and requests take time. */
const MARGIN = 30_000;

export function signedIn(next: Tokens): void {
  become(next);
}

export function signedOut(): void {
  become(null);
}

export function refreshToken(): string | null {
  return tokens?.refreshToken ?? null;
}

/** A token that is good for a request now, or none. */
export async function accessToken(): Promise<string | null> {
  if (!tokens) return null;
  return Date.parse(tokens.expiresAt) - Date.now() > MARGIN ? tokens.accessToken : renew();
}

/** New tokens for the old ones; none, and signed out, when that is over. Requests at the same time share one renewal. */
export function renew(): Promise<string | null> {
  renewing ??= (async () => {
    const next = tokens && (await refresh(tokens).catch(() => null));
    become(next);
    return next?.accessToken ?? null;
  })().finally(() => (renewing = null));
  return renewing;
}

export function useSignedIn(): boolean {
  return useSyncExternalStore(subscribe, () => tokens !== null);
}

function become(next: Tokens | null): void {
  tokens = next;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
