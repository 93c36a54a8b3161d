//! Who chose the password of a registration. The proof of a mailbox does not tell: anybody can register with anybody's
//! address. The registration's token tells, or the password itself. (ADR 0062.)

use entity::{Secret, one_time_code, registration_token, user};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::json;
use uuid::Uuid;

use super::verify;
use crate::{
    context::Ctx,
    crypto,
    domain::{
        credentials::{passwords, refusals, reset},
        limits::{rules, service as limits},
    },
    error::{Error, ErrorCode, Fault, Result},
};

/// What whoever proves the mailbox says of the registration.
pub enum Confirmation {
    /// Nothing: then what was chosen there is dropped.
    None,
    /// That it was their own: one of these is right.
    Shown { registration_token: Option<String>, password: Option<String> },
    /// Another password, in place of the one that was chosen there.
    NewPassword(String),
}

/// What becomes of what was chosen at the registration: password, number, and what was to be joined.
pub(super) enum Outcome {
    Kept,
    Dropped,
    Replaced(Secret),
}

/// Judges the confirmation, and uses nothing up: neither the mailed token nor the code.
pub(super) async fn judge(
    ctx: &Ctx,
    code: &one_time_code::Model,
    confirmation: Confirmation,
    field: &str,
) -> Result<Outcome> {
    match confirmation {
        Confirmation::None | Confirmation::Shown { registration_token: None, password: None } => {
            Ok(Outcome::Dropped)
        }
        Confirmation::Shown { registration_token, password } => {
            if check(ctx, code.user_id, registration_token.as_deref(), password.as_deref()).await? {
                return Ok(Outcome::Kept);
            }
            // Somebody may have proved the mailbox at this moment: then there is nothing here to be right about.
            let open = one_time_code::Entity::find_by_id(code.id)
                .filter(one_time_code::Column::ConsumedAt.is_null())
                .one(ctx.app.db.read())
                .await?;
            open.ok_or_else(|| verify::refusal(ErrorCode::AlreadyUsed, field))?;
            refusals::note(ctx, Some(code.user_id), json!({ "confirmation": "REGISTRATION" })).await?;
            Err(wrong(registration_token.as_deref(), password.as_deref()))
        }
        Confirmation::NewPassword(password) => {
            // Judging costs as much as a hash: whoever holds a link must not have it done without end.
            let subject = format!("new {}", code.user_id);
            refusals::bounded(ctx, &rules::REGISTRATION, &subject, Some(code.user_id)).await?;
            let user = user::Entity::find_by_id(code.user_id).one(ctx.app.db.read()).await?;
            let user = user.ok_or_else(|| verify::refusal(ErrorCode::AlreadyUsed, field))?;
            limits::for_source(ctx, &rules::NEW_PASSWORD_SOURCE).await?;
            reset::judge(ctx, &user, &password).await?;
            Ok(Outcome::Replaced(
                ctx.app.hasher.hash(ctx.source(), &password, ctx.app.random.as_ref()).await?,
            ))
        }
    }
}

/// Whether one of the two is right. Wrong ones count, for the registration and for where they come from: who holds the mail
/// must not find out what somebody else chose.
async fn check(ctx: &Ctx, user_id: Uuid, token: Option<&str>, password: Option<&str>) -> Result<bool> {
    let subject = user_id.to_string();
    refusals::bounded_source(ctx).await?;
    refusals::bounded(ctx, &rules::REGISTRATION, &subject, Some(user_id)).await?;
    let right = is_right(ctx, user_id, token, password).await;
    if !matches!(right, Ok(false)) {
        // It was right, or nothing could be looked at: neither is a wrong attempt.
        limits::give_back_source(ctx, &rules::SOURCE).await?;
        limits::give_back(ctx, &rules::REGISTRATION, &subject).await?;
    }
    right
}

fn wrong(token: Option<&str>, password: Option<&str>) -> Error {
    let wrong_token = token.map(|_| {
        let message = "This is not the token of the registration that this mail belongs to.";
        Fault::new(ErrorCode::WrongCode, &["registrationToken"], message)
    });
    let wrong_password = password.map(|_| {
        let message = "This is not the password that was chosen at this registration.";
        Fault::new(ErrorCode::WrongCredentials, &["password"], message)
    });
    Error::Faults(wrong_token.into_iter().chain(wrong_password).collect())
}

async fn is_right(ctx: &Ctx, user_id: Uuid, token: Option<&str>, password: Option<&str>) -> Result<bool> {
    let db = ctx.app.db.read();
    if let Some(token) = token {
        let row = registration_token::Entity::find_by_id(user_id).one(db).await?;
        if row.is_some_and(|row| crypto::same(&row.token_hash.0, &crypto::token_hash(token).0)) {
            return Ok(true);
        }
    }
    let Some(password) = password else { return Ok(false) };
    let hash = passwords::hash_of(db, user_id).await?;
    ctx.app.hasher.verify(ctx.source(), password, hash.as_ref()).await
}
