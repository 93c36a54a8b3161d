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
        manager.create_index(index("memberships", &["user_id", "is_primary", "organization_id"])).await?;
        // It begins with the same column, and serves whoever asked this one.
        let narrower = Index::drop().name("ix__memberships__user_id").table("memberships").to_owned();
        manager.drop_index(narrower).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
