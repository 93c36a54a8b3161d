//! Asking for users.

use async_graphql::{Context, Object, Result};
use sea_orm::Order;

use super::{
    service::{self, UserOrderField},
    types::{User, UserBy, UserConnection, UserFilter, UserOrder},
};
use crate::{
    authz::Permission,
    graphql::{
        ContextExt,
        connection::wants_total,
        guard::{Public, Require},
    },
    page::PageArgs,
};

#[derive(Default)]
pub struct IdentityQuery;

#[Object(guard = "crate::graphql::guard::Closed")]
impl IdentityQuery {
    /// Who you are; null when you are not signed in.
    #[graphql(guard = "Public")]
    async fn me(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        let Some(id) = ctx.ctx()?.actor.user_id() else {
            return Ok(None);
        };
        let below = ctx.look_ahead();
        let found = service::find(ctx.ctx()?, service::UserBy::Id(id), User::look(&below)).await?;
        Ok(User::all_in_full(ctx, &below, found).await.pop())
    }

    /// One user, if you may see them: yourself, and the users in reach of your `user.read`.
    #[graphql(guard = "Public")]
    async fn user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which one.")] by: UserBy,
    ) -> Result<Option<User>> {
        let Some(by) = by.into_service() else {
            return Ok(None);
        };
        let below = ctx.look_ahead();
        let found = service::find(ctx.ctx()?, by, User::look(&below)).await?;
        Ok(User::all_in_full(ctx, &below, found).await.pop())
    }

    /// The users in reach of your `user.read`: all of them, or those of your organisations.
    #[graphql(guard = "Require(Permission::UserRead)")]
    #[expect(clippy::too_many_arguments, reason = "the arguments of a Relay list")]
    async fn users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones; all when left out.")] filter: Option<UserFilter>,
        #[graphql(desc = "In which order; the newest first when left out.")] order_by: Option<UserOrder>,
        #[graphql(desc = "How many from the start: 20 when left out, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 100 at most.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Option<UserConnection>> {
        let newest_first = service::UserOrder { field: UserOrderField::CreatedAt, order: Order::Desc };
        let filter = filter.map(service::UserFilter::from).unwrap_or_default();
        let order = order_by.map_or(newest_first, service::UserOrder::from);
        let page = PageArgs { first, after, last, before };
        let page = service::list(ctx.ctx()?, &filter, &order, &page, UserConnection::look(ctx)).await?;
        let total = if wants_total(ctx) { service::count(ctx.ctx()?, &filter).await? } else { 0 };
        Ok(Some(UserConnection::new(ctx, page, total).await))
    }
}
