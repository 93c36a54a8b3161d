//! Second factors: TOTP secrets, recovery codes, passkeys, and what a challenge remembers until it is answered.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, integer, text, text_null, uuid, uuid_null},
};

use crate::schema::{id, index, moment, moment_null, one_of, owned_by, unique};

pub struct Factors;

impl MigrationName for Factors {
    fn name(&self) -> &'static str {
        "m20261121_8_factors"
    }
}

#[expect(elided_lifetimes_in_paths, reason = "written out, it no longer matches the trait, which elides it")]
#[async_trait::async_trait]
impl MigrationTrait for Factors {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        totp_secrets(manager).await?;
        recovery_codes(manager).await?;
        passkeys(manager).await?;
        challenges(manager).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

async fn totp_secrets(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut sealed = ColumnDef::new("sealed");
    let table = Table::create()
        .table("totp_secrets")
        .col(uuid("user_id").primary_key().take())
        .col(sealed.blob().not_null())
        .col(text_null("label"))
        .col(big_integer("last_step"))
        .col(moment("created_at"))
        .col(moment_null("confirmed_at"))
        .foreign_key(&mut owned_by("totp_secrets", "user_id", "users"))
        .take();
    manager.create_table(table).await
}

async fn recovery_codes(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut hash = ColumnDef::new("code_hash");
    let table = Table::create()
        .table("recovery_codes")
        .col(id())
        .col(uuid("user_id"))
        .col(hash.blob().not_null())
        .col(moment("created_at"))
        .col(moment_null("used_at"))
        .foreign_key(&mut owned_by("recovery_codes", "user_id", "users"))
        .take();
    manager.create_table(table).await?;
    manager.create_index(unique("recovery_codes", &["user_id", "code_hash"])).await
}

async fn passkeys(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut credential_id = ColumnDef::new("credential_id");
    let table = Table::create()
        .table("passkeys")
        .col(id())
        .col(uuid("user_id"))
        .col(text("name"))
        .col(credential_id.blob().not_null())
        .col(text("credential"))
        .col(big_integer("counter"))
        .col(moment("created_at"))
        .col(moment_null("last_used_at"))
        .foreign_key(&mut owned_by("passkeys", "user_id", "users"))
        .take();
    manager.create_table(table).await?;
    manager.create_index(unique("passkeys", &["credential_id"])).await?;
    manager.create_index(index("passkeys", &["user_id"])).await
}

async fn challenges(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let (mut sealed, mut code) = (ColumnDef::new("sealed"), ColumnDef::new("code_hash"));
    let table = Table::create()
        .table("challenges")
        .col(id())
        .col(one_of("challenges", "kind", &["LOGIN", "PASSKEY_LOGIN", "PASSKEY_REGISTRATION"]))
        .col(uuid_null("user_id"))
        .col(uuid_null("application_id"))
        .col(sealed.blob().not_null())
        .col(code.blob())
        .col(integer("attempts"))
        .col(moment("created_at"))
        .col(moment("expires_at"))
        .col(moment_null("consumed_at"))
        .foreign_key(&mut owned_by("challenges", "user_id", "users"))
        .foreign_key(&mut owned_by("challenges", "application_id", "applications"))
        .take();
    manager.create_table(table).await?;
    manager.create_index(index("challenges", &["user_id"])).await?;
    manager.create_index(index("challenges", &["expires_at"])).await
}
