//! What people do to their own account, as GraphQL mutations.

use async_graphql::{Context, InputObject, MaybeUndefined, Object, Result, SimpleObject};

use super::service::{self, Profile};
use crate::{
    domain::identity::{mutation::Delivery, types::User},
    graphql::{
        ContextExt, change,
        errors::{UserError, payload},
        guard::{Public, SignedIn},
        scalars::{Locale, Url},
    },
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
    #[graphql(guard = "SignedIn")]
    async fn update_profile(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdateProfileInput,
    ) -> Result<Option<UpdateProfilePayload>> {
        let (user, errors) = payload(service::update_profile(ctx.ctx()?, input.into()).await)?;
        Ok(Some(UpdateProfilePayload { user: user.map(User::in_full), errors }))
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
            name: change::of(name),
            given_name: change::of(given_name),
            family_name: change::of(family_name),
            gender: change::of(gender),
            locale: change::of(locale).map(|locale| locale.0),
            avatar_url: change::of(avatar_url).map(|url| url.0),
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
