//! Logging in with a code.

use entity::{CodePurpose, UserStatus};

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
    // Whether it went to what is the account's now, and opens it still.
    let opens = match (&right, &user) {
        (Ok(row), Some(user)) => identity::opens(ctx.app.db.read(), user, &row.target).await?,
        _ => false,
    };
    let (row, user) = match (right, user) {
        (Ok(row), Some(user)) if opens => (row, user),
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
