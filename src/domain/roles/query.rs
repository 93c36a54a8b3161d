//! Asking for roles.

use async_graphql::{Context, Object, Result};

use super::{service, types::Role};
use crate::graphql::{ContextExt, guard::SignedIn};

#[derive(Default)]
pub struct RolesQuery;

#[Object(guard = "crate::graphql::guard::Closed")]
impl RolesQuery {
    /// Every role there is, by code.
    #[graphql(guard = "SignedIn")]
    async fn roles(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only active ones, or only inactive ones; all when left out.")] active: Option<bool>,
    ) -> Result<Option<Vec<Role>>> {
        let roles = service::list(ctx.ctx()?, active).await?;
        Ok(Some(roles.into_iter().map(Role::from).collect()))
    }
}
