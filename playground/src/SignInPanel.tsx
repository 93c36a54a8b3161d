// Owns the sign-in panel: a button and the form behind it. The browser's own popover closes it with Escape or a
// click outside, and gives the focus back.
import { useEffect, useId, useRef, useState, type SubmitEvent } from 'react';
import { PASSKEYS_WORK } from './ceremony';
import { Problems } from './Problems';
import { SecondStep } from './SecondStep';
import { signIn, signInWithPasskey, type Challenge, type Outcome } from './signing-in';
import { duration, useWait, WaitLine } from './wait';

interface Props {
  openAtOnce: boolean;
}

export function SignInPanel({ openAtOnce }: Props) {
  const id = useId();
  const panel = useRef<HTMLDivElement>(null);
  const first = useRef<HTMLInputElement>(null);
  const [open, setOpen] = useState(false);
  const [challenge, setChallenge] = useState<Challenge | null>(null);

  useEffect(() => {
    if (openAtOnce) panel.current?.showPopover();
  }, [openAtOnce]);

  return (
    <div className="signing-in">
      <button type="button" className="primary" popoverTarget={id} aria-expanded={open} aria-haspopup="dialog">
        Sign in
      </button>
      <div
        id={id}
        ref={panel}
        popover="auto"
        role="dialog"
        aria-label="Sign in"
        className="panel"
        onToggle={(event) => {
          const isOpen = event.newState === 'open';
          setOpen(isOpen);
          if (isOpen) first.current?.focus();
        }}
      >
        {challenge ? (
          <SecondStep key={challenge.id} challenge={challenge} onStartOver={() => setChallenge(null)} />
        ) : (
          <FirstStep first={first} onChallenge={setChallenge} />
        )}
      </div>
    </div>
  );
}

interface FirstStepProps {
  first: React.RefObject<HTMLInputElement | null>;
  onChallenge: (challenge: Challenge) => void;
}

function FirstStep({ first, onChallenge }: FirstStepProps) {
  const id = useId();
  const [busy, setBusy] = useState(false);
  const [problems, setProblems] = useState<string[]>([]);
  const [left, wait] = useWait();
  const form = useRef<HTMLFormElement>(null);

  async function enter(asked: Promise<Outcome>) {
    setBusy(true);
    setProblems([]);
    // On success this form is gone with the panel, and the password with it.
    const outcome = await asked;
    setBusy(false);
    if (outcome.kind === 'challenge') onChallenge(outcome.challenge);
    if (outcome.kind !== 'problems') return;
    setProblems(outcome.problems);
    wait(outcome.wait);
  }

  function submit(event: SubmitEvent<HTMLFormElement>) {
    event.preventDefault();
    if (left > 0) return;
    const fields = new FormData(event.currentTarget);
    void enter(signIn(String(fields.get('identifier')).trim(), String(fields.get('password'))));
  }

  function usePasskey() {
    const fields = form.current ? new FormData(form.current) : null;
    void enter(signInWithPasskey(String(fields?.get('identifier') ?? '').trim()));
  }

  return (
    <form ref={form} onSubmit={submit} aria-busy={busy}>
      <label htmlFor={`${id}-identifier`}>User name, email or phone</label>
      <input
        id={`${id}-identifier`}
        ref={first}
        name="identifier"
        autoComplete="username"
        autoCapitalize="none"
        spellCheck={false}
        required
      />
      <label htmlFor={`${id}-password`}>Password</label>
      <input id={`${id}-password`} name="password" type="password" autoComplete="current-password" required />
      <Problems lines={problems} />
      <WaitLine left={left} />
      <button type="submit" className="primary" disabled={busy || left > 0}>
        {left > 0 ? `Wait ${duration(left)}` : busy ? 'Signing in…' : 'Sign in'}
      </button>
      {PASSKEYS_WORK && (
        <button type="button" className="quiet" disabled={busy || left > 0} onClick={usePasskey}>
          Sign in with a passkey
        </button>
      )}
      <p className="hint">The access token stays in this browser tab and goes with every request from it.</p>
    </form>
  );
}
