//! Onboarding, as a GraphQL mutation.

use async_graphql::{Context, InputObject, Object, Result, SimpleObject};

use super::service::{self, Mails, NewUser, Past};
use crate::{
    authz::Permission,
    bulk::Run,
    domain::{identity::types::User, models::types::ModelInput},
    graphql::{
        ContextExt,
        errors::{UserError, payload},
        guard::Require,
        scalars::{EmailAddress, PhoneNumber},
    },
};

#[derive(Default)]
pub struct OnboardingMutation;

#[Object(guard = "crate::graphql::guard::Closed")]
impl OnboardingMutation {
    /// Makes accounts that are verified and active at once: all of them or none, a hundred at most. Whoever comes without
    /// a password, or its hash, is mailed a link to set one, good for seven days. Within an organisation you onboard into
    /// that one only, and you give no role that gives more than you hold there.
    #[graphql(guard = "Require(Permission::UserOnboard)")]
    async fn onboard_users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The accounts to make.")] input: OnboardUsersInput,
    ) -> Result<Option<OnboardUsersPayload>> {
        let OnboardUsersInput { users, dry_run } = input;
        let users = users.into_iter().map(NewUser::from).collect();
        let run = Run::unless_dry(dry_run);
        let (users, errors) = payload(service::onboard(ctx.ctx()?, run, Mails::Send, users).await)?;
        let users = users.unwrap_or_default().into_iter().map(|user| Some(User::in_full(user)));
        Ok(Some(OnboardUsersPayload { users: users.collect(), errors }))
    }
}

/// An account to make.
#[derive(InputObject)]
pub struct OnboardUserInput {
    /// The name to log in with.
    user_name: String,
    /// The address: it is in force at once, because you vouch for it. The word of an organisation's administrator counts
    /// within that organisation, and gives way to whoever proves the mailbox.
    email: Option<EmailAddress>,
    /// The phone number, in the international form: you vouch for it as for the address.
    phone: Option<PhoneNumber>,
    /// A password, as good as one that users choose for themselves.
    password: Option<String>,
    /// The hash of a password, taken over from another system: bcrypt (`$2a$`, `$2b$`, `$2y$`), or argon2id, scrypt or
    /// pbkdf2 in PHC form. Give this, or the password, or neither. Administrators of an organisation bring no hash that takes
    /// more than twice as long to verify as one of the service's own.
    password_hash: Option<String>,
    /// The name as people say it.
    name: Option<String>,
    /// The organisation to belong to. Without one, the roles hold on the whole platform.
    org_code: Option<String>,
    /// The roles to hold; none at all in an organisation means `MEMBER`.
    role_codes: Vec<String>,
    /// The language models to work with: one at most for each pair of languages.
    models: Option<Vec<ModelInput>>,
}

impl From<OnboardUserInput> for NewUser {
    fn from(input: OnboardUserInput) -> Self {
        let OnboardUserInput {
            user_name,
            email,
            phone,
            password,
            password_hash,
            name,
            org_code,
            role_codes,
            models,
        } = input;
        Self {
            user_name,
            email: email.map(|email| email.0),
            phone: phone.map(|phone| phone.0),
            password,
            password_hash,
            name,
            org_code,
            role_codes,
            models: models.unwrap_or_default().into_iter().map(Into::into).collect(),
            past: Past::default(),
        }
    }
}

/// Accounts to make.
#[derive(InputObject)]
pub struct OnboardUsersInput {
    /// The accounts, 100 at most: all of them, or none.
    users: Vec<OnboardUserInput>,
    /// Only says what would be wrong, and makes nothing.
    dry_run: Option<bool>,
}

/// What became of the accounts.
#[derive(SimpleObject)]
pub struct OnboardUsersPayload {
    /// The users, in the order of the input; empty for a dry run, and when there is anything to mend.
    users: Vec<Option<User>>,
    /// What to mend, each with the path of its item; empty on success.
    errors: Vec<UserError>,
}
