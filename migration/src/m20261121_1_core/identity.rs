//! Applications, people, their passwords, and which application knows whom.

use sea_orm_migration::{
    prelude::*,
    schema::{blob, blob_null, boolean, json_binary, text, text_null, uuid},
    sea_orm::prelude::{Json, Uuid},
};

use crate::schema::{id, index, moment, moment_null, one_of, owned_by, primary_key, unique};

/// Fixed, so that every installation's default application has the same one.
const DEFAULT_APPLICATION: Uuid = Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0001);

pub async fn create(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    applications(manager).await?;
    default_application(manager).await?;
    users(manager).await?;
    passwords(manager).await?;
    registrations(manager).await
}

async fn applications(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("applications")
        .col(id())
        .col(text("name"))
        .col(text("name_key"))
        .col(boolean("active"))
        .col(one_of("applications", "backend", &["NATIVE", "FUSIONAUTH"]))
        .col(blob_null("backend_settings"))
        .col(blob_null("client_secret_hash"))
        .col(blob_null("extension_key"))
        .col(json_binary("redirect_urls"))
        .col(boolean("is_default"))
        .col(moment("created_at"))
        .col(moment("updated_at"))
        .take();
    manager.create_table(table).await?;
    manager.create_index(unique("applications", &["name_key"])).await?;
    let one_default =
        unique("applications", &["is_default"]).and_where(Expr::col("is_default").eq(true)).take();
    manager.create_index(one_default).await
}

async fn default_application(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let (columns, values): (Vec<&str>, Vec<Expr>) = [
        ("id", DEFAULT_APPLICATION.into()),
        ("name", "Default".into()),
        ("name_key", "default".into()),
        ("active", true.into()),
        ("backend", "NATIVE".into()),
        ("redirect_urls", Json::Array(Vec::new()).into()),
        ("is_default", true.into()),
        ("created_at", 0_i64.into()),
        ("updated_at", 0_i64.into()),
    ]
    .into_iter()
    .unzip();
    // Cannot panic: there is a value to each column.
    let row = Query::insert().into_table("applications").columns(columns).values_panic(values).take();
    manager.execute(row).await
}

async fn users(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("users")
        .col(id())
        .col(text("user_name"))
        .col(text("user_name_key"))
        .col(text_null("name"))
        .col(text_null("given_name"))
        .col(text_null("family_name"))
        .col(text_null("gender"))
        .col(text_null("locale"))
        .col(text_null("avatar_url"))
        .col(one_of("users", "status", &["UNVERIFIED", "ACTIVE", "DEACTIVATED"]))
        .col(text_null("email"))
        .col(text_null("email_key"))
        .col(moment_null("email_verified_at"))
        .col(text_null("phone"))
        .col(text_null("phone_key"))
        .col(moment_null("phone_verified_at"))
        .col(moment("created_at"))
        .col(moment("updated_at"))
        .col(moment_null("last_login_at"))
        .take();
    manager.create_table(table).await?;
    manager.create_index(unique("users", &["user_name_key"])).await?;
    // Only a proved address is unique: a claimed one must not keep its owner out.
    let one_per_mailbox =
        unique("users", &["email_key"]).and_where(Expr::col("email_verified_at").is_not_null()).take();
    manager.create_index(one_per_mailbox).await?;
    let one_per_number =
        unique("users", &["phone_key"]).and_where(Expr::col("phone_verified_at").is_not_null()).take();
    manager.create_index(one_per_number).await?;
    for columns in [
        ["email_key"].as_slice(),
        &["phone_key"],
        &["created_at", "id"],
        &["name", "id"],
        &["last_login_at", "id"],
    ] {
        manager.create_index(index("users", columns)).await?;
    }
    Ok(())
}

async fn passwords(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("passwords")
        .col(uuid("user_id").primary_key())
        .col(blob("hash"))
        .col(moment("changed_at"))
        .foreign_key(&mut owned_by("passwords", "user_id", "users"))
        .take();
    manager.create_table(table).await
}

async fn registrations(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("registrations")
        .col(uuid("user_id"))
        .col(uuid("application_id"))
        .col(moment("created_at"))
        .col(moment_null("last_login_at"))
        .primary_key(&mut primary_key(&["user_id", "application_id"]))
        .foreign_key(&mut owned_by("registrations", "user_id", "users"))
        .foreign_key(&mut owned_by("registrations", "application_id", "applications"))
        .take();
    manager.create_table(table).await
}
