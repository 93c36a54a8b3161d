//! Whether an address counts for everybody, or only an organisation's administrator vouches for it; and the names for
//! which attempts wait.

use sea_orm_migration::prelude::*;

use crate::schema::{index, moment_null};

pub struct Proved;

impl MigrationName for Proved {
    fn name(&self) -> &'static str {
        "m20261121_9_proved"
    }
}

#[expect(elided_lifetimes_in_paths, reason = "written out, it no longer matches the trait, which elides it")]
#[async_trait::async_trait]
impl MigrationTrait for Proved {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = moment_null("email_proved_at");
        manager.alter_table(Table::alter().table("users").add_column(column).take()).await?;
        // Nobody can tell any more who vouched for what is there already.
        let past = "UPDATE \"users\" SET \"email_proved_at\" = \"email_verified_at\"";
        manager.get_connection().execute_unprepared(past).await?;
        // The name for which an attempt waits that another one holds.
        let column = ColumnDef::new("awaited_name_key").text().null().take();
        manager.alter_table(Table::alter().table("users").add_column(column).take()).await?;
        manager.create_index(index("users", &["awaited_name_key"])).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
