//! The kit that the rooms build their GraphQL from. It knows no room: guards, errors, connections, scalars, limits.

pub mod afresh;
pub mod ahead;
pub mod connection;
pub mod documents;
pub mod errors;
pub mod guard;
pub mod in_place;
pub mod limits;
pub mod loader;
pub mod resilient;
pub mod scalars;
pub mod scan;
pub mod tracing;
pub mod written;

use async_graphql::Context;

use crate::context::Ctx;

/// The request's context, as every resolver takes it.
pub trait ContextExt<'a> {
    fn ctx(&self) -> async_graphql::Result<&'a Ctx>;
}

impl<'a> ContextExt<'a> for Context<'a> {
    fn ctx(&self) -> async_graphql::Result<&'a Ctx> {
        self.data::<Ctx>()
    }
}
