// Owns the lazy door to the explorer plugin: most visits never open it, so its code waits for the first that does.
import { lazy, Suspense, type ComponentType } from 'react';
import { Spinner, type GraphiQLPlugin } from '@graphiql/react';

const Explorer = lazy(async (): Promise<{ default: ComponentType }> => {
  const [{ explorerPlugin }] = await Promise.all([
    import('@graphiql/plugin-explorer'),
    import('@graphiql/plugin-explorer/style.css'),
  ]);
  return { default: explorerPlugin().content };
});

export const EXPLORER_PLUGIN: GraphiQLPlugin = {
  title: 'Explorer',
  icon: () => (
    <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round" aria-hidden="true">
      <rect x="3" y="3" width="7" height="7" rx="1.5" />
      <path d="M6.5 10v7.5a1.5 1.5 0 0 0 1.5 1.5h4M6.5 13.5H12" />
      <rect x="14" y="10.5" width="7" height="6" rx="1.5" transform="translate(-2)" />
      <path d="M12 19h7" />
    </svg>
  ),
  content: () => (
    <Suspense fallback={<Spinner />}>
      <Explorer />
    </Suspense>
  ),
};
