//! Organisations and memberships, as GraphQL mutations.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result, SimpleObject};
use uuid::Uuid;

use super::{
    members::types::Membership,
    service::{self, NewMember, OrganizationChange},
    types::Organization,
};
use crate::{
    authz::Permission,
    bulk::Run,
    change::Change,
    graphql::{
        ContextExt,
        errors::{UserError, payload},
        guard::{InPersonOr, Require},
    },
    ids::{self, Kind},
};

#[derive(Default)]
pub struct OrgsMutation;

#[Object(guard = "crate::graphql::guard::Closed")]
impl OrgsMutation {
    /// Makes, changes, deactivates and reactivates organisations, each named by its code: 100 at most, all of them or
    /// none. What is left out stays as it is; null clears. One with active members is not deactivated.
    #[graphql(guard = "Require(Permission::OrgUpsert)")]
    async fn upsert_organizations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones, and what they are to be.")] input: UpsertOrganizationsInput,
    ) -> Result<Option<UpsertOrganizationsPayload>> {
        let UpsertOrganizationsInput { organizations, dry_run } = input;
        let changes = organizations.into_iter().map(OrganizationChange::from).collect();
        let run = Run::unless_dry(dry_run);
        let (done, errors) = payload(service::upsert(ctx.ctx()?, changes, run).await)?;
        let organizations = done.unwrap_or_default().into_iter().map(|row| Some(row.into())).collect();
        Ok(Some(UpsertOrganizationsPayload { organizations, errors }))
    }

    /// Makes users whom you can see members of an organisation, with roles that you may grant: 100 at most, all of them
    /// or none. Those whom you cannot see you invite.
    #[graphql(guard = "Require(Permission::OrgMemberAdd)")]
    async fn add_members(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whom, and where.")] input: AddMembersInput,
    ) -> Result<Option<AddMembersPayload>> {
        let AddMembersInput { organization_id, members } = input;
        let members = members.into_iter().map(NewMember::from).collect();
        let organization_id = named(Kind::Organization, &organization_id);
        let (done, errors) = payload(service::add(ctx.ctx()?, organization_id, members).await)?;
        let memberships = done.unwrap_or_default().into_iter().map(|row| Some(row.into())).collect();
        Ok(Some(AddMembersPayload { memberships, errors }))
    }

    /// Ends memberships, and with them everything that was granted there: 100 at most, all of them or none. Everybody
    /// may leave, in person; an API key needs `org.member.remove`. An organisation keeps its last owner.
    #[graphql(guard = "InPersonOr(Permission::OrgMemberRemove)")]
    async fn remove_members(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose, and where.")] input: RemoveMembersInput,
    ) -> Result<Option<RemoveMembersPayload>> {
        let RemoveMembersInput { organization_id, user_ids } = input;
        let user_ids = user_ids.iter().map(|id| named(Kind::User, id)).collect();
        let organization_id = named(Kind::Organization, &organization_id);
        let (done, errors) = payload(service::remove(ctx.ctx()?, organization_id, user_ids).await)?;
        let removed = done.unwrap_or_default().into_iter().map(|id| ids::encode(Kind::User, id).into());
        Ok(Some(RemoveMembersPayload { removed_user_ids: removed.collect(), errors }))
    }
}

/// What the id names. One that names nothing of this kind becomes the id that nothing has.
pub(super) fn named(kind: Kind, id: &ID) -> Uuid {
    ids::decode_as(kind, id).unwrap_or_default()
}

/// An organisation to be.
#[derive(InputObject)]
pub struct OrganizationInput {
    /// The short name that says which one: 2 to 64 letters, digits and `-`, `_`, `.`. It never changes.
    code: String,
    /// The name as people say it.
    name: MaybeUndefined<String>,
    /// What the organisation is about.
    description: MaybeUndefined<String>,
    /// Whether it is to be in use.
    active: bool,
    /// Whether everybody may know that it exists; a new one is not listed when this is left out.
    listed: MaybeUndefined<bool>,
    /// Whether one may join when registering; not when this is left out for a new one.
    self_registration: MaybeUndefined<bool>,
}

impl From<OrganizationInput> for OrganizationChange {
    fn from(input: OrganizationInput) -> Self {
        let OrganizationInput { code, name, description, active, listed, self_registration } = input;
        Self {
            code,
            name: change(name),
            description: change(description),
            active,
            listed: change(listed),
            self_registration: change(self_registration),
        }
    }
}

fn change<T>(given: MaybeUndefined<T>) -> Change<T> {
    match given {
        MaybeUndefined::Undefined => Change::Keep,
        MaybeUndefined::Null => Change::Clear,
        MaybeUndefined::Value(value) => Change::Set(value),
    }
}

/// Which organisations are to be, and how.
#[derive(InputObject)]
pub struct UpsertOrganizationsInput {
    /// Each named by its code.
    organizations: Vec<OrganizationInput>,
    /// Only say what is wrong, and change nothing.
    dry_run: Option<bool>,
}

/// What became of the organisations.
#[derive(SimpleObject)]
pub struct UpsertOrganizationsPayload {
    /// The organisations in the order of the input; none when something is to be mended, and for a dry run.
    organizations: Vec<Option<Organization>>,
    /// What to mend; empty on success.
    errors: Vec<UserError>,
}

/// Whom to add.
#[derive(InputObject)]
pub struct MemberInput {
    /// The user.
    user_id: ID,
    /// The roles to grant there; `MEMBER` when left out.
    role_codes: Option<Vec<String>>,
}

impl From<MemberInput> for NewMember {
    fn from(input: MemberInput) -> Self {
        let MemberInput { user_id, role_codes } = input;
        Self { user_id: named(Kind::User, &user_id), role_codes }
    }
}

/// Whom to add, and where.
#[derive(InputObject)]
pub struct AddMembersInput {
    /// The organisation.
    organization_id: ID,
    /// The users.
    members: Vec<MemberInput>,
}

/// What became of it.
#[derive(SimpleObject)]
pub struct AddMembersPayload {
    /// The memberships in the order of the input; none when something is to be mended.
    memberships: Vec<Option<Membership>>,
    /// What to mend; empty on success.
    errors: Vec<UserError>,
}

/// Whose membership to end, and where.
#[derive(InputObject)]
pub struct RemoveMembersInput {
    /// The organisation.
    organization_id: ID,
    /// The users.
    user_ids: Vec<ID>,
}

/// What became of it.
#[derive(SimpleObject)]
pub struct RemoveMembersPayload {
    /// Those who are no members any more, in the order of the input; none when something is to be mended.
    removed_user_ids: Vec<ID>,
    /// What to mend; empty on success.
    errors: Vec<UserError>,
}
