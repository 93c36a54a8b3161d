//! Ending memberships, and with them all that was granted in the organisation.
//!
//! Everybody may leave. Nobody removes whom they hold less than, and the last owner stays (`roles::owners`).

use std::collections::{HashMap, HashSet};

use entity::{grant, membership, role};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, sea_query::Expr};
use serde_json::json;
use uuid::Uuid;

use super::finders::{self, OrganizationBy};
use crate::{
    authz::{Permission, Scope},
    bulk,
    context::Ctx,
    db::Txn,
    domain::{
        events::log::{self, EventType, NewEvent},
        roles::{authority, owners},
    },
    error::{ErrorCode, Fault, Result},
    ids::Kind,
};

pub async fn remove(ctx: &Ctx, organization_id: Uuid, user_ids: Vec<Uuid>) -> Result<Vec<Uuid>> {
    let not_found = || Fault::new(ErrorCode::NotFound, &["organizationId"], "There is no such organisation.");
    let org = finders::find(ctx, OrganizationBy::Id(organization_id)).await?.ok_or_else(not_found)?;
    if user_ids.iter().any(|id| Some(*id) != leaver(ctx)) {
        ctx.actor.require(Permission::OrgMemberRemove, Scope::Org(org.id))?;
    }
    bulk::check_size("userIds", user_ids.len())?;

    let txn = ctx.app.db.begin().await?;
    let watch = owners::watch(&txn, &user_ids).await?;
    let members = membership::Entity::find()
        .filter(membership::Column::OrganizationId.eq(org.id))
        .filter(membership::Column::UserId.is_in(user_ids.iter().copied()))
        .all(&*txn)
        .await?;
    let members: HashMap<_, _> = members.into_iter().map(|member| (member.user_id, member)).collect();
    let refused = refusals(&txn, ctx, org.id, &user_ids, &members).await?;
    let mut seen = HashSet::new();
    let asked: Vec<_> = user_ids.iter().copied().filter(|id| seen.insert(*id)).collect();
    let leaving: Vec<_> = asked.iter().filter_map(|id| members.get(id)).collect();
    end(&txn, ctx, &leaving).await?;
    let losses = watch.losses(&txn).await?;
    let fault = |(index, id): (usize, &Uuid)| {
        let lost = || losses.iter().find(|loss| loss.user_id == *id).map(|loss| loss.last_owner(&[]));
        let refused = refused.get(id).map(|(code, message)| Fault::new(*code, &[], *message));
        Some(refused.or_else(lost)?.of_item("userIds", index))
    };
    let faults: Vec<_> = user_ids.iter().enumerate().filter_map(fault).collect();
    bulk::refuse(faults)?;
    txn.commit().await?;
    Ok(asked)
}

/// Who may leave without being asked for a permission: the person. A program that acts for them needs it.
fn leaver(ctx: &Ctx) -> Option<Uuid> {
    ctx.actor.in_person().map(|me| me.user_id)
}

/// Whom the caller may not remove, and why.
async fn refusals(
    txn: &Txn,
    ctx: &Ctx,
    organization: Uuid,
    user_ids: &[Uuid],
    members: &HashMap<Uuid, membership::Model>,
) -> Result<HashMap<Uuid, (ErrorCode, &'static str)>> {
    let standings = authority::standings(&**txn, user_ids).await?;
    let covered = |id: &Uuid| {
        standings.get(id).is_none_or(|standing| authority::covers_within(ctx, organization, standing))
    };
    let refusal = |id: &Uuid| {
        if !members.contains_key(id) {
            Some((ErrorCode::NotFound, "There is no such member."))
        } else if Some(*id) != leaver(ctx) && !covered(id) {
            Some((ErrorCode::NotAllowed, "This user holds more here than you do."))
        } else {
            None
        }
    };
    Ok(user_ids.iter().filter_map(|id| Some((*id, refusal(id)?))).collect())
}

async fn end(txn: &Txn, ctx: &Ctx, members: &[&membership::Model]) -> Result<()> {
    let homeless = members.iter().filter(|member| member.is_primary).map(|member| member.user_id);
    end_memberships(txn, ctx, members).await?;
    next_primary(txn, homeless.collect()).await
}

/// Ends these memberships, and with them what was granted there. It asks nobody's leave, and gives nobody another
/// primary membership.
pub async fn end_memberships(txn: &Txn, ctx: &Ctx, members: &[&membership::Model]) -> Result<()> {
    let places: HashSet<_> =
        members.iter().map(|member| (Some(member.organization_id), member.user_id)).collect();
    let grants = grant::Entity::find()
        .filter(grant::Column::UserId.is_in(members.iter().map(|member| member.user_id)))
        .find_also_related(role::Entity)
        .all(&**txn)
        .await?;
    let grants = grants.into_iter().filter_map(|(grant, role)| Some((grant, role?)));
    let revoked = grants.filter(|(grant, _)| places.contains(&(grant.organization_id, grant.user_id)));
    let revoked = revoked.map(|(grant, role)| {
        let event = NewEvent::of(EventType::RoleRevoked).on(Kind::User, grant.user_id);
        event.on(Kind::Role, role.id).within(grant.organization_id).with(json!({ "roles": [role.code] }))
    });
    let removed = members.iter().map(|member| {
        let event = NewEvent::of(EventType::MemberRemoved).on(Kind::User, member.user_id);
        event.on(Kind::Membership, member.id).within(Some(member.organization_id))
    });
    let events = revoked.chain(removed).collect();
    // The grants go with the membership: the foreign key cascades.
    membership::Entity::delete_many()
        .filter(membership::Column::Id.is_in(members.iter().map(|member| member.id)))
        .exec(&**txn)
        .await?;
    let left: Vec<_> = members.iter().map(|member| member.user_id).collect();
    ctx.forget_users(txn, &left);
    log::record_all(txn, ctx, events).await
}

/// Who lost the primary membership works in the first place for whom they joined first of the others.
pub async fn next_primary(txn: &Txn, user_ids: Vec<Uuid>) -> Result<()> {
    if user_ids.is_empty() {
        return Ok(());
    }
    let others = membership::Entity::find()
        .filter(membership::Column::UserId.is_in(user_ids))
        .order_by_asc(membership::Column::JoinedAt)
        .order_by_asc(membership::Column::Id)
        .all(&**txn)
        .await?;
    let mut seen = HashSet::new();
    let first: Vec<_> =
        others.into_iter().filter(|other| seen.insert(other.user_id)).map(|other| other.id).collect();
    if first.is_empty() {
        return Ok(());
    }
    membership::Entity::update_many()
        .col_expr(membership::Column::IsPrimary, Expr::value(true))
        .filter(membership::Column::Id.is_in(first))
        .exec(&**txn)
        .await?;
    Ok(())
}
