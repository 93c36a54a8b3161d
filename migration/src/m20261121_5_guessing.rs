//! How often something was tried, and short-lived proofs of who is asking.

use sea_orm_migration::{
    prelude::*,
    schema::{text, uuid},
};

use crate::schema::{id, index, moment, moment_null, owned_by, unique};

pub struct Guessing;

impl MigrationName for Guessing {
    fn name(&self) -> &'static str {
        "m20261121_5_guessing"
    }
}

#[expect(elided_lifetimes_in_paths, reason = "written out, it no longer matches the trait, which elides it")]
#[async_trait::async_trait]
impl MigrationTrait for Guessing {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        attempts(manager).await?;
        proofs(manager).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

async fn attempts(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table =
        Table::create().table("attempts").col(text("key").primary_key().take()).col(moment("free_at")).take();
    manager.create_table(table).await?;
    manager.create_index(index("attempts", &["free_at"])).await
}

async fn proofs(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut token = ColumnDef::new("token_hash");
    let table = Table::create()
        .table("proofs")
        .col(id())
        .col(uuid("session_id"))
        .col(token.blob().not_null())
        .col(moment("created_at"))
        .col(moment("expires_at"))
        .col(moment_null("consumed_at"))
        .foreign_key(&mut owned_by("proofs", "session_id", "sessions"))
        .take();
    manager.create_table(table).await?;
    manager.create_index(unique("proofs", &["token_hash"])).await?;
    manager.create_index(index("proofs", &["session_id"])).await
}
