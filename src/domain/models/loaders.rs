//! Models of many users at once.

use std::collections::HashMap;

use async_graphql::dataloader::Loader;
use entity::model;
use uuid::Uuid;

use super::service;
use crate::graphql::loader::{Loads, SharedError};

/// The models that this user works with.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ModelsOf(pub Uuid);

impl Loader<ModelsOf> for Loads {
    type Value = Vec<model::Model>;
    type Error = SharedError;

    async fn load(&self, keys: &[ModelsOf]) -> Result<HashMap<ModelsOf, Self::Value>, SharedError> {
        let ids: Vec<_> = keys.iter().map(|ModelsOf(id)| *id).collect();
        let found = service::of_users(&self.0, &ids).await?;
        Ok(found.into_iter().map(|(id, models)| (ModelsOf(id), models)).collect())
    }
}
