//! Setting up second factors, as GraphQL mutations.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};

use super::{
    service::{self, Enrolled},
    types::Passkey,
};
use crate::{
    domain::identity::types::User,
    graphql::{
        ContextExt,
        errors::{UserError, payload},
        guard::InPerson,
        scalars::Json,
    },
    ids::{self, Kind},
};

#[derive(Default)]
pub struct FactorsMutation;

#[Object(guard = "crate::graphql::guard::Closed")]
impl FactorsMutation {
    /// Makes a secret for an authenticator app and shows it, this once. Nothing is asked for at your logins before
    /// `confirmTotp` has seen a code of it, within fifteen minutes.
    #[graphql(guard = "InPerson")]
    async fn enroll_totp(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What the app is to call the account.")] input: Option<EnrollTotpInput>,
    ) -> Result<Option<EnrollTotpPayload>> {
        let EnrollTotpInput { label, proof } = input.unwrap_or_default();
        let (enrolled, errors) = payload(service::enroll(ctx.ctx()?, label, proof.as_deref()).await)?;
        Ok(Some(EnrollTotpPayload::new(enrolled, errors)))
    }

    /// Shows that the authenticator app knows the secret. From now on each login with a password or a code asks for a
    /// second factor. The first time it hands out ten recovery codes, which are shown this once.
    #[graphql(guard = "InPerson")]
    async fn confirm_totp(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What the app shows.")] input: ConfirmTotpInput,
    ) -> Result<Option<ConfirmTotpPayload>> {
        let ConfirmTotpInput { code } = input;
        let (recovery_codes, errors) = payload(service::confirm(ctx.ctx()?, &code).await)?;
        Ok(Some(ConfirmTotpPayload { recovery_codes, errors }))
    }

    /// Takes the authenticator app away, and the recovery codes with it: logins ask for one factor again. Asks for
    /// your password or a proof.
    #[graphql(guard = "InPerson")]
    async fn disable_totp(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "That it is you.")] input: DisableTotpInput,
    ) -> Result<Option<DisableTotpPayload>> {
        let DisableTotpInput { password, proof } = input;
        let outcome = service::disable(ctx.ctx()?, password.as_deref(), proof.as_deref()).await;
        let (user, errors) = payload(outcome)?;
        Ok(Some(DisableTotpPayload { user: user.map(User::in_full), errors }))
    }

    /// Makes ten new recovery codes and shows them, this once; the earlier ones are good for nothing from then on. Asks
    /// for your password or a proof.
    #[graphql(guard = "InPerson")]
    async fn regenerate_recovery_codes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "That it is you.")] input: RegenerateRecoveryCodesInput,
    ) -> Result<Option<RegenerateRecoveryCodesPayload>> {
        let RegenerateRecoveryCodesInput { password, proof } = input;
        let outcome = service::regenerate(ctx.ctx()?, password.as_deref(), proof.as_deref()).await;
        let (recovery_codes, errors) = payload(outcome)?;
        Ok(Some(RegenerateRecoveryCodesPayload { recovery_codes, errors }))
    }

    /// Begins to make a passkey: hand the options to `navigator.credentials.create()`, and what it answers to
    /// `finishPasskeyRegistration`, within five minutes.
    #[graphql(guard = "InPerson")]
    async fn start_passkey_registration(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to call it.")] input: StartPasskeyRegistrationInput,
    ) -> Result<Option<StartPasskeyRegistrationPayload>> {
        let StartPasskeyRegistrationInput { name, proof } = input;
        let outcome = service::start_registration(ctx.ctx()?, &name, proof.as_deref()).await;
        let (started, errors) = payload(outcome)?;
        let (challenge_id, options) = started.map(shown).unzip();
        Ok(Some(StartPasskeyRegistrationPayload { challenge_id, options, errors }))
    }

    /// Adds the passkey that the browser has made.
    #[graphql(guard = "InPerson")]
    async fn finish_passkey_registration(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What the browser answered.")] input: FinishPasskeyRegistrationInput,
    ) -> Result<Option<FinishPasskeyRegistrationPayload>> {
        let FinishPasskeyRegistrationInput { challenge_id, passkey } = input;
        let challenge_id = ids::decode_as(Kind::Challenge, &challenge_id);
        let outcome = service::finish_registration(ctx.ctx()?, challenge_id, passkey.0).await;
        let (passkey, errors) = payload(outcome)?;
        Ok(Some(FinishPasskeyRegistrationPayload { passkey: passkey.map(Passkey::from), errors }))
    }

    /// Removes one of your passkeys: it logs nobody in any more.
    #[graphql(guard = "InPerson")]
    async fn remove_passkey(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which one.")] input: RemovePasskeyInput,
    ) -> Result<Option<RemovePasskeyPayload>> {
        let RemovePasskeyInput { passkey_id, proof } = input;
        let id = ids::decode_as(Kind::Passkey, &passkey_id);
        let (removed, errors) = payload(service::remove(ctx.ctx()?, id, proof.as_deref()).await)?;
        let deleted_id = removed.map(|id| ids::encode(Kind::Passkey, id).into());
        Ok(Some(RemovePasskeyPayload { deleted_id, errors }))
    }
}

pub(in crate::domain::credentials::factors) fn shown(started: service::Started) -> (ID, Json) {
    let service::Started { challenge_id, options } = started;
    (ids::encode(Kind::Challenge, challenge_id).into(), Json(options))
}

/// What the app is to call the account.
#[derive(InputObject, Default)]
pub struct EnrollTotpInput {
    /// Shown in the app; your user name when it is left out.
    label: Option<String>,
    /// What `verifyOtp` gives for `STEP_UP`: needed once your last sign-in is older than 15 minutes.
    proof: Option<String>,
}

/// What to tell the authenticator app, in three forms.
#[derive(SimpleObject)]
pub struct EnrollTotpPayload {
    /// The secret in base32, to type in.
    secret: Option<String>,
    /// The same as an `otpauth://` address, to open on a phone.
    uri: Option<String>,
    /// The same as a QR code, to scan: an SVG document.
    qr_svg: Option<String>,
    /// What to mend; empty on success.
    errors: Vec<UserError>,
}

impl EnrollTotpPayload {
    fn new(enrolled: Option<Enrolled>, errors: Vec<UserError>) -> Self {
        match enrolled {
            None => Self { secret: None, uri: None, qr_svg: None, errors },
            Some(Enrolled { secret, uri, qr_svg }) => {
                Self { secret: Some(secret), uri: Some(uri), qr_svg: Some(qr_svg), errors }
            }
        }
    }
}

/// What the app shows.
#[derive(InputObject)]
pub struct ConfirmTotpInput {
    /// Six digits.
    code: String,
}

/// What became of it.
#[derive(SimpleObject)]
pub struct ConfirmTotpPayload {
    /// Ten codes, each of which stands in for the app once; empty when you have some already. They are shown this once.
    recovery_codes: Option<Vec<String>>,
    /// What to mend; empty on success.
    errors: Vec<UserError>,
}

/// That it is you: one of the two.
#[derive(InputObject)]
pub struct DisableTotpInput {
    /// Your current password.
    password: Option<String>,
    /// Or what `verifyOtp` gives for `STEP_UP`.
    proof: Option<String>,
}

/// What became of it.
#[derive(SimpleObject)]
pub struct DisableTotpPayload {
    /// You, as you are now.
    user: Option<User>,
    /// What to mend; empty on success.
    errors: Vec<UserError>,
}

/// That it is you: one of the two.
#[derive(InputObject)]
pub struct RegenerateRecoveryCodesInput {
    /// Your current password.
    password: Option<String>,
    /// Or what `verifyOtp` gives for `STEP_UP`.
    proof: Option<String>,
}

/// The new codes.
#[derive(SimpleObject)]
pub struct RegenerateRecoveryCodesPayload {
    /// Ten codes, each of which stands in for the app once. They are shown this once.
    recovery_codes: Option<Vec<String>>,
    /// What to mend; empty on success.
    errors: Vec<UserError>,
}

/// What to call the passkey.
#[derive(InputObject)]
pub struct StartPasskeyRegistrationInput {
    /// A name by which you know it again, such as that of the device.
    name: String,
    /// What `verifyOtp` gives for `STEP_UP`: needed once your last sign-in is older than 15 minutes.
    proof: Option<String>,
}

/// What the browser is to do.
#[derive(SimpleObject)]
pub struct StartPasskeyRegistrationPayload {
    /// To come back with.
    challenge_id: Option<ID>,
    /// For `navigator.credentials.create()`: `{ publicKey: … }`, with bytes as base64url.
    options: Option<Json>,
    /// What to mend; empty on success.
    errors: Vec<UserError>,
}

/// What the browser answered.
#[derive(InputObject)]
pub struct FinishPasskeyRegistrationInput {
    /// What `startPasskeyRegistration` gave.
    challenge_id: ID,
    /// The new credential as JSON, with bytes as base64url: what `toJSON()` makes of it.
    passkey: Json,
}

/// What became of it.
#[derive(SimpleObject)]
pub struct FinishPasskeyRegistrationPayload {
    /// The passkey.
    passkey: Option<Passkey>,
    /// What to mend; empty on success.
    errors: Vec<UserError>,
}

/// Which passkey to remove.
#[derive(InputObject)]
pub struct RemovePasskeyInput {
    /// The passkey.
    passkey_id: ID,
    /// What `verifyOtp` gives for `STEP_UP`: needed once your last sign-in is older than 15 minutes.
    proof: Option<String>,
}

/// What became of it.
#[derive(SimpleObject)]
pub struct RemovePasskeyPayload {
    /// The id that leads nowhere now.
    deleted_id: Option<ID>,
    /// What to mend; empty on success.
    errors: Vec<UserError>,
}
