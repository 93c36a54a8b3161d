// Owns which tabs are there: those that the signed-in person needs, and those that somebody has written. At a sign-in and
// a sign-out everything that could show one person's secrets to the next is put away: answers, events, headers, and the
// secrets in operations and variables.
import { forgetAllNotes } from './answers';
import { activeTab, forgetAnswers, noteDesk, noteTabs, openTabs, type TabState } from './desk';
import { operations, isExample } from './operations';
import { documentWithoutSecrets, jsonWithoutSecrets } from './secrets';
import { onTurn, type Session } from './session';
import { restartStorage } from './storage';
import { forgetAllStreams } from './streams';

interface Tab {
  query: string;
  variables: string;
}

interface TabText {
  query: string | null;
  variables?: string | null;
}

const STRANGER = ['RegisterUser', 'VerifyUserByCode', 'Login', 'ForgotPassword', 'ResetPassword'];

const SIGNED_IN: Record<Session['standing']['as'], string[]> = {
  person: ['Me', 'MySessions', 'UpdateProfile', 'MyFactors'],
  organization: ['Members', 'InviteMembers'],
  platform: ['Users', 'OnboardUsers', 'Events'],
};

/** The tabs that open by themselves, with the organisation that the person looks after in their variables. */
export function tabsFor(session: Session | null): Tab[] {
  const names = session ? SIGNED_IN[session.standing.as] : STRANGER;
  const organization = session?.standing.organization;
  return names.flatMap((name) => {
    const operation = operations.find((each) => each.name === name);
    if (!operation) return [];
    const { query, variables } = operation;
    return [{ query, variables: organization ? within(organization, name, variables) : variables }];
  });
}

function within(organization: { id: string; code: string }, name: string, variables: string): string {
  const values = JSON.parse(variables) as { input?: object };
  const own =
    name === 'Members'
      ? { by: { code: organization.code } }
      : { ...values, input: { ...values.input, organizationId: organization.id } };
  return JSON.stringify(own, null, 2);
}

/** Tabs that opened by themselves and were left as they were. */
const untouched = new Set<string>();

function keyOf({ query, variables }: TabText): string {
  return `${query?.trim() ?? ''}\n${variables?.trim() ?? ''}`;
}

function remember(tabs: Tab[]): Tab[] {
  for (const tab of tabs) untouched.add(keyOf(tab));
  return tabs;
}

/** For the first visit: afterwards GraphiQL remembers its tabs. */
export function firstTabs(session: Session | null): Tab[] {
  return remember(tabsFor(session));
}

for (const as of ['person', 'platform'] as const) {
  remember(SIGNED_IN[as].flatMap((name) => operations.find((each) => each.name === name) ?? []));
}
remember(tabsFor(null));

onTurn((session) => {
  forgetAllStreams();
  forgetAllNotes();
  const open = activeTab();
  const defaults = remember(tabsFor(session));
  const kept = openTabs().tabs.filter((tab) => tab.query?.trim() && !untouched.has(keyOf(tab)));
  const tabs = [...defaults.map((tab) => stored(tab)), ...kept.map((tab) => stored(tab))];
  const keptAt = open ? kept.indexOf(open) : -1;
  const sameAt = open ? defaults.findIndex((tab) => tab.query.trim() === open.query?.trim()) : -1;
  const activeTabIndex = keptAt >= 0 ? defaults.length + keptAt : Math.max(sameAt, 0);
  forgetAnswers();
  noteDesk(null);
  restartStorage({ tabs, activeTabIndex });
  noteTabs({ tabs, activeTabIndex });
});

/** As GraphiQL stores a tab. A new id: nothing that comes late finds the tab that there was. */
function stored(tab: TabText): TabState {
  const query = tab.query && !isExample(tab.query) ? documentWithoutSecrets(tab.query) : tab.query;
  const variables = tab.variables && !isExample(tab.variables) ? jsonWithoutSecrets(tab.variables) : (tab.variables ?? null);
  const operationName = /^(?:query|mutation|subscription)\s+(\w+)/m.exec(query ?? '')?.[1] ?? null;
  return {
    id: crypto.getRandomValues(new Uint32Array(4)).join('-'),
    hash: '',
    title: operationName ?? '<untitled>',
    query,
    variables,
    headers: null,
    operationName,
    response: null,
  };
}
