//! Refresh tokens of the version before this one, which kept a row for each in `refresh_tokens`.
//!
//! The first refresh here exchanges such a token for one of the new form, and uses up its whole family: the rows stay, so
//! that a token that comes again still ends the session. Sessions that an instance of the previous version opens while it
//! still runs come this way, too. (ADR 0066.)

use entity::{Timestamp, refresh_token, session};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, sea_query::Expr};
use uuid::Uuid;

use super::{
    refresh_token::RefreshToken,
    refreshing::{self, Exchange, Standing, goes_on, hold, settle, wrong},
    tokens::TokenPair,
};
use crate::{
    context::Ctx,
    crypto,
    db::Txn,
    error::{ErrorCode, Result},
};

/// New tokens for such a token.
pub(super) async fn refresh(ctx: &Ctx, text: &str) -> Result<TokenPair> {
    let shown = crypto::token_hash(text);
    let of_hash = refresh_token::Column::TokenHash.eq(shown.clone());
    let known = refresh_token::Entity::find().filter(of_hash).one(ctx.app.db.read()).await?;
    let known = known.ok_or_else(|| wrong(ErrorCode::WrongCode))?;
    let successor = RefreshToken::successor_of_legacy(known.session_id, text, &ctx.app.vault)?;
    let exchange = Exchange { session_id: known.session_id, shown, successor };
    let txn = ctx.app.db.begin().await?;
    let session = hold(&txn, ctx, known.session_id).await?;
    // Read again: somebody else may have used it while we waited for the session.
    let row = refresh_token::Entity::find_by_id(known.id).one(&*txn).await?;
    let row = row.ok_or_else(|| wrong(ErrorCode::Expired))?;
    let standing = match row.used_at {
        None if row.expires_at <= ctx.now() => return Err(wrong(ErrorCode::Expired).into()),
        None => {
            use_up(&txn, ctx, session.id).await?;
            Standing::Current
        }
        Some(used_at) if session.refresh_hash.is_none() && in_grace(&txn, ctx, &row, used_at).await? => {
            use_up(&txn, ctx, session.id).await?;
            Standing::Current
        }
        Some(_) => refreshing::standing(ctx, &session, &exchange.shown),
    };
    settle(txn, ctx, &session, &exchange, standing).await
}

/// Whether an instance of the previous version took it a moment ago, and what it was exchanged for there is not used.
async fn in_grace(txn: &Txn, ctx: &Ctx, row: &refresh_token::Model, used_at: Timestamp) -> Result<bool> {
    let just_now = ctx.now().since(used_at) < ctx.app.config.tokens.refresh_grace;
    let Some(successor) = row.successor_id.filter(|_| just_now) else {
        return Ok(false);
    };
    let unused = refresh_token::Entity::find_by_id(successor).filter(refresh_token::Column::UsedAt.is_null());
    Ok(unused.count(&**txn).await? > 0)
}

/// Every token of the family that is not used yet: whoever goes on first goes on alone.
async fn use_up(txn: &Txn, ctx: &Ctx, session_id: Uuid) -> Result<()> {
    refresh_token::Entity::update_many()
        .col_expr(refresh_token::Column::UsedAt, Expr::value(ctx.now()))
        .filter(refresh_token::Column::SessionId.eq(session_id))
        .filter(refresh_token::Column::UsedAt.is_null())
        .exec(&**txn)
        .await?;
    Ok(())
}

/// The live session that such a token belongs to, whether or not it was used.
pub(super) async fn session_of(ctx: &Ctx, text: &str) -> Result<Option<session::Model>> {
    let found = refresh_token::Entity::find()
        .filter(refresh_token::Column::TokenHash.eq(crypto::token_hash(text)))
        .filter(refresh_token::Column::ExpiresAt.gt(ctx.now()))
        .filter(goes_on(ctx))
        .find_also_related(session::Entity)
        .one(ctx.app.db.read())
        .await?;
    Ok(found.and_then(|(_, session)| session))
}
