// Owns the page: GraphiQL with its plugins, and who it asks as.
import { useEffect, useMemo, useState } from 'react';
import { GraphiQL, GraphiQLInterface } from 'graphiql';
import { GraphiQLProvider, pick, useGraphiQL, useMonaco, type TabsState } from '@graphiql/react';
import { DOC_EXPLORER_PLUGIN, DocExplorerStore } from '@graphiql/plugin-doc-explorer';
import { HISTORY_PLUGIN, HistoryStore } from '@graphiql/plugin-history';
import type { Fetcher } from '@graphiql/toolkit';
import { AnswerPane } from './AnswerPane';
import { sendAsSignedIn } from './api';
import { noteTabs } from './desk';
import { EXPLORER_PLUGIN } from './explorer';
import { Header } from './Header';
import { Notice } from './Notice';
import { OPERATIONS_PLUGIN } from './OperationsPanel';
import { WIDE } from './screen';
import { currentSession, currentTurn, useSignIn } from './session';
import { currentStorage, lastOpenTab } from './storage';
import { TabDesk } from './TabDesk';
import { applyThemes, editorOptions } from './theme';
import { firstTabs } from './workspace';

const PLUGINS = [OPERATIONS_PLUGIN, DOC_EXPLORER_PLUGIN, EXPLORER_PLUGIN, HISTORY_PLUGIN];

// On a narrow screen a panel covers the editors, so there it opens only when asked for.
const FIRST_PANEL = WIDE.matches ? OPERATIONS_PLUGIN : undefined;

const GUARDED =
  document.querySelector<HTMLMetaElement>('meta[name="denizen-introspection"]')?.content === 'signed-in';

export function Playground() {
  const { session, turn } = useSignIn();
  // A sign-in and a sign-out make GraphiQL anew, so that nothing of what the last person saw stays in it.
  return (
    <div className="page">
      <Header openAtOnce={GUARDED && !session} />
      <Workspace key={turn} />
    </div>
  );
}

function Workspace() {
  const { session, turn } = useSignIn();
  const [{ defaultTabs, storage, start }] = useState(() => {
    const tabs = firstTabs(currentSession());
    return { defaultTabs: tabs, storage: currentStorage(), start: lastOpenTab() ?? tabs[0] };
  });
  const who = session?.userName;
  // GraphiQL introspects anew whenever it is given another fetcher, so each sign-in and sign-out makes one; a renewal
  // does not.
  const fetcher = useMemo<Fetcher>(() => (params, options) => sendAsSignedIn(params, options), [who]);
  const waiting = GUARDED && !session;
  // GraphiQL reports edits a moment late, and even after it has been replaced.
  const [noteOwnTabs] = useState(() => (state: TabsState) => void (turn === currentTurn() && noteTabs(state)));

  return (
    <GraphiQLProvider
      fetcher={fetcher}
      schema={waiting ? null : undefined}
      plugins={PLUGINS}
      referencePlugin={DOC_EXPLORER_PLUGIN}
      visiblePlugin={FIRST_PANEL}
      defaultTabs={defaultTabs}
      defaultQuery=""
      initialQuery={start?.query}
      initialVariables={start?.variables}
      storage={storage}
      shouldPersistHeaders={false}
      onTabChange={noteOwnTabs}
      inputValueDeprecation
    >
      <EditorLook />
      <TabDesk />
      <Notice schemaWaitsForSignIn={waiting} />
      <HistoryStore>
        <DocExplorerStore>
          <GraphiQLInterface defaultEditorToolsVisibility="variables" showPersistHeadersSettings={false}>
            <GraphiQL.Footer>
              <AnswerPane />
            </GraphiQL.Footer>
          </GraphiQLInterface>
        </DocExplorerStore>
      </HistoryStore>
    </GraphiQLProvider>
  );
}

function EditorLook() {
  const monaco = useMonaco((state) => state.monaco);
  const editors = useGraphiQL(pick('queryEditor', 'variableEditor', 'headerEditor', 'responseEditor'));
  useEffect(() => {
    if (monaco) applyThemes(monaco);
  }, [monaco]);
  useEffect(() => {
    for (const editor of Object.values(editors)) editor?.updateOptions(editorOptions);
  }, [editors]);
  return null;
}
