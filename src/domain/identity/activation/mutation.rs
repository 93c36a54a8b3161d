//! Opening and closing accounts, as GraphQL mutations.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};

use super::service::{self, Change};
use crate::{
    authz::Permission,
    bulk::Run,
    domain::identity::types::User,
    graphql::{
        ContextExt,
        errors::{UserError, payload},
        guard::Require,
    },
    ids::{self, Kind},
};

#[derive(Default)]
pub struct ActivationMutation;

#[Object(guard = "crate::graphql::guard::Closed")]
impl ActivationMutation {
    /// Opens accounts that were deactivated: all of them or none, a hundred at most. An account whose address is not
    /// proved yet is opened by its proof only.
    #[graphql(guard = "Require(Permission::UserActivate)")]
    async fn activate_users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose.")] input: ActivateUsersInput,
    ) -> Result<Option<ActivateUsersPayload>> {
        let ActivateUsersInput { user_ids, dry_run } = input;
        let (users, errors) = apply(ctx, Change::Activate, &user_ids, dry_run).await?;
        Ok(Some(ActivateUsersPayload { users, errors }))
    }

    /// Closes accounts: all of them or none, a hundred at most. Their sessions end at once. Nobody closes their own, nor
    /// the account of somebody who holds more, nor that of the last owner of an organisation.
    #[graphql(guard = "Require(Permission::UserActivate)")]
    async fn deactivate_users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose.")] input: DeactivateUsersInput,
    ) -> Result<Option<DeactivateUsersPayload>> {
        let DeactivateUsersInput { user_ids, dry_run } = input;
        let (users, errors) = apply(ctx, Change::Deactivate, &user_ids, dry_run).await?;
        Ok(Some(DeactivateUsersPayload { users, errors }))
    }
}

async fn apply(
    ctx: &Context<'_>,
    change: Change,
    user_ids: &[ID],
    dry_run: Option<bool>,
) -> Result<(Vec<Option<User>>, Vec<UserError>)> {
    let ids: Vec<_> = user_ids.iter().map(|id| ids::decode_as(Kind::User, id)).collect();
    let run = Run::unless_dry(dry_run);
    let (users, errors) = payload(service::apply(ctx.ctx()?, change, &ids, run).await)?;
    let users = users.unwrap_or_default().into_iter().map(|user| Some(User::in_full(user)));
    Ok((users.collect(), errors))
}

/// Which accounts to open.
#[derive(InputObject)]
pub struct ActivateUsersInput {
    /// The users.
    user_ids: Vec<ID>,
    /// Only says what would be wrong, and changes nothing.
    dry_run: Option<bool>,
}

/// What became of it.
#[derive(SimpleObject)]
pub struct ActivateUsersPayload {
    /// The users, in the order of the input; empty for a dry run, and when there is anything to mend.
    users: Vec<Option<User>>,
    /// What to mend, each with the path of its item; empty on success.
    errors: Vec<UserError>,
}

/// Which accounts to close.
#[derive(InputObject)]
pub struct DeactivateUsersInput {
    /// The users.
    user_ids: Vec<ID>,
    /// Only says what would be wrong, and changes nothing.
    dry_run: Option<bool>,
}

/// What became of it.
#[derive(SimpleObject)]
pub struct DeactivateUsersPayload {
    /// The users, in the order of the input; empty for a dry run, and when there is anything to mend.
    users: Vec<Option<User>>,
    /// What to mend, each with the path of its item; empty on success.
    errors: Vec<UserError>,
}
