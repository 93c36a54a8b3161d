//! New tokens for a refresh token. A session is the family of its refresh tokens, and holds the hashes of the one in force
//! and of the one before. (ADR 0066.)
//!
//! One conditional update decides who exchanges the token in force. Whoever shows the token before it within the grace (an
//! answer was lost, or two tabs asked at once) gets the same successor again. Every older token was stolen, by one or
//! the other, and ends the session.

use entity::{Secret, UserStatus, session, user};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter,
    sea_query::{CaseStatement, Expr, ExprTrait as _, SimpleExpr},
};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{
    ending, keys, legacy_token, live,
    refresh_token::RefreshToken,
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

/// How often the token before the one in force is taken again: what a client could ask for within the grace.
const MOST_REPEATS: i32 = 100;

/// A token that was shown, and the one that it is exchanged for.
pub(super) struct Exchange {
    pub session_id: Uuid,
    /// The hash of the token that was shown.
    pub shown: Secret,
    pub successor: RefreshToken,
}

/// What a token is to a session that lives.
pub(super) enum Standing {
    /// It is in force.
    Current,
    /// It was exchanged a moment ago, by this user agent, and its successor is not used.
    Predecessor,
    /// It was exchanged before.
    Spent,
}

/// New tokens for an old one.
pub async fn refresh(ctx: &Ctx, refresh_token: &str) -> Result<TokenPair> {
    keys::look(&ctx.app).await?;
    let vault = &ctx.app.vault;
    let Some(token) = RefreshToken::parse(refresh_token, vault)? else {
        return legacy_token::refresh(ctx, refresh_token).await;
    };
    let exchange = Exchange {
        session_id: token.session_id,
        shown: crypto::token_hash(refresh_token),
        successor: token.successor(vault)?,
    };
    let in_force = session::Column::RefreshHash.eq(exchange.shown.clone());
    if let Some(session) = rotate(ctx.app.db.alone(), ctx, &exchange, in_force).await? {
        return hand_out(ctx, &session, &exchange.successor).await;
    }
    let txn = ctx.app.db.begin().await?;
    let session = hold(&txn, ctx, exchange.session_id).await?;
    let standing = standing(ctx, &session, &exchange.shown);
    settle(txn, ctx, &session, &exchange, standing).await
}

/// What the token is to this session, which is held.
pub(super) fn standing(ctx: &Ctx, session: &session::Model, shown: &Secret) -> Standing {
    if session.refresh_hash.as_ref() == Some(shown) {
        return Standing::Current;
    }
    let just_now = session.refreshed_at.is_some_and(|at| {
        // Clocks of instances differ: the exchange may lie a little ahead. Where a clock was set back, it does not count as just now.
        ctx.now().since(at).max(at.since(ctx.now())) < ctx.app.config.tokens.refresh_grace
    });
    let same_agent = session.refresh_agent_hash == agent_hash(ctx);
    if session.previous_refresh_hash.as_ref() == Some(shown) && just_now && same_agent {
        Standing::Predecessor
    } else {
        Standing::Spent
    }
}

/// Answers a token by what it is to the session, which is held.
pub(super) async fn settle(
    txn: Txn,
    ctx: &Ctx,
    session: &session::Model,
    exchange: &Exchange,
    standing: Standing,
) -> Result<TokenPair> {
    match standing {
        Standing::Current => {
            let held = session::Column::Id.eq(session.id);
            let rotated = rotate(&*txn, ctx, exchange, held).await?;
            let session = rotated.ok_or_else(|| wrong(ErrorCode::Expired))?;
            txn.commit().await?;
            hand_out(ctx, &session, &exchange.successor).await
        }
        Standing::Predecessor => {
            note_repeat(&txn, ctx, session).await?;
            txn.commit().await?;
            hand_out(ctx, session, &exchange.successor).await
        }
        Standing::Spent => {
            end_family(&txn, ctx, session, exchange).await?;
            txn.commit().await?;
            Err(wrong(ErrorCode::AlreadyUsed).into())
        }
    }
}

/// Puts the successor in force, if the session is alive and the token that was shown is what the condition says.
async fn rotate<C: ConnectionTrait>(
    db: &C,
    ctx: &Ctx,
    exchange: &Exchange,
    condition: SimpleExpr,
) -> Result<Option<session::Model>> {
    let Exchange { session_id, shown, successor } = exchange;
    let hash = crypto::token_hash(&successor.encode(&ctx.app.vault)?);
    let now = ctx.now();
    let idle_end = now.plus(ctx.app.config.tokens.session_idle_ttl);
    let end = Expr::col(session::Column::ExpiresAt);
    let idle_end = CaseStatement::new().case(end.clone().lt(idle_end), end).finally(idle_end);
    let rotated = session::Entity::update_many()
        .col_expr(session::Column::RefreshHash, Expr::value(hash))
        .col_expr(session::Column::PreviousRefreshHash, Expr::value(shown.clone()))
        .col_expr(session::Column::RefreshGeneration, Expr::value(stored(successor.generation)))
        .col_expr(session::Column::RefreshedAt, Expr::value(now))
        .col_expr(session::Column::RefreshAgentHash, Expr::value(agent_hash(ctx)))
        .col_expr(session::Column::RefreshRepeats, Expr::value(0))
        .col_expr(session::Column::LastUsedAt, Expr::value(now))
        .col_expr(session::Column::IdleExpiresAt, idle_end.into())
        .filter(session::Column::Id.eq(*session_id))
        .filter(condition)
        .filter(alive(ctx))
        .exec_with_returning(db)
        .await?;
    Ok(rotated.into_iter().next())
}

/// The session, held until the end of the transaction, if it is alive.
pub(super) async fn hold(txn: &Txn, ctx: &Ctx, session_id: Uuid) -> Result<session::Model> {
    let held = session::Entity::update_many()
        .col_expr(session::Column::LastUsedAt, Expr::value(ctx.now()))
        .filter(session::Column::Id.eq(session_id))
        .filter(alive(ctx))
        .exec_with_returning(&**txn)
        .await?;
    held.into_iter().next().ok_or_else(|| wrong(ErrorCode::Expired).into())
}

/// Of a session that can be used: it goes on, and its application is active.
fn alive(ctx: &Ctx) -> Condition {
    goes_on(ctx).add(session::Column::ApplicationId.in_subquery(applications::service::active()))
}

/// Of a session that is neither ended nor run out.
pub(super) fn goes_on(ctx: &Ctx) -> Condition {
    Condition::all()
        .add(session::Column::EndedAt.is_null())
        .add(session::Column::ExpiresAt.gt(ctx.now()))
        .add(session::Column::IdleExpiresAt.gt(ctx.now()))
}

/// An access token of this moment, and the refresh token in force.
async fn hand_out(ctx: &Ctx, session: &session::Model, token: &RefreshToken) -> Result<TokenPair> {
    let user = user::Entity::find_by_id(session.user_id).one(ctx.app.db.read()).await?;
    let user = user.ok_or_else(|| wrong(ErrorCode::Expired))?;
    if user.status != UserStatus::Active {
        return Err(wrong(ErrorCode::Inactive).into());
    }
    let signed_in = SignedIn {
        grants: live::grants_of(&ctx.app, user.id).await?,
        user_id: user.id,
        user_name: user.user_name,
        session_id: session.id,
        application_id: session.application_id,
        authenticated_at: session.authenticated_at,
    };
    pair(ctx, session, &signed_in, token)
}

/// What a login or a refresh hands out.
pub(super) fn pair(
    ctx: &Ctx,
    session: &session::Model,
    signed_in: &SignedIn,
    token: &RefreshToken,
) -> Result<TokenPair> {
    let (access_token, expires_at) = tokens::issue(ctx, signed_in)?;
    let refresh_token = token.encode(&ctx.app.vault)?;
    Ok(TokenPair { access_token, expires_at, refresh_token, refresh_expires_at: session.idle_expires_at })
}

/// Counts the repeat and tells of it: a thief who follows a session closely leaves these behind.
async fn note_repeat(txn: &Txn, ctx: &Ctx, session: &session::Model) -> Result<()> {
    let counted = session::Entity::update_many()
        .col_expr(session::Column::RefreshRepeats, Expr::col(session::Column::RefreshRepeats).add(1))
        .filter(session::Column::Id.eq(session.id))
        .filter(session::Column::RefreshRepeats.lt(MOST_REPEATS))
        .exec(&**txn)
        .await?;
    if counted.rows_affected == 0 {
        let mut fault = wrong(ErrorCode::TooManyAttempts);
        fault.retry_after = Some(ctx.app.config.tokens.refresh_grace);
        return Err(fault.into());
    }
    let data = json!({ "device": session.device, "generation": session.refresh_generation });
    tell(txn, ctx, EventType::SessionRefreshRepeated, session, data).await
}

/// Two hold the same token, and one of them stole it: nobody can tell which, so both are out.
async fn end_family(txn: &Txn, ctx: &Ctx, session: &session::Model, exchange: &Exchange) -> Result<()> {
    // How old the token is tells a lost answer from a stolen backup.
    let shown = stored(exchange.successor.generation) - 1;
    let data = json!({ "device": session.device, "generation": session.refresh_generation, "shown": shown });
    tell(txn, ctx, EventType::SessionReuseDetected, session, data).await?;
    let ctx = &ctx.acting_as(Actor::Anonymous);
    ending::end_where(txn, ctx, session::Column::Id.eq(session.id), "reuse").await?;
    let user = user::Entity::find_by_id(session.user_id).one(&**txn).await?;
    let Some(user) = user.filter(|user| user.email_verified_at.is_some()) else {
        return Ok(());
    };
    let Some(to) = user.email else {
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

/// Nobody knows who showed the token, whatever else the request says.
async fn tell(txn: &Txn, ctx: &Ctx, kind: EventType, session: &session::Model, data: Json) -> Result<()> {
    let event = NewEvent::of(kind).on(Kind::Session, session.id).on(Kind::User, session.user_id).with(data);
    log::record(txn, &ctx.acting_as(Actor::Anonymous), event).await
}

/// Only compared, and never shown: a hash has one length, whatever a client sends.
fn agent_hash(ctx: &Ctx) -> Option<Secret> {
    ctx.request.user_agent.as_deref().map(crypto::token_hash)
}

fn stored(generation: u32) -> i32 {
    i32::try_from(generation).unwrap_or(i32::MAX)
}

pub(super) fn wrong(code: ErrorCode) -> Fault {
    let message = match code {
        ErrorCode::AlreadyUsed => "This refresh token was used already. Its session has been ended.",
        ErrorCode::Expired => "The session of this refresh token is over: log in again.",
        ErrorCode::Inactive => "This account is deactivated.",
        ErrorCode::TooManyAttempts => "This refresh token was shown too often: wait a while.",
        _ => "This is no refresh token of ours.",
    };
    Fault::new(code, &["refreshToken"], message)
}
