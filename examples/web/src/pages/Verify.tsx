// Where the link of the mail leads. Mail scanners open links: only a button uses it up.
//
// The mail proves the mailbox, not who chose the password. Whoever registered in this tab is known by the token that
// SignUp.tsx kept; everybody else shows the password, or chooses a new one.
import { useState } from 'react';
import { request } from '../api';
import { Form, type UserError } from '../Form';
import { graphql } from '../gql';
import { forget, remembered } from '../registration';
import { goInstead } from '../router';

const VERIFY = graphql(`
  mutation VerifyByLink($input: VerifyUserInput!) {
    verifyUser(input: $input) {
      user {
        id
      }
      passwordToken
      errors {
        code
        message
        path
      }
    }
  }
`);

const SET_PASSWORD = graphql(`
  mutation SetFirstPassword($input: ResetPasswordInput!) {
    resetPassword(input: $input) {
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

export function Verify({ token }: { token: string }) {
  const [registrationToken, setRegistrationToken] = useState(remembered);

  function done(): void {
    forget();
    goInstead('/login?verified');
  }

  async function confirm(shown: { registrationToken?: string; password?: string }): Promise<readonly UserError[]> {
    const { verifyUser } = await request(VERIFY, { input: { token, ...shown } });
    if (verifyUser?.user) done();
    const errors = verifyUser?.errors ?? [];
    if (errors.some(({ path }) => path.includes('registrationToken'))) {
      // The mail belongs to another registration than the one of this tab.
      forget();
      setRegistrationToken(null);
    }
    return errors;
  }

  return (
    <section className="card narrow">
      <h1>Confirm your address</h1>
      {registrationToken ? (
        <>
          <p>You opened the link of our mail. Is this address yours?</p>
          <Form submit="Confirm my address" fields={[]} onSubmit={() => confirm({ registrationToken })} />
        </>
      ) : (
        <>
          <p>Enter the password that you chose when you signed up.</p>
          <Form
            submit="Confirm my address"
            fields={[{ name: 'password', label: 'Password', type: 'password', autoComplete: 'current-password' }]}
            onSubmit={({ password = '' }) => confirm({ password })}
          />
          <Anew token={token} onDone={done} />
        </>
      )}
    </section>
  );
}

/** Whoever did not choose the password, or does not know it any more, chooses another: the old one does not count then. */
function Anew({ token, onDone }: { token: string; onDone: () => void }) {
  const [passwordToken, setPasswordToken] = useState<string | null>(null);

  async function choose(newPassword: string): Promise<readonly UserError[]> {
    let setter = passwordToken;
    if (!setter) {
      const { verifyUser } = await request(VERIFY, { input: { token } });
      if (!verifyUser?.user) return verifyUser?.errors ?? [];
      setter = verifyUser.passwordToken ?? null;
      // The address of an account that has its password is changed: there is nothing to choose.
      if (!setter) {
        onDone();
        return [];
      }
      setPasswordToken(setter);
    }
    const { resetPassword } = await request(SET_PASSWORD, { input: { token: setter, newPassword } });
    if (resetPassword?.user) onDone();
    return resetPassword?.errors ?? [];
  }

  return (
    <>
      <h2>It was not you, or you do not know the password?</h2>
      <p>Choose a new one. If you do not want this account, close this page: nothing happens then.</p>
      <Form
        submit="Set this password and confirm"
        fields={[
          {
            name: 'newPassword',
            label: 'New password',
            type: 'password',
            autoComplete: 'new-password',
            hint: 'At least 8 characters. A few words are better than one with signs.',
          },
        ]}
        onSubmit={({ newPassword = '' }) => choose(newPassword)}
      />
    </>
  );
}
