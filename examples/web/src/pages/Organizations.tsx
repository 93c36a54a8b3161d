// The organisations that one belongs to, what waits for an answer, and, for those who may, making a new one.
import { request } from '../api';
import { Form } from '../Form';
import { graphql } from '../gql';
import { go, link } from '../router';
import { useQuery } from '../useQuery';

const ORGANIZATIONS = graphql(`
  query MyOrganizations {
    me {
      id
      roles {
        id
        permissions
      }
      memberships(first: 100) {
        edges {
          node {
            id
            organization {
              id
              code
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
            organization {
              id
              code
              name
            }
            expiresAt
          }
        }
      }
    }
  }
`);

const CREATE = graphql(`
  mutation CreateOrganization($input: UpsertOrganizationsInput!) {
    upsertOrganizations(input: $input) {
      organizations {
        id
        code
      }
      errors {
        code
        message
        path
      }
    }
  }
`);

export function Organizations() {
  const { data, problem } = useQuery(() => request(ORGANIZATIONS), 'mine');
  const me = data?.me;
  if (problem) return <p role="alert">{problem}</p>;
  if (!me) return <p role="status">Loading …</p>;

  const memberships = me.memberships?.edges?.flatMap((edge) => edge?.node ?? []) ?? [];
  const invitations = me.invitations?.edges?.flatMap((edge) => edge?.node ?? []) ?? [];
  const mayCreate = me.roles?.some(({ permissions }) => permissions.includes('org.upsert'));
  return (
    <>
      <section className="card">
        <h1>Organisations</h1>
        {memberships.length === 0 && <p>You belong to none yet.</p>}
        <ul className="rows">
          {memberships.map(({ id, organization, roles }) => (
            <li key={id}>
              <a {...link(`/organizations/${organization.code}`)}>{organization.name ?? organization.code}</a>
              <small>{roles.map(({ code }) => code).join(', ')}</small>
            </li>
          ))}
        </ul>
        {invitations.length > 0 && <h2>Invitations that wait for you</h2>}
        <ul className="rows">
          {invitations.map(({ id, organization, expiresAt }) => (
            <li key={id}>
              <span>{organization.name ?? organization.code}</span>
              <small>open the link in your mail, until {new Date(expiresAt).toLocaleDateString()}</small>
            </li>
          ))}
        </ul>
      </section>
      {mayCreate && (
        <section className="card">
          <h2>New organisation</h2>
          <Form
            submit="Create"
            fields={[
              { name: 'code', label: 'Code', hint: 'Short and for good: it names the organisation in addresses.' },
              { name: 'name', label: 'Name', optional: true },
            ]}
            onSubmit={async ({ code = '', name }) => {
              const organizations = [{ code, name: name || null, active: true }];
              const { upsertOrganizations } = await request(CREATE, { input: { organizations } });
              const [made] = upsertOrganizations?.organizations ?? [];
              if (made) go(`/organizations/${made.code}`);
              return upsertOrganizations?.errors ?? [];
            }}
          />
        </section>
      )}
    </>
  );
}
