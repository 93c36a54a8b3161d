// Owns where GraphiQL remembers things. Tabs, variables and history can hold passwords (an operation here may be
// `login`), so they end with the browser tab; only the looks of the page outlive it.
const NAMESPACE = 'graphiql:';
const LASTING = /^graphiql:(theme|visiblePlugin|\w+Flex)$/;
const HISTORY = /^graphiql:(queries|favorites)$/;

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

/** The history plugin keeps the request headers of every run, and those are where a token may be typed. */
function withoutHeaders(key: string, value: string): string {
  if (!HISTORY.test(key)) return value;
  return JSON.stringify(JSON.parse(value), (name, inner: unknown) => (name === 'headers' ? undefined : inner));
}

function keysOf(area: Storage): string[] {
  return Object.keys(area).filter((key) => key.startsWith(NAMESPACE));
}

export const playgroundStorage = {
  getItem: (key: string) => areaOf(key)?.getItem(key) ?? null,
  setItem: (key: string, value: string) => areaOf(key)?.setItem(key, withoutHeaders(key, value)),
  removeItem: (key: string) => areaOf(key)?.removeItem(key),
  clear() {
    for (const area of areas) for (const key of keysOf(area)) area.removeItem(key);
  },
  get length() {
    return areas.reduce((sum, area) => sum + keysOf(area).length, 0);
  },
};

/**
 * What the editors start with: the tab that was open last. GraphiQL keeps the editors' text a second time beside its
 * tabs, and where the two differ (variables that were never edited) it opens one tab more at each reload.
 */
export function lastOpenTab(): { query: string; variables: string } | null {
  try {
    const stored = JSON.parse(playgroundStorage.getItem(`${NAMESPACE}tabState`) ?? 'null') as StoredTabs | null;
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
