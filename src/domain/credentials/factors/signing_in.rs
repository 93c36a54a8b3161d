//! Logging in with a passkey alone: it is something one has, opened by something one is or knows.

use entity::{ChallengeKind, UserStatus, user};
use sea_orm::EntityTrait;
use serde_json::Value as Json;
use uuid::Uuid;
use webauthn_rs::prelude::PublicKeyCredential;

use super::{
    challenges::{self, NewChallenge},
    decoys,
    passkeys::{self, Expected, Started},
    webauthn::{self, Answer, Question},
};
use crate::{
    context::Ctx,
    domain::{
        applications,
        credentials::refusals,
        identity::service as identity,
        limits::{rules, service as limits},
        sessions::entering::{self, Entered, Entering, How},
    },
    error::{ErrorCode, Fault, Result},
};

/// Who may answer, as it is remembered.
#[derive(serde::Serialize, serde::Deserialize)]
enum Whom {
    Anybody,
    User(Uuid),
    /// Somebody was named who has no passkey, or is not there.
    Nobody,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Waiting {
    whom: Whom,
    question: Question,
}

/// With a name the passkeys of that account are offered; without one, whichever the browser finds. A name that is
/// nobody's is offered passkeys that are nobody's.
pub async fn start(ctx: &Ctx, identifier: Option<&str>) -> Result<Started> {
    webauthn::require_available(ctx)?;
    limits::for_source(ctx, &rules::PASSKEY).await?;
    let (whom, offered) = match identifier {
        None => (Whom::Anybody, Vec::new()),
        Some(identifier) => {
            let user = identity::named_by(ctx, identifier).await?;
            let id = user.map(|user| user.id);
            // For nobody, too, they are looked up: the time tells nothing.
            let held = passkeys::of_user(ctx.app.db.read(), id.unwrap_or_default()).await?;
            match id.filter(|_| !held.is_empty()) {
                Some(id) => (Whom::User(id), held.into_iter().map(|row| row.credential_id.0).collect()),
                None => (Whom::Nobody, decoys::credential_ids(ctx, identifier)?),
            }
        }
    };
    let (options, question) = webauthn::start_login(ctx, &offered)?;
    let kind = ChallengeKind::PasskeyLogin;
    let txn = ctx.app.db.begin().await?;
    let user_id = if let Whom::User(id) = whom { Some(id) } else { None };
    let new = NewChallenge { kind, user_id, application_id: None };
    let row = challenges::put(&txn, ctx, new, &Waiting { whom, question }).await?;
    txn.commit().await?;
    Ok(Started { challenge_id: row.id, options })
}

pub struct PasskeyLogin {
    pub challenge_id: Option<Uuid>,
    pub passkey: Json,
    pub application_id: Option<String>,
    pub device: Option<String>,
}

/// Unknown, wrong and unverified are one answer. The challenge is used up by its first answer, right or wrong.
pub async fn log_in(ctx: &Ctx, login: PasskeyLogin) -> Result<Entered> {
    let PasskeyLogin { challenge_id, passkey, application_id, device } = login;
    webauthn::require_available(ctx)?;
    let since = ctx.now();
    entering::judge_device(device.as_deref())?;
    let application_id = applications::service::named(ctx, application_id.as_deref()).await?;
    let answer = Answer::<PublicKeyCredential>::parse(passkey)?;
    limits::for_source(ctx, &rules::SOURCE).await?;
    let row = challenges::find(ctx, ChallengeKind::PasskeyLogin, challenge_id).await?;
    let txn = ctx.app.db.begin().await?;
    challenges::consume(&txn, ctx, row.id).await?;
    txn.commit().await?;
    let Waiting { whom, question } = challenges::state(ctx, &row)?;
    let (expected, named) = match whom {
        Whom::Anybody => (Expected::Anybody, None),
        Whom::User(id) => (Expected::User(id), Some(id)),
        Whom::Nobody => return refuse(ctx, None, wrong()).await,
    };
    let Ok(proved) = passkeys::prove(ctx, &answer, question, expected).await? else {
        return refuse(ctx, named, wrong()).await;
    };
    let user_id = proved.user_id;
    let user = user::Entity::find_by_id(user_id).one(ctx.app.db.read()).await?;
    let user = match user {
        Some(user) if user.status == UserStatus::Active => user,
        Some(user) if user.status == UserStatus::Deactivated => {
            let inactive = Fault::new(ErrorCode::Inactive, &[], "This account is deactivated.");
            return refuse(ctx, Some(user.id), inactive).await;
        }
        _ => return refuse(ctx, None, wrong()).await,
    };
    let txn = ctx.app.db.begin().await?;
    if !proved.spend(&txn, ctx).await? {
        drop(txn);
        return refuse(ctx, Some(user_id), wrong()).await;
    }
    txn.commit().await?;
    limits::give_back_source(ctx, &rules::SOURCE).await?;
    let how = How::Passkey;
    entering::enter(ctx, Entering { user, application_id, device, how, device_token: None, since }).await
}

async fn refuse(ctx: &Ctx, user_id: Option<Uuid>, fault: Fault) -> Result<Entered> {
    refusals::note(ctx, user_id, None).await?;
    Err(fault.into())
}

fn wrong() -> Fault {
    let message = "This does not prove that you hold a passkey of this account.";
    Fault::new(ErrorCode::WrongCredentials, &["passkey"], message)
}
