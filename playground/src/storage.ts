// Owns where GraphiQL remembers things. Tabs, variables and history end with the browser tab, and are written without
// the secrets in them (an operation here may be `login`); only the looks of the page outlive it.
import type { TabsState } from '@graphiql/react';
import { isExample } from './operations';
import { documentWithoutSecrets, jsonWithoutSecrets } from './secrets';

const NAMESPACE = 'graphiql:';
const TABS = `${NAMESPACE}tabState`;
const LASTING = /^graphiql:(theme|visiblePlugin|\w+Flex)$/;

const areas = available(['localStorage', 'sessionStorage']);

function available(names: ('localStorage' | 'sessionStorage')[]): Storage[] {
  try {
    return names.map((name) => window[name]);
  } catch {
    // A browser with storage switched off throws at the first touch: then nothing is remembered.
    return [];
  }
}

function areaOf(key: string): Storage | undefined {
  return LASTING.test(key) ? areas[0] : areas[1];
}

/** How each thing that GraphiQL stores is written without secrets. Headers are where a token may be typed: never. */
const WRITERS: Record<string, (value: string) => string> = {
  [TABS]: (value) => JSON.stringify(JSON.parse(value), textWithoutSecrets),
  [`${NAMESPACE}queries`]: (value) => JSON.stringify(JSON.parse(value), textWithoutSecrets),
  [`${NAMESPACE}favorites`]: (value) => JSON.stringify(JSON.parse(value), textWithoutSecrets),
  [`${NAMESPACE}query`]: (value) => String(textWithoutSecrets('query', value)),
  [`${NAMESPACE}variables`]: (value) => String(textWithoutSecrets('variables', value)),
  [`${NAMESPACE}headers`]: () => '',
};

function textWithoutSecrets(name: string, value: unknown): unknown {
  if (name === 'headers' || name === 'response' || name === 'hash') return null;
  if (typeof value !== 'string' || isExample(value)) return value;
  if (name === 'query') return documentWithoutSecrets(value);
  return name === 'variables' ? jsonWithoutSecrets(value) : value;
}

function keysOf(area: Storage): string[] {
  return Object.keys(area).filter((key) => key.startsWith(NAMESPACE));
}

class PlaygroundStorage {
  getItem(key: string): string | null {
    return areaOf(key)?.getItem(key) ?? null;
  }

  setItem(key: string, value: string): void {
    // GraphiQL writes half a second late: what belongs to the time before a sign-in or a sign-out comes too late.
    if (this !== current) return;
    areaOf(key)?.setItem(key, WRITERS[key]?.(value) ?? value);
  }

  removeItem(key: string): void {
    areaOf(key)?.removeItem(key);
  }

  clear(): void {
    for (const area of areas) for (const key of keysOf(area)) area.removeItem(key);
  }

  get length(): number {
    return areas.reduce((sum, area) => sum + keysOf(area).length, 0);
  }
}

let current = new PlaygroundStorage();

export function currentStorage(): PlaygroundStorage {
  return current;
}

/** Begins anew with these tabs. The history stays: it holds no secrets. */
export function restartStorage(state: Pick<TabsState, 'tabs' | 'activeTabIndex'>): void {
  current = new PlaygroundStorage();
  for (const name of ['query', 'variables', 'headers']) current.removeItem(NAMESPACE + name);
  current.setItem(TABS, JSON.stringify(state));
}

/**
 * What the editors start with: the tab that was open last. GraphiQL keeps the editors' text a second time beside its
 * tabs, and where the two differ (variables that were never edited) it opens one tab more at each reload.
 */
export function lastOpenTab(): { query: string; variables: string } | null {
  try {
    const stored = JSON.parse(current.getItem(TABS) ?? 'null') as StoredTabs | null;
    const tab = stored?.tabs[stored.activeTabIndex];
    return tab ? { query: tab.query ?? '', variables: tab.variables ?? '' } : null;
  } catch {
    return null;
  }
}

interface StoredTabs {
  tabs: { query: string | null; variables: string | null }[];
  activeTabIndex: number;
}
