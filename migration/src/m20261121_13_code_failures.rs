//! How often in a row codes were guessed wrongly.

use sea_orm_migration::{
    prelude::*,
    schema::{integer, uuid},
};

use crate::schema::{one_of, owned_by, primary_key};

/// What codes are counted for.
const PURPOSES: [&str; 8] = [
    "VERIFY_EMAIL",
    "VERIFY_PHONE",
    "CHANGE_EMAIL",
    "CHANGE_PHONE",
    "LOGIN",
    "PASSWORD_RESET",
    "STEP_UP",
    "MFA",
];

pub struct CodeFailures;

impl MigrationName for CodeFailures {
    fn name(&self) -> &'static str {
        "m20261121_13_code_failures"
    }
}

#[expect(elided_lifetimes_in_paths, reason = "written out, it no longer matches the trait, which elides it")]
#[async_trait::async_trait]
impl MigrationTrait for CodeFailures {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("failures")
            .col(uuid("user_id"))
            .col(one_of("failures", "purpose", &PURPOSES))
            .col(integer("count"))
            .primary_key(&mut primary_key(&["user_id", "purpose"]))
            .foreign_key(&mut owned_by("failures", "user_id", "users"))
            .take();
        manager.create_table(table).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
