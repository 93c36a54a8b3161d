//! Rotating the signing keys, without one false refusal. (ADR 0041.)
//!
//! A new key is published a while before it signs, so that every instance and every router knows it by then. When it
//! takes over, the one before signs no more, but is published until the last token that it signed has run out.

use std::time::Duration;

use entity::{Timestamp, signing_key};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder,
    sea_query::{Expr, ExprTrait as _},
};

use super::keys;
use crate::{context::Ctx, error::Result};

/// From its making to its first token. Instances look every 30 seconds, and what caches the published keys may do so for
/// 60.
pub const PUBLISHED_AHEAD: Duration = Duration::from_mins(5);
/// Clocks of instances and of routers differ; a token may have been signed this much after its key was retired.
const SLACK: Duration = Duration::from_mins(5);

/// What became of a rotation.
pub enum Rotation {
    /// The new key, and from when on it signs.
    Made { kid: String, active_from: Timestamp },
    /// There is a new key that does not sign yet: another one would only be in its way.
    Waiting { kid: String, active_from: Timestamp },
}

/// A key as a list of keys shows it.
pub struct Listed {
    pub kid: String,
    pub algorithm: String,
    pub active_from: Timestamp,
    pub retired_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
}

/// Makes the next key.
pub async fn rotate(ctx: &Ctx) -> Result<Rotation> {
    rotate_when(ctx, |_| true).await
}

/// Makes the next key when the one that signs has done so long enough. Of several instances that ask, one makes it.
pub async fn rotate_if_due(ctx: &Ctx) -> Result<()> {
    let (now, age) = (ctx.now(), ctx.app.config.tokens.key_rotation);
    keys::look(&ctx.app).await?;
    if ctx.app.keyring.newest().is_some_and(|since| since.plus(age) > now) {
        return Ok(());
    }
    rotate_when(ctx, |since| since.plus(age) <= now).await.map(drop)
}

async fn rotate_when(ctx: &Ctx, due: impl Fn(Timestamp) -> bool) -> Result<Rotation> {
    let now = ctx.now();
    let algorithm = keys::algorithm_name(keys::signature_algorithm(ctx.app.config.tokens.token_alg));
    let txn = ctx.app.db.begin().await?;
    keys::alone(&txn, ctx).await?;
    let newest = signing_key::Entity::find()
        .filter(signing_key::Column::Algorithm.eq(algorithm))
        .filter(signing_key::Column::RetiredAt.is_null())
        .order_by_desc(signing_key::Column::ActiveFrom)
        .one(&*txn)
        .await?;
    if let Some(newest) = newest.filter(|newest| newest.active_from > now || !due(newest.active_from)) {
        return Ok(Rotation::Waiting { kid: newest.kid, active_from: newest.active_from });
    }
    let active_from = now.plus(PUBLISHED_AHEAD);
    let forgotten = active_from.plus(ctx.app.config.tokens.access_token_ttl).plus(SLACK);
    signing_key::Entity::update_many()
        .col_expr(signing_key::Column::RetiredAt, Expr::value(active_from))
        .col_expr(signing_key::Column::ExpiresAt, Expr::value(forgotten))
        .filter(signing_key::Column::RetiredAt.is_null())
        .exec(&*txn)
        .await?;
    let kid = keys::create(&txn, ctx, active_from).await?;
    txn.commit().await?;
    keys::load(&ctx.app).await?;
    Ok(Rotation::Made { kid, active_from })
}

/// Every key that is published, the newest first.
pub async fn list(ctx: &Ctx) -> Result<Vec<Listed>> {
    let in_force = Condition::any()
        .add(signing_key::Column::ExpiresAt.is_null())
        .add(Expr::col(signing_key::Column::ExpiresAt).gt(ctx.now()));
    let rows = signing_key::Entity::find()
        .filter(in_force)
        .order_by_desc(signing_key::Column::ActiveFrom)
        .all(ctx.app.db.read())
        .await?;
    let listed = |row| {
        let signing_key::Model { kid, algorithm, active_from, retired_at, expires_at, .. } = row;
        Listed { kid, algorithm, active_from, retired_at, expires_at }
    };
    Ok(rows.into_iter().map(listed).collect())
}
