// Owns the running subscriptions: each belongs to a tab, keeps the last of what came, and ends with its tab.
import { useSyncExternalStore } from 'react';
import type { FetcherParams } from '@graphiql/toolkit';
import type { ExecutionResult } from 'graphql';
import { onTabs, openTabs } from './desk';
import { follow } from './follow';

/** How many events a stream keeps: the oldest go first. */
export const MOST_EVENTS = 500;

export interface StreamEvent {
  number: number;
  at: Date;
  result: ExecutionResult;
}

export interface Stream {
  tabId: string;
  name: string;
  state: 'connecting' | 'running' | 'ended';
  paused: boolean;
  /** Since it was started, or cleared. */
  total: number;
  /** What is shown, the newest first: while it is paused, what had come until then. */
  events: readonly StreamEvent[];
  /** Why it ended, when something went wrong. */
  problem: string | null;
}

/** Gives the Authorization header for a connection that is made now. */
export type Authorization = () => Promise<string | null>;

interface Run {
  params: FetcherParams;
  authorization: Authorization;
  stream: Stream;
  kept: StreamEvent[];
  /** Counts connections: an answer to an earlier one is of no interest any more. */
  connection: number;
  stop: () => void;
}

const runs = new Map<string, Run>();
const listeners = new Set<() => void>();
let drawing: ReturnType<typeof setTimeout> | undefined;

onTabs(() => {
  const ids = new Set(openTabs().tabs.map(({ id }) => id));
  for (const id of runs.keys()) if (!ids.has(id)) forgetStream(id);
});

function tell(): void {
  clearTimeout(drawing);
  drawing = undefined;
  for (const listener of listeners) listener();
}

function change(run: Run, part: Partial<Stream>): void {
  run.stream = { ...run.stream, ...part };
  tell();
}

export function startStream(tabId: string, name: string, params: FetcherParams, authorization: Authorization): void {
  forgetStream(tabId);
  const stream: Stream = { tabId, name, state: 'connecting', paused: false, total: 0, events: [], problem: null };
  const run: Run = { params, authorization, stream, kept: [], connection: 0, stop: () => undefined };
  runs.set(tabId, run);
  void connect(run);
}

/** Connects again, and goes on with the list as it is. */
export function restartStream(tabId: string): void {
  const run = runs.get(tabId);
  if (run?.stream.state === 'ended') void connect(run);
}

async function connect(run: Run): Promise<void> {
  const connection = ++run.connection;
  change(run, { state: 'connecting', problem: null });
  const authorization = await run.authorization();
  if (connection !== run.connection) return;
  run.stop = follow(run.params, authorization, {
    connected: () => change(run, { state: 'running' }),
    next: (result) => receive(run, result),
    ended: (problem) => {
      change(run, { state: 'ended', problem });
    },
  });
}

function receive(run: Run, result: ExecutionResult): void {
  const number = run.stream.total + 1;
  run.kept = [{ number, at: new Date(), result }, ...run.kept].slice(0, MOST_EVENTS);
  run.stream = { ...run.stream, total: number, events: run.stream.paused ? run.stream.events : run.kept };
  // A burst is drawn at once.
  drawing ??= setTimeout(tell, 50);
}

export function stopStream(tabId: string): void {
  const run = runs.get(tabId);
  if (!run || run.stream.state === 'ended') return;
  end(run);
  change(run, { state: 'ended', paused: false, events: run.kept });
}

function end(run: Run): void {
  run.connection += 1;
  run.stop();
}

export function pauseStream(tabId: string): void {
  const run = runs.get(tabId);
  if (run) change(run, { paused: true });
}

export function resumeStream(tabId: string): void {
  const run = runs.get(tabId);
  if (run) change(run, { paused: false, events: run.kept });
}

export function clearStream(tabId: string): void {
  const run = runs.get(tabId);
  if (!run) return;
  run.kept = [];
  change(run, { total: 0, events: [] });
}

function forgetStream(tabId: string): void {
  const run = runs.get(tabId);
  if (!run) return;
  end(run);
  runs.delete(tabId);
  tell();
}

export function forgetAllStreams(): void {
  for (const id of [...runs.keys()]) forgetStream(id);
}

export function streamOf(tabId: string | undefined): Stream | undefined {
  return tabId === undefined ? undefined : runs.get(tabId)?.stream;
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useStream(tabId: string | undefined): Stream | undefined {
  return useSyncExternalStore(subscribe, () => streamOf(tabId));
}

/** The tabs in which a subscription runs, in one text: React compares it by value. */
export function useRunningTabs(): string {
  return useSyncExternalStore(subscribe, () =>
    [...runs.values()].filter(({ stream }) => stream.state !== 'ended').map(({ stream }) => stream.tabId).join(' '),
  );
}
