//! Sessions of many users at once.

use std::collections::HashMap;

use async_graphql::dataloader::Loader;
use entity::session;
use uuid::Uuid;

use super::service;
use crate::{
    domain::orgs::loaders::{CountOf, PageOf, alike},
    graphql::loader::{Loads, SharedError},
    page::{Page, PageArgs},
};

/// In `PageOf` and `CountOf`: the live sessions of a user. Nothing at all for a user whose sessions the caller may not
/// see.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sessions;

impl Loader<PageOf<Sessions>> for Loads {
    type Value = Page<session::Model>;
    type Error = SharedError;

    async fn load(
        &self,
        keys: &[PageOf<Sessions>],
    ) -> Result<HashMap<PageOf<Sessions>, Self::Value>, SharedError> {
        let seen = service::may_see(&self.0, &parents(keys, |key| key.parent)).await?;
        let mut pages = HashMap::new();
        for (page, mut ids) in alike(keys, |key| (key.parent, key.page.clone())) {
            ids.retain(|id| seen.contains(id));
            let mut found = service::of_users(&self.0, &ids, &page).await?;
            let key = |parent: Uuid, page: &PageArgs| PageOf { parent, filter: Sessions, page: page.clone() };
            pages.extend(
                ids.into_iter()
                    .map(|id| (key(id, &page), found.remove(&id).unwrap_or_else(|| Page::empty(&page)))),
            );
        }
        Ok(pages)
    }
}

impl Loader<CountOf<Sessions>> for Loads {
    type Value = u64;
    type Error = SharedError;

    async fn load(&self, keys: &[CountOf<Sessions>]) -> Result<HashMap<CountOf<Sessions>, u64>, SharedError> {
        let mut ids = parents(keys, |key| key.parent);
        let seen = service::may_see(&self.0, &ids).await?;
        ids.retain(|id| seen.contains(id));
        let found = service::count_of_users(&self.0, &ids).await?;
        let key = |parent| CountOf { parent, filter: Sessions };
        Ok(ids.into_iter().map(|id| (key(id), found.get(&id).copied().unwrap_or_default())).collect())
    }
}

fn parents<K>(keys: &[K], parent: impl Fn(&K) -> Uuid) -> Vec<Uuid> {
    keys.iter().map(parent).collect()
}
