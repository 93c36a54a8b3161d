//! Known devices: a login hands out a token, and whoever shows it at a later login has been here before.

use std::time::Duration;

use entity::{device_token, user};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter, Set, sea_query::Expr};
use uuid::Uuid;

use crate::{
    clock,
    context::Ctx,
    crypto,
    db::Txn,
    domain::notifications::{
        foreign_text,
        service::{self as notifications, Notice},
        template::Template,
    },
    error::Result,
};

/// A device that is not used for so long is a new one.
const TTL: Duration = Duration::from_hours(24 * 365);

/// Which of this user's devices the token is of. Each is counted for itself: one that was stolen uses up nothing of the
/// others.
pub async fn known(ctx: &Ctx, user_id: Uuid, token: Option<&str>) -> Result<Option<Uuid>> {
    let Some(token) = token else {
        return Ok(None);
    };
    let found = device_token::Entity::find()
        .filter(device_token::Column::TokenHash.eq(crypto::token_hash(token)))
        .filter(device_token::Column::UserId.eq(user_id))
        .filter(device_token::Column::ExpiresAt.gt(ctx.now()))
        .one(ctx.app.db.read())
        .await?;
    Ok(found.map(|row| row.id))
}

/// A new password makes strangers of all devices: one of them may be a thief's.
pub async fn forget_all(txn: &Txn, user_id: Uuid) -> Result<()> {
    device_token::Entity::delete_many().filter(device_token::Column::UserId.eq(user_id)).exec(&**txn).await?;
    Ok(())
}

/// What the device shows next time: the token that it showed, if it is this user's, or a new one. A new device is told
/// to the user, unless it is their first login.
pub async fn remember(
    txn: &Txn,
    ctx: &Ctx,
    user: &user::Model,
    application_id: Uuid,
    shown: Option<String>,
) -> Result<String> {
    let now = ctx.now();
    if let Some(token) = shown {
        let known = device_token::Entity::update_many()
            .col_expr(device_token::Column::LastUsedAt, Expr::value(now))
            .col_expr(device_token::Column::ExpiresAt, Expr::value(now.plus(TTL)))
            .filter(device_token::Column::TokenHash.eq(crypto::token_hash(&token)))
            .filter(device_token::Column::UserId.eq(user.id))
            .filter(device_token::Column::ExpiresAt.gt(now))
            .exec(&**txn)
            .await?;
        if known.rows_affected > 0 {
            return Ok(token);
        }
    }
    let token = crypto::new_token(ctx.app.random.as_ref());
    device_token::ActiveModel {
        id: Set(ctx.new_id()),
        user_id: Set(user.id),
        token_hash: Set(crypto::token_hash(&token)),
        created_at: Set(now),
        last_used_at: Set(now),
        expires_at: Set(now.plus(TTL)),
    }
    .insert(&**txn)
    .await?;
    if user.last_login_at.is_some() {
        tell(txn, ctx, user, application_id).await?;
    }
    Ok(token)
}

async fn tell(txn: &Txn, ctx: &Ctx, user: &user::Model, application_id: Uuid) -> Result<()> {
    let Some(to) = user.email.clone().filter(|_| user.email_verified_at.is_some()) else {
        return Ok(());
    };
    let unknown = || "unknown".to_owned();
    let template = Template::NewDevice {
        user_name: user.user_name.clone(),
        // Not what the device is called: whoever logs in calls it as they like.
        device: foreign_text::device(ctx.request.user_agent.as_deref()).unwrap_or_else(unknown),
        ip: ctx.request.ip.map_or_else(unknown, |ip| ip.to_string()),
        at: clock::rfc3339(ctx.now()),
    };
    notifications::send(txn, ctx, Notice { user_id: user.id, application_id, to, template }).await
}
