// Owns the tie between GraphiQL's tabs and the rest of the page: it opens tabs, shows answers that came late, and marks
// the tabs in which a subscription runs.
import { useEffect } from 'react';
import { pick, useGraphiQL, useGraphiQLActions } from '@graphiql/react';
import { activeTab, noteDesk, noteTabs, takeLateAnswer } from './desk';
import { useRunningTabs } from './streams';

export function TabDesk() {
  const { addTab, updateActiveTabValues } = useGraphiQLActions();
  const { tabs, activeTabIndex, queryEditor, variableEditor, headerEditor, responseEditor } = useGraphiQL(
    pick('tabs', 'activeTabIndex', 'queryEditor', 'variableEditor', 'headerEditor', 'responseEditor'),
  );
  const active = tabs[activeTabIndex]?.id;
  const running = useRunningTabs();

  useEffect(() => noteTabs({ tabs, activeTabIndex }), [tabs, activeTabIndex]);

  // The editors begin with the tab that was open when the page began: another may be by the time they are there, and
  // would take over their text.
  useEffect(() => {
    const tab = activeTab();
    if (!tab || !queryEditor || !variableEditor) return;
    if (queryEditor.getValue() !== (tab.query ?? '')) queryEditor.setValue(tab.query ?? '');
    if (variableEditor.getValue() !== (tab.variables ?? '')) variableEditor.setValue(tab.variables ?? '');
  }, [queryEditor, variableEditor]);

  useEffect(() => {
    noteDesk({
      open: ({ query, variables, headers, operationName }) => {
        addTab();
        updateActiveTabValues({ query, variables, headers: headers ?? null, operationName });
        queryEditor?.setValue(query);
        variableEditor?.setValue(variables);
        headerEditor?.setValue(headers ?? '');
      },
      showAnswer: (text) => {
        responseEditor?.setValue(text);
        updateActiveTabValues({ response: text });
      },
    });
  }, [addTab, updateActiveTabValues, queryEditor, variableEditor, headerEditor, responseEditor]);

  useEffect(() => {
    // The row of tabs scrolls: a tab that is opened elsewhere, from the operations panel, must not stay out of sight.
    document.querySelector('.graphiql-tab-active')?.scrollIntoView({ inline: 'nearest', block: 'nearest' });
    const late = active && responseEditor ? takeLateAnswer(active) : undefined;
    if (late === undefined) return;
    responseEditor?.setValue(late);
    updateActiveTabValues({ response: late });
  }, [active, responseEditor, updateActiveTabValues]);

  useEffect(() => {
    const ids = running.split(' ');
    for (const [index, tab] of tabs.entries()) {
      const element = document.getElementById(`graphiql-session-tab-${index}`);
      element?.toggleAttribute('data-running', ids.includes(tab.id));
    }
  }, [running, tabs]);

  return null;
}
