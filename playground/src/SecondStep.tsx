// Owns the second step of signing in: by which factor, and the answer.
import { useEffect, useId, useRef, useState, type SubmitEvent } from 'react';
import { Problems } from './Problems';
import { answer, sendCode, type Challenge, type Method } from './signing-in';
import { duration, useWait, WaitLine } from './wait';

interface Props {
  challenge: Challenge;
  onStartOver: () => void;
}

const NAMES: Record<Method, string> = {
  TOTP: 'Authenticator app',
  EMAIL_CODE: 'Code by email',
  SMS_CODE: 'Code by text message',
  PASSKEY: 'Passkey',
  RECOVERY_CODE: 'Recovery code',
};

/** What needs the least of a person comes first. */
const ORDER = Object.keys(NAMES) as Method[];

export function SecondStep({ challenge, onStartOver }: Props) {
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  const methods = ORDER.filter((method) => challenge.methods.includes(method));
  const [method, setMethod] = useState(methods[0] ?? 'TOTP');
  const [busy, setBusy] = useState(false);
  const [said, setSaid] = useState('');
  const [problems, setProblems] = useState<string[]>([]);
  const [left, wait] = useWait();
  const isSent = method === 'EMAIL_CODE' || method === 'SMS_CODE';

  useEffect(() => input.current?.focus(), [method]);

  async function submit(event: SubmitEvent<HTMLFormElement>) {
    event.preventDefault();
    if (left > 0) return;
    const code = String(new FormData(event.currentTarget).get('code') ?? '');
    setBusy(true);
    setProblems([]);
    const outcome = await answer(challenge, method, code);
    setBusy(false);
    if (outcome.kind !== 'problems') return;
    setProblems(outcome.problems);
    wait(outcome.wait);
  }

  async function send() {
    setSaid('');
    setProblems([]);
    const sending = await sendCode(challenge, method);
    if (sending.kind === 'sent') setSaid(sending.said);
    else {
      setProblems(sending.problems);
      wait(sending.wait);
    }
  }

  return (
    <form onSubmit={(event) => void submit(event)} aria-busy={busy}>
      <label htmlFor={`${id}-method`}>Confirm that it is you</label>
      <select
        id={`${id}-method`}
        value={method}
        onChange={(event) => {
          setMethod(event.currentTarget.value as Method);
          setSaid('');
          setProblems([]);
        }}
      >
        {methods.map((each) => (
          <option key={each} value={each}>
            {NAMES[each]}
          </option>
        ))}
      </select>
      {isSent && (
        <button type="button" className="quiet" disabled={left > 0} onClick={() => void send()}>
          Send me a code
        </button>
      )}
      <div role="status">{said && <p className="said">{said}</p>}</div>
      {method !== 'PASSKEY' && (
        <>
          <label htmlFor={`${id}-code`}>Code</label>
          <input
            id={`${id}-code`}
            ref={input}
            name="code"
            inputMode={method === 'RECOVERY_CODE' ? 'text' : 'numeric'}
            autoComplete="one-time-code"
            autoCapitalize="none"
            spellCheck={false}
            required
          />
        </>
      )}
      <Problems lines={problems} />
      <WaitLine left={left} />
      <button type="submit" className="primary" disabled={busy || left > 0}>
        {left > 0 ? `Wait ${duration(left)}` : busy ? 'Signing in…' : method === 'PASSKEY' ? 'Use a passkey' : 'Sign in'}
      </button>
      <button type="button" className="plain" onClick={onStartOver}>
        Start over
      </button>
    </form>
  );
}
