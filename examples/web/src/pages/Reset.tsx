// A forgotten password: asks for the mail, and sets a new one behind its link. The link of an account that an
// administrator made leads here too.
import { useState } from 'react';
import { request } from '../api';
import { Form } from '../Form';
import { graphql } from '../gql';
import { goInstead, link } from '../router';

const FORGOT = graphql(`
  mutation ForgotPassword($input: ForgotPasswordInput!) {
    forgotPassword(input: $input) {
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

const RESET = graphql(`
  mutation ResetPassword($input: ResetPasswordInput!) {
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

export function Forgot() {
  const [sent, setSent] = useState(false);
  return (
    <section className="card narrow">
      <h1>Forgot your password?</h1>
      {sent ? (
        // The same whether or not there is such an account: so this page cannot say more either.
        <p role="status">If there is such an account, a mail with a link is on its way.</p>
      ) : (
        <Form
          submit="Send a link"
          fields={[{ name: 'identifier', label: 'User name or email', autoComplete: 'username' }]}
          onSubmit={async ({ identifier = '' }) => {
            const { forgotPassword } = await request(FORGOT, { input: { identifier } });
            setSent(Boolean(forgotPassword?.delivery));
            return forgotPassword?.errors ?? [];
          }}
        >
          <a {...link('/login')}>Back</a>
        </Form>
      )}
    </section>
  );
}

export function Reset({ token }: { token: string }) {
  return (
    <section className="card narrow">
      <h1>Choose a password</h1>
      <Form
        submit="Set the password"
        fields={[
          {
            name: 'newPassword',
            label: 'New password',
            type: 'password',
            autoComplete: 'new-password',
            hint: 'At least 8 characters. A few words are better than one with signs.',
          },
        ]}
        onSubmit={async ({ newPassword = '' }) => {
          const { resetPassword } = await request(RESET, { input: { token, newPassword } });
          if (resetPassword?.user) goInstead('/login?reset');
          return resetPassword?.errors ?? [];
        }}
      />
    </section>
  );
}
