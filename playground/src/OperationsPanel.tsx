// Owns the panel of ready operations: what there is, what each is for, and opening one in a tab.
import { useId, useState } from 'react';
import { useGraphiQL, useGraphiQLActions, type GraphiQLPlugin } from '@graphiql/react';
import { currentDesk, openTabs } from './desk';
import { operations, type Operation } from './operations';
import { WIDE } from './screen';

function matches(operation: Operation, words: string): boolean {
  const text = `${operation.name} ${operation.kind} ${operation.chapter} ${operation.about}`.toLowerCase();
  return words.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

function useOpen(): (operation: Operation) => void {
  const { changeTab, setVisiblePlugin } = useGraphiQLActions();
  return ({ name, query, variables }) => {
    // On a narrow screen this panel covers the editors.
    if (!WIDE.matches) setVisiblePlugin(null);
    const open = openTabs().tabs.findIndex((tab) => tab.query?.trim() === query.trim());
    if (open >= 0) changeTab(open);
    else currentDesk()?.open({ query, variables, operationName: name });
  };
}

function OperationsPanel() {
  const [words, setWords] = useState('');
  const operationName = useGraphiQL((state) => state.operationName);
  const open = useOpen();
  const filterId = useId();
  const found = Map.groupBy(
    operations.filter((operation) => matches(operation, words.trim())),
    ({ chapter }) => chapter,
  );

  return (
    <section className="operations" aria-label="Operations">
      <h2>Operations</h2>
      <p className="operations-lead">Ready to run. Each opens in a tab, with variables to change.</p>
      <label className="visually-hidden" htmlFor={filterId}>Filter operations</label>
      <input
        id={filterId}
        type="search"
        placeholder="Filter"
        value={words}
        onChange={(event) => setWords(event.currentTarget.value)}
      />
      {[...found].map(([chapter, members]) => (
        <section key={chapter} aria-label={chapter}>
          <h3>{chapter}</h3>
          <ul>
            {members.map((operation) => (
              <li key={operation.name}>
                <button
                  type="button"
                  aria-current={operation.name === operationName || undefined}
                  onClick={() => open(operation)}
                >
                  <span className="operation-name">{operation.name}</span>
                  <span className={`operation-kind operation-kind-${operation.kind}`}>{operation.kind}</span>
                  <span className="operation-about">{operation.about}</span>
                </button>
              </li>
            ))}
          </ul>
        </section>
      ))}
      {found.size === 0 && <p role="status">Nothing by that name.</p>}
    </section>
  );
}

export const OPERATIONS_PLUGIN: GraphiQLPlugin = {
  title: 'Operations',
  icon: () => (
    <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round" aria-hidden="true">
      <path d="M9 6h11M9 12h11M9 18h11" />
      <path d="m3.5 4.5 2.5 1.5-2.5 1.5zM3.5 10.5 6 12l-2.5 1.5zM3.5 16.5 6 18l-2.5 1.5z" strokeLinejoin="round" />
    </svg>
  ),
  content: OperationsPanel,
};
