//! What is fetched ahead of the fields that will ask for it.
//!
//! A resolver that hands out objects looks at what is selected below them, and says so to the service: which
//! [`columns`], and which relations in the same statement. Each other relation that is selected is fetched for all objects
//! in one statement. The objects carry it; a field takes what is there, and asks the loader of the request for what is not.
//! So the loader's wait for others who might ask falls away where it is known who will ask.
//!
//! ```text
//! let ahead = Ahead::of(ctx, &below)
//!     .take("roles", roles_that_came_with_the_rows)
//!     .fetch("models", ids().map(ModelsOf))
//!     .done().await;
//! … in the field `roles`: self.ahead.load(ctx, RolesOf(self.row.id)).await
//! ```

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    hash::Hash,
    sync::Arc,
};

use async_graphql::{Context, Lookahead, Result, SelectionField, dataloader::Loader};
use futures_util::future::{BoxFuture, join_all};
use sea_orm::EntityTrait;

use super::{
    ContextExt,
    loader::{self, Loads, SharedError},
};
use crate::columns::Columns;

/// What was found for each sort of key.
type Found = HashMap<TypeId, Box<dyn Any + Send + Sync>>;

/// Shared by all objects that were handed out together.
#[derive(Clone, Default)]
pub struct Ahead(Option<Arc<Found>>);

impl Ahead {
    /// What belongs to the key: what was fetched ahead, or else what the loader finds.
    pub async fn load<K>(&self, ctx: &Context<'_>, key: K) -> Result<Option<<Loads as Loader<K>>::Value>>
    where
        K: Send + Sync + Hash + Eq + Clone + 'static,
        Loads: Loader<K, Error = SharedError>,
        <Loads as Loader<K>>::Value: 'static,
    {
        let found = self.0.as_ref().and_then(|found| found.get(&TypeId::of::<K>()));
        match found.and_then(|found| found.downcast_ref::<HashMap<K, <Loads as Loader<K>>::Value>>()) {
            Some(found) => Ok(found.get(&key).cloned()),
            None => loader::load(ctx, key).await,
        }
    }

    /// Begins to fetch for objects, by what is selected below them.
    pub fn of<'a>(ctx: &'a Context<'_>, below: &'a Lookahead<'a>) -> Fetching<'a> {
        Fetching { ctx, below, taken: Found::new(), fetches: Vec::new() }
    }
}

/// The columns behind what is selected: those that the fields are named after, and those that `made_of` says. A field
/// that is neither may be made of anything; then all are fetched, so that what was forgotten is only slow.
pub fn columns<E: EntityTrait>(below: &Lookahead<'_>, made_of: &[(&str, &[E::Column])]) -> Columns<E> {
    let mut columns = Columns::only([]);
    for field in below.selection_fields().iter().flat_map(SelectionField::selection_set) {
        let name = field.name();
        if let Some((_, parts)) = made_of.iter().find(|(known, _)| *known == name) {
            parts.iter().for_each(|column| columns.add(*column));
        } else if let Ok(column) = name.parse::<E::Column>() {
            columns.add(column);
        } else if !name.starts_with("__") {
            return Columns::all();
        }
    }
    columns
}

impl fmt::Debug for Ahead {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Ahead")
    }
}

type Fetch<'a> = BoxFuture<'a, Option<(TypeId, Box<dyn Any + Send + Sync>)>>;

pub struct Fetching<'a> {
    ctx: &'a Context<'a>,
    below: &'a Lookahead<'a>,
    taken: Found,
    fetches: Vec<Fetch<'a>>,
}

impl Fetching<'_> {
    /// Takes what came with the objects if the field is selected: then what is not there, there is not.
    #[must_use]
    pub fn take<K>(
        mut self,
        field: &str,
        found: impl Iterator<Item = (K, <Loads as Loader<K>>::Value)>,
    ) -> Self
    where
        K: Send + Sync + Hash + Eq + Clone + 'static,
        Loads: Loader<K, Error = SharedError>,
        <Loads as Loader<K>>::Value: 'static,
    {
        if self.below.field(field).exists() {
            let mut taken = HashMap::with_capacity(found.size_hint().1.unwrap_or(0));
            taken.extend(found);
            self.taken.insert(TypeId::of::<K>(), Box::new(taken));
        }
        self
    }

    /// Fetches what belongs to the keys if the field is selected.
    #[must_use]
    pub fn fetch<K>(mut self, field: &str, keys: impl Iterator<Item = K>) -> Self
    where
        K: Send + Sync + Hash + Eq + Clone + 'static,
        Loads: Loader<K, Error = SharedError>,
        <Loads as Loader<K>>::Value: 'static,
    {
        let keys: Vec<K> = keys.collect();
        if !keys.is_empty() && self.below.field(field).exists() {
            let ctx = self.ctx;
            self.fetches.push(Box::pin(async move {
                let loads = Loads(ctx.ctx().ok()?.clone());
                // What fails here fails again at the field, and is told there.
                let found = loads.load(&keys).await.ok()?;
                Some((TypeId::of::<K>(), Box::new(found) as Box<dyn Any + Send + Sync>))
            }));
        }
        self
    }

    /// Waits for all of them at once.
    pub async fn done(self) -> Ahead {
        let mut found = self.taken;
        if !self.fetches.is_empty() {
            found.extend(join_all(self.fetches).await.into_iter().flatten());
        }
        Ahead((!found.is_empty()).then(|| Arc::new(found)))
    }
}
