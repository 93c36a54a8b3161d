//! The lane that a job waits in, and an index in the order in which the jobs of a lane are taken.
//!
//! What an instance of the previous version writes, and what is there already, waits in the lane of everything else. The column
//! has no list of lanes to check against: SQLite could not add one to it without making the table anew.

use sea_orm_migration::{prelude::*, schema::string_len};

use crate::schema::index;

pub struct JobLanes;

impl MigrationName for JobLanes {
    fn name(&self) -> &'static str {
        "m20261130_22_job_lanes"
    }
}

#[expect(elided_lifetimes_in_paths, reason = "written out, it no longer matches the trait, which elides it")]
#[async_trait::async_trait]
impl MigrationTrait for JobLanes {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let lane = string_len("lane", 32).default("OTHER").take();
        manager.alter_table(Table::alter().table("jobs").add_column(lane).take()).await?;
        manager.create_index(index("jobs", &["lane", "state", "run_at", "id"])).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
