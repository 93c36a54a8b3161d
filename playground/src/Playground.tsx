// Owns the page: GraphiQL with its plugins, and who it asks as.
import { useEffect, useMemo } from 'react';
import { GraphiQLInterface } from 'graphiql';
import { GraphiQLProvider, pick, useGraphiQL, useMonaco } from '@graphiql/react';
import { DOC_EXPLORER_PLUGIN, DocExplorerStore } from '@graphiql/plugin-doc-explorer';
import { HISTORY_PLUGIN, HistoryStore } from '@graphiql/plugin-history';
import type { Fetcher } from '@graphiql/toolkit';
import { sendAsSignedIn } from './api';
import { EXPLORER_PLUGIN } from './explorer';
import { Header } from './Header';
import { Notice } from './Notice';
import { firstTabs } from './operations';
import { OPERATIONS_PLUGIN } from './OperationsPanel';
import { WIDE } from './screen';
import { useSignIn } from './session';
import { playgroundStorage, lastOpenTab } from './storage';
import { applyThemes, editorOptions } from './theme';

const PLUGINS = [OPERATIONS_PLUGIN, DOC_EXPLORER_PLUGIN, EXPLORER_PLUGIN, HISTORY_PLUGIN];

// On a narrow screen a panel covers the editors, so there it opens only when asked for.
const FIRST_PANEL = WIDE.matches ? OPERATIONS_PLUGIN : undefined;

const GUARDED =
  document.querySelector<HTMLMetaElement>('meta[name="denizen-introspection"]')?.content === 'signed-in';

const START = lastOpenTab() ?? firstTabs[0];

export function Playground() {
  const { session } = useSignIn();
  const who = session?.userName;
  // GraphiQL introspects anew whenever it is given another fetcher, so each sign-in and sign-out makes one; a renewal
  // does not.
  const fetcher = useMemo<Fetcher>(() => (params, options) => sendAsSignedIn(params, options), [who]);
  const waiting = GUARDED && !session;

  return (
    <div className="page">
      <Header openAtOnce={waiting} />
      <GraphiQLProvider
        fetcher={fetcher}
        schema={waiting ? null : undefined}
        plugins={PLUGINS}
        referencePlugin={DOC_EXPLORER_PLUGIN}
        visiblePlugin={FIRST_PANEL}
        defaultTabs={firstTabs}
        defaultQuery=""
        initialQuery={START?.query}
        initialVariables={START?.variables}
        storage={playgroundStorage}
        shouldPersistHeaders={false}
        inputValueDeprecation
      >
        <EditorLook />
        <OpenTabInView />
        <Notice schemaWaitsForSignIn={waiting} />
        <HistoryStore>
          <DocExplorerStore>
            <GraphiQLInterface defaultEditorToolsVisibility="variables" showPersistHeadersSettings={false} />
          </DocExplorerStore>
        </HistoryStore>
      </GraphiQLProvider>
    </div>
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

/** The row of tabs scrolls: a tab that is opened elsewhere, from the operations panel, must not stay out of sight. */
function OpenTabInView() {
  const active = useGraphiQL((state) => state.tabs[state.activeTabIndex]?.id);
  useEffect(() => {
    document.querySelector('.graphiql-tab-active')?.scrollIntoView({ inline: 'nearest', block: 'nearest' });
  }, [active]);
  return null;
}
