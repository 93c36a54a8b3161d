//! Whether a phone number counts for everybody, or only an organisation's administrator vouches for it.

use sea_orm_migration::prelude::*;

use crate::schema::moment_null;

pub struct ProvedNumbers;

impl MigrationName for ProvedNumbers {
    fn name(&self) -> &'static str {
        "m20261130_17_proved_numbers"
    }
}

#[expect(elided_lifetimes_in_paths, reason = "written out, it no longer matches the trait, which elides it")]
#[async_trait::async_trait]
impl MigrationTrait for ProvedNumbers {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = moment_null("phone_proved_at");
        manager.alter_table(Table::alter().table("users").add_column(column).take()).await?;
        // Nobody can tell any more who vouched for what is there already.
        let past = "UPDATE \"users\" SET \"phone_proved_at\" = \"phone_verified_at\"";
        manager.get_connection().execute_unprepared(past).await?;
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
