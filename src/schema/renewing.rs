//! Each mutation of a document is done for the caller as they are when its turn comes.
//!
//! One document can hold many mutations, and they run one after the other. What the first one ends (a session, an
//! account, a grant) or somebody else ends meanwhile is not there any more for the second.

use std::borrow::Cow;

use async_graphql::{
    ContainerType, Context, ContextSelectionSet, Data, ObjectType, OutputType, Positioned, ServerResult,
    Value, parser::types::Field, registry::Registry, resolver_utils::resolve_container,
};

use crate::{
    context::Ctx,
    domain::sessions::service as sessions,
    error::{Error, ErrorCode},
    graphql::{ContextExt as _, loader},
};

#[derive(Default)]
pub struct Renewing<T>(T);

impl<T: ContainerType + Sync> ContainerType for Renewing<T> {
    async fn resolve_field(&self, ctx: &Context<'_>) -> ServerResult<Option<Value>> {
        let here = |error: async_graphql::Error| error.into_server_error(ctx.item.pos);
        let now = renewed(ctx.ctx().map_err(here)?)
            .await
            .map_err(|error| ctx.set_error_path(here(error.into())))?;
        let mut data = Data::default();
        data.insert(loader::new(now.clone()));
        data.insert(now);
        let mut ctx = ctx.clone();
        // Asked before what the request brought.
        ctx.execute_data = Some(&data);
        self.0.resolve_field(&ctx).await
    }
}

async fn renewed(ctx: &Ctx) -> Result<Ctx, Error> {
    let over = || Error::refused(ErrorCode::Unauthenticated, "Your session has ended.");
    sessions::renewed(ctx).await?.ok_or_else(over)
}

impl<T: ContainerType + Sync> OutputType for Renewing<T> {
    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, _: &Positioned<Field>) -> ServerResult<Value> {
        resolve_container(ctx, self).await
    }
}

impl<T: ObjectType + Sync> ObjectType for Renewing<T> {}
