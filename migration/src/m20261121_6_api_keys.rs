//! API keys, and the devices that people have logged in on.

use sea_orm_migration::{
    prelude::*,
    schema::{blob, json_binary, text, uuid},
};

use crate::schema::{id, index, moment, moment_null, owned_by, unique};

pub struct ApiKeys;

impl MigrationName for ApiKeys {
    fn name(&self) -> &'static str {
        "m20261121_6_api_keys"
    }
}

#[expect(elided_lifetimes_in_paths, reason = "written out, it no longer matches the trait, which elides it")]
#[async_trait::async_trait]
impl MigrationTrait for ApiKeys {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        api_keys(manager).await?;
        device_tokens(manager).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

async fn api_keys(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("api_keys")
        .col(id())
        .col(uuid("user_id"))
        .col(uuid("application_id"))
        .col(text("name"))
        .col(text("prefix"))
        .col(blob("token_hash"))
        .col(json_binary("scopes"))
        .col(moment("created_at"))
        .col(moment_null("last_used_at"))
        .col(moment_null("expires_at"))
        .foreign_key(&mut owned_by("api_keys", "user_id", "users"))
        .foreign_key(&mut owned_by("api_keys", "application_id", "applications"))
        .take();
    manager.create_table(table).await?;
    manager.create_index(unique("api_keys", &["token_hash"])).await?;
    manager.create_index(index("api_keys", &["user_id"])).await
}

async fn device_tokens(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("device_tokens")
        .col(id())
        .col(uuid("user_id"))
        .col(blob("token_hash"))
        .col(moment("created_at"))
        .col(moment("last_used_at"))
        .col(moment("expires_at"))
        .foreign_key(&mut owned_by("device_tokens", "user_id", "users"))
        .take();
    manager.create_table(table).await?;
    manager.create_index(unique("device_tokens", &["token_hash"])).await?;
    manager.create_index(index("device_tokens", &["user_id"])).await
}
