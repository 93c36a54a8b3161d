// Where we are: the address of the page, as one value. No library for five pages.
import { type MouseEvent, useSyncExternalStore } from 'react';

const listeners = new Set<() => void>();
window.addEventListener('popstate', changed);

function changed(): void {
  for (const listener of listeners) listener();
}

export function go(path: string): void {
  history.pushState(null, '', path);
  changed();
}

/** Without a way back: for addresses that hold a token which has done its work. */
export function goInstead(path: string): void {
  history.replaceState(null, '', path);
  changed();
}

export function usePlace(): URL {
  const href = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => location.href,
  );
  return new URL(href);
}

/** For `<a {...link('/profile')}>`: a real link, followed without loading the page again. */
export function link(path: string) {
  return {
    href: path,
    onClick: (event: MouseEvent) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      go(path);
    },
  };
}
