// Opens an account, and proves its address by the mailed code. The link of the same mail leads to Verify.tsx.
import { useState } from 'react';
import { request } from '../api';
import { Form } from '../Form';
import { graphql } from '../gql';
import { forget, remember } from '../registration';
import { go, link } from '../router';

const REGISTER = graphql(`
  mutation RegisterUser($input: RegisterUserInput!) {
    registerUser(input: $input) {
      delivery {
        destination
      }
      registrationToken
      errors {
        code
        message
        path
      }
    }
  }
`);

const RESEND = graphql(`
  mutation ResendVerification($input: ResendVerificationInput!) {
    resendVerification(input: $input) {
      delivery {
        destination
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

const VERIFY = graphql(`
  mutation VerifyByCode($input: VerifyUserInput!) {
    verifyUser(input: $input) {
      user {
        id
      }
      errors {
        code
        message
        path
      }
    }
  }
`);

interface Registered {
  userName: string;
  destination: string;
  /** Shows at the proof of the address that the password was chosen here. */
  registrationToken: string;
}

export function SignUp({ invitation }: { invitation: string | null }) {
  const [registered, setRegistered] = useState<Registered | null>(null);
  return registered ? <EnterCode {...registered} /> : <Register invitation={invitation} onDone={setRegistered} />;
}

function Register({ invitation, onDone }: { invitation: string | null; onDone: (done: Registered) => void }) {
  return (
    <section className="card narrow">
      <h1>Sign up</h1>
      {invitation && <p>Use the address that was invited: you join as soon as it is confirmed.</p>}
      <Form
        submit="Sign up"
        fields={[
          { name: 'userName', label: 'User name', autoComplete: 'username' },
          { name: 'email', label: 'Email', type: 'email', autoComplete: 'email' },
          { name: 'name', label: 'Name', autoComplete: 'name', optional: true },
          {
            name: 'password',
            label: 'Password',
            type: 'password',
            autoComplete: 'new-password',
            hint: 'At least 8 characters. A few words are better than one with signs.',
          },
        ]}
        onSubmit={async ({ userName = '', email = '', name, password = '' }) => {
          const input = { userName, email, password, name: name || null, invitationToken: invitation };
          const { registerUser } = await request(REGISTER, { input });
          const destination = registerUser?.delivery?.destination;
          const registrationToken = registerUser?.registrationToken;
          if (destination && registrationToken) {
            remember(registrationToken);
            onDone({ userName, destination, registrationToken });
          }
          return registerUser?.errors ?? [];
        }}
      >
        <a {...link('/login')}>I have an account</a>
      </Form>
    </section>
  );
}

function EnterCode({ userName, destination, registrationToken }: Registered) {
  const [note, setNote] = useState<string | null>(null);

  async function resend() {
    const { resendVerification } = await request(RESEND, { input: { identifier: userName } });
    const [error] = resendVerification?.errors ?? [];
    setNote(error ? error.message : 'Another mail is on its way.');
  }

  return (
    <section className="card narrow">
      <h1>Confirm your address</h1>
      <p>
        A mail is on its way to <strong>{destination}</strong>. Open its link, or enter its code here.
      </p>
      <Form
        submit="Confirm"
        fields={[{ name: 'code', label: 'Code', autoComplete: 'one-time-code', hint: 'Six digits.' }]}
        onSubmit={async ({ code = '' }) => {
          const { verifyUser } = await request(VERIFY, { input: { userName, code: code.trim(), registrationToken } });
          if (verifyUser?.user) {
            forget();
            go('/login?verified');
          }
          return verifyUser?.errors ?? [];
        }}
      >
        <button type="button" className="quiet" onClick={() => void resend().catch(() => setNote('That did not work.'))}>
          Send it again
        </button>
      </Form>
      {note && <p role="status">{note}</p>}
    </section>
  );
}
