//! What a reset of the password does to factors and to the phone number: it takes away those that were added a short while ago.
//!
//! Whoever comes in with a stolen password can add factors and a number of their own, lock the owner out with the former and
//! come back with the latter. Each addition is told by mail, and until a week has gone by, a reset undoes it. Factors that are
//! older stay, or the mailbox alone would do in the place of two factors.

use std::time::Duration;

use entity::{Timestamp, event, event_target, passkey, totp_secret as totp, user};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, sea_query::Expr};
use serde_json::json;
use uuid::Uuid;

use super::{
    challenges, recovery,
    telling::{announce, named},
};
use crate::{
    context::Ctx,
    db::Txn,
    domain::events::log::{self, EventType, NewEvent},
    error::Result,
    ids::{self, Kind},
};

/// So many days a factor or a number has to stand before a reset leaves it alone.
pub const DAYS: u64 = 7;
const YOUNG: Duration = Duration::from_hours(DAYS * 24);

/// Takes them away, with what was begun to add another. The account is held; it is given back as it is then.
pub async fn undo_young(txn: &Txn, ctx: &Ctx, user: user::Model) -> Result<user::Model> {
    // First what could still become a factor: who is adding one at this moment has done so by now, or will not.
    challenges::end_all(txn, ctx, &[user.id]).await?;
    let begun = totp::Entity::delete_many().filter(totp::Column::UserId.eq(user.id));
    begun.filter(totp::Column::ConfirmedAt.is_null()).exec(&**txn).await?;
    let app = drop_app(txn, ctx, user.id).await?;
    let passkeys = drop_passkeys(txn, ctx, user.id).await?;
    let number = drop_number(txn, ctx, user.id).await?;
    if app || passkeys || number {
        let what = format!(
            "the passkeys, the authenticator app and the phone number that were added in the last {DAYS} days are gone, \
             because a new password was set with what was sent to you"
        );
        announce(txn, ctx, &user, &what).await?;
    }
    Ok(if number {
        user::Model { phone: None, phone_key: None, phone_verified_at: None, phone_proved_at: None, ..user }
    } else {
        user
    })
}

/// Whether there was one that its code has proved lately, as the log says: the word of an administrator is none of an intruder's.
/// Where no address is proved, what opened the reset was sent to the number itself, and it is all by which the person is
/// reached: it stays.
async fn drop_number(txn: &Txn, ctx: &Ctx, user_id: Uuid) -> Result<bool> {
    let proved = event_target::Entity::find()
        .inner_join(event::Entity)
        .filter(event_target::Column::TargetId.eq(ids::encode(Kind::User, user_id)))
        .filter(event::Column::Kind.eq(EventType::PhoneChanged.code()))
        .filter(event::Column::OccurredAt.gt(ctx.now().minus(YOUNG)));
    if proved.one(&**txn).await?.is_none() {
        return Ok(false);
    }
    let dropped = user::Entity::update_many()
        .col_expr(user::Column::Phone, Expr::value(None::<String>))
        .col_expr(user::Column::PhoneKey, Expr::value(None::<String>))
        .col_expr(user::Column::PhoneVerifiedAt, Expr::value(None::<Timestamp>))
        .col_expr(user::Column::PhoneProvedAt, Expr::value(None::<Timestamp>))
        .col_expr(user::Column::UpdatedAt, Expr::value(ctx.now()))
        .filter(user::Column::Id.eq(user_id))
        .filter(user::Column::PhoneKey.is_not_null())
        .filter(user::Column::EmailProvedAt.is_not_null())
        .exec(&**txn)
        .await?;
    if dropped.rows_affected == 0 {
        return Ok(false);
    }
    let event = NewEvent::of(EventType::PhoneChanged).on(Kind::User, user_id);
    log::record(txn, ctx, event.with(json!({ "why": "PASSWORD_RESET" }))).await?;
    Ok(true)
}

/// Whether there was one.
async fn drop_app(txn: &Txn, ctx: &Ctx, user_id: Uuid) -> Result<bool> {
    let young = totp::Entity::delete_many()
        .filter(totp::Column::UserId.eq(user_id))
        .filter(totp::Column::ConfirmedAt.gt(ctx.now().minus(YOUNG)));
    if young.exec(&**txn).await?.rows_affected == 0 {
        return Ok(false);
    }
    recovery::drop_all(txn, user_id).await?;
    let event = NewEvent::of(EventType::MfaDisabled).on(Kind::User, user_id);
    log::record(txn, ctx, event.with(json!({ "why": "PASSWORD_RESET" }))).await?;
    Ok(true)
}

/// Whether there were any.
async fn drop_passkeys(txn: &Txn, ctx: &Ctx, user_id: Uuid) -> Result<bool> {
    let young = Condition::all()
        .add(passkey::Column::UserId.eq(user_id))
        .add(passkey::Column::CreatedAt.gt(ctx.now().minus(YOUNG)));
    let rows = passkey::Entity::find().filter(young.clone()).all(&**txn).await?;
    passkey::Entity::delete_many().filter(young).exec(&**txn).await?;
    let event = |row: &passkey::Model| {
        let mut data = named(&row.name);
        data["why"] = "PASSWORD_RESET".into();
        NewEvent::of(EventType::PasskeyRemoved).on(Kind::Passkey, row.id).on(Kind::User, user_id).with(data)
    };
    log::record_all(txn, ctx, rows.iter().map(event).collect()).await?;
    Ok(!rows.is_empty())
}
