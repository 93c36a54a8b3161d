//! Following events.

use async_graphql::{Context, Result, Subscription};
use futures_util::{Stream, stream};

use super::{
    following, service,
    types::{Event, EventFilter},
};
use crate::{
    authz::Permission,
    error::Error,
    graphql::{ContextExt, afresh::Afresh, guard::Require},
};

#[derive(Default)]
pub struct AuditSubscription;

#[Subscription(guard = "crate::graphql::guard::Closed")]
impl AuditSubscription {
    /// Everything that happens from now on, as it happens: all of it, or what happens within the organisations in which
    /// you read events. It ends when your token or your session does, when you may read events no longer, or when you
    /// take them too slowly.
    #[graphql(guard = "Require(Permission::EventRead)")]
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones; all when left out.")] filter: Option<EventFilter>,
    ) -> Result<impl Stream<Item = Result<Afresh<Event>>> + use<>> {
        let filter = filter.map(service::EventFilter::from).unwrap_or_default();
        let following = following::follow(ctx.ctx()?, &filter).await?;
        Ok(stream::unfold(following, |mut following| async {
            let next = following.next().await?;
            let shown = next.map(|(ctx, recorded)| Afresh::new(ctx, Event::from(&*recorded)));
            Some((shown.map_err(Error::into), following))
        }))
    }
}
