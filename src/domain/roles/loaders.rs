//! Roles of many users at once.

use std::{collections::HashMap, sync::Arc};

use async_graphql::dataloader::Loader;
use entity::role;
use uuid::Uuid;

use super::service;
use crate::graphql::loader::{Loads, SharedError};

/// The distinct roles of this user that the caller may know of.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RolesOf(pub Uuid);

impl Loader<RolesOf> for Loads {
    type Value = Vec<Arc<role::Model>>;
    type Error = SharedError;

    async fn load(&self, keys: &[RolesOf]) -> Result<HashMap<RolesOf, Self::Value>, SharedError> {
        let ids: Vec<_> = keys.iter().map(|RolesOf(id)| *id).collect();
        let found = service::of_users(&self.0, &ids).await?;
        Ok(found.into_iter().map(|(id, roles)| (RolesOf(id), roles)).collect())
    }
}
