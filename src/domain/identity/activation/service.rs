//! Opening and closing accounts, many at once.

use std::collections::HashMap;

use entity::{UserStatus, user};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use uuid::Uuid;

use crate::{
    authz::Permission,
    bulk::{self, Run},
    context::Ctx,
    db::Txn,
    domain::{
        api_keys,
        credentials::codes,
        events::log::{self, EventType, NewEvent},
        roles::{authority, owners},
        sessions,
    },
    error::{ErrorCode, Fault, Result},
    ids::Kind,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Activate,
    Deactivate,
}

impl Change {
    const fn status(self) -> UserStatus {
        match self {
            Self::Activate => UserStatus::Active,
            Self::Deactivate => UserStatus::Deactivated,
        }
    }

    const fn event(self) -> EventType {
        match self {
            Self::Activate => EventType::UserActivated,
            Self::Deactivate => EventType::UserDeactivated,
        }
    }
}

/// All of these users or none; an id that leads nowhere is `None`. Answers with the users in the order given. Who is
/// in that state already stays as they are.
pub async fn apply(
    ctx: &Ctx,
    change: Change,
    user_ids: &[Option<Uuid>],
    run: Run,
) -> Result<Vec<user::Model>> {
    bulk::check_size("userIds", user_ids.len())?;
    let ids: Vec<Uuid> = user_ids.iter().flatten().copied().collect();
    let txn = ctx.app.db.begin().await?;
    let watch = owners::watch(&txn, &ids).await?;
    let refusals = authority::refusals(&*txn, ctx, Permission::UserActivate, &ids).await?;
    let mut users: HashMap<Uuid, user::Model> = user::Entity::find()
        .filter(user::Column::Id.is_in(ids.iter().copied()))
        .all(&*txn)
        .await?
        .into_iter()
        .map(|user| (user.id, user))
        .collect();
    let refused = |id: &Option<Uuid>| refusal(ctx, change, *id, &refusals, &users);
    let faults: Vec<_> =
        (0..).zip(user_ids).filter_map(|(at, id)| Some(refused(id)?.of_item("userIds", at))).collect();
    bulk::refuse(faults)?;
    let changing: Vec<Uuid> =
        users.values().filter(|user| user.status != change.status()).map(|user| user.id).collect();
    write(&txn, ctx, change, &changing).await?;
    let losses = watch.losses(&txn).await?;
    let at_fault = |id: &Option<Uuid>| losses.iter().find(|loss| Some(loss.user_id) == *id);
    let faults: Vec<_> = (0..)
        .zip(user_ids)
        .filter_map(|(at, id)| Some(at_fault(id)?.last_owner(&[]).of_item("userIds", at)))
        .collect();
    bulk::refuse(faults)?;
    let now = ctx.now();
    for user in users.values_mut().filter(|user| changing.contains(&user.id)) {
        (user.status, user.updated_at) = (change.status(), now);
    }
    run.end(txn, ids.iter().filter_map(|id| users.get(id).cloned()).collect()).await
}

fn refusal(
    ctx: &Ctx,
    change: Change,
    id: Option<Uuid>,
    refusals: &HashMap<Uuid, ErrorCode>,
    users: &HashMap<Uuid, user::Model>,
) -> Option<Fault> {
    let no = |code, message: &'static str| Some(Fault::new(code, &[], message));
    let Some((id, user)) = id.and_then(|id| Some((id, users.get(&id)?))) else {
        return no(ErrorCode::NotFound, "There is no such user.");
    };
    match refusals.get(&id) {
        Some(ErrorCode::NotFound) => no(ErrorCode::NotFound, "There is no such user."),
        Some(code) => no(*code, "You may not do this to this user."),
        None if ctx.actor.user_id() == Some(id) && change == Change::Deactivate => {
            no(ErrorCode::NotAllowed, "Nobody deactivates their own account.")
        }
        // Only the proof of the mailbox opens it: whoever registered it may not be the one whose address it names.
        None if user.status == UserStatus::Unverified => {
            no(ErrorCode::NotVerified, "The address of this account is not proved yet.")
        }
        None => None,
    }
}

async fn write(txn: &Txn, ctx: &Ctx, change: Change, ids: &[Uuid]) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    user::Entity::update_many()
        .col_expr(user::Column::Status, Expr::value(change.status()))
        .col_expr(user::Column::UpdatedAt, Expr::value(ctx.now()))
        .filter(user::Column::Id.is_in(ids.iter().copied()))
        .exec(&**txn)
        .await?;
    // When closing, what is open ends. When opening, what a login may have begun while the account was being closed:
    // otherwise it would come alive now. So would the keys, where an instance of the previous version closed it.
    sessions::service::end_all(txn, ctx, ids, "deactivated").await?;
    api_keys::service::revoke_all(txn, ctx, ids, "deactivated").await?;
    codes::end_all(txn, ctx, ids).await?;
    ctx.forget_users(txn, ids);
    let event = |id: &Uuid| NewEvent::of(change.event()).on(Kind::User, *id);
    log::record_all(txn, ctx, ids.iter().map(event).collect()).await
}
