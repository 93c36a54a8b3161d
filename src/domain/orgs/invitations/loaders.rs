//! Invitations of many organisations, or users, at once.

use std::collections::HashMap;

use async_graphql::dataloader::Loader;
use entity::{invitation, role};
use uuid::Uuid;

use crate::{
    domain::{
        orgs::{
            invitations,
            loaders::{CountOf, PageOf, alike},
        },
        roles::service as roles,
    },
    graphql::loader::{Loads, SharedError},
    page::{Page, PageArgs},
};

/// In `PageOf` and `CountOf`: the invitations of an organisation.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Invitations;

impl Loader<PageOf<Invitations>> for Loads {
    type Value = Page<invitation::Model>;
    type Error = SharedError;

    async fn load(
        &self,
        keys: &[PageOf<Invitations>],
    ) -> Result<HashMap<PageOf<Invitations>, Self::Value>, SharedError> {
        let mut pages = HashMap::new();
        for (page, ids) in alike(keys, |key| (key.parent, key.page.clone())) {
            let found = invitations::of_organizations(&self.0, &ids, &page).await?;
            let key = |parent| PageOf { parent, filter: Invitations, page: page.clone() };
            pages.extend(found.into_iter().map(|(parent, rows)| (key(parent), rows)));
        }
        Ok(pages)
    }
}

impl Loader<CountOf<Invitations>> for Loads {
    type Value = u64;
    type Error = SharedError;

    async fn load(
        &self,
        keys: &[CountOf<Invitations>],
    ) -> Result<HashMap<CountOf<Invitations>, u64>, SharedError> {
        let ids: Vec<_> = keys.iter().map(|key| key.parent).collect();
        let found = invitations::count_of_organizations(&self.0, &ids).await?;
        Ok(found
            .into_iter()
            .map(|(parent, count)| (CountOf { parent, filter: Invitations }, count))
            .collect())
    }
}

/// A page of what waits for the answer of this address.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct WaitingFor {
    pub email_key: String,
    pub page: PageArgs,
}

impl Loader<WaitingFor> for Loads {
    type Value = Page<invitation::Model>;
    type Error = SharedError;

    async fn load(&self, keys: &[WaitingFor]) -> Result<HashMap<WaitingFor, Self::Value>, SharedError> {
        let mut groups: HashMap<PageArgs, Vec<String>> = HashMap::new();
        for WaitingFor { email_key, page } in keys {
            groups.entry(page.clone()).or_default().push(email_key.clone());
        }
        let mut pages = HashMap::new();
        for (page, addresses) in groups {
            let found = invitations::of_users(&self.0, &addresses, &page).await?;
            let key = |email_key| WaitingFor { email_key, page: page.clone() };
            pages.extend(found.into_iter().map(|(email_key, rows)| (key(email_key), rows)));
        }
        Ok(pages)
    }
}

/// How much waits for the answer of this address.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CountWaitingFor(pub String);

impl Loader<CountWaitingFor> for Loads {
    type Value = u64;
    type Error = SharedError;

    async fn load(&self, keys: &[CountWaitingFor]) -> Result<HashMap<CountWaitingFor, u64>, SharedError> {
        let addresses: Vec<_> = keys.iter().map(|CountWaitingFor(key)| key.clone()).collect();
        let found = invitations::count_of_users(&self.0, &addresses).await?;
        Ok(found.into_iter().map(|(key, count)| (CountWaitingFor(key), count)).collect())
    }
}

/// A role that something names which the caller may see.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RoleOf(pub Uuid);

impl Loader<RoleOf> for Loads {
    type Value = role::Model;
    type Error = SharedError;

    async fn load(&self, keys: &[RoleOf]) -> Result<HashMap<RoleOf, Self::Value>, SharedError> {
        let found = roles::seen_through(&self.0, keys.iter().map(|RoleOf(id)| *id)).await?;
        Ok(found.into_iter().map(|(id, role)| (RoleOf(id), role)).collect())
    }
}
