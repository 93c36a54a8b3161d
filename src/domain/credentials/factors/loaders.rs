//! Factors of many users at once.

use std::collections::HashMap;

use async_graphql::dataloader::Loader;
use uuid::Uuid;

use super::service::{self, Factors};
use crate::graphql::loader::{Loads, SharedError};

/// What this user shows beside a password, if the caller may know.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FactorsOf(pub Uuid);

impl Loader<FactorsOf> for Loads {
    type Value = Factors;
    type Error = SharedError;

    async fn load(&self, keys: &[FactorsOf]) -> Result<HashMap<FactorsOf, Self::Value>, SharedError> {
        let ids: Vec<_> = keys.iter().map(|FactorsOf(id)| *id).collect();
        let found = service::of_users(&self.0, &ids).await?;
        Ok(found.into_iter().map(|(id, factors)| (FactorsOf(id), factors)).collect())
    }
}
