//! What belongs to many events at once.

use std::collections::{HashMap, HashSet};

use async_graphql::dataloader::Loader;
use entity::organization;
use uuid::Uuid;

use super::service;
use crate::{
    domain::orgs,
    graphql::loader::{Loads, SharedError},
};

/// The targets of this event.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TargetsOf(pub Uuid);

impl Loader<TargetsOf> for Loads {
    type Value = Vec<String>;
    type Error = SharedError;

    async fn load(&self, keys: &[TargetsOf]) -> Result<HashMap<TargetsOf, Self::Value>, SharedError> {
        let ids: Vec<_> = keys.iter().map(|TargetsOf(id)| *id).collect();
        let found = service::targets_of(&self.0, &ids).await?;
        Ok(found.into_iter().map(|(id, targets)| (TargetsOf(id), targets)).collect())
    }
}

/// The organisation of this id, if the caller may see it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Within(pub Uuid);

impl Loader<Within> for Loads {
    type Value = organization::Model;
    type Error = SharedError;

    async fn load(&self, keys: &[Within]) -> Result<HashMap<Within, Self::Value>, SharedError> {
        let found = orgs::service::by_ids(&self.0, keys.iter().map(|Within(id)| *id)).await?;
        Ok(found.into_iter().map(|(id, org)| (Within(id), org)).collect())
    }
}

/// Whether the caller may know where this actor, a user, acts from.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Whereabouts(pub Uuid);

impl Loader<Whereabouts> for Loads {
    type Value = bool;
    type Error = SharedError;

    async fn load(&self, keys: &[Whereabouts]) -> Result<HashMap<Whereabouts, bool>, SharedError> {
        let ids: Vec<_> = keys.iter().map(|Whereabouts(id)| *id).collect();
        let known: HashSet<_> = service::whereabouts_known(&self.0, &ids).await?;
        Ok(keys.iter().map(|key| (*key, known.contains(&key.0))).collect())
    }
}
