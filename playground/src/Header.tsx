// Owns the bar at the top: the name, and who is signed in.
import { useEffect, useState } from 'react';
import { PasskeyPanel } from './PasskeyPanel';
import { useSignIn, type Session } from './session';
import { signOut } from './signing-in';
import { SignInPanel } from './SignInPanel';

interface Props {
  /** Where nothing can be seen without signing in, the panel is open from the start. */
  openAtOnce: boolean;
}

export function Header({ openAtOnce }: Props) {
  const { session } = useSignIn();
  return (
    <header className="bar">
      <h1>
        <Mark />
        Denizen <span>playground</span>
      </h1>
      <div className="visually-hidden" role="status">
        {session ? `Signed in as ${session.userName}` : 'Not signed in'}
      </div>
      {session ? <SignedIn session={session} /> : <SignInPanel openAtOnce={openAtOnce} />}
    </header>
  );
}

function Mark() {
  return (
    <svg className="mark" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" />
      <path d="M10 24V8h5.5a8 8 0 0 1 0 16Z" />
      <circle cx="15.5" cy="16" r="2.2" />
    </svg>
  );
}

function SignedIn({ session }: { session: Session }) {
  const [leaving, setLeaving] = useState(false);
  const expired = useExpired(session.expiresAt);
  return (
    <div className="signed-in">
      <p>
        <strong>{session.userName}</strong>
        <span title={about(session)}>{expired ? ended(session) : `token until ${moment(session.expiresAt)}`}</span>
      </p>
      <PasskeyPanel />
      <button
        type="button"
        className="quiet"
        disabled={leaving}
        onClick={() => {
          setLeaving(true);
          void signOut(session);
        }}
      >
        Sign out
      </button>
    </div>
  );
}

function about({ expiresAt, renews }: Session): string {
  const until = `The access token expires at ${new Date(expiresAt).toLocaleString()}.`;
  return renews ? `${until} It is renewed when you go on working here.` : until;
}

function ended({ renews }: Session): string {
  return renews ? 'token renewed at the next run' : 'token expired';
}

/** The time alone when it is today, with the day otherwise. */
function moment(iso: string): string {
  const at = new Date(iso);
  const today = at.toDateString() === new Date().toDateString();
  return at.toLocaleString(undefined, today ? { timeStyle: 'short' } : { dateStyle: 'medium', timeStyle: 'short' });
}

const LONGEST_TIMER = 2 ** 31 - 1;

function useExpired(iso: string): boolean {
  const [expired, setExpired] = useState(() => Date.parse(iso) <= Date.now());
  useEffect(() => {
    const left = Date.parse(iso) - Date.now();
    setExpired(left <= 0);
    if (left <= 0 || left > LONGEST_TIMER) return undefined;
    const timer = setTimeout(() => setExpired(true), left);
    return () => clearTimeout(timer);
  }, [iso]);
  return expired;
}
