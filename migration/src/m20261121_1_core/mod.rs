//! The whole core: people and what proves them, organisations and roles, models, sessions, events and their work.

mod access;
mod events;
mod identity;
mod sessions;

use sea_orm_migration::prelude::*;

pub struct Core;

/// By hand: the derive takes the name of the file, and this one is called `mod`.
impl MigrationName for Core {
    fn name(&self) -> &'static str {
        "m20261121_1_core"
    }
}

#[expect(elided_lifetimes_in_paths, reason = "written out, it no longer matches the trait, which elides it")]
#[async_trait::async_trait]
impl MigrationTrait for Core {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        identity::create(manager).await?;
        access::create(manager).await?;
        sessions::create(manager).await?;
        events::create(manager).await
    }

    // On SQLite too: the stock answer leaves a half-made schema behind when a statement fails there.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
