//! Sessions, refresh tokens, signing keys and one-time codes.

use sea_orm_migration::{
    prelude::*,
    schema::{blob, blob_null, integer, json_binary, text, text_null, uuid, uuid_null},
};

use crate::schema::{id, index, moment, moment_null, one_of, owned_by, unique};

pub async fn create(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    sessions(manager).await?;
    refresh_tokens(manager).await?;
    signing_keys(manager).await?;
    one_time_codes(manager).await
}

async fn sessions(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("sessions")
        .col(id())
        .col(uuid("user_id"))
        .col(uuid("application_id"))
        .col(text_null("device"))
        .col(text_null("ip"))
        .col(text_null("user_agent"))
        .col(moment("authenticated_at"))
        .col(moment("created_at"))
        .col(moment("last_used_at"))
        .col(moment("idle_expires_at"))
        .col(moment("expires_at"))
        .col(moment_null("ended_at"))
        .col(text_null("end_reason"))
        .foreign_key(&mut owned_by("sessions", "user_id", "users"))
        .foreign_key(&mut owned_by("sessions", "application_id", "applications"))
        .take();
    manager.create_table(table).await?;
    manager.create_index(index("sessions", &["user_id"])).await?;
    manager.create_index(index("sessions", &["application_id"])).await
}

async fn refresh_tokens(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("refresh_tokens")
        .col(id())
        .col(uuid("session_id"))
        .col(blob("token_hash"))
        .col(moment("created_at"))
        .col(moment("expires_at"))
        .col(moment_null("used_at"))
        .col(uuid_null("successor_id"))
        .foreign_key(&mut owned_by("refresh_tokens", "session_id", "sessions"))
        .take();
    manager.create_table(table).await?;
    manager.create_index(unique("refresh_tokens", &["token_hash"])).await?;
    manager.create_index(index("refresh_tokens", &["session_id"])).await
}

async fn signing_keys(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("signing_keys")
        .col(id())
        .col(text("kid"))
        .col(text("algorithm"))
        .col(json_binary("public_jwk"))
        .col(blob("sealed_private"))
        .col(moment("created_at"))
        .col(moment("active_from"))
        .col(moment_null("retired_at"))
        .col(moment_null("expires_at"))
        .take();
    manager.create_table(table).await?;
    manager.create_index(unique("signing_keys", &["kid"])).await
}

async fn one_time_codes(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let purposes = [
        "VERIFY_EMAIL",
        "VERIFY_PHONE",
        "CHANGE_EMAIL",
        "CHANGE_PHONE",
        "LOGIN",
        "PASSWORD_RESET",
        "STEP_UP",
        "MFA",
    ];
    let table = Table::create()
        .table("one_time_codes")
        .col(id())
        .col(uuid("user_id"))
        .col(uuid("application_id"))
        .col(one_of("one_time_codes", "purpose", &purposes))
        .col(one_of("one_time_codes", "channel", &["EMAIL", "SMS"]))
        .col(text("target"))
        .col(blob_null("code_hash"))
        .col(blob_null("token_hash"))
        .col(integer("attempts"))
        .col(integer("max_attempts"))
        .col(moment("created_at"))
        .col(moment("expires_at"))
        .col(moment_null("link_expires_at"))
        .col(moment_null("consumed_at"))
        .foreign_key(&mut owned_by("one_time_codes", "user_id", "users"))
        .foreign_key(&mut owned_by("one_time_codes", "application_id", "applications"))
        .take();
    manager.create_table(table).await?;
    manager.create_index(unique("one_time_codes", &["token_hash"])).await?;
    manager.create_index(index("one_time_codes", &["user_id", "purpose"])).await
}
