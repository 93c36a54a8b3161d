//! Logging in with a code.

use entity::{CodePurpose, UserStatus, user};

use super::OtpPurpose;
use crate::{
    context::Ctx,
    domain::{
        applications,
        credentials::{codes, guessing, refusals},
        identity::service as identity,
        sessions::entering::{self, Entered, Entering, How},
    },
    error::{ErrorCode, Result},
};

pub struct OtpLogin {
    pub identifier: String,
    pub code: String,
    pub application_id: Option<String>,
    pub device: Option<String>,
}

/// Unknown, not active, and a wrong code are one answer.
pub async fn log_in(ctx: &Ctx, login: OtpLogin) -> Result<Entered> {
    let OtpLogin { identifier, code, application_id, device } = login;
    let since = ctx.now();
    entering::judge_device(device.as_deref())?;
    let application_id = applications::service::named(ctx, application_id.as_deref()).await?;
    let named = identity::named_by(ctx, &identifier).await?;
    let user = named.filter(|user| user.status == UserStatus::Active);
    let candidates: Vec<_> = user.iter().map(|user| (user.id, CodePurpose::Login)).collect();
    let right = guessing::guess(ctx, OtpPurpose::Login, &identifier, &candidates, &code).await;
    let (row, user) = match (right, user) {
        (Ok(row), Some(user)) if is_of(&user, &row.target) => (row, user),
        (Ok(_), user) => {
            refusals::note(ctx, user.map(|user| user.id), None).await?;
            return Err(identity::refusal(ErrorCode::WrongCode, "code").into());
        }
        (Err(error), user) => {
            if guessing::is_wrong(&error) {
                refusals::note(ctx, user.map(|user| user.id), None).await?;
            }
            return Err(error);
        }
    };
    let txn = ctx.app.db.begin().await?;
    let spent = codes::spend(&txn, ctx, row).await?;
    spent.map_err(|code| identity::refusal(code, "code"))?;
    txn.commit().await?;
    let how = How::Otp;
    entering::enter(ctx, Entering { user, application_id, device, how, device_token: None, since }).await
}

/// Whether the code went to what is the account's now.
fn is_of(user: &user::Model, target: &str) -> bool {
    let email = user.email_key.as_deref().filter(|_| user.email_verified_at.is_some());
    let phone = user.phone_key.as_deref().filter(|_| user.phone_verified_at.is_some());
    email == Some(target) || phone == Some(target)
}
