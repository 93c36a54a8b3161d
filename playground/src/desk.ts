// Owns what is known of GraphiQL's tabs outside of its components: which are there, which is open, and how to open one.
// GraphiQL reports each change before it draws it, so this is never behind.
import type { TabsState } from '@graphiql/react';

export type TabState = TabsState['tabs'][number];

type Tabs = Pick<TabsState, 'tabs' | 'activeTabIndex'>;

export interface TabText {
  query: string;
  variables: string;
  headers?: string;
  operationName: string;
}

/** What the mounted GraphiQL can be asked to do. */
export interface Desk {
  open: (text: TabText) => void;
  showAnswer: (text: string) => void;
}

let tabs: Tabs = { tabs: [], activeTabIndex: 0 };
let desk: Desk | null = null;
/** The answers that tabs have shown: GraphiQL empties a tab's answer before it asks what the run is. */
const shown = new Map<string, string>();
/** Answers that came while another tab was open. */
const late = new Map<string, string>();
const listeners = new Set<() => void>();

export function noteTabs(next: Tabs): void {
  tabs = next;
  const ids = new Set(next.tabs.map(({ id }) => id));
  for (const { id, response } of next.tabs) if (response) shown.set(id, response);
  for (const map of [shown, late]) for (const id of map.keys()) if (!ids.has(id)) map.delete(id);
  for (const listener of listeners) listener();
}

export function onTabs(listener: () => void): void {
  listeners.add(listener);
}

export function noteDesk(next: Desk | null): void {
  desk = next;
}

export function openTabs(): Tabs {
  return tabs;
}

export function activeTab(): TabState | undefined {
  return tabs.tabs[tabs.activeTabIndex];
}

export function currentDesk(): Desk | null {
  return desk;
}

export function shownAnswer(tabId: string): string | undefined {
  return shown.get(tabId);
}

export function keepForLater(tabId: string, answer: string): void {
  late.set(tabId, answer);
}

export function takeLateAnswer(tabId: string): string | undefined {
  const answer = late.get(tabId);
  late.delete(tabId);
  return answer;
}

export function forgetAnswers(): void {
  shown.clear();
  late.clear();
}
