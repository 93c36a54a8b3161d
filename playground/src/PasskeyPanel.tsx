// Owns the panel in which the signed-in person adds a passkey.
import { useId, useRef, useState, type SubmitEvent } from 'react';
import { PASSKEYS_WORK } from './ceremony';
import { makePasskey } from './passkeys';
import { Problems } from './Problems';

export function PasskeyPanel() {
  const id = useId();
  const first = useRef<HTMLInputElement>(null);
  const [open, setOpen] = useState(false);
  const [busy, setBusy] = useState(false);
  const [said, setSaid] = useState('');
  const [problems, setProblems] = useState<string[]>([]);
  if (!PASSKEYS_WORK) return null;

  async function submit(event: SubmitEvent<HTMLFormElement>) {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget).get('name')).trim();
    setBusy(true);
    setSaid('');
    setProblems([]);
    const outcome = await makePasskey(name);
    setBusy(false);
    if ('made' in outcome) setSaid(`The passkey “${outcome.made}” was added. You can sign in with it from now on.`);
    else setProblems(outcome.problems);
  }

  return (
    <>
      <button type="button" className="quiet" popoverTarget={`${id}-panel`} aria-expanded={open} aria-haspopup="dialog">
        Passkey
      </button>
      <div
        id={`${id}-panel`}
        popover="auto"
        role="dialog"
        aria-label="Add a passkey"
        className="panel"
        onToggle={(event) => {
          setOpen(event.newState === 'open');
          if (event.newState === 'open') first.current?.focus();
        }}
      >
        <form onSubmit={(event) => void submit(event)} aria-busy={busy}>
          <label htmlFor={`${id}-name`}>Name of the passkey</label>
          <input id={`${id}-name`} ref={first} name="name" defaultValue="My device" maxLength={100} autoComplete="off" required />
          <div role="status">{said && <p className="said">{said}</p>}</div>
          <Problems lines={problems} />
          <button type="submit" className="primary" disabled={busy}>
            {busy ? 'Waiting for the browser…' : 'Add a passkey'}
          </button>
          <p className="hint">The browser asks your device to make it. The operation MyFactors lists yours.</p>
        </form>
      </div>
    </>
  );
}
