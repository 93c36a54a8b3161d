// Owns the notes above an answer.
import { useState } from 'react';
import type { Enrolment, Notes } from './answers';
import { PASSKEYS_WORK } from './ceremony';
import { finishPasskey, type PasskeyStart } from './passkeys';
import { Problems } from './Problems';

export function AnswerNotes({ notes: { dryRuns, enrolments, passkeys } }: { notes: Notes }) {
  return (
    <section className="answer-notes" aria-label="About this answer">
      <div role="status">
        {dryRuns.map((sentence) => (
          <p key={sentence} className="dry-run">
            {sentence}
          </p>
        ))}
      </div>
      {enrolments.map((enrolment) => (
        <EnrolmentNote key={enrolment.secret} enrolment={enrolment} />
      ))}
      {PASSKEYS_WORK && passkeys.map((start) => <PasskeyNote key={start.challengeId} start={start} />)}
    </section>
  );
}

/** As an image, where no script of an SVG runs and nothing is fetched for it. */
function asImage(svg: string): string {
  return `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
}

function EnrolmentNote({ enrolment: { secret, qrSvg } }: { enrolment: Enrolment }) {
  const [copied, setCopied] = useState('');
  async function copy() {
    try {
      await navigator.clipboard.writeText(secret);
      setCopied('Copied.');
    } catch {
      setCopied('The browser does not let this page copy: select the secret.');
    }
  }
  return (
    <div className="enrolment">
      {qrSvg && <img src={asImage(qrSvg)} alt="QR code for an authenticator app" width="176" height="176" />}
      <div>
        <p>
          {qrSvg ? 'Scan the picture with your authenticator app, or type the secret in.' : 'Type the secret into your authenticator app. With qrSvg in the answer, a picture to scan stands here.'}{' '}
          Then run ConfirmTotp with the code that it shows.
        </p>
        {secret && (
          <p className="enrolment-secret">
            <code>{secret}</code>
            <button type="button" className="quiet" onClick={() => void copy()}>
              Copy
            </button>
          </p>
        )}
        <p role="status">{copied}</p>
      </div>
    </div>
  );
}

function PasskeyNote({ start }: { start: PasskeyStart }) {
  const [state, setState] = useState<'ready' | 'busy' | 'done'>('ready');
  const [said, setSaid] = useState('');
  const [problems, setProblems] = useState<string[]>([]);
  async function make() {
    setState('busy');
    setProblems([]);
    const outcome = await finishPasskey(start);
    setState('made' in outcome ? 'done' : 'ready');
    if ('made' in outcome) setSaid(`The passkey “${outcome.made}” was added.`);
    else setProblems(outcome.problems);
  }
  return (
    <div className="passkey-note">
      {state !== 'done' && (
        <>
          <p>The server waits for a passkey that this browser makes of these options.</p>
          <button type="button" className="quiet" disabled={state === 'busy'} onClick={() => void make()}>
            {state === 'busy' ? 'Waiting for the browser…' : 'Make the passkey'}
          </button>
        </>
      )}
      <p role="status">{said}</p>
      <Problems lines={problems} />
    </div>
  );
}
