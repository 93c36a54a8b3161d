// Logs in, and goes where the person wanted to go.
import { request } from '../api';
import { Form } from '../Form';
import { graphql } from '../gql';
import { go, link } from '../router';
import { signedIn } from '../session';

const LOGIN = graphql(`
  mutation Login($input: LoginInput!) {
    login(input: $input) {
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

/** Accounts may ask for a second factor; this page has none to offer. */
const MORE = { code: 'UNSUPPORTED', message: 'This account asks for more than a password.', path: [] };

export function Login({ invitation, note }: { invitation: string | null; note: string | null }) {
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
          if (login?.tokens) {
            signedIn(login.tokens);
            go(invitation ? `/invitation?token=${encodeURIComponent(invitation)}` : '/profile');
          }
          return login?.tokens || login?.errors.length ? login.errors : [MORE];
        }}
      >
        <a {...link('/forgot')}>Forgot your password?</a>
        <a {...link(`/sign-up${carried}`)}>Sign up</a>
      </Form>
    </section>
  );
}
