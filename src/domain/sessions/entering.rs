//! The one door for everybody who has proved who they are: with a password, a code, a passkey or an id token.

use std::sync::Arc;

use entity::{Timestamp, UserStatus, session, user};
use sea_orm::{ActiveModelTrait, Set};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{devices, keys, live, refresh_token::RefreshToken, refreshing, tokens::TokenPair};
use crate::{
    authz::{Actor, SignedIn},
    context::Ctx,
    crypto,
    db::Txn,
    domain::{
        applications,
        credentials::{
            factors::{asking, service as factors},
            passwords,
        },
        events::log::{self, EventType, NewEvent},
        identity,
    },
    error::{ErrorCode, Fault, Result},
    ids::Kind,
};

/// With what somebody proved who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum How {
    Password,
    Otp,
    Passkey,
    IdToken,
}

impl How {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "PASSWORD",
            Self::Otp => "OTP",
            Self::Passkey => "PASSKEY",
            Self::IdToken => "ID_TOKEN",
        }
    }
}

/// Somebody who has proved who they are, and whose account is active: whoever calls has looked.
pub struct Entering {
    pub user: user::Model,
    pub application_id: Uuid,
    /// What the user calls the device; judge it with [`judge_device`].
    pub device: Option<String>,
    pub how: How,
    /// What an earlier login on this device handed out.
    pub device_token: Option<String>,
    /// When the proof was begun: a password that was set since then makes it worth nothing.
    pub since: Timestamp,
}

pub struct LoggedIn {
    /// The same request, asked by whoever has just come in.
    pub ctx: Ctx,
    pub user: user::Model,
    pub session: session::Model,
    pub tokens: TokenPair,
    /// To be shown at the next login on this device.
    pub device_token: Option<String>,
}

/// What became of somebody at the door.
pub enum Entered {
    In(Box<LoggedIn>),
    /// The second factor is missing.
    Asked(Box<asking::Asked>),
}

/// Lets them in.
pub async fn enter(ctx: &Ctx, entering: Entering) -> Result<Entered> {
    // Second factors are asked for here, and only here.
    if let Some(asked) = asking::ask(ctx, &entering).await? {
        return Ok(Entered::Asked(Box::new(asked)));
    }
    open(ctx, entering).await.map(|logged_in| Entered::In(Box::new(logged_in)))
}

/// What is wrong with the name of a device, before anything is proved.
pub fn judge_device(device: Option<&str>) -> Result<()> {
    match device.and_then(identity::names::text_problem) {
        Some(problem) => Err(Fault::invalid("device", problem).into()),
        None => Ok(()),
    }
}

/// An account that is held until the transaction ends.
pub struct Held {
    pub user: user::Model,
    /// Somebody may have guessed at the password or at a code before.
    guessed_at: bool,
}

/// The account, held, if what was proved is still worth something. Proving takes a while, and in the meantime a new
/// password may have ended all that the old one opened.
pub async fn hold(txn: &Txn, user_id: Uuid, since: Timestamp) -> Result<Held> {
    let too_late = || Fault::new(ErrorCode::WrongCredentials, &[], "The name or the password is wrong.");
    let user = identity::service::hold(txn, user_id).await?.ok_or_else(too_late)?;
    if user.status != UserStatus::Active {
        return Err(Fault::new(ErrorCode::Inactive, &[], "This account is deactivated.").into());
    }
    match passwords::past(txn, user_id).await? {
        Some(past) if past.changed_at > since => Err(too_late().into()),
        Some(past) => Ok(Held { user, guessed_at: past.guessed_at }),
        None => Ok(Held { user, guessed_at: true }),
    }
}

/// Opens a session, without another question.
pub async fn open(ctx: &Ctx, entering: Entering) -> Result<LoggedIn> {
    let Entering { user, application_id, device, how, device_token, since } = entering;
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
    keys::look(&ctx.app).await?;
    let ctx = &ctx.acting_as(Actor::User(Arc::clone(&signed_in)));
    let txn = ctx.app.db.begin().await?;
    let Held { user, guessed_at } = hold(&txn, user.id, since).await?;
    applications::service::require_active(&*txn, application_id).await?;
    let refresh_token = RefreshToken::first(signed_in.session_id, ctx.app.random.as_ref());
    let shown = device_token;
    let device_token = devices::remember(&txn, ctx, &user, application_id, shown).await?;
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
        refresh_hash: Set(Some(crypto::token_hash(&refresh_token.encode(&ctx.app.vault)?))),
        previous_refresh_hash: Set(None),
        refresh_generation: Set(0),
        refreshed_at: Set(None),
        refresh_agent_hash: Set(None),
        refresh_repeats: Set(0),
    }
    .insert(&*txn)
    .await?;
    if guessed_at {
        passwords::forget_failures(&txn, user.id).await?;
    }
    let tokens = refreshing::pair(ctx, &session, &signed_in, &refresh_token)?;
    let user = identity::service::note_login(&txn, ctx, user, application_id).await?;
    let started = NewEvent::of(EventType::SessionStarted)
        .on(Kind::Session, session.id)
        .on(Kind::User, user.id)
        .with(json!({ "how": how.as_str() }));
    log::record(&txn, ctx, started).await?;
    txn.commit().await?;
    Ok(LoggedIn { ctx: ctx.clone(), user, session, tokens, device_token: Some(device_token) })
}

/// The same request, asked by somebody who has proved who they are in another way than by coming in: they are shown what
/// a login would show them at once. `None` where that asks for more, such as a second factor, or for an active account: then
/// nothing is proved yet.
pub async fn as_proved(ctx: &Ctx, user: &user::Model) -> Result<Option<Ctx>> {
    if ctx.actor.user_id() == Some(user.id) {
        return Ok(Some(ctx.clone()));
    }
    let more = user.status != UserStatus::Active
        || factors::in_force_since(ctx.app.db.read(), user.id).await?.is_some();
    if more {
        return Ok(None);
    }
    let signed_in = SignedIn {
        user_id: user.id,
        user_name: user.user_name.clone(),
        // There is none.
        session_id: Uuid::nil(),
        application_id: ctx.app.default_application,
        authenticated_at: ctx.now(),
        grants: live::grants_of(&ctx.app, user.id).await?,
    };
    Ok(Some(ctx.acting_as(Actor::User(Arc::new(signed_in)))))
}
