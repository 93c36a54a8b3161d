//! What a reset of the password does to factors: it takes away those that were added a short while ago.
//!
//! Whoever comes in with a stolen password can add factors of their own, and lock the owner out with them. Each addition is
//! told by mail, and until a week has gone by, a reset undoes it. Factors that are older stay, or the mailbox alone would
//! do in the place of two factors.

use std::time::Duration;

use entity::{passkey, totp_secret as totp, user};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter};
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
    ids::Kind,
};

/// So many days a factor has to stand before a reset leaves it alone.
pub const DAYS: u64 = 7;
const YOUNG: Duration = Duration::from_hours(DAYS * 24);

/// Takes them away, with what was begun to add another. The account is held.
pub async fn undo_young(txn: &Txn, ctx: &Ctx, user: &user::Model) -> Result<()> {
    // First what could still become a factor: who is adding one at this moment has done so by now, or will not.
    challenges::end_all(txn, ctx, &[user.id]).await?;
    let begun = totp::Entity::delete_many().filter(totp::Column::UserId.eq(user.id));
    begun.filter(totp::Column::ConfirmedAt.is_null()).exec(&**txn).await?;
    let app = drop_app(txn, ctx, user.id).await?;
    let passkeys = drop_passkeys(txn, ctx, user.id).await?;
    if app || passkeys {
        let what = format!(
            "the passkeys and the authenticator app that were added in the last {DAYS} days are gone, because a new \
             password was set with what was sent to you"
        );
        announce(txn, ctx, user, &what).await?;
    }
    Ok(())
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
