//! Asking for organisations.

use async_graphql::{Context, Object, Result};

use super::{
    invitations::{self, types::Invitation},
    service,
    types::{Organization, OrganizationBy, OrganizationConnection, OrganizationFilter},
};
use crate::{
    graphql::{ContextExt, connection::wants_total, guard::Public},
    page::PageArgs,
};

#[derive(Default)]
pub struct OrgsQuery;

#[Object(guard = "crate::graphql::guard::Closed")]
impl OrgsQuery {
    /// One organisation, if you may see it: listed ones everybody may.
    #[graphql(guard = "Public")]
    async fn organization(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which one.")] by: OrganizationBy,
    ) -> Result<Option<Organization>> {
        let Some(by) = by.into_service() else {
            return Ok(None);
        };
        Ok(service::find(ctx.ctx()?, by).await?.map(Organization::from))
    }

    /// The invitation of a mailed link: whoever holds the link may read it. Asking uses nothing up.
    #[graphql(guard = "Public")]
    async fn invitation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What stands behind `token=` in the mailed link.")] token: String,
    ) -> Result<Option<Invitation>> {
        Ok(invitations::by_token(ctx.ctx()?, &token).await?.map(Invitation::from))
    }

    /// The organisations that you may see, by code.
    #[graphql(guard = "Public")]
    async fn organizations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones; all when left out.")] filter: Option<OrganizationFilter>,
        #[graphql(desc = "How many from the start: 20 when left out, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 100 at most.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Option<OrganizationConnection>> {
        let filter = filter.map(service::OrganizationFilter::from).unwrap_or_default();
        let page = service::list(ctx.ctx()?, &filter, &PageArgs { first, after, last, before }).await?;
        let total = if wants_total(ctx) { service::count(ctx.ctx()?, &filter).await? } else { 0 };
        Ok(Some(OrganizationConnection::new(page, total)))
    }
}
