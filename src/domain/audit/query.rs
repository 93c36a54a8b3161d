//! Asking for events.

use async_graphql::{Context, Object, Result};

use super::{
    service,
    types::{EventConnection, EventFilter},
};
use crate::{
    authz::Permission,
    graphql::{ContextExt, connection::wants_total, guard::Require},
    page::PageArgs,
};

#[derive(Default)]
pub struct AuditQuery;

#[Object(guard = "crate::graphql::guard::Closed")]
impl AuditQuery {
    /// The audit log, the newest first: everything that happened, or what happened within the organisations in which you
    /// read events.
    #[graphql(guard = "Require(Permission::EventRead)")]
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones; all when left out.")] filter: Option<EventFilter>,
        #[graphql(desc = "How many from the start: 20 when left out, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 100 at most.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Option<EventConnection>> {
        let filter = filter.map(service::EventFilter::from).unwrap_or_default();
        let page = service::list(ctx.ctx()?, &filter, &PageArgs { first, after, last, before }).await?;
        let total = if wants_total(ctx) { service::count(ctx.ctx()?, &filter).await? } else { 0 };
        Ok(Some(EventConnection::new(page, total)))
    }
}
