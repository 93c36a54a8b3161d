//! Organisations and their members, roles and who holds them, models and who may use them.

use sea_orm_migration::{
    prelude::*,
    schema::{boolean, json_binary, text, text_null, uuid, uuid_null},
};

use crate::schema::{id, index, moment, owned_by, primary_key, reference, unique};

pub async fn create(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    organizations(manager).await?;
    memberships(manager).await?;
    roles(manager).await?;
    grants(manager).await?;
    models(manager).await?;
    user_models(manager).await
}

async fn organizations(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("organizations")
        .col(id())
        .col(text("code"))
        .col(text("code_key"))
        .col(text_null("name"))
        .col(text_null("description"))
        .col(boolean("active"))
        .col(boolean("listed"))
        .col(boolean("self_registration"))
        .col(moment("created_at"))
        .col(moment("updated_at"))
        .take();
    manager.create_table(table).await?;
    manager.create_index(unique("organizations", &["code_key"])).await
}

async fn memberships(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("memberships")
        .col(id())
        .col(uuid("organization_id"))
        .col(uuid("user_id"))
        .col(boolean("is_primary"))
        .col(moment("joined_at"))
        .foreign_key(&mut owned_by("memberships", "organization_id", "organizations"))
        .foreign_key(&mut owned_by("memberships", "user_id", "users"))
        .take();
    manager.create_table(table).await?;
    // Grants refer to this pair.
    manager.create_index(unique("memberships", &["organization_id", "user_id"])).await?;
    let one_primary = unique("memberships", &["user_id"]).and_where(Expr::col("is_primary").eq(true)).take();
    manager.create_index(one_primary).await?;
    manager.create_index(index("memberships", &["user_id"])).await
}

async fn roles(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("roles")
        .col(id())
        .col(text("code"))
        .col(text("code_key"))
        .col(text_null("description"))
        .col(boolean("active"))
        .col(boolean("system"))
        .col(boolean("self_assignable"))
        .col(json_binary("scopes"))
        .col(json_binary("permissions"))
        .col(moment("created_at"))
        .col(moment("updated_at"))
        .take();
    manager.create_table(table).await?;
    manager.create_index(unique("roles", &["code_key"])).await
}

async fn grants(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // Without an organisation the key is not checked, and the grant is for the platform.
    let mut of_membership = ForeignKey::create()
        .name("fk__grants__organization_id__user_id")
        .from("grants", ("organization_id", "user_id"))
        .to("memberships", ("organization_id", "user_id"))
        .on_delete(ForeignKeyAction::Cascade)
        .take();
    let table = Table::create()
        .table("grants")
        .col(id())
        .col(uuid("user_id"))
        .col(uuid("role_id"))
        .col(uuid_null("organization_id"))
        .col(uuid_null("granted_by"))
        .col(moment("created_at"))
        .foreign_key(&mut owned_by("grants", "user_id", "users"))
        // A role that is held cannot be deleted. Not by RESTRICT, which SQLite (and newer PostgreSQL) report by another
        // code than every other violated key.
        .foreign_key(&mut reference("grants", "role_id", "roles"))
        .foreign_key(&mut of_membership)
        .take();
    manager.create_table(table).await?;
    manager.create_index(unique("grants", &["user_id", "role_id", "organization_id"])).await?;
    // To the index above, no organisation is equal to no other, not even to none.
    let once_on_the_platform =
        unique("grants", &["user_id", "role_id"]).and_where(Expr::col("organization_id").is_null()).take();
    manager.create_index(once_on_the_platform).await?;
    manager.create_index(index("grants", &["role_id"])).await?;
    manager.create_index(index("grants", &["organization_id"])).await
}

async fn models(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("models")
        .col(id())
        .col(text("uuid"))
        .col(text_null("name"))
        .col(text("source_language"))
        .col(text("target_language"))
        .col(boolean("active"))
        .col(moment("created_at"))
        .col(moment("updated_at"))
        .take();
    manager.create_table(table).await?;
    manager.create_index(unique("models", &["uuid"])).await?;
    // `user_models` refers to these three.
    manager.create_index(unique("models", &["id", "source_language", "target_language"])).await
}

async fn user_models(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // The languages are in the key so that they follow the model's, and one index can keep a person's pairs apart.
    let mut of_model = ForeignKey::create()
        .name("fk__user_models__model_id__source_language__target_language")
        .from("user_models", ("model_id", "source_language", "target_language"))
        .to("models", ("id", "source_language", "target_language"))
        .on_delete(ForeignKeyAction::Cascade)
        .on_update(ForeignKeyAction::Cascade)
        .take();
    let table = Table::create()
        .table("user_models")
        .col(uuid("user_id"))
        .col(uuid("model_id"))
        .col(text("source_language"))
        .col(text("target_language"))
        .primary_key(&mut primary_key(&["user_id", "model_id"]))
        .foreign_key(&mut owned_by("user_models", "user_id", "users"))
        .foreign_key(&mut of_model)
        .take();
    manager.create_table(table).await?;
    manager.create_index(unique("user_models", &["user_id", "source_language", "target_language"])).await?;
    manager.create_index(index("user_models", &["model_id"])).await
}
