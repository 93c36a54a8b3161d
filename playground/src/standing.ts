// Owns what somebody is here for, as far as the first tabs depend on it: as themselves, for an organisation that they
// look after, or for the whole platform. It decides nothing else: what they may do is the server's to say.
import { bearer, post } from './wire';

export interface Standing {
  as: 'person' | 'organization' | 'platform';
  /** The organisation that they look after. */
  organization: { id: string; code: string } | null;
}

export const PERSON: Standing = { as: 'person', organization: null };

export function isStanding(value: unknown): value is Standing {
  if (typeof value !== 'object' || value === null) return false;
  const { as, organization } = value as Partial<Standing>;
  return as === 'person' || as === 'platform' || (as === 'organization' && typeof organization?.code === 'string');
}

const STANDING = `query PlaygroundStanding {
  me {
    roles { code scopes permissions }
    memberships(first: 100) { edges { node { roles { code permissions } organization { id code } } } }
  }
}`;

interface Role {
  code: string;
  permissions: string[];
}

interface Me {
  roles: (Role & { scopes: string[] })[] | null;
  memberships: { edges: { node: { roles: Role[]; organization: { id: string; code: string } } }[] } | null;
}

const PLATFORM = ['user.onboard', 'event.read', 'org.upsert'];
const ORGANIZATION = ['org.invite', 'org.member.add'];

export async function askStanding(accessToken: string): Promise<Standing> {
  try {
    const { body } = await post<{ me: Me | null }>({ query: STANDING }, new Headers(bearer(accessToken)));
    return body.data?.me ? standingOf(body.data.me) : PERSON;
  } catch {
    // Without an answer the tabs are those that everybody needs.
    return PERSON;
  }
}

function standingOf({ roles, memberships }: Me): Standing {
  const within = memberships?.edges.map(({ node }) => node) ?? [];
  // A user's roles are those of the platform and those within organisations, in one list.
  const withinCodes = new Set(within.flatMap((membership) => membership.roles.map(({ code }) => code)));
  const platformWide = (roles ?? []).filter(({ code, scopes }) => scopes.includes('PLATFORM') && !withinCodes.has(code));
  if (platformWide.some((role) => gives(role, PLATFORM))) return { as: 'platform', organization: null };
  const lookedAfter = within.find((membership) => membership.roles.some((role) => gives(role, ORGANIZATION)));
  return lookedAfter ? { as: 'organization', organization: lookedAfter.organization } : PERSON;
}

function gives({ permissions }: Role, some: string[]): boolean {
  return some.some((permission) => permissions.includes(permission));
}
