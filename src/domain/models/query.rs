//! Asking for models.

use async_graphql::{Context, Object, Result};

use super::{
    service,
    types::{ModelConnection, ModelFilter},
};
use crate::{
    graphql::{ContextExt, connection::wants_total, guard::SignedIn},
    page::PageArgs,
};

#[derive(Default)]
pub struct ModelsQuery;

#[Object(guard = "crate::graphql::guard::Closed")]
impl ModelsQuery {
    /// The product's language models, by uuid.
    #[graphql(guard = "SignedIn")]
    async fn models(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones; all when left out.")] filter: Option<ModelFilter>,
        #[graphql(desc = "How many from the start: 20 when left out, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 100 at most.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Option<ModelConnection>> {
        let filter = filter.map(service::ModelFilter::from).unwrap_or_default();
        let page = service::list(ctx.ctx()?, &filter, &PageArgs { first, after, last, before }).await?;
        let total = if wants_total(ctx) { service::count(ctx.ctx()?, &filter).await? } else { 0 };
        Ok(Some(ModelConnection::new(page, total)))
    }
}
