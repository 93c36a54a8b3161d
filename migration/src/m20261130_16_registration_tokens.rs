//! What shows at the proof of an address who chose the password of a registration: a token that only they were given.

use sea_orm_migration::{
    prelude::*,
    schema::{blob, uuid},
};

use crate::schema::{moment, owned_by};

pub struct RegistrationTokens;

impl MigrationName for RegistrationTokens {
    fn name(&self) -> &'static str {
        "m20261130_16_registration_tokens"
    }
}

#[expect(elided_lifetimes_in_paths, reason = "written out, it no longer matches the trait, which elides it")]
#[async_trait::async_trait]
impl MigrationTrait for RegistrationTokens {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("registration_tokens")
            .col(uuid("user_id").primary_key())
            .col(blob("token_hash"))
            .col(moment("created_at"))
            .foreign_key(&mut owned_by("registration_tokens", "user_id", "users"))
            .take();
        manager.create_table(table).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
