//! The primary organisation: a new one is joined, and the one before is left, with all that was granted there.

use std::collections::{HashMap, HashSet};

use entity::{membership, organization};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use uuid::Uuid;

use super::service::Item;
use crate::{
    authz::{Permission, Scope},
    change::Change,
    context::Ctx,
    db::Txn,
    domain::{
        identity::names,
        orgs::service::{self as orgs, Joiner},
        roles::service as roles,
    },
    error::{ErrorCode, Fault, Result},
};

#[derive(Default)]
pub(super) struct Moved {
    /// Who belongs elsewhere now.
    pub users: Vec<Uuid>,
    /// What each of them left.
    pub left: HashMap<Uuid, Uuid>,
    /// Whose move was refused: where they would hold roles is not known.
    pub refused: HashSet<Uuid>,
}

/// Where one user goes from and to. One of them at least is there.
struct Move<'a> {
    item: &'a Item,
    from: Option<membership::Model>,
    to: Option<Uuid>,
    /// The membership in the new one, if they belong there already.
    present: Option<Uuid>,
}

const MEMBER: &str = "MEMBER";

/// Moves whom it may, and says whom it may not.
pub(super) async fn apply(
    txn: &Txn,
    ctx: &Ctx,
    items: &[Item],
    targets: &HashMap<String, organization::Model>,
    faults: &mut Vec<Fault>,
) -> Result<Moved> {
    let moving = || items.iter().filter(|item| item.change.org_code != Change::Keep);
    let mut outcome = Moved::default();
    if moving().next().is_none() {
        return Ok(outcome);
    }
    let mut memberships: HashMap<Uuid, Vec<membership::Model>> = HashMap::new();
    let ids = moving().map(|item| item.user.id);
    let rows = membership::Entity::find().filter(membership::Column::UserId.is_in(ids)).all(&**txn).await?;
    for row in rows {
        memberships.entry(row.user_id).or_default().push(row);
    }
    let held = orgs::lock_all(txn, targets.values().map(|org| org.id).chain(primary(&memberships))).await?;
    let mut moves = Vec::new();
    for item in moving() {
        let of_user = memberships.remove(&item.user.id).unwrap_or_default();
        match judge(ctx, item, &of_user, targets, &held) {
            Ok(found) => moves.extend(found),
            Err(fault) => {
                faults.push(fault);
                outcome.refused.insert(item.user.id);
            }
        }
    }
    carry_out(txn, ctx, &moves).await?;
    outcome.users = moves.iter().map(|found| found.item.user.id).collect();
    let left =
        moves.iter().filter_map(|found| Some((found.item.user.id, found.from.as_ref()?.organization_id)));
    outcome.left = left.collect();
    Ok(outcome)
}

fn primary(memberships: &HashMap<Uuid, Vec<membership::Model>>) -> Vec<Uuid> {
    let primary = memberships.values().flatten().filter(|membership| membership.is_primary);
    primary.map(|membership| membership.organization_id).collect()
}

/// The move, if there is anything to do; else why it may not be.
fn judge<'a>(
    ctx: &Ctx,
    item: &'a Item,
    memberships: &[membership::Model],
    targets: &HashMap<String, organization::Model>,
    held: &HashMap<Uuid, organization::Model>,
) -> Result<Option<Move<'a>>, Fault> {
    let fault = |code, message| Err(item.fault(code, "orgCode", message));
    let from = memberships.iter().find(|membership| membership.is_primary).cloned();
    let to = match &item.change.org_code {
        Change::Keep | Change::Clear => None,
        Change::Set(code) => {
            let target = targets.get(&names::name_key(code)).and_then(|org| held.get(&org.id));
            let Some(org) = target else {
                return fault(ErrorCode::NotFound, "There is no such organisation.");
            };
            if from.as_ref().is_some_and(|from| from.organization_id == org.id) {
                return Ok(None);
            }
            if !ctx.actor.may(Permission::OrgMemberAdd, Scope::Org(org.id)) {
                return fault(ErrorCode::NotAllowed, "You may not add members to this organisation.");
            }
            if !org.active {
                return fault(ErrorCode::Inactive, "The organisation is deactivated.");
            }
            Some(org.id)
        }
    };
    let may_leave = |from: &membership::Model| {
        ctx.actor.may(Permission::OrgMemberRemove, Scope::Org(from.organization_id))
    };
    if from.as_ref().is_some_and(|from| !may_leave(from)) {
        return fault(ErrorCode::NotAllowed, "You may not remove this user from their organisation.");
    }
    if from.is_none() && to.is_none() {
        return Ok(None);
    }
    let present = memberships.iter().find(|membership| Some(membership.organization_id) == to);
    let present = present.map(|membership| membership.id);
    Ok(Some(Move { item, from, to, present }))
}

async fn carry_out(txn: &Txn, ctx: &Ctx, moves: &[Move<'_>]) -> Result<()> {
    let left: Vec<_> = moves.iter().filter_map(|found| found.from.as_ref()).collect();
    if !left.is_empty() {
        orgs::end_memberships(txn, ctx, &left).await?;
    }
    let member = roles::hold(txn, &[MEMBER.to_owned()]).await?;
    let (mut joiners, mut primary, mut outside) = (Vec::new(), Vec::new(), Vec::new());
    for Move { item, from: _, to, present } in moves {
        let user_id = item.user.id;
        match (to, present) {
            (None, _) => outside.push(user_id),
            (Some(_), Some(membership)) => primary.push(*membership),
            (Some(organization), None) => {
                // Whoever names roles, names all of them.
                let named = item.change.role_codes != Change::Keep;
                let roles = if named { Vec::new() } else { member.values().cloned().collect() };
                joiners.push((*organization, Joiner { user_id, roles }));
            }
        }
    }
    if !joiners.is_empty() {
        let joiners: Vec<_> = joiners.iter().map(|(place, joiner)| (*place, joiner)).collect();
        let joined = orgs::join_all(txn, ctx, &joiners).await?;
        primary.extend(joined.iter().filter(|row| !row.is_primary).map(|row| row.id));
    }
    if !primary.is_empty() {
        membership::Entity::update_many()
            .col_expr(membership::Column::IsPrimary, Expr::value(true))
            .filter(membership::Column::Id.is_in(primary))
            .exec(&**txn)
            .await?;
    }
    orgs::next_primary(txn, outside).await
}
