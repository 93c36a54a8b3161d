//! How often in a row a password was guessed wrongly.

use sea_orm_migration::prelude::*;

pub struct Failures;

impl MigrationName for Failures {
    fn name(&self) -> &'static str {
        "m20261121_12_failures"
    }
}

#[expect(elided_lifetimes_in_paths, reason = "written out, it no longer matches the trait, which elides it")]
#[async_trait::async_trait]
impl MigrationTrait for Failures {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = ColumnDef::new("failures").integer().not_null().default(0).take();
        manager.alter_table(Table::alter().table("passwords").add_column(column).take()).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
