//! Erasing an account: what is personal goes everywhere; of what happened the ids and types stay.

use std::time::Duration;

use entity::{NotificationState, Secret, event, event_target, invitation, notification, user};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QuerySelect, QueryTrait,
    sea_query::{Expr, SelectStatement},
};
use uuid::Uuid;

use crate::{
    authz::Permission,
    context::Ctx,
    db::Txn,
    domain::{
        credentials::proofs,
        events::{
            jobs::{self, Job},
            log::{self, EventType, NewEvent},
        },
        identity::verify,
        notifications,
        roles::{authority, owners},
    },
    error::{Error, ErrorCode, Fault, Result},
    ids::{self, Kind},
};

/// Oneself, or whoever is in reach of the caller's `user.delete`. `None` is an id that leads nowhere.
pub async fn delete_user(ctx: &Ctx, user_id: Option<Uuid>, proof: Option<&str>) -> Result<Uuid> {
    let not_found = || Fault::new(ErrorCode::NotFound, &["userId"], "There is no such user.");
    let id = user_id.ok_or_else(not_found)?;
    let confirmed = proofs::require(ctx, proof).await?;
    let txn = ctx.app.db.begin().await?;
    confirmed.spend(&txn, ctx).await?;
    let watch = owners::watch(&txn, &[id]).await?;
    if ctx.actor.user_id() != Some(id) {
        let refusals = authority::refusals(&*txn, ctx, Permission::UserDelete, &[id]).await?;
        match refusals.get(&id) {
            None => (),
            Some(ErrorCode::NotFound) => return Err(not_found().into()),
            Some(code) => {
                return Err(Fault::new(*code, &["userId"], "You may not delete this user.").into());
            }
        }
    }
    let user = user::Entity::find_by_id(id).one(&*txn).await?.ok_or_else(not_found)?;
    log::record(&txn, ctx, NewEvent::of(EventType::UserDeleted).on(Kind::User, id)).await?;
    drop_invitations(&txn, ctx, &user).await?;
    if let Some(email_key) = user.email_key.as_ref().filter(|_| user.email_proved_at.is_some()) {
        verify::drop_attempts(&txn, email_key).await?;
    }
    forget(&txn, &[id]).await?;
    let again = Job::ForgetUser { user_id: id };
    jobs::enqueue_after(&txn, ctx, &again, LONGEST_REQUEST).await?;
    // Memberships, grants, sessions, codes and the rest are owned by the row, and go with it.
    user::Entity::delete_by_id(id).exec(&*txn).await?;
    let losses = watch.losses(&txn).await?;
    if !losses.is_empty() {
        return Err(Error::Faults(losses.iter().map(|loss| loss.last_owner(&["userId"])).collect()));
    }
    ctx.forget_users(&txn, &[id]);
    txn.commit().await?;
    Ok(id)
}

/// A request that was under way when the account went may still write of it: by then, all of them have ended.
const LONGEST_REQUEST: Duration = Duration::from_mins(2);

/// The job: blanks what requests have written of an erased person since. What `SQLite` keeps of the deleted in its text
/// index goes, too.
pub async fn forget_again(ctx: &Ctx, user_id: Uuid) -> Result<()> {
    let txn = ctx.app.db.begin().await?;
    forget(&txn, &[user_id]).await?;
    if ctx.app.db.backend() == DbBackend::Sqlite {
        txn.execute_unprepared("INSERT INTO users_text(users_text) VALUES('optimize')").await?;
    }
    txn.commit().await
}

/// What the log says of these people besides ids and types, and what was mailed to them.
pub async fn forget(txn: &Txn, user_ids: &[Uuid]) -> Result<()> {
    blank_events(txn, about(user_ids)).await?;
    wipe_notifications(txn, user_ids).await
}

/// The events of which one of these users is the actor or a target.
pub fn about(user_ids: &[Uuid]) -> Condition {
    let targeted = with_targets(user_ids.iter().map(|id| ids::encode(Kind::User, *id)));
    Condition::any()
        .add(event::Column::ActorId.is_in(user_ids.iter().copied()))
        .add(event::Column::Id.in_subquery(targeted))
}

fn with_targets(target_ids: impl IntoIterator<Item = String>) -> SelectStatement {
    event_target::Entity::find()
        .select_only()
        .column(event_target::Column::EventId)
        .filter(event_target::Column::TargetId.is_in(target_ids))
        .into_query()
}

async fn blank_events(txn: &Txn, which: Condition) -> Result<()> {
    event::Entity::update_many()
        .col_expr(event::Column::Data, Expr::value(None::<serde_json::Value>))
        .col_expr(event::Column::Ip, Expr::value(None::<String>))
        .col_expr(event::Column::UserAgent, Expr::value(None::<String>))
        .col_expr(event::Column::ActorName, Expr::value(None::<String>))
        .filter(which)
        .exec(&**txn)
        .await?;
    Ok(())
}

/// Invitations name an address: those to the user's proved one go, and those that they accepted, to whatever address they
/// had then. The log forgets what it said of them.
async fn drop_invitations(txn: &Txn, ctx: &Ctx, user: &user::Model) -> Result<()> {
    let accepted: Vec<String> = event_target::Entity::find()
        .select_only()
        .column(event_target::Column::TargetId)
        .inner_join(event::Entity)
        .filter(event::Column::Kind.eq(EventType::InvitationAccepted.code()))
        .filter(event_target::Column::EventId.in_subquery(with_targets([ids::encode(Kind::User, user.id)])))
        .into_tuple()
        .all(&**txn)
        .await?;
    let accepted = accepted.iter().filter_map(|target| ids::decode_as(Kind::Invitation, target));
    let mut which = Condition::any().add(invitation::Column::Id.is_in(accepted));
    if let Some(email_key) = user.email_key.as_ref().filter(|_| user.email_proved_at.is_some()) {
        which = which.add(invitation::Column::EmailKey.eq(email_key));
        notifications::service::withdraw(txn, ctx, email_key).await?;
    }
    let to_them: Vec<Uuid> = invitation::Entity::find()
        .select_only()
        .column(invitation::Column::Id)
        .filter(which)
        .into_tuple()
        .all(&**txn)
        .await?;
    if to_them.is_empty() {
        return Ok(());
    }
    let targets = to_them.iter().map(|id| ids::encode(Kind::Invitation, *id));
    // Who sent them, and from where, is the other organisation's log and no business of the erased.
    event::Entity::update_many()
        .col_expr(event::Column::Data, Expr::value(None::<serde_json::Value>))
        .filter(event::Column::Id.in_subquery(with_targets(targets)))
        .exec(&**txn)
        .await?;
    invitation::Entity::delete_many().filter(invitation::Column::Id.is_in(to_them)).exec(&**txn).await?;
    Ok(())
}

/// What waits is not sent any more, and nothing of what it said remains.
async fn wipe_notifications(txn: &Txn, user_ids: &[Uuid]) -> Result<()> {
    notification::Entity::update_many()
        .col_expr(notification::Column::State, Expr::value(NotificationState::Failed))
        .filter(notification::Column::UserId.is_in(user_ids.iter().copied()))
        .filter(notification::Column::State.eq(NotificationState::Pending))
        .exec(&**txn)
        .await?;
    notification::Entity::update_many()
        .col_expr(notification::Column::Sealed, Expr::value(None::<Secret>))
        .col_expr(notification::Column::Locale, Expr::value(None::<String>))
        .filter(notification::Column::UserId.is_in(user_ids.iter().copied()))
        .exec(&**txn)
        .await?;
    Ok(())
}
