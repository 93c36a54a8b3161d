//! Resolves an object's fields where it stands.
//!
//! async-graphql puts each selected field into a box of its own, with room for the largest field of the object, so that all
//! of them can wait at once. Most have nothing to wait for: a column that is there already. So fields without a selection
//! of their own are resolved one after the other, in one and the same place; those that have one, and may have to fetch what
//! they select, wait side by side in boxes as before.

use async_graphql::{
    ContainerType, ContextSelectionSet, Name, Positioned, ServerResult, Value,
    indexmap::IndexMap,
    parser::types::{Field, Selection, SelectionSet},
    resolver_utils::resolve_container,
};
use futures_util::future::try_join_all;

/// Comes with each request whose fields nobody watches one by one: extensions see only what async-graphql resolves itself.
pub struct Unwatched;

pub async fn resolve<T>(ctx: &ContextSelectionSet<'_>, object: &T) -> ServerResult<Value>
where
    T: ContainerType + Sync,
{
    let mut fields = Vec::with_capacity(ctx.item.node.items.len());
    let of_object = collect(ctx, &ctx.item.node, &object.introspection_type_name(), &mut fields);
    // A place for each; where two fields share one, their answers have to be merged.
    let mut answer: IndexMap<Name, Value> = IndexMap::with_capacity(fields.len());
    let shared = |field: &&Positioned<Field>| {
        answer.insert(field.node.response_key().node.clone(), Value::Null).is_some()
    };
    if of_object.is_none() || ctx.data_opt::<Unwatched>().is_none() || fields.iter().any(shared) {
        return Box::pin(resolve_container(ctx, object)).await;
    }
    let mut waiting = Vec::new();
    for (place, field) in fields.into_iter().enumerate() {
        if field.node.selection_set.node.items.is_empty() {
            let resolved = one(ctx, object, field).await?;
            answer[place] = resolved;
        } else {
            waiting.push(Box::pin(async move {
                let resolved = one(ctx, object, field).await?;
                ServerResult::Ok((place, resolved))
            }));
        }
    }
    for (place, resolved) in try_join_all(waiting).await? {
        answer[place] = resolved;
    }
    Ok(Value::Object(answer))
}

async fn one<T>(ctx: &ContextSelectionSet<'_>, object: &T, field: &Positioned<Field>) -> ServerResult<Value>
where
    T: ContainerType + Sync,
{
    if field.node.name.node == "__typename" {
        return Ok(Value::String(object.introspection_type_name().into_owned()));
    }
    let ctx = ctx.with_field(field);
    Ok(object.resolve_field(&ctx).await?.unwrap_or_default())
}

/// The fields that are selected of an object of this type, in their order; `None` for a fragment that nobody knows.
fn collect<'a>(
    ctx: &ContextSelectionSet<'a>,
    selected: &'a SelectionSet,
    kind: &str,
    fields: &mut Vec<&'a Positioned<Field>>,
) -> Option<()> {
    for selection in &selected.items {
        let (condition, below) = match &selection.node {
            Selection::Field(field) => {
                fields.push(field);
                continue;
            }
            Selection::FragmentSpread(spread) => {
                let fragment = ctx.query_env.fragments.get(&spread.node.fragment_name.node)?;
                (Some(&fragment.node.type_condition), &fragment.node.selection_set)
            }
            Selection::InlineFragment(fragment) => {
                (fragment.node.type_condition.as_ref(), &fragment.node.selection_set)
            }
        };
        let is_meant = condition.is_none_or(|condition| {
            let condition = condition.node.on.node.as_str();
            let interfaces = || ctx.schema_env.registry.implements.get(kind);
            condition == kind || interfaces().is_some_and(|all| all.contains(condition))
        });
        if is_meant {
            collect(ctx, &below.node, kind, fields)?;
        }
    }
    Some(())
}
