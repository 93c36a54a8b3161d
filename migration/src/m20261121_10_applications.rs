//! Who came in through the extension of an application, and the id tokens that were shown already.

use sea_orm_migration::{
    prelude::*,
    schema::{blob, uuid},
};

use crate::schema::{id, index, moment, owned_by, unique};

pub struct Applications;

impl MigrationName for Applications {
    fn name(&self) -> &'static str {
        "m20261121_10_applications"
    }
}

#[expect(elided_lifetimes_in_paths, reason = "written out, it no longer matches the trait, which elides it")]
#[async_trait::async_trait]
impl MigrationTrait for Applications {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        extension_users(manager).await?;
        id_tokens(manager).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

async fn extension_users(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("extension_users")
        .col(id())
        .col(uuid("application_id"))
        .col(blob("subject_hash"))
        .col(uuid("user_id"))
        .col(moment("created_at"))
        .foreign_key(&mut owned_by("extension_users", "application_id", "applications"))
        .foreign_key(&mut owned_by("extension_users", "user_id", "users"))
        .take();
    manager.create_table(table).await?;
    manager.create_index(unique("extension_users", &["application_id", "subject_hash"])).await?;
    manager.create_index(index("extension_users", &["user_id"])).await
}

async fn id_tokens(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table =
        Table::create().table("id_tokens").col(id()).col(blob("token_hash")).col(moment("expires_at")).take();
    manager.create_table(table).await?;
    manager.create_index(unique("id_tokens", &["token_hash"])).await?;
    manager.create_index(index("id_tokens", &["expires_at"])).await
}
