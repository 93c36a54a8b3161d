//! Which network asked for a code, and how many wrong tries came from there: what others try is counted apart from it.

use sea_orm_migration::{prelude::*, schema::integer};

pub struct CodeAskers;

impl MigrationName for CodeAskers {
    fn name(&self) -> &'static str {
        "m20261130_19_code_askers"
    }
}

#[expect(elided_lifetimes_in_paths, reason = "written out, it no longer matches the trait, which elides it")]
#[async_trait::async_trait]
impl MigrationTrait for CodeAskers {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let asker = ColumnDef::new("asker").text().null().take();
        manager.alter_table(Table::alter().table("one_time_codes").add_column(asker).take()).await?;
        let attempts = integer("asker_attempts").default(0).take();
        manager.alter_table(Table::alter().table("one_time_codes").add_column(attempts).take()).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
