//! The loader of a request: fields that look something up for one object are answered for all objects at once.
//!
//! One per request, never one for all: a shared loader spins under load, and would mix what different callers may
//! see. Rooms teach it their keys in their `loaders.rs`.

use std::sync::{Arc, OnceLock};

use async_graphql::{
    Context,
    dataloader::{DataLoader, Loader},
    runtime::{TokioSpawner, TokioTimer},
};
use std::hash::Hash;

use crate::{context::Ctx, error::Error};

/// What loads: the caller's context.
pub struct Loads(pub Ctx);

/// Made when the first field asks: most requests are answered by what was fetched ahead.
pub struct RequestLoader {
    ctx: Ctx,
    loads: OnceLock<DataLoader<Loads>>,
}

impl RequestLoader {
    fn get(&self) -> &DataLoader<Loads> {
        let make =
            || DataLoader::new(Loads(self.ctx.clone()), TokioSpawner::current(), TokioTimer::default());
        self.loads.get_or_init(make)
    }
}

/// One error for all who waited for the batch.
pub type SharedError = Arc<Error>;

pub fn new(ctx: Ctx) -> RequestLoader {
    RequestLoader { ctx, loads: OnceLock::new() }
}

/// What belongs to the key, together with all other keys that are asked for at this moment.
pub async fn load<K>(ctx: &Context<'_>, key: K) -> async_graphql::Result<Option<<Loads as Loader<K>>::Value>>
where
    K: Send + Sync + Hash + Eq + Clone + 'static,
    Loads: Loader<K, Error = SharedError>,
{
    // Large, and for the fields that find what they need, rare: in a box of its own.
    Ok(Box::pin(ctx.data::<RequestLoader>()?.get().load_one(key)).await?)
}

/// What belongs to each of these keys, in their order; nothing for those that nothing belongs to.
pub async fn load_all<K>(
    ctx: &Context<'_>,
    keys: impl Iterator<Item = K>,
) -> async_graphql::Result<Vec<<Loads as Loader<K>>::Value>>
where
    K: Send + Sync + Hash + Eq + Clone + 'static,
    Loads: Loader<K, Error = SharedError>,
{
    let keys: Vec<K> = keys.collect();
    let mut found = Box::pin(ctx.data::<RequestLoader>()?.get().load_many(keys.iter().cloned())).await?;
    Ok(keys.iter().filter_map(|key| found.remove(key)).collect())
}
