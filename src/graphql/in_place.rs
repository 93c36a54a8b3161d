//! Resolves an object's fields, and a list's items, where they stand.
//!
//! async-graphql puts each selected field into a box of its own, with room for the largest field of the object, so that all
//! of them can wait at once; and each item of a list, too. Most have nothing to wait for: a column that is there already. So
//! fields without a selection of their own are resolved one after the other, in one and the same place. Those that have one,
//! and items of lists, begin one after the other as well; those that then have to wait do so side by side. What they come to is
//! written at once, as it will stand in the answer.

use std::{
    borrow::Cow,
    collections::HashSet,
    mem,
    pin::Pin,
    task::{Context as Waker, Poll},
};

use async_graphql::{
    ContainerType, ContextSelectionSet, OutputType, Positioned, ServerResult, Value,
    parser::types::{Field, Selection, SelectionSet},
    registry::Registry,
    resolver_utils::resolve_container,
};
use futures_util::future::{OptionFuture, poll_fn, try_join_all};

use super::{documents::places::Places, written::Draft};

/// Comes with each request whose fields nobody watches one by one (extensions see only what async-graphql resolves itself),
/// and whose objects can be written at once.
pub struct Unwatched {
    /// Some fields without a selection stand twice where one is meant.
    repeated: bool,
}

impl Unwatched {
    /// Nothing where objects have to be put together before they can be written: async-graphql does that.
    pub fn of(places: Places) -> Option<Self> {
        (places < Places::Merged).then_some(Self { repeated: places == Places::Repeated })
    }
}

pub async fn resolve<T>(ctx: &ContextSelectionSet<'_>, object: &T) -> ServerResult<Value>
where
    T: ContainerType + Sync,
{
    let Some(Unwatched { repeated }) = ctx.data_opt() else {
        return Box::pin(resolve_container(ctx, object)).await;
    };
    // What stands in a fragment is one of its items, and many fields.
    let mut fields = Vec::with_capacity(ctx.item.node.items.len().max(8));
    if collect(ctx, &ctx.item.node, &object.introspection_type_name(), &mut fields).is_none() {
        return Box::pin(resolve_container(ctx, object)).await;
    }
    if *repeated {
        let mut known = HashSet::new();
        fields.retain(|field| known.insert(field.node.response_key().node.as_str()));
    }
    let mut draft = Draft::object(fields.len());
    let mut waiting = Vec::new();
    let last = fields.len().saturating_sub(1);
    for (place, field) in fields.into_iter().enumerate() {
        draft.field(&field.node.response_key().node);
        // While others wait, nobody waits here: they would not be looked after.
        if waiting.is_empty() && (place == last || field.node.selection_set.node.items.is_empty()) {
            draft.put(&one(ctx, object, field).await?)?;
            continue;
        }
        match Place::default().begin(one(ctx, object, field)).await {
            Ok(resolved) => draft.put(&resolved?)?,
            Err(waits) => {
                draft.leave();
                waiting.push(waits);
            }
        }
    }
    draft.close(all(waiting).await?)
}

/// A list whose items are resolved in place.
pub struct List<T>(pub Vec<T>);

impl<T: OutputType> OutputType for List<T> {
    fn type_name() -> Cow<'static, str> {
        Vec::<T>::type_name()
    }

    fn qualified_type_name() -> String {
        Vec::<T>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        Vec::<T>::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        if ctx.data_opt::<Unwatched>().is_none() {
            return Box::pin(self.0.resolve(ctx, field)).await;
        }
        Box::pin(items(ctx, field, &self.0)).await
    }
}

async fn items<T: OutputType>(
    ctx: &ContextSelectionSet<'_>,
    field: &Positioned<Field>,
    items: &[T],
) -> ServerResult<Value> {
    let mut draft = Draft::list();
    let (mut here, mut waiting) = (Place::default(), Vec::new());
    for (place, item) in items.iter().enumerate() {
        let of_item = async move {
            let ctx = ctx.with_index(place);
            item.resolve(&ctx, field).await.map_err(|error| ctx.set_error_path(error))
        };
        draft.next();
        match here.begin(of_item).await {
            Ok(resolved) => draft.put(&resolved?)?,
            Err(waits) => {
                draft.leave();
                waiting.push(waits);
            }
        }
        if place == 0 {
            draft.more(items.len());
        }
    }
    draft.close(all(waiting).await?)
}

/// Where futures begin one after the other: memory that was used just now is the fastest.
struct Place<F: Future>(Pin<Box<OptionFuture<F>>>);

impl<F: Future> Default for Place<F> {
    fn default() -> Self {
        Self(Box::pin(None.into()))
    }
}

impl<F: Future> Place<F> {
    /// What it comes to if it need not wait. If it has to, it keeps the place, and the next one gets another.
    async fn begin(&mut self, whole: F) -> Result<F::Output, Pin<Box<OptionFuture<F>>>> {
        self.0.as_mut().set(Some(whole).into());
        match poll_fn(|waker: &mut Waker<'_>| Poll::Ready(self.0.as_mut().poll(waker))).await {
            Poll::Ready(Some(resolved)) => Ok(resolved),
            _ => Err(mem::take(self).0),
        }
    }
}

/// Those that wait, side by side.
async fn all<F>(waiting: Vec<Pin<Box<OptionFuture<F>>>>) -> ServerResult<Vec<Value>>
where
    F: Future<Output = ServerResult<Value>>,
{
    if waiting.is_empty() {
        return Ok(Vec::new());
    }
    let resolved =
        |waits: Pin<Box<OptionFuture<F>>>| async { Ok(waits.await.transpose()?.unwrap_or_default()) };
    Box::pin(try_join_all(waiting.into_iter().map(resolved))).await
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
