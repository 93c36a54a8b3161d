//! Logging in and out.

use std::{collections::HashMap, sync::Arc};

use entity::{Secret, UserStatus, refresh_token, session, user};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter, Set, sea_query::Expr};
use serde_json::json;
use uuid::Uuid;

use super::{
    live,
    tokens::{self, TokenPair},
};
use crate::{
    authz::{Actor, SignedIn},
    context::Ctx,
    crypto,
    db::Txn,
    domain::{
        applications,
        credentials::passwords,
        events::log::{self, EventType, NewEvent},
        identity,
    },
    error::{ErrorCode, Fault, Result},
    ids::Kind,
};

pub struct Login {
    /// A user name, an address or a phone number.
    pub identifier: String,
    pub password: String,
    pub application_id: Option<String>,
    /// What the user calls the device.
    pub device: Option<String>,
}

pub struct LoggedIn {
    pub user: user::Model,
    pub session: session::Model,
    pub tokens: TokenPair,
}

/// Unknown, wrong and unverified are one answer, after the same time; only who knows the password of a deactivated
/// account is told so.
pub async fn login(ctx: &Ctx, login: Login) -> Result<LoggedIn> {
    let Login { identifier, password, application_id, device } = login;
    if let Some(problem) = device.as_deref().and_then(identity::names::text_problem) {
        return Err(Fault::invalid("device", problem).into());
    }
    let application_id = applications::service::named(ctx, application_id.as_deref()).await?;
    let user = identity::service::find_by_identifier(ctx, &identifier).await?;
    let hash: Option<Secret> = match &user {
        Some(user) => passwords::hash_of(ctx.app.db.read(), user.id).await?,
        None => None,
    };
    let right = ctx.app.hasher.verify(&password, hash.as_ref()).await?;
    match user {
        Some(user) if right && user.status == UserStatus::Active => {
            // Who is deleted at this moment is nobody any more.
            let started = start(ctx, user, application_id, device).await;
            started.map_err(|error| error.on_gone(wrong_credentials()))
        }
        Some(user) if right && user.status == UserStatus::Deactivated => {
            refuse(ctx, Some(user.id)).await?;
            Err(Fault::new(ErrorCode::Inactive, &[], "This account is deactivated.").into())
        }
        other => {
            refuse(ctx, other.map(|user| user.id)).await?;
            Err(wrong_credentials().into())
        }
    }
}

fn wrong_credentials() -> Fault {
    Fault::new(ErrorCode::WrongCredentials, &[], "The name or the password is wrong.")
}

async fn refuse(ctx: &Ctx, user_id: Option<Uuid>) -> Result<()> {
    let txn = ctx.app.db.begin().await?;
    let mut event = NewEvent::of(EventType::SessionRefused);
    if let Some(id) = user_id {
        event = event.on(Kind::User, id);
    }
    log::record(&txn, ctx, event).await?;
    txn.commit().await
}

/// Opens a session for a user who has proved who they are.
async fn start(
    ctx: &Ctx,
    user: user::Model,
    application_id: Uuid,
    device: Option<String>,
) -> Result<LoggedIn> {
    let now = ctx.now();
    let lifetimes = &ctx.app.config.tokens;
    let signed_in = Arc::new(SignedIn {
        user_id: user.id,
        user_name: user.user_name.clone(),
        session_id: ctx.new_id(),
        application_id,
        authenticated_at: now,
        grants: live::grants_of(&ctx.app, user.id).await?,
    });
    let ctx = &ctx.acting_as(Actor::User(Arc::clone(&signed_in)));
    let txn = ctx.app.db.begin().await?;
    let session = session::ActiveModel {
        id: Set(signed_in.session_id),
        user_id: Set(user.id),
        application_id: Set(application_id),
        device: Set(device),
        ip: Set(ctx.request.ip.map(|ip| ip.to_string())),
        user_agent: Set(ctx.request.user_agent.clone()),
        authenticated_at: Set(now),
        created_at: Set(now),
        last_used_at: Set(now),
        idle_expires_at: Set(now.plus(lifetimes.session_idle_ttl.min(lifetimes.session_ttl))),
        expires_at: Set(now.plus(lifetimes.session_ttl)),
        ended_at: Set(None),
        end_reason: Set(None),
    }
    .insert(&*txn)
    .await?;
    let tokens = hand_out(&txn, ctx, &signed_in, &session).await?;
    let user = identity::service::note_login(&txn, ctx, user, application_id).await?;
    let started =
        NewEvent::of(EventType::SessionStarted).on(Kind::Session, session.id).on(Kind::User, user.id);
    log::record(&txn, ctx, started).await?;
    txn.commit().await?;
    Ok(LoggedIn { user, session, tokens })
}

async fn hand_out(txn: &Txn, ctx: &Ctx, user: &SignedIn, session: &session::Model) -> Result<TokenPair> {
    let (access_token, expires_at) = tokens::issue(ctx, user)?;
    let refresh_token = crypto::new_token(ctx.app.random.as_ref());
    refresh_token::ActiveModel {
        id: Set(ctx.new_id()),
        session_id: Set(session.id),
        token_hash: Set(crypto::token_hash(&refresh_token)),
        created_at: Set(ctx.now()),
        expires_at: Set(session.idle_expires_at),
        used_at: Set(None),
        successor_id: Set(None),
    }
    .insert(&**txn)
    .await?;
    Ok(TokenPair { access_token, expires_at, refresh_token, refresh_expires_at: session.idle_expires_at })
}

/// Which sessions a logout ends.
pub enum Logout {
    /// The caller's own.
    This,
    /// All of the caller's.
    Everywhere,
}

/// Says how many sessions were ended. A caller whose access token has run out shows the refresh token instead; one
/// that is not known ends nothing, and says no more.
pub async fn logout(ctx: &Ctx, extent: Logout, refresh_token: Option<&str>) -> Result<u64> {
    let (session_id, user_id) = match (refresh_token, ctx.actor.signed_in()) {
        (Some(token), _) => match session_of(ctx, token).await? {
            Some(found) => found,
            None => return Ok(0),
        },
        (None, Some(user)) => (user.session_id, user.user_id),
        (None, None) => {
            let message = "Nobody is signed in: show the refresh token of the session.";
            return Err(Fault::required("refreshToken", message).into());
        }
    };
    let which = match extent {
        Logout::This => session::Column::Id.eq(session_id),
        Logout::Everywhere => session::Column::UserId.eq(user_id),
    };
    let txn = ctx.app.db.begin().await?;
    let ended = session::Entity::update_many()
        .col_expr(session::Column::EndedAt, Expr::value(ctx.now()))
        .col_expr(session::Column::EndReason, Expr::value("logout"))
        .filter(which)
        .filter(session::Column::EndedAt.is_null())
        .exec_with_returning(&*txn)
        .await?;
    for session in &ended {
        let event =
            NewEvent::of(EventType::SessionEnded).on(Kind::Session, session.id).on(Kind::User, user_id);
        log::record(&txn, ctx, event).await?;
    }
    txn.commit().await?;
    for session in &ended {
        ctx.app.live_sessions.forget(session.id);
    }
    Ok(ended.len() as u64)
}

/// Ends every session of these users, for a reason that is kept with them. Two statements more for the events, however
/// many sessions there are.
pub async fn end_all(txn: &Txn, ctx: &Ctx, user_ids: &[Uuid], reason: &str) -> Result<()> {
    let ended = session::Entity::update_many()
        .col_expr(session::Column::EndedAt, Expr::value(ctx.now()))
        .col_expr(session::Column::EndReason, Expr::value(reason))
        .filter(session::Column::UserId.is_in(user_ids.iter().copied()))
        .filter(session::Column::EndedAt.is_null())
        .exec_with_returning(&**txn)
        .await?;
    let event = |session: &session::Model| {
        NewEvent::of(EventType::SessionEnded)
            .on(Kind::Session, session.id)
            .on(Kind::User, session.user_id)
            .with(json!({ "reason": reason }))
    };
    log::record_all(txn, ctx, ended.iter().map(event).collect()).await
}

/// The live session, and its user, that a refresh token in force belongs to.
async fn session_of(ctx: &Ctx, refresh_token: &str) -> Result<Option<(Uuid, Uuid)>> {
    let found = refresh_token::Entity::find()
        .filter(refresh_token::Column::TokenHash.eq(crypto::token_hash(refresh_token)))
        .filter(refresh_token::Column::UsedAt.is_null())
        .filter(refresh_token::Column::ExpiresAt.gt(ctx.now()))
        .filter(session::Column::EndedAt.is_null())
        .filter(session::Column::ExpiresAt.gt(ctx.now()))
        .find_also_related(session::Entity)
        .one(ctx.app.db.read())
        .await?;
    Ok(found.and_then(|(_, session)| session).map(|session| (session.id, session.user_id)))
}

/// Who shows this access token: an error of its own kind when it is not one in force.
pub async fn authenticate(app: &crate::app::App, token: &str) -> Result<Option<Arc<SignedIn>>> {
    match tokens::verify(app, token).await? {
        Some(verified) => live::find(app, verified.session_id, verified.user_id).await,
        None => Ok(None),
    }
}

/// The same caller as they are now: while a stream lives, grants change and sessions end. `None` when theirs is over.
pub async fn renewed(ctx: &Ctx) -> Result<Option<Ctx>> {
    match ctx.actor.signed_in() {
        None => Ok(Some(ctx.clone())),
        Some(user) => {
            let found = live::find(&ctx.app, user.session_id, user.user_id).await?;
            Ok(found.map(|user| ctx.acting_as(Actor::User(user))))
        }
    }
}

/// The caller's own ones of these sessions.
pub async fn by_ids(ctx: &Ctx, ids: impl IntoIterator<Item = Uuid>) -> Result<HashMap<Uuid, session::Model>> {
    let ids: Vec<_> = ids.into_iter().collect();
    let Some(user_id) = ctx.actor.user_id().filter(|_| !ids.is_empty()) else {
        return Ok(HashMap::new());
    };
    let own = session::Entity::find()
        .filter(session::Column::UserId.eq(user_id))
        .filter(session::Column::Id.is_in(ids));
    Ok(own.all(ctx.app.db.read()).await?.into_iter().map(|session| (session.id, session)).collect())
}
