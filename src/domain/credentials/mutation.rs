//! Passwords and codes, as GraphQL mutations.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};

use super::{
    otp::{self, OtpLogin, Request, Shown},
    reset::{self, Key, NewPassword},
};
use crate::{
    domain::{
        identity::{
            mutation::{Delivery, NotificationChannel},
            types::User,
        },
        sessions::mutation::LoginPayload,
    },
    error::{Error, Fault},
    graphql::{
        ContextExt,
        afresh::Afresh,
        errors::{UserError, payload},
        guard::{InPerson, Public},
    },
};

#[derive(Default)]
pub struct CredentialsMutation;

#[Object(guard = "crate::graphql::guard::Closed")]
impl CredentialsMutation {
    /// Mails a link and a code that `resetPassword` takes, to the proved address of the account. The answer is the same
    /// whether or not there is such an account.
    #[graphql(guard = "Public")]
    async fn forgot_password(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose password was forgotten.")] input: ForgotPasswordInput,
    ) -> Result<Option<ForgotPasswordPayload>> {
        let ForgotPasswordInput { identifier } = input;
        let (delivery, errors) = payload(otp::ask_to_reset(ctx.ctx()?, identifier).await)?;
        Ok(Some(ForgotPasswordPayload { delivery: delivery.map(Delivery::from), errors }))
    }

    /// Sets a new password with the token of a mailed link, or with a code. It works once, and ends every session, every
    /// API key, and the passkeys and the authenticator app that were added in the last seven days. A password that is not
    /// good enough leaves the link as it is. While a second factor is missing, the user is shown as to a stranger.
    #[graphql(guard = "Public")]
    async fn reset_password(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What was sent, and the new password.")] input: ResetPasswordInput,
    ) -> Result<Option<ResetPasswordPayload>> {
        let ResetPasswordInput { token, identifier, code, new_password } = input;
        let outcome = match key(token, identifier, code) {
            Ok(key) => reset::reset_password(ctx.ctx()?, key, new_password).await,
            Err(fault) => Err(Error::from(fault)),
        };
        let (user, errors) = payload(outcome)?;
        Ok(Some(ResetPasswordPayload { user: User::themselves(ctx, user).await?, errors }))
    }

    /// Sets a new password in place of the current one. Your other sessions end, and so does every code and link that
    /// waits for you. Your API keys stay: revoke those that you do not know.
    #[graphql(guard = "InPerson")]
    async fn change_password(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The current password, and the new one.")] input: ChangePasswordInput,
    ) -> Result<Option<ChangePasswordPayload>> {
        let ChangePasswordInput { current_password, new_password } = input;
        let change = NewPassword { current: current_password, new: new_password };
        let (user, errors) = payload(reset::change_password(ctx.ctx()?, change).await)?;
        Ok(Some(ChangePasswordPayload { user: user.map(User::in_full), errors }))
    }

    /// Sends a code of six digits that is good for ten minutes and for one purpose. In ten minutes, one network (/24, /64) has
    /// five messages sent to one address or number; all together twenty, and beyond these the first of each network that is
    /// new to it. The answer is the same whether or not there is such an account, and whether or not a message is sent.
    #[graphql(guard = "Public")]
    async fn request_otp(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What the code is for, and whose.")] input: RequestOtpInput,
    ) -> Result<Option<RequestOtpPayload>> {
        let RequestOtpInput { purpose, identifier, channel } = input;
        let request = Request { purpose: purpose.into(), identifier, channel: channel.map(Into::into) };
        let (delivery, errors) = payload(otp::ask(ctx.ctx()?, request).await)?;
        Ok(Some(RequestOtpPayload { delivery: delivery.map(Delivery::from), errors }))
    }

    /// Spends a code that proves something: `VERIFY_EMAIL` an address, `VERIFY_PHONE` a number, `STEP_UP` that it is
    /// still you (a code of your authenticator app does, too). Codes to log in are spent by `loginWithOtp`, those to set a password by `resetPassword`.
    #[graphql(guard = "Public")]
    async fn verify_otp(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The code, and what it is for.")] input: VerifyOtpInput,
    ) -> Result<Option<VerifyOtpPayload>> {
        let VerifyOtpInput { purpose, identifier, code } = input;
        let shown = Shown { purpose: purpose.into(), identifier, code };
        let (proof, errors) = payload(otp::show(ctx.ctx()?, shown).await)?;
        Ok(Some(VerifyOtpPayload { proof: proof.flatten(), errors }))
    }

    /// Logs in with a code that `requestOtp` sent for `LOGIN`. Unknown and wrong are one answer: `WRONG_CODE`.
    #[graphql(guard = "Public")]
    async fn login_with_otp(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who, and with which code.")] input: LoginWithOtpInput,
    ) -> Result<Option<LoginPayload>> {
        let LoginWithOtpInput { identifier, code, application_id, device } = input;
        let application_id = application_id.map(|id| id.0);
        let login = OtpLogin { identifier, code, application_id, device };
        let (entered, errors) = payload(otp::log_in(ctx.ctx()?, login).await)?;
        Ok(Some(LoginPayload::new(entered, errors)))
    }
}

/// What a code is for. It is good for nothing else.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "otp::OtpPurpose")]
pub enum OtpPurpose {
    /// To log in, with `loginWithOtp`.
    Login,
    /// To set a new password, with `resetPassword`.
    PasswordReset,
    /// To prove an address, with `verifyOtp`.
    VerifyEmail,
    /// To prove a phone number, with `verifyOtp`.
    VerifyPhone,
    /// To show that it is still you, with `verifyOtp`, which answers with a `proof`.
    StepUp,
}

/// Whose password was forgotten.
#[derive(InputObject)]
pub struct ForgotPasswordInput {
    /// The user name, the proved address or the proved phone number, in any spelling.
    identifier: String,
}

/// What became of the request.
#[derive(SimpleObject)]
pub struct ForgotPasswordPayload {
    /// What is sent, and where, if there is such an account.
    delivery: Option<Delivery>,
    /// What to mend; empty on success.
    errors: Vec<UserError>,
}

/// The token of a link, or an identifier together with a code; and the new password.
#[derive(InputObject)]
pub struct ResetPasswordInput {
    /// What stands behind `token=` in the mailed link.
    token: Option<String>,
    /// The user name, the address or the number for which the code was asked.
    identifier: Option<String>,
    /// The six digits.
    code: Option<String>,
    /// 8 characters or more, 72 bytes at most; common ones are refused, and ones made of your own data.
    new_password: String,
}

fn key(
    token: Option<String>,
    identifier: Option<String>,
    code: Option<String>,
) -> std::result::Result<Key, Fault> {
    match (token, identifier, code) {
        (Some(token), None, None) => Ok(Key::Token(token)),
        (None, Some(identifier), Some(code)) => Ok(Key::Code { identifier, code }),
        (None, None, Some(_)) => Err(Fault::required("identifier", "The code needs to know whose it is.")),
        (None, Some(_), None) => Err(Fault::required("code", "The code that was sent is needed.")),
        (None, None, None) => {
            Err(Fault::required("token", "Give the token of the link, or the identifier and the code."))
        }
        (Some(_), ..) => {
            Err(Fault::invalid("token", "Give the token, or the identifier and the code, not both."))
        }
    }
}

/// What became of the reset.
#[derive(SimpleObject)]
pub struct ResetPasswordPayload {
    /// Whose password it is: as they see themselves, unless logins ask them for a second factor.
    user: Option<Afresh<User>>,
    /// What to mend; empty on success.
    errors: Vec<UserError>,
}

/// The current password, and the new one.
#[derive(InputObject)]
pub struct ChangePasswordInput {
    /// The password that is to be replaced.
    current_password: String,
    /// 8 characters or more, 72 bytes at most; common ones are refused, and ones made of your own data.
    new_password: String,
}

/// What became of the change.
#[derive(SimpleObject)]
pub struct ChangePasswordPayload {
    /// You.
    user: Option<User>,
    /// What to mend; empty on success.
    errors: Vec<UserError>,
}

/// What a code is for, and whose.
#[derive(InputObject)]
pub struct RequestOtpInput {
    /// What the code is to be good for.
    purpose: OtpPurpose,
    /// The user name, the address or the number. Left out for `STEP_UP`, which is of oneself.
    identifier: Option<String>,
    /// The way that the message takes; when it is left out, to a number as a text message, else as a mail.
    channel: Option<NotificationChannel>,
}

/// What became of the request.
#[derive(SimpleObject)]
pub struct RequestOtpPayload {
    /// What is sent, and where, if there is such an account.
    delivery: Option<Delivery>,
    /// What to mend; empty on success.
    errors: Vec<UserError>,
}

/// The code, and what it is for.
#[derive(InputObject)]
pub struct VerifyOtpInput {
    /// What the code was asked for.
    purpose: OtpPurpose,
    /// The address or the number that the code was sent to. Left out for `STEP_UP`.
    identifier: Option<String>,
    /// The six digits that were sent; for `STEP_UP`, or those that your authenticator app shows.
    code: String,
}

/// What became of the code.
#[derive(SimpleObject)]
pub struct VerifyOtpPayload {
    /// For `STEP_UP`: what inputs that ask for a `proof` take, once, within ten minutes.
    proof: Option<String>,
    /// What to mend; empty on success.
    errors: Vec<UserError>,
}

/// Who logs in with a code.
#[derive(InputObject)]
pub struct LoginWithOtpInput {
    /// The user name, the proved address or the proved phone number, as it was given to `requestOtp`.
    identifier: String,
    /// The six digits.
    code: String,
    /// The application that the user logs in to; when it is left out, the one that the header `x-application-id` names,
    /// or else the default one.
    application_id: Option<ID>,
    /// What the user calls the device: shown in the list of sessions.
    device: Option<String>,
}
