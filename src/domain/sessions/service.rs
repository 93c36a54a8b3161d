//! Logging in and out.

use std::{collections::HashMap, sync::Arc};

use entity::{Secret, UserStatus, refresh_token, session};
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter, sea_query::Expr};
use serde_json::json;
use uuid::Uuid;

use super::{
    entering::{self, Entered, Entering, How},
    live, tokens,
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
    /// What an earlier login on this device handed out.
    pub device_token: Option<String>,
}

/// Unknown, wrong and unverified are one answer, after the same time; only who knows the password of a deactivated
/// account is told so.
pub async fn login(ctx: &Ctx, login: Login) -> Result<Entered> {
    let Login { identifier, password, application_id, device, device_token } = login;
    entering::judge_device(device.as_deref())?;
    let application_id = applications::service::named(ctx, application_id.as_deref()).await?;
    let user = identity::service::find_by_identifier(ctx, &identifier).await?;
    let hash: Option<Secret> = match &user {
        Some(user) => passwords::hash_of(ctx.app.db.read(), user.id).await?,
        None => None,
    };
    let right = ctx.app.hasher.verify(&password, hash.as_ref()).await?;
    match user {
        Some(user) if right && user.status == UserStatus::Active => {
            if let Some(hash) = &hash {
                passwords::renew(ctx, user.id, &password, hash).await?;
            }
            let how = How::Password;
            let entered = entering::enter(ctx, Entering { user, application_id, device, how, device_token });
            // Who is deleted at this moment is nobody any more.
            entered.await.map_err(|error| error.on_gone(wrong_credentials()))
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
    end_where(txn, ctx, session::Column::UserId.is_in(user_ids.iter().copied()), reason).await
}

/// The same for all of this user's sessions but one: the caller's own.
pub async fn end_others(txn: &Txn, ctx: &Ctx, user_id: Uuid, kept: Uuid, reason: &str) -> Result<()> {
    let others = session::Column::UserId.eq(user_id).and(session::Column::Id.ne(kept));
    end_where(txn, ctx, others, reason).await
}

async fn end_where(txn: &Txn, ctx: &Ctx, which: Expr, reason: &str) -> Result<()> {
    let ended = session::Entity::update_many()
        .col_expr(session::Column::EndedAt, Expr::value(ctx.now()))
        .col_expr(session::Column::EndReason, Expr::value(reason))
        .filter(which)
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
