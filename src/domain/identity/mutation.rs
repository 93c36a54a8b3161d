//! Registering and verifying, as GraphQL mutations.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};

use super::{
    service::{self, Confirmation, Proof, Registered, Verified},
    types::User,
};
use crate::{
    domain::orgs::service::Wish,
    error::{Error, Fault},
    graphql::{
        ContextExt,
        afresh::Afresh,
        errors::{UserError, payload},
        guard::Public,
        scalars::{DateTime, EmailAddress, Locale, PhoneNumber},
    },
};

#[derive(Default)]
pub struct IdentityMutation;

#[Object(guard = "crate::graphql::guard::Closed")]
impl IdentityMutation {
    /// Opens an account. A mail goes to the address, with a link and a code that `verifyUser` takes. The answer is the
    /// same whether or not the address is known.
    #[graphql(guard = "Public")]
    async fn register_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who registers.")] input: RegisterUserInput,
    ) -> Result<Option<RegisterUserPayload>> {
        let (registered, errors) = payload(service::register(ctx.ctx()?, input.into()).await)?;
        let (delivery, registration_token) =
            registered.map(|Registered { delivery, token }| (Delivery::from(delivery), token)).unzip();
        Ok(Some(RegisterUserPayload { delivery, registration_token, errors }))
    }

    /// Opens several accounts at once, all of them or none: ten at most for whoever is not signed in, else a hundred. As
    /// with `registerUser`, the answer does not tell whose address is known. There is no `registrationToken` here: each is
    /// confirmed with its password.
    #[graphql(guard = "Public")]
    async fn register_users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who registers.")] input: RegisterUsersInput,
    ) -> Result<Option<RegisterUsersPayload>> {
        let RegisterUsersInput { users } = input;
        let registrations = users.into_iter().map(service::Registration::from).collect();
        let (deliveries, errors) = payload(service::register_many(ctx.ctx()?, registrations).await)?;
        let deliveries = deliveries.unwrap_or_default().into_iter().map(|delivery| Some(delivery.into()));
        Ok(Some(RegisterUsersPayload { deliveries: deliveries.collect(), errors }))
    }

    /// Proves the address with what the mail brought, and activates the account. It does not prove who chose the password:
    /// what was chosen at the registration (password, number, organisations to join) stays if the `registrationToken` or the
    /// password of that registration is shown. Otherwise it is dropped, and `passwordToken` sets a password.
    #[graphql(guard = "Public")]
    async fn verify_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The token of the link, or the user name and the code.")] input: VerifyUserInput,
    ) -> Result<Option<VerifyUserPayload>> {
        let outcome = match input.into_proof() {
            Ok((proof, confirmation)) => service::verify(ctx.ctx()?, proof, confirmation).await,
            Err(fault) => Err(Error::from(fault)),
        };
        let (verified, errors) = payload(outcome)?;
        let (user, password_token) =
            verified.map(|Verified { user, password_token }| (user, password_token)).unzip();
        let user = User::themselves(ctx, user).await?;
        Ok(Some(VerifyUserPayload { user, password_token: password_token.flatten(), errors }))
    }
}

/// Who registers.
#[derive(InputObject)]
pub struct RegisterUserInput {
    /// The name to log in with; one is made up when it is left out.
    user_name: Option<String>,
    /// The address to prove.
    email: Option<EmailAddress>,
    /// A phone number in the international form. It counts once you are logged in and show a code that was sent there.
    phone: Option<PhoneNumber>,
    /// 8 characters or more, 72 bytes at most; common ones are refused.
    password: String,
    /// The name as people say it.
    name: Option<String>,
    /// The given name.
    given_name: Option<String>,
    /// The family name.
    family_name: Option<String>,
    /// The gender, in the user's own words.
    gender: Option<String>,
    /// The language that the user wants to be addressed in.
    locale: Option<Locale>,
    /// The application that the user registers with; when it is left out, the one that the header `x-application-id` names,
    /// or else the default one.
    application_id: Option<ID>,
    /// The organisation to join as `MEMBER`, once the address is proved: one that everybody may join when registering.
    org_code: Option<String>,
    /// Roles to hold there, of those that everybody may ask for.
    role_codes: Option<Vec<String>>,
    /// What stands behind `token=` in a mailed invitation to this address: it is accepted once the address is proved.
    invitation_token: Option<String>,
}

impl From<RegisterUserInput> for service::Registration {
    fn from(input: RegisterUserInput) -> Self {
        let RegisterUserInput {
            user_name,
            email,
            phone,
            password,
            name,
            given_name,
            family_name,
            gender,
            locale,
            application_id,
            org_code,
            role_codes,
            invitation_token,
        } = input;
        Self {
            user_name,
            email: email.map(|email| email.0),
            phone: phone.map(|phone| phone.0),
            password,
            name,
            given_name,
            family_name,
            gender,
            locale: locale.map(|locale| locale.0),
            application_id: application_id.map(|id| id.0),
            wish: Wish { org_code, role_codes, invitation_token },
        }
    }
}

/// What became of the registration.
#[derive(SimpleObject)]
pub struct RegisterUserPayload {
    /// What was sent, and where.
    delivery: Option<Delivery>,
    /// Keep it until the address is proved: shown to `verifyUser`, it tells that the registration was yours, and what you chose
    /// here stays. It is given whether or not the address is known.
    registration_token: Option<String>,
    /// What to mend; empty on success.
    errors: Vec<UserError>,
}

/// Who registers, together.
#[derive(InputObject)]
pub struct RegisterUsersInput {
    /// All of them are registered, or none.
    users: Vec<RegisterUserInput>,
}

/// What became of the registrations.
#[derive(SimpleObject)]
pub struct RegisterUsersPayload {
    /// What was sent, in the order of the input; empty when there is anything to mend.
    deliveries: Vec<Option<Delivery>>,
    /// What to mend, each with the path of its item; empty on success.
    errors: Vec<UserError>,
}

/// What was sent, and where: the same answer whether or not the account exists.
#[derive(SimpleObject)]
pub struct Delivery {
    /// The way that it took.
    channel: NotificationChannel,
    /// The address or the number, masked; null when a user name was given.
    destination: Option<String>,
    /// When the code runs out.
    expires_at: DateTime,
    /// How long to wait before asking for another.
    retry_after_seconds: u64,
}

impl From<service::Delivery> for Delivery {
    fn from(delivery: service::Delivery) -> Self {
        let service::Delivery { channel, destination, expires_at, retry_after } = delivery;
        Self {
            channel: channel.into(),
            destination,
            expires_at: DateTime(expires_at),
            retry_after_seconds: retry_after.as_secs(),
        }
    }
}

/// The way that a message takes to a person.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "entity::Channel")]
pub enum NotificationChannel {
    /// A mail.
    Email,
    /// A text message.
    Sms,
}

/// The token of the link, or the user name together with the code; and what shows that the registration was one's own. A
/// wrong one of these uses up neither the token nor the code. At the proof of a changed address they mean nothing.
#[derive(InputObject)]
pub struct VerifyUserInput {
    /// What stands behind `token=` in the mailed link.
    token: Option<String>,
    /// The user name that the mail names.
    user_name: Option<String>,
    /// The six digits of the mail.
    code: Option<String>,
    /// What `registerUser` answered.
    registration_token: Option<String>,
    /// Or the password that was chosen at the registration.
    password: Option<String>,
}

impl VerifyUserInput {
    fn into_proof(self) -> std::result::Result<(Proof, Confirmation), Fault> {
        let Self { token, user_name, code, registration_token, password } = self;
        let proof = match (token, user_name, code) {
            (Some(token), None, None) => Ok(Proof::Token(token)),
            (None, Some(user_name), Some(code)) => Ok(Proof::Code { user_name, code }),
            (None, None, Some(_)) => {
                Err(Fault::required("userName", "The code needs the user name that the mail names."))
            }
            (None, Some(_), None) => {
                Err(Fault::required("code", "The user name needs the code of the mail."))
            }
            (None, None, None) => {
                Err(Fault::required("token", "Give the token of the link, or the user name and the code."))
            }
            (Some(_), ..) => {
                Err(Fault::invalid("token", "Give the token, or the user name and the code, not both."))
            }
        };
        Ok((proof?, Confirmation::Shown { registration_token, password }))
    }
}

/// What became of the verification.
#[derive(SimpleObject)]
pub struct VerifyUserPayload {
    /// The user, active now, as they see themselves.
    user: Option<Afresh<User>>,
    /// Where the password was dropped, because nothing showed who chose it: `resetPassword` takes this for an hour, in place
    /// of a mailed token. Null where it stayed.
    password_token: Option<String>,
    /// What to mend; empty on success.
    errors: Vec<UserError>,
}
