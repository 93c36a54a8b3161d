//! Where somebody works in the first place is read from the index alone, beside people who are asked for: the row of the
//! membership need not be looked at.

use sea_orm_migration::prelude::*;

use crate::schema::index;

pub struct Beside;

impl MigrationName for Beside {
    fn name(&self) -> &'static str {
        "m20261127_14_beside"
    }
}

#[expect(elided_lifetimes_in_paths, reason = "written out, it no longer matches the trait, which elides it")]
#[async_trait::async_trait]
impl MigrationTrait for Beside {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // The wider one begins with the same column, and serves whoever asked the narrower one. Dropping comes first: it takes the
        // whole table, and who already holds a part of it when they ask for the whole can be waited for by others who do so, too.
        let narrower = Index::drop().name("ix__memberships__user_id").table("memberships").to_owned();
        manager.drop_index(narrower).await?;
        manager.create_index(index("memberships", &["user_id", "is_primary", "organization_id"])).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
