// One organisation: its members in pages, and its invitations for those who may invite.
import { useState } from 'react';
import { request } from '../api';
import { Form } from '../Form';
import { graphql } from '../gql';
import type { OrganizationQuery } from '../gql/graphql';
import { explain, useQuery } from '../useQuery';

const ORGANIZATION = graphql(`
  query Organization($code: String!, $after: String) {
    organization(by: { code: $code }) {
      id
      code
      name
      description
      members(first: 20, after: $after) {
        totalCount
        pageInfo {
          hasNextPage
          endCursor
        }
        edges {
          node {
            id
            user {
              id
              userName
              name
            }
            roles {
              id
              code
            }
          }
        }
      }
      invitations(first: 100) {
        edges {
          node {
            id
            email
            status
            expiresAt
            roles {
              id
              code
            }
          }
        }
      }
    }
  }
`);

const INVITE = graphql(`
  mutation InviteMember($input: InviteMembersInput!) {
    inviteMembers(input: $input) {
      invitations {
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

const REVOKE = graphql(`
  mutation RevokeInvitation($input: RevokeInvitationInput!) {
    revokeInvitation(input: $input) {
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

type Found = NonNullable<OrganizationQuery['organization']>;
type Member = NonNullable<NonNullable<NonNullable<NonNullable<Found['members']>['edges']>[number]>['node']>;

export function Organization({ code }: { code: string }) {
  const { data, problem, reload } = useQuery(() => request(ORGANIZATION, { code, after: null }), code);
  if (problem) return <p role="alert">{problem}</p>;
  if (!data) return <p role="status">Loading …</p>;
  const { organization } = data;
  // What one may not see does not exist: there is one answer for both.
  if (!organization) return <p role="alert">There is no such organisation, or it is not yours to see.</p>;
  return (
    <>
      <section className="card">
        <h1>{organization.name ?? organization.code}</h1>
        {organization.description && <p>{organization.description}</p>}
        {organization.members ? (
          <Members key={code} code={code} first={organization.members} />
        ) : (
          <p>Its members are for members to see.</p>
        )}
      </section>
      {/* Null means that one may not invite; the page is none the worse for it. */}
      {organization.invitations && <Invitations organization={organization} onChange={reload} />}
    </>
  );
}

const nodesOf = (page: NonNullable<Found['members']>) => page.edges?.flatMap((edge) => edge?.node ?? []) ?? [];

function Members({ code, first }: { code: string; first: NonNullable<Found['members']> }) {
  const [more, setMore] = useState<readonly Member[]>([]);
  const [pageInfo, setPageInfo] = useState(first.pageInfo);
  const [problem, setProblem] = useState<string | null>(null);

  async function loadMore() {
    const { organization } = await request(ORGANIZATION, { code, after: pageInfo.endCursor });
    if (!organization?.members) return;
    setMore([...more, ...nodesOf(organization.members)]);
    setPageInfo(organization.members.pageInfo);
  }

  return (
    <>
      <h2>Members ({first.totalCount})</h2>
      <ul className="rows">
        {[...nodesOf(first), ...more].map(({ id, user, roles }) => (
          <li key={id}>
            <span>{user.name ?? user.userName}</span>
            <small>
              {user.userName}
              {roles.length > 0 && ` · ${roles.map((role) => role.code).join(', ')}`}
            </small>
          </li>
        ))}
      </ul>
      {pageInfo.hasNextPage && (
        <button
          type="button"
          className="quiet"
          onClick={() => void loadMore().catch((error: unknown) => setProblem(explain(error)))}
        >
          More
        </button>
      )}
      {problem && <p role="alert">{problem}</p>}
    </>
  );
}

function Invitations({ organization, onChange }: { organization: Found; onChange: () => void }) {
  const [problem, setProblem] = useState<string | null>(null);
  const [round, setRound] = useState(0);
  const invitations = organization.invitations?.edges?.flatMap((edge) => edge?.node ?? []) ?? [];

  async function revoke(invitationId: string) {
    const { revokeInvitation } = await request(REVOKE, { input: { invitationId } });
    setProblem(revokeInvitation?.errors[0]?.message ?? null);
    onChange();
  }

  return (
    <section className="card">
      <h2>Invitations</h2>
      <ul className="rows">
        {invitations.map(({ id, email, status, roles }) => (
          <li key={id}>
            <span>{email}</span>
            <small>
              {status.toLowerCase()} · {roles.map(({ code }) => code).join(', ')}
            </small>
            {status === 'PENDING' && (
              <button
                type="button"
                className="quiet"
                onClick={() => void revoke(id).catch((error: unknown) => setProblem(explain(error)))}
              >
                Take back
              </button>
            )}
          </li>
        ))}
      </ul>
      {problem && <p role="alert">{problem}</p>}
      <Form
        key={round}
        submit="Invite"
        fields={[
          { name: 'email', label: 'Email', type: 'email' },
          { name: 'roleCodes', label: 'Role', choices: ['MEMBER', 'ADMIN'] },
        ]}
        onSubmit={async ({ email = '', roleCodes = 'MEMBER' }) => {
          const invitees = [{ email, roleCodes: [roleCodes] }];
          const { inviteMembers } = await request(INVITE, { input: { organizationId: organization.id, invitees } });
          if (inviteMembers?.errors.length === 0) {
            setRound((last) => last + 1);
            onChange();
          }
          return inviteMembers?.errors ?? [];
        }}
      />
    </section>
  );
}
