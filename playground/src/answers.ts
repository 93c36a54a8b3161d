// Owns what the page adds to an answer: what a dry run would do, the QR code of an authenticator app, a passkey that
// waits to be made. It belongs to the tab that asked, and goes with the next run or the sign-out.
import { useSyncExternalStore } from 'react';
import type { FetcherParams } from '@graphiql/toolkit';
import type { ExecutionResult } from 'graphql';
import { onTabs, openTabs } from './desk';
import { dryRunSentences } from './dry-run';
import type { PasskeyStart } from './passkeys';

export interface Enrolment {
  secret: string;
  /** A QR code as an SVG document, where it was asked for. */
  qrSvg: string | null;
}

export interface Notes {
  dryRuns: string[];
  enrolments: Enrolment[];
  passkeys: PasskeyStart[];
}

const notes = new Map<string, Notes>();
const listeners = new Set<() => void>();

onTabs(() => {
  const ids = new Set(openTabs().tabs.map(({ id }) => id));
  for (const id of notes.keys()) if (!ids.has(id)) notes.delete(id);
});

export function noteAnswer(tabId: string, params: FetcherParams, result: ExecutionResult): void {
  const payloads = objectsIn(result.data);
  const found: Notes = {
    dryRuns: dryRunSentences(params, result),
    enrolments: payloads.flatMap(enrolment),
    passkeys: payloads.flatMap(passkeyStart),
  };
  if (found.dryRuns.length + found.enrolments.length + found.passkeys.length > 0) notes.set(tabId, found);
  else notes.delete(tabId);
  tell();
}

export function forgetNotes(tabId: string): void {
  if (notes.delete(tabId)) tell();
}

export function forgetAllNotes(): void {
  notes.clear();
  tell();
}

/** The payloads of a mutation: the values of its fields, whatever their aliases. */
function objectsIn(data: ExecutionResult['data']): Record<string, unknown>[] {
  return Object.values(data ?? {}).filter(
    (value): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value),
  );
}

function enrolment({ secret, uri, qrSvg }: Record<string, unknown>): Enrolment[] {
  const inUri = typeof uri === 'string' && uri.startsWith('otpauth://') ? secretOf(uri) : null;
  const svg = typeof qrSvg === 'string' ? qrSvg : null;
  // Other mutations have a `secret` too: only beside an address or a picture is it one for an app.
  if (inUri === null && svg === null) return [];
  return [{ secret: inUri ?? (typeof secret === 'string' ? secret : ''), qrSvg: svg }];
}

function secretOf(uri: string): string {
  return new URLSearchParams(uri.split('?')[1] ?? '').get('secret') ?? '';
}

function passkeyStart({ challengeId, options }: Record<string, unknown>): PasskeyStart[] {
  if (typeof challengeId !== 'string' || typeof options !== 'object' || options === null) return [];
  const { publicKey } = options as { publicKey?: PublicKeyCredentialCreationOptionsJSON };
  // Those for making a passkey name whom it is for; those for using one do not.
  return publicKey?.user ? [{ challengeId, publicKey }] : [];
}

function tell(): void {
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useNotes(tabId: string | undefined): Notes | undefined {
  return useSyncExternalStore(subscribe, () => (tabId === undefined ? undefined : notes.get(tabId)));
}
