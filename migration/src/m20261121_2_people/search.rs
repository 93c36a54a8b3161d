//! Finding people by a part of their name, user name or address, without reading them all.
//!
//! PostgreSQL has a trigram index over one expression; SQLite a full-text table with the trigram tokenizer, which
//! triggers keep in step. Queries must name the very expression, or the very table.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

pub async fn create(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let statements: &[&str] = match manager.get_database_backend() {
        DbBackend::Postgres => &POSTGRES,
        _ => &SQLITE,
    };
    for statement in statements {
        manager.get_connection().execute_unprepared(statement).await?;
    }
    Ok(())
}

const POSTGRES: [&str; 2] = [
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    "CREATE INDEX \"ix__users__text\" ON \"users\" USING gin \
     ((\"user_name_key\" || ' ' || coalesce(lower(\"name\"), '') || ' ' || coalesce(\"email_key\", '')) gin_trgm_ops)",
];

/// The numbers of the rows are a table of their own: those of `users` are SQLite's business, and VACUUM changes them.
const SQLITE: [&str; 7] = [
    "CREATE TABLE \"users_text_rows\" (\"number\" INTEGER PRIMARY KEY, \"user_id\" BLOB NOT NULL UNIQUE)",
    "CREATE VIRTUAL TABLE \"users_text\" USING fts5(\"user_name_key\", \"name\", \"email_key\", \
     content='', contentless_delete=1, tokenize='trigram')",
    "INSERT INTO \"users_text_rows\"(\"user_id\") SELECT \"id\" FROM \"users\"",
    "INSERT INTO \"users_text\"(\"rowid\", \"user_name_key\", \"name\", \"email_key\") \
     SELECT r.\"number\", u.\"user_name_key\", u.\"name\", u.\"email_key\" \
     FROM \"users\" u JOIN \"users_text_rows\" r ON r.\"user_id\" = u.\"id\"",
    "CREATE TRIGGER \"users_text_insert\" AFTER INSERT ON \"users\" BEGIN \
     INSERT INTO \"users_text_rows\"(\"user_id\") VALUES (new.\"id\"); \
     INSERT INTO \"users_text\"(\"rowid\", \"user_name_key\", \"name\", \"email_key\") \
     SELECT \"number\", new.\"user_name_key\", new.\"name\", new.\"email_key\" \
     FROM \"users_text_rows\" WHERE \"user_id\" = new.\"id\"; END",
    "CREATE TRIGGER \"users_text_delete\" AFTER DELETE ON \"users\" BEGIN \
     DELETE FROM \"users_text\" WHERE \"rowid\" = (SELECT \"number\" FROM \"users_text_rows\" WHERE \"user_id\" = old.\"id\"); \
     DELETE FROM \"users_text_rows\" WHERE \"user_id\" = old.\"id\"; END",
    "CREATE TRIGGER \"users_text_update\" AFTER UPDATE OF \"user_name_key\", \"name\", \"email_key\" ON \"users\" BEGIN \
     DELETE FROM \"users_text\" WHERE \"rowid\" = (SELECT \"number\" FROM \"users_text_rows\" WHERE \"user_id\" = old.\"id\"); \
     INSERT INTO \"users_text\"(\"rowid\", \"user_name_key\", \"name\", \"email_key\") \
     SELECT \"number\", new.\"user_name_key\", new.\"name\", new.\"email_key\" \
     FROM \"users_text_rows\" WHERE \"user_id\" = new.\"id\"; END",
];
