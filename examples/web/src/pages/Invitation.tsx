// Where the link of an invitation leads. Everybody who holds it may read and decline it; accepting takes the account
// whose proved address it was sent to.
import { useState } from 'react';
import { request } from '../api';
import { Form } from '../Form';
import { graphql } from '../gql';
import { goInstead, link } from '../router';
import { useSignedIn } from '../session';
import { explain, useQuery } from '../useQuery';

const INVITATION = graphql(`
  query Invitation($token: String!) {
    invitation(token: $token) {
      id
      email
      status
      organization {
        id
        code
        name
      }
    }
  }
`);

const ACCEPT = graphql(`
  mutation AcceptInvitation($input: AcceptInvitationInput!) {
    acceptInvitation(input: $input) {
      membership {
        id
        organization {
          id
          code
        }
      }
      errors {
        code
        message
        path
      }
    }
  }
`);

const DECLINE = graphql(`
  mutation DeclineInvitation($input: DeclineInvitationInput!) {
    declineInvitation(input: $input) {
      invitation {
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

export function Invitation({ token }: { token: string }) {
  const signedIn = useSignedIn();
  const { data, problem } = useQuery(() => request(INVITATION, { token }), token);
  const [declined, setDeclined] = useState(false);
  const [refusal, setRefusal] = useState<string | null>(null);
  if (problem) return <p role="alert">{problem}</p>;
  if (!data) return <p role="status">Loading …</p>;

  const { invitation } = data;
  const organization = invitation?.organization.name ?? invitation?.organization.code;
  if (declined) {
    return (
      <section className="card narrow">
        <h1>Declined</h1>
        <p role="status">There is nothing else to do.</p>
      </section>
    );
  }
  if (invitation?.status !== 'PENDING') {
    return (
      <section className="card narrow">
        <h1>This invitation is over</h1>
        <p>There is no such invitation, or it waits for no answer any more.</p>
      </section>
    );
  }

  async function decline() {
    const { declineInvitation } = await request(DECLINE, { input: { token } });
    const [error] = declineInvitation?.errors ?? [];
    if (error) setRefusal(error.message);
    else setDeclined(true);
  }

  const declineButton = (
    <button
      type="button"
      className="quiet"
      onClick={() => void decline().catch((error: unknown) => setRefusal(explain(error)))}
    >
      Decline
    </button>
  );
  const carried = `?invitation=${encodeURIComponent(token)}`;
  return (
    <section className="card narrow">
      <h1>You are invited</h1>
      <p>
        <strong>{organization}</strong> asks {invitation.email} to join.
      </p>
      {signedIn ? (
        <Form
          submit="Accept"
          fields={[]}
          onSubmit={async () => {
            const { acceptInvitation } = await request(ACCEPT, { input: { token } });
            const code = acceptInvitation?.membership?.organization.code;
            if (code) goInstead(`/organizations/${code}`);
            return acceptInvitation?.errors ?? [];
          }}
        >
          {declineButton}
        </Form>
      ) : (
        <div className="actions">
          <a className="button" {...link(`/login${carried}`)}>
            Log in to accept
          </a>
          <a {...link(`/sign-up${carried}`)}>Sign up</a>
          {declineButton}
        </div>
      )}
      {refusal && <p role="alert">{refusal}</p>}
    </section>
  );
}
