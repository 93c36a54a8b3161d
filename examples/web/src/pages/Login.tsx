// Logs in, with a second factor where the account asks for one, and goes where the person wanted to go.
import { useState } from 'react';
import { request } from '../api';
import { Form } from '../Form';
import { graphql } from '../gql';
import type { LoginMutation } from '../gql/graphql';
import { go, link } from '../router';
import { signedIn, type Tokens } from '../session';

const LOGIN = graphql(`
  mutation Login($input: LoginInput!) {
    login(input: $input) {
      tokens {
        accessToken
        expiresAt
        refreshToken
      }
      challenge {
        id
        methods
      }
      errors {
        code
        message
        path
        retryAfterSeconds
      }
    }
  }
`);

const COMPLETE = graphql(`
  mutation CompleteLogin($input: CompleteLoginInput!) {
    completeLogin(input: $input) {
      tokens {
        accessToken
        expiresAt
        refreshToken
      }
      errors {
        code
        message
        path
        retryAfterSeconds
      }
    }
  }
`);

type Challenge = NonNullable<NonNullable<LoginMutation['login']>['challenge']>;

/** What this page can ask for; Denizen knows more: codes by mail and by text message, and passkeys. */
const METHODS = ['TOTP', 'RECOVERY_CODE'] as const;
const LABELS = { TOTP: 'Code of your app', RECOVERY_CODE: 'Recovery code' };
const UNKNOWN = { code: 'UNSUPPORTED', message: 'This account asks for a second factor that this page does not know.', path: [] };

export function Login({ invitation, note }: { invitation: string | null; note: string | null }) {
  const [challenge, setChallenge] = useState<Challenge | null>(null);

  function enter(tokens: Tokens) {
    signedIn(tokens);
    go(invitation ? `/invitation?token=${encodeURIComponent(invitation)}` : '/profile');
  }

  if (challenge) return <SecondFactor challenge={challenge} onDone={enter} />;
  const carried = invitation ? `?invitation=${encodeURIComponent(invitation)}` : '';
  return (
    <section className="card narrow">
      <h1>Log in</h1>
      {note && <p role="status">{note}</p>}
      <Form
        submit="Log in"
        fields={[
          { name: 'identifier', label: 'User name or email', autoComplete: 'username' },
          { name: 'password', label: 'Password', type: 'password', autoComplete: 'current-password' },
        ]}
        onSubmit={async ({ identifier = '', password = '' }) => {
          const { login } = await request(LOGIN, { input: { identifier, password, device: 'Web example' } });
          if (login?.tokens) enter(login.tokens);
          if (!login?.challenge) return login?.errors ?? [];
          if (!METHODS.some((method) => login.challenge?.methods.includes(method))) return [UNKNOWN];
          setChallenge(login.challenge);
          return [];
        }}
      >
        <a {...link('/forgot')}>Forgot your password?</a>
        <a {...link(`/sign-up${carried}`)}>Sign up</a>
      </Form>
    </section>
  );
}

function SecondFactor({ challenge, onDone }: { challenge: Challenge; onDone: (tokens: Tokens) => void }) {
  const offered = METHODS.filter((method) => challenge.methods.includes(method));
  const [method, setMethod] = useState(offered[0] ?? 'TOTP');
  const other = offered.find((one) => one !== method);
  return (
    <section className="card narrow">
      <h1>One more thing</h1>
      <Form
        submit="Log in"
        fields={[{ name: 'code', label: LABELS[method], autoComplete: 'one-time-code' }]}
        onSubmit={async ({ code = '' }) => {
          const input = { challengeId: challenge.id, method, code: code.trim() };
          const { completeLogin } = await request(COMPLETE, { input });
          if (completeLogin?.tokens) onDone(completeLogin.tokens);
          return completeLogin?.errors ?? [];
        }}
      >
        {other && (
          <button type="button" className="quiet" onClick={() => setMethod(other)}>
            {LABELS[other]} instead
          </button>
        )}
      </Form>
    </section>
  );
}
