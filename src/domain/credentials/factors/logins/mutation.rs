//! Logging in with a passkey, and the second step of every other login, as GraphQL mutations.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};

use super::super::{
    answering::Completion,
    service::{self, PasskeyLogin},
    types::MfaMethod,
};
use crate::{
    domain::{
        identity::mutation::Delivery,
        sessions::{entering::Entered, mutation::LoginPayload},
    },
    graphql::{
        ContextExt,
        errors::{UserError, payload},
        guard::Public,
        scalars::Json,
    },
    ids::{self, Kind},
};

#[derive(Default)]
pub struct ChallengesMutation;

#[Object(guard = "crate::graphql::guard::Closed")]
impl ChallengesMutation {
    /// Sends a code for a login that waits for its second factor: `EMAIL_CODE` to the proved address, `SMS_CODE` to the
    /// proved number. An earlier code is good for nothing then.
    #[graphql(guard = "Public")]
    async fn send_challenge_code(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "For which challenge, and which way.")] input: SendChallengeCodeInput,
    ) -> Result<Option<SendChallengeCodePayload>> {
        let SendChallengeCodeInput { challenge_id, method } = input;
        let id = ids::decode_as(Kind::Challenge, &challenge_id);
        let (delivery, errors) = payload(service::send_code(ctx.ctx()?, id, method.into()).await)?;
        Ok(Some(SendChallengeCodePayload { delivery: delivery.map(Delivery::from), errors }))
    }

    /// The second step of a login: shows the second factor, and gets the tokens. A challenge takes five tries in all,
    /// and one right answer, within five minutes.
    #[graphql(guard = "Public")]
    async fn complete_login(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The challenge, and the answer.")] input: CompleteLoginInput,
    ) -> Result<Option<LoginPayload>> {
        let (logged_in, errors) = payload(service::complete(ctx.ctx()?, input.into()).await)?;
        let entered = logged_in.map(|logged_in| Entered::In(Box::new(logged_in)));
        Ok(Some(LoginPayload::new(entered, errors)))
    }

    /// Begins a login with a passkey: hand the options to `navigator.credentials.get()`, and what it answers to
    /// `loginWithPasskey`, within five minutes. The answer does not tell whether the account exists.
    #[graphql(guard = "Public")]
    async fn start_passkey_login(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who logs in; whoever the passkey belongs to when it is left out.")] input: Option<
            StartPasskeyLoginInput,
        >,
    ) -> Result<Option<StartPasskeyLoginPayload>> {
        let StartPasskeyLoginInput { identifier } = input.unwrap_or_default();
        let outcome = service::start_login(ctx.ctx()?, identifier.as_deref()).await;
        let (started, errors) = payload(outcome)?;
        let (challenge_id, options) = started.map(super::super::mutation::shown).unzip();
        Ok(Some(StartPasskeyLoginPayload { challenge_id, options, errors }))
    }

    /// Logs in with a passkey, and without a password. It counts as two factors: nothing else is asked for.
    #[graphql(guard = "Public")]
    async fn login_with_passkey(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The challenge, and what the browser answered.")] input: LoginWithPasskeyInput,
    ) -> Result<Option<LoginPayload>> {
        let (entered, errors) = payload(service::log_in(ctx.ctx()?, input.into()).await)?;
        Ok(Some(LoginPayload::new(entered, errors)))
    }
}

/// For which challenge to send a code, and which way.
#[derive(InputObject)]
pub struct SendChallengeCodeInput {
    /// What the login gave.
    challenge_id: ID,
    /// `EMAIL_CODE` or `SMS_CODE`, if the challenge lists it.
    method: MfaMethod,
}

/// What became of the request.
#[derive(SimpleObject)]
pub struct SendChallengeCodePayload {
    /// What was sent, and where.
    delivery: Option<Delivery>,
    /// What to mend; empty on success.
    errors: Vec<UserError>,
}

/// The challenge, and the answer.
#[derive(InputObject)]
pub struct CompleteLoginInput {
    /// What the login gave.
    challenge_id: ID,
    /// With what you answer: one of the challenge's methods.
    method: MfaMethod,
    /// The code: of the app, of the paper with the recovery codes, or the one that was sent.
    code: Option<String>,
    /// For PASSKEY: the assertion that the browser made of the challenge's `passkeyOptions`, as JSON, with bytes as
    /// base64url.
    passkey: Option<Json>,
}

impl From<CompleteLoginInput> for Completion {
    fn from(input: CompleteLoginInput) -> Self {
        let CompleteLoginInput { challenge_id, method, code, passkey } = input;
        let challenge_id = ids::decode_as(Kind::Challenge, &challenge_id);
        Self { challenge_id, method: method.into(), code, passkey: passkey.map(|json| json.0) }
    }
}

/// Who logs in.
#[derive(InputObject, Default)]
pub struct StartPasskeyLoginInput {
    /// The user name, the proved address or the proved phone number.
    identifier: Option<String>,
}

/// What the browser is to do.
#[derive(SimpleObject)]
pub struct StartPasskeyLoginPayload {
    /// To come back with.
    challenge_id: Option<ID>,
    /// For `navigator.credentials.get()`: `{ publicKey: … }`, with bytes as base64url.
    options: Option<Json>,
    /// What to mend; empty on success.
    errors: Vec<UserError>,
}

/// The challenge, and what the browser answered.
#[derive(InputObject)]
pub struct LoginWithPasskeyInput {
    /// What `startPasskeyLogin` gave.
    challenge_id: ID,
    /// The assertion as JSON, with bytes as base64url: what `toJSON()` makes of it.
    passkey: Json,
    /// The application that the user logs in to; when it is left out, the one that the header `x-application-id` names,
    /// or else the default one.
    application_id: Option<ID>,
    /// What the user calls the device: shown in the list of sessions.
    device: Option<String>,
}

impl From<LoginWithPasskeyInput> for PasskeyLogin {
    fn from(input: LoginWithPasskeyInput) -> Self {
        let LoginWithPasskeyInput { challenge_id, passkey, application_id, device } = input;
        let challenge_id = ids::decode_as(Kind::Challenge, &challenge_id);
        Self { challenge_id, passkey: passkey.0, application_id: application_id.map(|id| id.0), device }
    }
}
