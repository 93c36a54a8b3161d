// Owns what is said when a subscription ends: in words, with the number that the protocol has for it, and how to go on.

/** How a socket ended, as far as the browser tells. */
export interface Closed {
  code: number;
  reason: string;
  /** Whether the server had ever accepted the socket. */
  opened: boolean;
}

const AGAIN = 'Then run it again.';

const WORDS: Record<number, string> = {
  1001: 'The server is stopping. Run it again in a moment.',
  1009: 'The message was larger than the server takes. Ask with fewer variables.',
  1011: 'The server met a fault of its own. Run it again in a moment.',
  4400: 'The server could not read what was sent. Reload the page, and run it again.',
  4401: `The server does not know who is asking. Sign in again. ${AGAIN}`,
  4403: `The token is not valid, or no longer: the session has ended. Sign in again. ${AGAIN}`,
  4408: 'Connecting took longer than the server waits: the network may be slow. Run it again.',
  4409: 'The server still holds a subscription by that id. Run it again.',
  4429: 'The connection was opened twice at once. Reload the page, and run it again.',
};

export async function explainClosed({ code, reason, opened }: Closed): Promise<string> {
  if (code === 1013) {
    return /too many/i.test(reason)
      ? `Too many sockets are open from here (${code} ${reason}). Stop other subscriptions, or close other windows. ${AGAIN}`
      : `The server cannot take it on just now (${code} ${reason}). Wait a few seconds. ${AGAIN}`;
  }
  const words = WORDS[code];
  if (words) return `${words} (${[code, reason].filter(Boolean).join(' ')})`;
  if (code !== 1006) return `The server closed the connection (${[code, reason].filter(Boolean).join(' ')}). Run it again.`;
  if (!navigator.onLine) return `This device is offline. Connect it to the network. ${AGAIN}`;
  if (!(await answers())) return `The server cannot be reached: it may be down, or the network away. ${AGAIN}`;
  return opened
    ? 'The connection broke (1006), and the server answers again. Run it again.'
    : `The server answers, but it refused a WebSocket from this page. Pages of ${location.origin} may not open one: ` +
        'open the playground at the public address of the server, or add this origin to DENIZEN_ALLOWED_ORIGINS. ' +
        'It can also be a proxy in between that does not pass on upgrades, or too many open sockets.';
}

/** Any answer counts: a refusal comes from a server, too. */
async function answers(): Promise<boolean> {
  try {
    await fetch('/health/ready', { credentials: 'omit', cache: 'no-store', signal: AbortSignal.timeout(5_000) });
    return true;
  } catch {
    return false;
  }
}
