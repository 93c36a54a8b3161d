//! What is fetched ahead of the fields that will ask for it.
//!
//! A resolver that hands out objects looks at what is selected below them, and fetches each relation that is, for all of
//! them in one statement. The objects carry it; a field takes what is there, and asks the loader of the request for what
//! is not. So the loader's wait for others who might ask falls away where it is known who will ask.
//!
//! ```text
//! let ahead = Ahead::of(ctx, &below)
//!     .fetch("organization", ids().map(PrimaryOf))
//!     .fetch("roles", ids().map(RolesOf))
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

use async_graphql::{Context, Lookahead, Result, dataloader::Loader};
use futures_util::future::{BoxFuture, join_all};

use super::{
    ContextExt,
    loader::{self, Loads, SharedError},
};

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
        Fetching { ctx, below, fetches: Vec::new() }
    }
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
    fetches: Vec<Fetch<'a>>,
}

impl Fetching<'_> {
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
        if self.fetches.is_empty() {
            return Ahead::default();
        }
        Ahead(Some(Arc::new(join_all(self.fetches).await.into_iter().flatten().collect())))
    }
}
