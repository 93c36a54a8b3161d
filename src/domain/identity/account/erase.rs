//! Erasing an account: what is personal goes everywhere; of what happened the ids and types stay.

use entity::{NotificationState, Secret, event, event_target, invitation, notification, user};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect, QueryTrait,
    sea_query::{Expr, SelectStatement},
};
use uuid::Uuid;

use crate::{
    authz::Permission,
    context::Ctx,
    db::Txn,
    domain::{
        events::log::{self, EventType, NewEvent},
        identity::verify,
        roles::{authority, owners},
    },
    error::{Error, ErrorCode, Fault, Result},
    ids::{self, Kind},
};

/// Oneself, or whoever is in reach of the caller's `user.delete`. `None` is an id that leads nowhere.
pub async fn delete_user(ctx: &Ctx, user_id: Option<Uuid>) -> Result<Uuid> {
    let not_found = || Fault::new(ErrorCode::NotFound, &["userId"], "There is no such user.");
    let id = user_id.ok_or_else(not_found)?;
    let txn = ctx.app.db.begin().await?;
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
    drop_invitations(&txn, &user).await?;
    if let Some(email_key) = user.email_key.as_ref().filter(|_| user.email_proved_at.is_some()) {
        verify::drop_attempts(&txn, email_key).await?;
    }
    blank_events(&txn, about(id)).await?;
    wipe_notifications(&txn, id).await?;
    // Memberships, grants, sessions, codes and the rest are owned by the row, and go with it.
    user::Entity::delete_by_id(id).exec(&*txn).await?;
    let losses = watch.losses(&txn).await?;
    if !losses.is_empty() {
        return Err(Error::Faults(losses.iter().map(|loss| loss.last_owner(&["userId"])).collect()));
    }
    txn.commit().await?;
    ctx.app.live_sessions.forget_users(&[id]);
    Ok(id)
}

/// The events of which the user is the actor or a target.
pub fn about(user_id: Uuid) -> Condition {
    let targeted = with_targets([ids::encode(Kind::User, user_id)]);
    Condition::any().add(event::Column::ActorId.eq(user_id)).add(event::Column::Id.in_subquery(targeted))
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

/// Invitations name an address: those to the user's proved one go, and the log forgets what it said of them.
async fn drop_invitations(txn: &Txn, user: &user::Model) -> Result<()> {
    let Some(email_key) = user.email_key.as_ref().filter(|_| user.email_proved_at.is_some()) else {
        return Ok(());
    };
    let to_them: Vec<Uuid> = invitation::Entity::find()
        .select_only()
        .column(invitation::Column::Id)
        .filter(invitation::Column::EmailKey.eq(email_key))
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
    invitation::Entity::delete_many().filter(invitation::Column::EmailKey.eq(email_key)).exec(&**txn).await?;
    Ok(())
}

/// What waits is not sent any more, and nothing of what it said remains.
async fn wipe_notifications(txn: &Txn, user_id: Uuid) -> Result<()> {
    notification::Entity::update_many()
        .col_expr(notification::Column::State, Expr::value(NotificationState::Failed))
        .filter(notification::Column::UserId.eq(user_id))
        .filter(notification::Column::State.eq(NotificationState::Pending))
        .exec(&**txn)
        .await?;
    notification::Entity::update_many()
        .col_expr(notification::Column::Sealed, Expr::value(None::<Secret>))
        .col_expr(notification::Column::Locale, Expr::value(None::<String>))
        .filter(notification::Column::UserId.eq(user_id))
        .exec(&**txn)
        .await?;
    Ok(())
}
