//! A field that is refused or fails becomes null, with an error at its path, and takes nothing else with it.
//!
//! async-graphql lets an error of a guard travel up past a nullable field: the check runs outside of the field's own
//! `Option`. [`Resilient`] wraps an object and stops the error at the field when the schema says that the field may be
//! null. It looks only when there is an error, so that a field that succeeds costs nothing more. (ADR 0008.)

use std::{borrow::Cow, ops::Deref};

use async_graphql::{
    ContainerType, Context, ContextSelectionSet, ObjectType, OutputType, Positioned, ServerResult, Value,
    parser::types::Field, registry::Registry,
};

use super::in_place;

/// An object whose nullable fields may fail alone.
#[derive(Clone, Debug, Default)]
pub struct Resilient<T>(pub T);

/// Interfaces ask the objects behind them for their fields.
impl<T> Deref for Resilient<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: ContainerType + Sync> ContainerType for Resilient<T> {
    async fn resolve_field(&self, ctx: &Context<'_>) -> ServerResult<Option<Value>> {
        match self.0.resolve_field(ctx).await {
            Err(error) if is_nullable::<T>(ctx) => {
                ctx.add_error(error);
                Ok(Some(Value::Null))
            }
            resolved => resolved,
        }
    }
}

fn is_nullable<T: OutputType>(ctx: &Context<'_>) -> bool {
    let registry = &ctx.schema_env.registry;
    let object = registry.types.get(T::type_name().as_ref());
    let field = object.and_then(|object| object.field_by_name(ctx.item.node.name.node.as_str()));
    field.is_some_and(|field| !field.ty.ends_with('!'))
}

impl<T: ContainerType + Sync> OutputType for Resilient<T> {
    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, _: &Positioned<Field>) -> ServerResult<Value> {
        Box::pin(in_place::resolve(ctx, self)).await
    }
}

impl<T: ObjectType + Sync> ObjectType for Resilient<T> {}
