//! Whether an address counts for everybody, or only an organisation's administrator vouches for it.

use sea_orm_migration::prelude::*;

use crate::schema::moment_null;

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
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
