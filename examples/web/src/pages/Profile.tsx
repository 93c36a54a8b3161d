// One's own account: what is there, and what can be changed.
import { useState } from 'react';
import { request } from '../api';
import { Form } from '../Form';
import { graphql } from '../gql';
import { useQuery } from '../useQuery';

const PROFILE = graphql(`
  query Profile {
    me {
      id
      userName
      name
      givenName
      familyName
      locale
      avatarUrl
      email
      emailVerified
      createdAt
      roles {
        id
        code
      }
    }
  }
`);

const UPDATE = graphql(`
  mutation UpdateProfile($input: UpdateProfileInput!) {
    updateProfile(input: $input) {
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

export function Profile() {
  const { data, problem, reload } = useQuery(() => request(PROFILE), 'me');
  const [editing, setEditing] = useState(false);
  const me = data?.me;
  if (problem) return <p role="alert">{problem}</p>;
  if (!me) return <p role="status">Loading …</p>;

  const facts = [
    ['User name', me.userName],
    ['Email', me.email && `${me.email}${me.emailVerified ? '' : ' (not confirmed)'}`],
    ['Name', me.name],
    ['Given name', me.givenName],
    ['Family name', me.familyName],
    ['Language', me.locale],
    ['Picture', me.avatarUrl],
    ['Roles', me.roles?.map(({ code }) => code).join(', ')],
    ['Member since', new Date(me.createdAt).toLocaleDateString()],
  ];
  return (
    <section className="card">
      <h1>{me.name || me.userName}</h1>
      {editing ? (
        <Form
          submit="Save"
          fields={[
            { name: 'name', label: 'Name', value: me.name, autoComplete: 'name' },
            { name: 'givenName', label: 'Given name', value: me.givenName, autoComplete: 'given-name' },
            { name: 'familyName', label: 'Family name', value: me.familyName, autoComplete: 'family-name' },
            { name: 'locale', label: 'Language', value: me.locale, hint: 'As “de” or “pt-BR”.' },
            { name: 'avatarUrl', label: 'Picture', type: 'url', value: me.avatarUrl, hint: 'Its address on the web.' },
          ]}
          onSubmit={async (values) => {
            // An empty field clears: null says so, and what is left out would stay.
            const input = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value.trim() || null]));
            const { updateProfile } = await request(UPDATE, { input });
            if (updateProfile?.user) {
              setEditing(false);
              reload();
            }
            return updateProfile?.errors ?? [];
          }}
        >
          <button type="button" className="quiet" onClick={() => setEditing(false)}>
            Cancel
          </button>
        </Form>
      ) : (
        <>
          <dl>
            {facts.map(([label, value]) => (
              <div key={label}>
                <dt>{label}</dt>
                <dd>{value || '–'}</dd>
              </div>
            ))}
          </dl>
          <div className="actions">
            <button type="button" onClick={() => setEditing(true)}>
              Edit
            </button>
          </div>
        </>
      )}
    </section>
  );
}
