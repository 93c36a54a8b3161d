// Where the link of the mail leads. Mail scanners open links: only the button uses it up.
import { request } from '../api';
import { Form } from '../Form';
import { graphql } from '../gql';
import { goInstead } from '../router';

const VERIFY = graphql(`
  mutation VerifyByLink($input: VerifyUserInput!) {
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

export function Verify({ token }: { token: string }) {
  return (
    <section className="card narrow">
      <h1>Confirm your address</h1>
      <p>You opened the link of our mail. Is this address yours?</p>
      <Form
        submit="Confirm my address"
        fields={[]}
        onSubmit={async () => {
          const { verifyUser } = await request(VERIFY, { input: { token } });
          if (verifyUser?.user) goInstead('/login?verified');
          return verifyUser?.errors ?? [];
        }}
      />
    </section>
  );
}
