//! The session holds the hashes of its refresh token in force and of the one before, in place of a row for each token.
//!
//! An instance of the previous version leaves these columns alone, and opens sessions without them: then they are empty, and
//! the tokens stand in `refresh_tokens` until the first refresh here.

use sea_orm_migration::{
    prelude::*,
    schema::{blob_null, integer},
};

use crate::schema::moment_null;

pub struct Refresh;

impl MigrationName for Refresh {
    fn name(&self) -> &'static str {
        "m20261130_20_refresh"
    }
}

#[expect(elided_lifetimes_in_paths, reason = "written out, it no longer matches the trait, which elides it")]
#[async_trait::async_trait]
impl MigrationTrait for Refresh {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = [
            blob_null("refresh_hash"),
            blob_null("previous_refresh_hash"),
            integer("refresh_generation").default(0).take(),
            moment_null("refreshed_at"),
            blob_null("refresh_agent_hash"),
            integer("refresh_repeats").default(0).take(),
        ];
        // SQLite adds one column in a statement.
        for column in columns {
            manager.alter_table(Table::alter().table("sessions").add_column(column).take()).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
