//! A new password, with the old one.

use entity::user;

use super::FIELD;
use crate::{
    context::Ctx,
    domain::{
        credentials::{codes, passwords, policy, proofs},
        events::log::{self, EventType, NewEvent},
        identity::service as identity,
        limits::{rules, service as limits},
        sessions::service as sessions,
    },
    error::{Error, ErrorCode, Fault, Result},
    ids::Kind,
};

pub struct NewPassword {
    pub current: String,
    pub new: String,
}

/// Ends the other sessions and every code. API keys stay: the person is there, sees them, and knows what they are for. The same password once more is allowed: it ends them as well.
pub async fn change_password(ctx: &Ctx, change: NewPassword) -> Result<user::Model> {
    let NewPassword { current, new } = change;
    let me = ctx.actor.in_person().ok_or_else(Error::forbidden)?;
    policy::check(FIELD, &new, &[])?;
    // For each session: whoever holds a stolen one does not keep its owner from ending it.
    limits::for_person(ctx, &rules::NEW_PASSWORD, &me.session_id.to_string()).await?;
    let old = passwords::hash_of(ctx.app.db.read(), me.user_id).await?;
    proofs::check_password(ctx, me.user_id, "currentPassword", &current).await?;
    let gone = || Error::refused(ErrorCode::Unauthenticated, "This account is gone.");
    let user = super::find(ctx.app.db.read(), me.user_id).await?.ok_or_else(gone)?;
    super::judge(ctx, &user, &new).await?;
    let hash = ctx.app.hasher.hash(ctx.source(), &new, ctx.app.random.as_ref()).await?;
    let wrong =
        || Fault::new(ErrorCode::WrongCredentials, &["currentPassword"], "This is not your password.");
    let old = old.ok_or_else(wrong)?;
    let txn = ctx.app.db.begin().await?;
    identity::hold(&txn, me.user_id).await?;
    // Codes before what counts wrong ones, as whoever shows a code holds them: the other way round, each would wait for the other.
    codes::end_all(&txn, ctx, &[me.user_id]).await?;
    // Somebody who set another one meanwhile, as by a mailed link, has the last word.
    if !passwords::replace(&txn, ctx, me.user_id, &old, hash).await? {
        return Err(wrong().into());
    }
    sessions::end_others(&txn, ctx, me.user_id, "password_changed").await?;
    sessions::forget_devices(&txn, me.user_id).await?;
    let event = NewEvent::of(EventType::PasswordChanged).on(Kind::User, me.user_id);
    log::record(&txn, ctx, event).await?;
    super::tell(&txn, ctx, &user, me.application_id).await?;
    txn.commit().await?;
    Ok(user)
}
