//! Who may act on whom, and who may grant what.
//!
//! Two rules stand here, and every room that changes accounts or grants asks them. Nobody changes an account that holds
//! more than they do. And whoever acts by a grant within organisations acts only on users who are members there and
//! nowhere else; but what somebody is and holds within one organisation is that organisation's own affair.

use std::collections::HashMap;

use entity::{grant, membership, role};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::service;
use crate::{
    authz::{Grants, Permission, PermissionSet, RoleScope, Scope},
    context::Ctx,
    domain::{identity, orgs},
    error::{ErrorCode, Result},
};

/// Whether the caller may do, with this permission, something to these users. For each that they may not, why:
/// `NOT_FOUND` for whom they cannot see, `NOT_ALLOWED` for the others. Three statements, however many users.
pub async fn refusals<C: ConnectionTrait>(
    db: &C,
    ctx: &Ctx,
    permission: Permission,
    user_ids: &[Uuid],
) -> Result<HashMap<Uuid, ErrorCode>> {
    let visible = identity::service::visible_among(db, ctx, user_ids).await?;
    let standings = standings(db, user_ids).await?;
    let nothing = Standing::default();
    let refusal = |id: &Uuid| {
        let standing = standings.get(id).unwrap_or(&nothing);
        if !visible.contains(id) {
            Some(ErrorCode::NotFound)
        } else if in_scope(ctx, permission, &standing.organizations) && ctx.actor.covers(&standing.grants) {
            None
        } else {
            Some(ErrorCode::NotAllowed)
        }
    };
    Ok(user_ids.iter().filter_map(|id| Some((*id, refusal(id)?))).collect())
}

/// The same for what touches nothing of these users but what they are and hold within one organisation. What they are
/// elsewhere is no reason against it: else a member could shield themself by joining somewhere else.
pub async fn refusals_within<C: ConnectionTrait>(
    db: &C,
    ctx: &Ctx,
    organization: Uuid,
    user_ids: &[Uuid],
) -> Result<HashMap<Uuid, ErrorCode>> {
    let visible = identity::service::visible_among(db, ctx, user_ids).await?;
    let standings = standings(db, user_ids).await?;
    let refusal = |id: &Uuid| {
        if !visible.contains(id) {
            Some(ErrorCode::NotFound)
        } else if standings.get(id).is_none_or(|standing| covers_within(ctx, organization, standing)) {
            None
        } else {
            Some(ErrorCode::NotAllowed)
        }
    };
    Ok(user_ids.iter().filter_map(|id| Some((*id, refusal(id)?))).collect())
}

/// Whether the caller holds, in the organisation, everything that the user holds there.
pub fn covers_within(ctx: &Ctx, organization: Uuid, standing: &Standing) -> bool {
    let mut held = standing.grants.within(organization).iter();
    held.all(|permission| ctx.actor.may(permission, Scope::Org(organization)))
}

/// Whether the permission reaches a user who is a member of these organisations.
fn in_scope(ctx: &Ctx, permission: Permission, organizations: &[Uuid]) -> bool {
    ctx.actor.may(permission, Scope::Platform)
        || (!organizations.is_empty()
            && organizations.iter().all(|id| ctx.actor.may(permission, Scope::Org(*id))))
}

/// Where a user belongs, and what they hold. What was granted in a deactivated organisation rests, like the grants of an
/// inactive role; belonging to one gives nothing, but still keeps the administrators of the others away.
#[derive(Default)]
pub struct Standing {
    pub organizations: Vec<Uuid>,
    pub grants: Grants,
}

pub async fn standings<C: ConnectionTrait>(db: &C, user_ids: &[Uuid]) -> Result<HashMap<Uuid, Standing>> {
    let mut standings: HashMap<Uuid, Standing> = HashMap::new();
    let of_users = membership::Column::UserId.is_in(user_ids.iter().copied());
    let memberships = membership::Entity::find().filter(of_users).all(db).await?;
    for membership in memberships {
        standings.entry(membership.user_id).or_default().organizations.push(membership.organization_id);
    }
    for (user_id, grants) in granted(db, user_ids).await? {
        standings.entry(user_id).or_default().grants = grants;
    }
    Ok(standings)
}

/// What these users hold, in one statement.
pub async fn granted<C: ConnectionTrait>(db: &C, user_ids: &[Uuid]) -> Result<HashMap<Uuid, Grants>> {
    let granted = grant::Entity::find()
        .filter(grant::Column::UserId.is_in(user_ids.iter().copied()))
        .filter(role::Column::Active.eq(true))
        .filter(
            Condition::any()
                .add(grant::Column::OrganizationId.is_null())
                .add(grant::Column::OrganizationId.in_subquery(orgs::service::active())),
        )
        .find_also_related(role::Entity)
        .all(db)
        .await?;
    let mut grants: HashMap<Uuid, Grants> = HashMap::new();
    for (grant, role) in granted {
        let permissions = role.as_ref().map(permissions_of).unwrap_or_default();
        grants.entry(grant.user_id).or_default().add(permissions, grant.organization_id);
    }
    Ok(grants)
}

/// What the row gives to its holders.
pub fn permissions_of(role: &role::Model) -> PermissionSet {
    let codes = service::permissions(role);
    PermissionSet::from_codes(codes.iter().map(String::as_str))
}

/// Whether the caller may grant the role in the organisation, or (without one) on the platform: they may grant there,
/// the role can be granted there, and they hold there everything that it gives.
pub fn may_grant(ctx: &Ctx, role: &role::Model, organization: Option<Uuid>) -> bool {
    grantable(role, organization) && may_revoke(ctx, role, organization)
}

/// The same of somebody who is not the caller.
pub fn could_grant(grants: &Grants, role: &role::Model, organization: Option<Uuid>) -> bool {
    grantable(role, organization)
        && grants.allow(Permission::RoleGrant, scope_of(organization))
        && grants.cover(&given(role, organization))
}

fn grantable(role: &role::Model, organization: Option<Uuid>) -> bool {
    let kind = if organization.is_none() { RoleScope::Platform } else { RoleScope::Organization };
    role.active && service::scopes(role).contains(&kind)
}

/// What the role gives to whoever holds it there.
fn given(role: &role::Model, organization: Option<Uuid>) -> Grants {
    let mut given = Grants::default();
    given.add(permissions_of(role), organization);
    given
}

/// Whether the caller may take the role away there: as with granting, but what cannot be granted any more can go.
pub fn may_revoke(ctx: &Ctx, role: &role::Model, organization: Option<Uuid>) -> bool {
    let given = given(role, organization);
    ctx.actor.may(Permission::RoleGrant, scope_of(organization)) && ctx.actor.covers(&given)
}

pub fn scope_of(organization: Option<Uuid>) -> Scope {
    organization.map_or(Scope::Platform, Scope::Org)
}
