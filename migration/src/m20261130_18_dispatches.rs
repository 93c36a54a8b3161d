//! Which messages went to whom lately, and which network asked for each: what the budgets of messages count.

use sea_orm_migration::{
    prelude::*,
    schema::{boolean, text},
};

use crate::schema::{id, index, moment};

pub struct Dispatches;

impl MigrationName for Dispatches {
    fn name(&self) -> &'static str {
        "m20261130_18_dispatches"
    }
}

#[expect(elided_lifetimes_in_paths, reason = "written out, it no longer matches the trait, which elides it")]
#[async_trait::async_trait]
impl MigrationTrait for Dispatches {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("dispatches")
            .col(id())
            .col(text("target"))
            .col(text("asker"))
            .col(text("block"))
            .col(boolean("newcomer"))
            .col(moment("sent_at"))
            .take();
        manager.create_table(table).await?;
        manager.create_index(index("dispatches", &["target", "sent_at"])).await?;
        manager.create_index(index("dispatches", &["sent_at"])).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
