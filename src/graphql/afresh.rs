//! What is resolved for the caller as they are by now, and not as they were when the request began.
//!
//! async-graphql gives every item of a subscription the context in which the subscription began. Hours later the caller
//! may hold other grants: what is below an item must not be resolved with those of the beginning. And whoever logs in
//! began as nobody: what is below the answer is for whom they have proved to be.

use std::borrow::Cow;

use async_graphql::{
    ContextSelectionSet, Data, OutputType, Positioned, ServerResult, Value, parser::types::Field,
    registry::Registry,
};

use super::loader;
use crate::context::Ctx;

pub struct Afresh<T> {
    item: T,
    /// Asked before what the request brought.
    data: Data,
}

impl<T> Afresh<T> {
    pub fn new(ctx: Ctx, item: T) -> Self {
        let mut data = Data::default();
        data.insert(loader::new(ctx.clone()));
        data.insert(ctx);
        Self { item, data }
    }
}

impl<T: OutputType> OutputType for Afresh<T> {
    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        let mut ctx = ctx.clone();
        ctx.execute_data = Some(&self.data);
        self.item.resolve(&ctx, field).await
    }
}
