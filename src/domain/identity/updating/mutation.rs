//! Changing users, as a GraphQL mutation.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result, SimpleObject};

use super::service::{self, UserChange};
use crate::{
    authz::Permission,
    bulk::Run,
    change::Change,
    domain::{identity::types::User, models::types::ModelInput},
    graphql::{
        ContextExt,
        errors::{UserError, payload},
        guard::Require,
        scalars::EmailAddress,
    },
    ids::{self, Kind},
};

#[derive(Default)]
pub struct UpdatingMutation;

#[Object(guard = "crate::graphql::guard::Closed")]
impl UpdatingMutation {
    /// Changes users, only in what is given; null clears. All of them or none, a hundred at most. You change nobody who
    /// holds more than you do, and within an organisation only those who are members there and nowhere else. What this
    /// takes away is felt within two seconds.
    #[graphql(guard = "Require(Permission::UserUpdate)")]
    async fn update_users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whom to change, and what.")] input: UpdateUsersInput,
    ) -> Result<Option<UpdateUsersPayload>> {
        let UpdateUsersInput { users, dry_run } = input;
        let changes = users.into_iter().map(UserChange::from).collect();
        let (users, errors) = payload(service::update(ctx.ctx()?, Run::unless_dry(dry_run), changes).await)?;
        let users = users.unwrap_or_default().into_iter().map(|user| Some(User::in_full(user)));
        Ok(Some(UpdateUsersPayload { users: users.collect(), errors }))
    }
}

/// What to change of one user.
#[derive(InputObject)]
pub struct UpdateUserInput {
    /// The user.
    id: ID,
    /// Another address: it counts as proved at once, because you vouch for it, and the old one is told. Your own is
    /// changed by `changeEmail`.
    email: MaybeUndefined<EmailAddress>,
    /// The name as people say it.
    name: MaybeUndefined<String>,
    /// The organisation to belong to in the first place. The membership in the one before ends, with all that was granted
    /// there; null ends it, too. Who joins without roles named is a `MEMBER`.
    org_code: MaybeUndefined<String>,
    /// The roles to hold in the primary organisation, or, for users without one, on the platform: these and no others there.
    role_codes: MaybeUndefined<Vec<String>>,
    /// The language models to work with: these and no others, one at most for each pair of languages.
    models: MaybeUndefined<Vec<ModelInput>>,
}

impl From<UpdateUserInput> for UserChange {
    fn from(input: UpdateUserInput) -> Self {
        let UpdateUserInput { id, email, name, org_code, role_codes, models } = input;
        let (email, models) = (Change::from(email), Change::from(models));
        Self {
            id: ids::decode_as(Kind::User, &id),
            email: email.map(|email| email.0),
            name: name.into(),
            org_code: org_code.into(),
            role_codes: role_codes.into(),
            models: models.map(|models: Vec<ModelInput>| models.into_iter().map(Into::into).collect()),
        }
    }
}

/// Users to change.
#[derive(InputObject)]
pub struct UpdateUsersInput {
    /// The users, 100 at most: all of them, or none.
    users: Vec<UpdateUserInput>,
    /// Only says what would be wrong, and changes nothing.
    dry_run: Option<bool>,
}

/// What became of the changes.
#[derive(SimpleObject)]
pub struct UpdateUsersPayload {
    /// The users, in the order of the input; empty for a dry run, and when there is anything to mend.
    users: Vec<Option<User>>,
    /// What to mend, each with the path of its item; empty on success.
    errors: Vec<UserError>,
}
