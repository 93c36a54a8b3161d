//! A new password, with a mailed link or a code. Who has none yet gets one this way, too.

use entity::{CodePurpose, UserStatus, one_time_code as code, user};

use serde_json::json;

use super::FIELD;
use crate::{
    context::Ctx,
    domain::{
        api_keys::service as api_keys,
        applications::service as applications,
        credentials::{codes, factors::undoing, guessing, otp::OtpPurpose, passwords, policy, refusals},
        events::log::{self, EventType, NewEvent},
        identity::service as identity,
        limits::{rules, service as limits},
        sessions::service as sessions,
    },
    error::{ErrorCode, Fault, Result},
    ids::Kind,
};

/// What opens the way.
pub enum Key {
    Token(String),
    Code { identifier: String, code: String },
}

/// Ends every session, every API key, every factor of the last days, and every other code and link: whoever needs this may have lost the account for a
/// while, and what was made in it meanwhile is not theirs. A password that is not good enough uses nothing up.
pub async fn reset_password(ctx: &Ctx, key: Key, new: String) -> Result<user::Model> {
    policy::check(FIELD, &new, &[])?;
    let (row, field) = match key {
        Key::Token(token) => {
            let found = codes::find_token(ctx, &[CodePurpose::PasswordReset], &token).await?;
            (found.map_err(|code| refusal(code, "token"))?, "token")
        }
        Key::Code { identifier, code } => (right_code(ctx, &identifier, &code).await?, "code"),
    };
    let over = || refusal(ErrorCode::AlreadyUsed, field);
    let user = super::find(ctx.app.db.read(), row.user_id).await?;
    let user = user.filter(|user| user.status == UserStatus::Active).ok_or_else(over)?;
    if !identity::opens(ctx.app.db.read(), &user, &row.target).await? {
        return Err(over().into());
    }
    limits::for_source(ctx, &rules::NEW_PASSWORD_SOURCE).await?;
    super::judge(ctx, &user, &new).await?;
    let hash = ctx.app.hasher.hash(ctx.source(), &new, ctx.app.random.as_ref()).await?;
    let txn = ctx.app.db.begin().await?;
    identity::hold(&txn, user.id).await?;
    // What ends the codes of an account (another address, its closing) ends this one: that it is spent here, decides.
    let spent = codes::spend(&txn, ctx, row).await?.map_err(|code| refusal(code, field))?;
    // Before what counts wrong ones, as whoever shows a code holds them.
    codes::end_all(&txn, ctx, &[user.id]).await?;
    // What was sent came back.
    identity::prove(&txn, ctx, user.id, &spent.target).await?;
    applications::release(&txn, ctx, user.id).await?;
    passwords::set(&txn, ctx, user.id, hash).await?;
    let user = undoing::undo_young(&txn, ctx, user).await?;
    sessions::end_all(&txn, ctx, &[user.id], "password_reset").await?;
    sessions::forget_devices(&txn, user.id).await?;
    api_keys::revoke_all(&txn, ctx, &[user.id], "password_reset").await?;
    let event = NewEvent::of(EventType::PasswordReset).on(Kind::User, user.id);
    log::record(&txn, ctx, event).await?;
    super::tell(&txn, ctx, &user, spent.application_id).await?;
    txn.commit().await?;
    sessions::forget_guesses(ctx, &user).await?;
    Ok(user)
}

async fn right_code(ctx: &Ctx, identifier: &str, guess: &str) -> Result<code::Model> {
    let user = identity::named_by(ctx, identifier).await?;
    let candidates: Vec<_> = user.iter().map(|user| (user.id, CodePurpose::PasswordReset)).collect();
    let guessed = guessing::guess(ctx, OtpPurpose::PasswordReset, identifier, &candidates, guess).await;
    if guessed.as_ref().is_err_and(guessing::is_wrong) {
        refusals::note(ctx, user.map(|user| user.id), json!({ "code": "PASSWORD_RESET" })).await?;
    }
    guessed
}

fn refusal(code: ErrorCode, field: &str) -> Fault {
    identity::refusal(code, field)
}
