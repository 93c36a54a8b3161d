// Owns how a subscription is shown: its state, what can be done with it, and its events, the newest first.
import { memo } from 'react';
import {
  clearStream, MOST_EVENTS, pauseStream, restartStream, resumeStream, stopStream, type Stream, type StreamEvent,
} from './streams';

export function StreamList({ stream }: { stream: Stream }) {
  const { tabId, name, state, paused, total, events, problem } = stream;
  const more = total - (events[0]?.number ?? 0);
  return (
    <section className="stream" aria-label={`Events of ${name}`}>
      <div className="stream-bar">
        <p role="status" className="stream-state" data-state={paused ? 'paused' : state}>
          {stateWords(stream)}
        </p>
        <p className="stream-count">
          {total === 1 ? '1 event' : `${total} events`}
          {total > MOST_EVENTS && `, the last ${MOST_EVENTS} are kept`}
        </p>
        <div className="stream-buttons">
          {state !== 'ended' && !paused && <Button act={() => pauseStream(tabId)}>Pause</Button>}
          {paused && <Button act={() => resumeStream(tabId)}>{more > 0 ? `Show ${more} more` : 'Go on'}</Button>}
          {state === 'ended' ? (
            <Button act={() => restartStream(tabId)}>Run again</Button>
          ) : (
            <Button act={() => stopStream(tabId)}>Stop</Button>
          )}
          <Button act={() => clearStream(tabId)} disabled={total === 0}>
            Clear
          </Button>
        </div>
      </div>
      <div role="alert">{problem && <p className="stream-problem">{problem}</p>}</div>
      {events.length === 0 && state !== 'ended' && <p className="stream-empty">{emptyWords(stream)}</p>}
      <ol className="stream-events">
        {events.map((event) => (
          <EventItem key={event.number} event={event} />
        ))}
      </ol>
    </section>
  );
}

function stateWords({ state, paused, problem }: Stream): string {
  if (paused) return 'Paused';
  if (state === 'connecting') return 'Connecting…';
  if (state === 'running') return 'Running';
  return problem ? 'Ended' : 'Stopped';
}

function emptyWords({ state, paused }: Stream): string {
  if (paused) return 'What comes is kept until you go on.';
  return state === 'connecting' ? 'Nothing yet.' : 'It runs. What happens from now on stands here; work in other tabs meanwhile.';
}

function Button({ act, disabled, children }: { act: () => void; disabled?: boolean; children: React.ReactNode }) {
  return (
    <button type="button" className="quiet" onClick={act} disabled={disabled}>
      {children}
    </button>
  );
}

const TIME: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3 };

const EventItem = memo(function EventItem({ event: { number, at, result } }: { event: StreamEvent }) {
  const failed = Boolean(result.errors?.length);
  return (
    <li>
      <details>
        <summary>
          <span className="stream-number">{number}</span>
          <time dateTime={at.toISOString()}>{at.toLocaleTimeString(undefined, TIME)}</time>
          <span className={failed ? 'stream-brief problem' : 'stream-brief'}>{brief(result)}</span>
        </summary>
        <pre tabIndex={0}>{JSON.stringify(result, null, 2)}</pre>
      </details>
    </li>
  );
});

/** A line about an event: its error, or the first short texts in it. */
function brief({ data, errors }: StreamEvent['result']): string {
  if (errors?.[0]) return errors[0].message;
  const texts = shortTexts(Object.values(data ?? {})).slice(0, 3);
  return texts.join(' · ') || JSON.stringify(data);
}

const DATE = /^\d{4}-\d\d-\d\dT/;

function shortTexts(value: unknown): string[] {
  if (typeof value === 'string') return value.length > 0 && value.length <= 60 && !DATE.test(value) ? [value] : [];
  if (typeof value === 'number') return [String(value)];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(shortTexts);
}
