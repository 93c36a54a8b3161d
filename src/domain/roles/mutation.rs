//! Making, granting and revoking roles, as GraphQL mutations.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result, SimpleObject};

use super::{
    service::{self, Assignment, RoleChange},
    types::{Role, RoleScope},
};
use crate::{
    authz::Permission,
    bulk::Run,
    domain::identity::types::User,
    error::{Error, ErrorCode, Fault},
    graphql::{
        ContextExt,
        errors::{UserError, payload},
        guard::Require,
    },
    ids::{self, Kind},
};

#[derive(Default)]
pub struct RolesMutation;

#[Object(guard = "crate::graphql::guard::Closed")]
impl RolesMutation {
    /// Makes or changes roles by their codes. Built-in roles cannot be changed, and nobody puts a permission into a role
    /// that they do not hold on the platform. What a role gives is felt within two seconds.
    #[graphql(guard = "Require(Permission::RoleUpsert)")]
    async fn upsert_roles(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The roles as they shall be.")] input: UpsertRolesInput,
    ) -> Result<Option<UpsertRolesPayload>> {
        let UpsertRolesInput { roles, dry_run } = input;
        let changes = roles.into_iter().map(RoleChange::from).collect();
        let (roles, errors) = payload(service::upsert(ctx.ctx()?, Run::unless_dry(dry_run), changes).await)?;
        let roles = roles.unwrap_or_default().into_iter().map(Role::from).map(Some).collect();
        Ok(Some(UpsertRolesPayload { roles, errors }))
    }

    /// Gives a user roles, in an organisation or on the whole platform. You give only what you hold there yourself, and
    /// only to users who hold nothing that you lack. Granting again changes nothing.
    #[graphql(guard = "Require(Permission::RoleGrant)")]
    async fn grant_roles(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whom, what, and where.")] input: GrantRolesInput,
    ) -> Result<Option<GrantRolesPayload>> {
        let GrantRolesInput { user_id, role_codes, organization_id } = input;
        let outcome = match assignment(&user_id, role_codes, organization_id.as_ref()) {
            Ok(assignment) => service::grant(ctx.ctx()?, assignment).await,
            Err(error) => Err(error),
        };
        let (user, errors) = payload(outcome)?;
        Ok(Some(GrantRolesPayload { user: user.map(User::in_full), errors }))
    }

    /// Takes roles from a user, in an organisation or on the platform; it is felt within two seconds. The last owner of an
    /// organisation, and the last super-administrator, stay.
    #[graphql(guard = "Require(Permission::RoleGrant)")]
    async fn revoke_roles(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "From whom, what, and where.")] input: RevokeRolesInput,
    ) -> Result<Option<RevokeRolesPayload>> {
        let RevokeRolesInput { user_id, role_codes, organization_id } = input;
        let outcome = match assignment(&user_id, role_codes, organization_id.as_ref()) {
            Ok(assignment) => service::revoke(ctx.ctx()?, assignment).await,
            Err(error) => Err(error),
        };
        let (user, errors) = payload(outcome)?;
        Ok(Some(RevokeRolesPayload { user: user.map(User::in_full), errors }))
    }
}

/// An id that is none names nothing that is there.
fn assignment(
    user_id: &ID,
    role_codes: Vec<String>,
    organization_id: Option<&ID>,
) -> Result<Assignment, Error> {
    let nothing = |field| Fault::new(ErrorCode::NotFound, &[field], "There is no such object.");
    let user_id = ids::decode_as(Kind::User, user_id).ok_or_else(|| nothing("userId"))?;
    let organization_id = organization_id
        .map(|id| ids::decode_as(Kind::Organization, id).ok_or_else(|| nothing("organizationId")))
        .transpose()?;
    Ok(Assignment { user_id, role_codes, organization_id })
}

/// A role as it shall be. In a role that is there, what is left out stays.
#[derive(InputObject)]
pub struct RoleInput {
    /// The short name, as `PROOFREADER`: letters, digits, and _ - . only.
    code: String,
    /// What the role is for; null clears it.
    description: MaybeUndefined<String>,
    /// Whether the role gives anything; a new one does when this is left out.
    active: Option<bool>,
    /// Whether one may ask for the role when registering: then everybody can have what it gives.
    self_assignable: Option<bool>,
    /// Where the role can be granted: in organisations when a new one leaves this out. A scope in which it is held stays.
    scopes: Option<Vec<RoleScope>>,
    /// What its holders may do, as `user.read`; this replaces what they could do before.
    permissions: Option<Vec<String>>,
}

impl From<RoleInput> for RoleChange {
    fn from(input: RoleInput) -> Self {
        let RoleInput { code, description, active, self_assignable, scopes, permissions } = input;
        Self {
            code,
            description: description.into(),
            active,
            self_assignable,
            scopes: scopes.map(|scopes| scopes.into_iter().map(Into::into).collect()),
            permissions,
        }
    }
}

/// Roles to make or to change.
#[derive(InputObject)]
pub struct UpsertRolesInput {
    /// The roles, 100 at most: all of them, or none.
    roles: Vec<RoleInput>,
    /// Only checks, and changes nothing.
    dry_run: Option<bool>,
}

/// What became of the roles.
#[derive(SimpleObject)]
pub struct UpsertRolesPayload {
    /// The roles in the order of the input; empty when anything is at fault, and for a dry run.
    roles: Vec<Option<Role>>,
    /// What you can mend.
    errors: Vec<UserError>,
}

/// Roles to give to a user.
#[derive(InputObject)]
pub struct GrantRolesInput {
    /// The user.
    user_id: ID,
    /// The codes of the roles.
    role_codes: Vec<String>,
    /// The organisation, of which the user is a member; the whole platform when it is left out.
    organization_id: Option<ID>,
}

/// What became of the grant.
#[derive(SimpleObject)]
pub struct GrantRolesPayload {
    /// The user, with the roles.
    user: Option<User>,
    /// What you can mend.
    errors: Vec<UserError>,
}

/// Roles to take from a user.
#[derive(InputObject)]
pub struct RevokeRolesInput {
    /// The user.
    user_id: ID,
    /// The codes of the roles.
    role_codes: Vec<String>,
    /// The organisation; the platform when it is left out.
    organization_id: Option<ID>,
}

/// What became of the revocation.
#[derive(SimpleObject)]
pub struct RevokeRolesPayload {
    /// The user, without the roles.
    user: Option<User>,
    /// What you can mend.
    errors: Vec<UserError>,
}
