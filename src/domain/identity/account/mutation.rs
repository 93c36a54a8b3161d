//! What people do to their own account, as GraphQL mutations.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result, SimpleObject};

use super::service::{self, NewEmail, NewPhone, Profile};
use crate::{
    change::Change,
    domain::identity::{mutation::Delivery, types::User},
    graphql::{
        ContextExt,
        errors::{UserError, payload},
        guard::{InPerson, Public},
        scalars::{EmailAddress, Json, Locale, PhoneNumber, Url},
    },
    ids::{self, Kind},
};

#[derive(Default)]
pub struct AccountMutation;

#[Object(guard = "crate::graphql::guard::Closed")]
impl AccountMutation {
    /// Sends another mail with a new link and code; the old ones are good for nothing then. The answer is the same
    /// whether or not the account exists, and whether or not it is verified.
    #[graphql(guard = "Public")]
    async fn resend_verification(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose address to verify.")] input: ResendVerificationInput,
    ) -> Result<Option<ResendVerificationPayload>> {
        let ResendVerificationInput { identifier } = input;
        let (delivery, errors) = payload(service::resend(ctx.ctx()?, &identifier).await)?;
        Ok(Some(ResendVerificationPayload { delivery: delivery.map(Delivery::from), errors }))
    }

    /// Changes what you say about yourself: only what is given; null clears.
    #[graphql(guard = "InPerson")]
    async fn update_profile(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdateProfileInput,
    ) -> Result<Option<UpdateProfilePayload>> {
        let (user, errors) = payload(service::update_profile(ctx.ctx()?, input.into()).await)?;
        Ok(Some(UpdateProfilePayload { user: user.map(User::in_full), errors }))
    }

    /// Asks for another address. A mail goes there, with a link and a code that `verifyUser` takes; until then nothing
    /// changes, and then the old address is told. The answer does not tell whether the address is somebody's.
    #[graphql(guard = "InPerson")]
    async fn change_email(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new address, and your password.")] input: ChangeEmailInput,
    ) -> Result<Option<ChangeEmailPayload>> {
        let (delivery, errors) = payload(service::change_email(ctx.ctx()?, input.into()).await)?;
        Ok(Some(ChangeEmailPayload { delivery: delivery.map(Delivery::from), errors }))
    }

    /// Asks for another phone number. A text message goes there, with a code that `verifyOtp` takes for `VERIFY_PHONE`;
    /// until then nothing changes. The answer does not tell whether the number is somebody's.
    #[graphql(guard = "InPerson")]
    async fn change_phone(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new number, and your password or a proof.")] input: ChangePhoneInput,
    ) -> Result<Option<ChangePhonePayload>> {
        let (delivery, errors) = payload(service::change_phone(ctx.ctx()?, input.into()).await)?;
        Ok(Some(ChangePhonePayload { delivery: delivery.map(Delivery::from), errors }))
    }

    /// Erases an account for good: your own, or one in reach of your `user.delete`. All that is personal goes; of what
    /// happened the ids and types stay. Its sessions end at once. When you signed in more than 15 minutes ago, it needs a
    /// proof.
    #[graphql(guard = "InPerson")]
    async fn delete_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whom to erase.")] input: DeleteUserInput,
    ) -> Result<Option<DeleteUserPayload>> {
        let DeleteUserInput { user_id, proof } = input;
        let id = ids::decode_as(Kind::User, &user_id);
        let (deleted, errors) = payload(service::delete_user(ctx.ctx()?, id, proof.as_deref()).await)?;
        let deleted_id = deleted.map(|id| ids::encode(Kind::User, id).into());
        Ok(Some(DeleteUserPayload { deleted_id, errors }))
    }

    /// Everything that is held about you, as JSON. Never what would open your account. When you signed in more than 15
    /// minutes ago, it needs a proof.
    #[graphql(guard = "InPerson")]
    async fn export_my_data(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What shows that it is you.")] input: Option<ExportMyDataInput>,
    ) -> Result<Option<ExportMyDataPayload>> {
        let ExportMyDataInput { proof } = input.unwrap_or_default();
        let (data, errors) = payload(service::export_my_data(ctx.ctx()?, proof.as_deref()).await)?;
        Ok(Some(ExportMyDataPayload { data: data.map(Json), errors }))
    }
}

/// Whose address to verify.
#[derive(InputObject)]
pub struct ResendVerificationInput {
    /// The address, or the user name.
    identifier: String,
}

/// What became of the request.
#[derive(SimpleObject)]
pub struct ResendVerificationPayload {
    /// What is sent, and where, if there is such an account.
    delivery: Option<Delivery>,
    /// What to mend; empty on success.
    errors: Vec<UserError>,
}

/// What to change about yourself. What is left out stays; null clears.
#[derive(InputObject)]
pub struct UpdateProfileInput {
    /// The name as people say it.
    name: MaybeUndefined<String>,
    /// The given name.
    given_name: MaybeUndefined<String>,
    /// The family name.
    family_name: MaybeUndefined<String>,
    /// The gender, in your own words.
    gender: MaybeUndefined<String>,
    /// The language that you want to be addressed in.
    locale: MaybeUndefined<Locale>,
    /// A picture of you on the web.
    avatar_url: MaybeUndefined<Url>,
}

impl From<UpdateProfileInput> for Profile {
    fn from(input: UpdateProfileInput) -> Self {
        let UpdateProfileInput { name, given_name, family_name, gender, locale, avatar_url } = input;
        Self {
            name: name.into(),
            given_name: given_name.into(),
            family_name: family_name.into(),
            gender: gender.into(),
            locale: Change::from(locale).map(|locale| locale.0),
            avatar_url: Change::from(avatar_url).map(|url| url.0),
        }
    }
}

/// What became of the change.
#[derive(SimpleObject)]
pub struct UpdateProfilePayload {
    /// You, as you are now.
    user: Option<User>,
    /// What to mend; empty on success.
    errors: Vec<UserError>,
}

/// The new address, and your password.
#[derive(InputObject)]
pub struct ChangeEmailInput {
    /// The address that is to be yours.
    new_email: EmailAddress,
    /// Your current password.
    password: Option<String>,
    /// Or a proof, as `verifyOtp` gives for `STEP_UP`.
    proof: Option<String>,
}

impl From<ChangeEmailInput> for NewEmail {
    fn from(input: ChangeEmailInput) -> Self {
        let ChangeEmailInput { new_email, password, proof } = input;
        Self { new_email: new_email.0, password, proof }
    }
}

/// The new number, and your password or a proof.
#[derive(InputObject)]
pub struct ChangePhoneInput {
    /// The number that is to be yours, in the international form.
    new_phone: PhoneNumber,
    /// Your current password.
    password: Option<String>,
    /// Or a proof, as `verifyOtp` gives for `STEP_UP`.
    proof: Option<String>,
}

impl From<ChangePhoneInput> for NewPhone {
    fn from(input: ChangePhoneInput) -> Self {
        let ChangePhoneInput { new_phone, password, proof } = input;
        Self { new_phone: new_phone.0, password, proof }
    }
}

/// What became of the request.
#[derive(SimpleObject)]
pub struct ChangePhonePayload {
    /// What was sent, and where.
    delivery: Option<Delivery>,
    /// What to mend; empty on success.
    errors: Vec<UserError>,
}

/// What became of the request.
#[derive(SimpleObject)]
pub struct ChangeEmailPayload {
    /// What was sent, and where.
    delivery: Option<Delivery>,
    /// What to mend; empty on success.
    errors: Vec<UserError>,
}

/// Whom to erase.
#[derive(InputObject)]
pub struct DeleteUserInput {
    /// The user.
    user_id: ID,
    /// What `verifyOtp` gave for `STEP_UP`.
    proof: Option<String>,
}

/// What shows that it is you.
#[derive(InputObject, Default)]
pub struct ExportMyDataInput {
    /// What `verifyOtp` gave for `STEP_UP`.
    proof: Option<String>,
}

/// What became of it.
#[derive(SimpleObject)]
pub struct DeleteUserPayload {
    /// The id that leads nowhere now.
    deleted_id: Option<ID>,
    /// What to mend; empty on success.
    errors: Vec<UserError>,
}

/// What is held about you.
#[derive(SimpleObject)]
pub struct ExportMyDataPayload {
    /// Your profile, memberships, roles, models, sessions, codes, messages and events.
    data: Option<Json>,
    /// What to mend; empty on success.
    errors: Vec<UserError>,
}
