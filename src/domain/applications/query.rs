//! Asking for applications.

use async_graphql::{Context, Object, Result};

use super::{service, types::ApplicationConnection};
use crate::{
    authz::Permission,
    graphql::{ContextExt, connection::wants_total, guard::Require},
    page::PageArgs,
};

#[derive(Default)]
pub struct ApplicationsQuery;

#[Object(guard = "crate::graphql::guard::Closed")]
impl ApplicationsQuery {
    /// The applications that share this service, by name: for those who may register some.
    #[graphql(guard = "Require(Permission::AppRegister)")]
    async fn applications(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the start: 20 when left out, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 100 at most.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Option<ApplicationConnection>> {
        let page = service::list(ctx.ctx()?, &PageArgs { first, after, last, before }).await?;
        let total = if wants_total(ctx) { service::count(ctx.ctx()?).await? } else { 0 };
        Ok(Some(ApplicationConnection::new(page, total)))
    }
}
