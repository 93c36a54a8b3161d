// Asks once, again when the variables change, and again when told to.
import { useCallback, useEffect, useState } from 'react';
import { ApiError } from './api';

export interface Query<Data> {
  data: Data | null;
  problem: string | null;
  reload: () => void;
}

/** `key` says what is asked for: a new one asks anew. */
export function useQuery<Data>(ask: () => Promise<Data>, key: string): Query<Data> {
  const [state, setState] = useState<{ data: Data | null; problem: string | null }>({ data: null, problem: null });
  const [round, setRound] = useState(0);
  const reload = useCallback(() => setRound((last) => last + 1), []);

  useEffect(() => {
    let current = true;
    ask().then(
      (data) => current && setState({ data, problem: null }),
      (error: unknown) => current && setState({ data: null, problem: explain(error) }),
    );
    return () => {
      current = false;
    };
    // `ask` is a new function on every render; what it asks for is in the key.
  }, [key, round]);

  return { ...state, reload };
}

/** What a person reads when a request as a whole was refused. */
export function explain(error: unknown): string {
  if (!(error instanceof ApiError)) return 'Something went wrong. Try again in a moment.';
  const { code, message, retryAfterSeconds } = error;
  if (code === 'FORBIDDEN') return 'You may not do this.';
  return retryAfterSeconds ? `${message} Try again in ${retryAfterSeconds} seconds.` : message;
}
