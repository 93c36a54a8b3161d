//! Becoming a member, by whatever way: an administrator adds, an invitation is accepted, a registration is verified.
//!
//! Whoever makes members holds the users and then the organisation ([`hold`]), so that two of them never work on what
//! the other is about to change. It is the order in which whoever takes something away holds them (`roles::owners`).

use std::collections::{HashMap, HashSet};

use entity::{UserStatus, grant, membership, organization, role, user};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
    sea_query::LockType,
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    context::Ctx,
    db::Txn,
    domain::events::log::{self, EventType, NewEvent},
    error::{Error, ErrorCode, Fault, Result},
    ids::Kind,
};

/// Who joins, and with which roles.
pub struct Joiner {
    pub user_id: Uuid,
    pub roles: Vec<role::Model>,
}

/// These users, as they are until the transaction ends, and the organisation. (`SQLite` has one writer anyway.)
pub async fn hold(
    txn: &Txn,
    organization_id: Uuid,
    user_ids: &[Uuid],
) -> Result<(HashMap<Uuid, UserStatus>, Option<organization::Model>)> {
    let users = user::Entity::find()
        .select_only()
        .column(user::Column::Id)
        .column(user::Column::Status)
        .filter(user::Column::Id.is_in(user_ids.iter().copied()))
        .order_by_asc(user::Column::Id)
        .lock(LockType::NoKeyUpdate)
        .into_tuple()
        .all(&**txn)
        .await?;
    Ok((users.into_iter().collect(), lock(txn, organization_id).await?))
}

/// The organisation alone, where the users are held already, or made in this very transaction.
pub async fn lock(txn: &Txn, id: Uuid) -> Result<Option<organization::Model>> {
    Ok(organization::Entity::find_by_id(id).lock_exclusive().one(&**txn).await?)
}

/// As [`lock`] for many, in one statement and always in the same order.
pub async fn lock_all(
    txn: &Txn,
    ids: impl IntoIterator<Item = Uuid>,
) -> Result<HashMap<Uuid, organization::Model>> {
    let select = organization::Entity::find().filter(organization::Column::Id.is_in(ids));
    let rows = select.order_by_asc(organization::Column::Id).lock_exclusive().all(&**txn).await?;
    Ok(rows.into_iter().map(|org| (org.id, org)).collect())
}

/// Makes them members of the organisation, which is held, and grants the roles there. Who is a member already stays
/// one, and gets what of the roles they do not hold. A first membership is the primary one. It asks nobody's leave.
pub async fn join(
    txn: &Txn,
    ctx: &Ctx,
    organization_id: Uuid,
    joiners: &[Joiner],
) -> Result<Vec<membership::Model>> {
    let joiners: Vec<_> = joiners.iter().map(|joiner| (organization_id, joiner)).collect();
    join_all(txn, ctx, &joiners).await
}

/// As [`join`], each in an organisation of their own: a constant number of statements. Nobody joins two in one call.
pub async fn join_all(txn: &Txn, ctx: &Ctx, joiners: &[(Uuid, &Joiner)]) -> Result<Vec<membership::Model>> {
    let ids: Vec<_> = joiners.iter().map(|(_, joiner)| joiner.user_id).collect();
    let all = membership::Entity::find()
        .filter(membership::Column::UserId.is_in(ids.iter().copied()))
        .all(&**txn)
        .await?;
    let elsewhere: HashSet<_> = all.iter().map(|membership| membership.user_id).collect();
    let place =
        |membership: membership::Model| ((membership.organization_id, membership.user_id), membership);
    let here: HashMap<_, _> = all.into_iter().map(place).collect();
    let held = grant::Entity::find().filter(grant::Column::UserId.is_in(ids)).all(&**txn).await?;
    let held = held.into_iter().map(|grant| (grant.organization_id, grant.user_id, grant.role_id));
    let mut held: HashSet<_> = held.collect();

    let (mut joined, mut new, mut grants, mut events) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (organization_id, Joiner { user_id, roles }) in joiners {
        let (organization_id, user_id) = (*organization_id, *user_id);
        let membership = here.get(&(organization_id, user_id)).cloned().unwrap_or_else(|| {
            let row = membership::Model {
                id: ctx.new_id(),
                organization_id,
                user_id,
                is_primary: !elsewhere.contains(&user_id),
                joined_at: ctx.now(),
            };
            new.push(row.clone().into_active_model().reset_all());
            events.push(added(&row, roles));
            row
        });
        for role in roles.iter().filter(|role| held.insert((Some(organization_id), user_id, role.id))) {
            grants.push(granting(ctx, &membership, role));
            let event = NewEvent::of(EventType::RoleGranted).on(Kind::User, user_id).on(Kind::Role, role.id);
            events.push(event.within(Some(organization_id)).with(json!({ "roles": [role.code] })));
        }
        joined.push(membership);
    }
    write(txn, new, grants).await?;
    let concerned: Vec<_> = joiners.iter().map(|(_, joiner)| joiner.user_id).collect();
    ctx.forget_users(txn, &concerned);
    log::record_all(txn, ctx, events).await?;
    Ok(joined)
}

fn added(row: &membership::Model, roles: &[role::Model]) -> NewEvent {
    let codes: Vec<_> = roles.iter().map(|role| role.code.as_str()).collect();
    NewEvent::of(EventType::MemberAdded)
        .on(Kind::User, row.user_id)
        .on(Kind::Membership, row.id)
        .within(Some(row.organization_id))
        .with(json!({ "roles": codes }))
}

fn granting(ctx: &Ctx, membership: &membership::Model, role: &role::Model) -> grant::ActiveModel {
    let row = grant::Model {
        id: ctx.new_id(),
        user_id: membership.user_id,
        role_id: role.id,
        organization_id: Some(membership.organization_id),
        granted_by: ctx.actor.user_id(),
        created_at: ctx.now(),
    };
    row.into_active_model().reset_all()
}

async fn write(
    txn: &Txn,
    memberships: Vec<membership::ActiveModel>,
    grants: Vec<grant::ActiveModel>,
) -> Result<()> {
    // Users and organisation are held; should a caller forget it, the keys still decide.
    let message = "Somebody changed these memberships at the same time: try again.";
    let same_time = || Fault::new(ErrorCode::Conflict, &[], message);
    if !memberships.is_empty() {
        membership::Entity::insert_many(memberships).exec_without_returning(&**txn).await.map_err(
            |error| {
                Error::from(error)
                    .on_conflict("memberships.user_id", same_time())
                    .on_conflict("memberships.organization_id.user_id", same_time())
            },
        )?;
    }
    if !grants.is_empty() {
        grant::Entity::insert_many(grants).exec_without_returning(&**txn).await?;
    }
    Ok(())
}
