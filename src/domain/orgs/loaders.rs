//! Organisations of many users at once.

use std::collections::HashMap;

use async_graphql::dataloader::Loader;
use entity::organization;
use uuid::Uuid;

use super::service;
use crate::graphql::loader::{Loads, SharedError};

/// The primary organisation of this user.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PrimaryOf(pub Uuid);

impl Loader<PrimaryOf> for Loads {
    type Value = organization::Model;
    type Error = SharedError;

    async fn load(&self, keys: &[PrimaryOf]) -> Result<HashMap<PrimaryOf, Self::Value>, SharedError> {
        let ids: Vec<_> = keys.iter().map(|PrimaryOf(id)| *id).collect();
        let found = service::primary_of_users(&self.0, &ids).await?;
        Ok(found.into_iter().map(|(id, org)| (PrimaryOf(id), org)).collect())
    }
}
