//! Refresh tokens: opaque, kept as hashes, used once, in families. A session is the family.
//!
//! Whoever refreshes first takes hold of the session's row, so that those who do so at once come one after another,
//! on whatever instance. The tokens of a family that are not used yet are its youngest generation: one, or several
//! after an answer was lost. Using one of them uses up all of them.

use entity::{Timestamp, UserStatus, refresh_token, session, user};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, Set, sea_query::Expr,
};
use serde_json::json;
use uuid::Uuid;

use super::{
    ending, keys, live,
    tokens::{self, TokenPair},
};
use crate::{
    authz::{Actor, SignedIn},
    context::Ctx,
    crypto,
    db::Txn,
    domain::{
        applications,
        events::log::{self, EventType, NewEvent},
        notifications::{
            foreign_text,
            service::{self as notifications, Notice},
            template::Template,
        },
    },
    error::{ErrorCode, Fault, Result},
    ids::Kind,
};

/// How many tokens of one generation a family has at most: what a client could ask for within the grace.
const SIBLINGS: u64 = 100;

/// A token that was shown, and what it belongs to.
struct Shown {
    token: refresh_token::Model,
    session: session::Model,
    user: user::Model,
}

/// New tokens for an old one.
pub async fn refresh(ctx: &Ctx, refresh_token: &str) -> Result<TokenPair> {
    let hash = crypto::token_hash(refresh_token);
    keys::look(&ctx.app).await?;
    let txn = ctx.app.db.begin().await?;
    let found = refresh_token::Entity::find()
        .filter(refresh_token::Column::TokenHash.eq(hash.clone()))
        .one(&*txn)
        .await?
        .ok_or_else(|| wrong(ErrorCode::WrongCode))?;
    hold(&txn, ctx, found.session_id).await?;
    // Read again: somebody else may have used it while we waited for the session.
    let shown = load(&txn, found.id, found.session_id).await?;
    if shown.user.status != UserStatus::Active {
        return Err(wrong(ErrorCode::Inactive).into());
    }
    match shown.token.used_at {
        None if shown.token.expires_at <= ctx.now() => Err(wrong(ErrorCode::Expired).into()),
        None => {
            let pair = succeed(&txn, ctx, &shown, Generation::Next).await?;
            txn.commit().await?;
            Ok(pair)
        }
        Some(used_at) if in_grace(&txn, ctx, &shown.token, used_at).await? => {
            let pair = succeed(&txn, ctx, &shown, Generation::Same).await?;
            txn.commit().await?;
            Ok(pair)
        }
        Some(_) => {
            end_family(&txn, ctx, &shown).await?;
            txn.commit().await?;
            ctx.app.live_sessions.forget(shown.session.id);
            Err(wrong(ErrorCode::AlreadyUsed).into())
        }
    }
}

/// Takes hold of the session until the end of the transaction, if it is alive.
async fn hold(txn: &Txn, ctx: &Ctx, session_id: Uuid) -> Result<()> {
    let now = ctx.now();
    let held = session::Entity::update_many()
        .col_expr(session::Column::LastUsedAt, Expr::value(now))
        .filter(session::Column::Id.eq(session_id))
        .filter(session::Column::EndedAt.is_null())
        .filter(session::Column::ExpiresAt.gt(now))
        .filter(session::Column::IdleExpiresAt.gt(now))
        .filter(session::Column::ApplicationId.in_subquery(applications::service::active()))
        .exec(&**txn)
        .await?;
    if held.rows_affected == 0 { Err(wrong(ErrorCode::Expired).into()) } else { Ok(()) }
}

async fn load(txn: &Txn, token_id: Uuid, session_id: Uuid) -> Result<Shown> {
    let token = refresh_token::Entity::find_by_id(token_id).one(&**txn).await?;
    let found = session::Entity::find_by_id(session_id).find_also_related(user::Entity).one(&**txn).await?;
    match (token, found) {
        (Some(token), Some((session, Some(user)))) => Ok(Shown { token, session, user }),
        _ => Err(wrong(ErrorCode::Expired).into()),
    }
}

/// Whether a used token is good once more: it was used a moment ago, and what it was exchanged for was not. Then the
/// answer was lost, or two asked at once.
async fn in_grace(txn: &Txn, ctx: &Ctx, token: &refresh_token::Model, used_at: Timestamp) -> Result<bool> {
    if ctx.now().since(used_at) >= ctx.app.config.tokens.refresh_grace {
        return Ok(false);
    }
    let Some(successor) = token.successor_id else {
        return Ok(false);
    };
    let unused = refresh_token::Entity::find_by_id(successor).filter(refresh_token::Column::UsedAt.is_null());
    Ok(unused.count(&**txn).await? > 0)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Generation {
    /// Everything that is not used yet is used up.
    Next,
    /// One more beside those that are not used yet.
    Same,
}

async fn succeed(txn: &Txn, ctx: &Ctx, shown: &Shown, generation: Generation) -> Result<TokenPair> {
    let Shown { token: _, session, user } = shown;
    let (now, id) = (ctx.now(), ctx.new_id());
    let unused = || {
        Condition::all()
            .add(refresh_token::Column::SessionId.eq(session.id))
            .add(refresh_token::Column::UsedAt.is_null())
    };
    if generation == Generation::Next {
        refresh_token::Entity::update_many()
            .col_expr(refresh_token::Column::UsedAt, Expr::value(now))
            .col_expr(refresh_token::Column::SuccessorId, Expr::value(id))
            .filter(unused())
            .exec(&**txn)
            .await?;
    } else if refresh_token::Entity::find().filter(unused()).count(&**txn).await? >= SIBLINGS {
        let mut fault = wrong(ErrorCode::TooManyAttempts);
        fault.retry_after = Some(ctx.app.config.tokens.refresh_grace);
        return Err(fault.into());
    }
    let end = now.plus(ctx.app.config.tokens.session_idle_ttl).min(session.expires_at);
    session::Entity::update_many()
        .col_expr(session::Column::IdleExpiresAt, Expr::value(end))
        .filter(session::Column::Id.eq(session.id))
        .exec(&**txn)
        .await?;
    let signed_in = SignedIn {
        user_id: user.id,
        user_name: user.user_name.clone(),
        session_id: session.id,
        application_id: session.application_id,
        authenticated_at: session.authenticated_at,
        grants: live::grants_in(&**txn, user.id).await?,
    };
    hand_out(txn, ctx, &signed_in, id, end).await
}

/// An access token, and a refresh token of this id that is good until then.
pub async fn hand_out(
    txn: &Txn,
    ctx: &Ctx,
    user: &SignedIn,
    id: Uuid,
    refresh_expires_at: Timestamp,
) -> Result<TokenPair> {
    let (access_token, expires_at) = tokens::issue(ctx, user)?;
    let refresh_token = crypto::new_token(ctx.app.random.as_ref());
    refresh_token::ActiveModel {
        id: Set(id),
        session_id: Set(user.session_id),
        token_hash: Set(crypto::token_hash(&refresh_token)),
        created_at: Set(ctx.now()),
        expires_at: Set(refresh_expires_at),
        used_at: Set(None),
        successor_id: Set(None),
    }
    .insert(&**txn)
    .await?;
    Ok(TokenPair { access_token, expires_at, refresh_token, refresh_expires_at })
}

/// Two hold the same token, and one of them stole it: nobody can tell which, so both are out.
async fn end_family(txn: &Txn, ctx: &Ctx, shown: &Shown) -> Result<()> {
    let Shown { token: _, session, user } = shown;
    let ctx = &ctx.acting_as(Actor::Anonymous);
    let event = NewEvent::of(EventType::SessionReuseDetected)
        .on(Kind::Session, session.id)
        .on(Kind::User, user.id)
        .with(json!({ "device": session.device }));
    log::record(txn, ctx, event).await?;
    ending::end_where(txn, ctx, session::Column::Id.eq(session.id), "reuse").await?;
    let Some(to) = user.email.clone().filter(|_| user.email_verified_at.is_some()) else {
        return Ok(());
    };
    let template = Template::SessionReused {
        user_name: user.user_name.clone(),
        device: foreign_text::device(session.user_agent.as_deref())
            .unwrap_or_else(|| "a device that we do not know".to_owned()),
    };
    let notice = Notice { user_id: user.id, application_id: session.application_id, to, template };
    notifications::send(txn, ctx, notice).await
}

fn wrong(code: ErrorCode) -> Fault {
    let message = match code {
        ErrorCode::AlreadyUsed => "This refresh token was used already. Its session has been ended.",
        ErrorCode::Expired => "The session of this refresh token is over: log in again.",
        ErrorCode::Inactive => "This account is deactivated.",
        ErrorCode::TooManyAttempts => "This refresh token was shown too often: wait a while.",
        _ => "This is no refresh token of ours.",
    };
    Fault::new(code, &["refreshToken"], message)
}
