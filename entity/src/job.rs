//! Table `jobs`.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

/// A job that is done has no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(32))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobState {
    Queued,
    /// All attempts failed; kept for people to see.
    Dead,
}

/// Jobs that may wait for the same thing outside: each lane has places of its own, so that a mail server that hangs holds up
/// mails and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(32))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobLane {
    Mail,
    Text,
    /// What only the database is needed for, and what a previous version wrote.
    Other,
}

/// Work that was promised in a transaction and is done after it, at least once.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "jobs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    #[sea_orm(column_type = "JsonBinary")]
    pub payload: Json,
    pub state: JobState,
    pub run_at: Timestamp,
    pub attempts: i32,
    pub max_attempts: i32,
    /// A worker has it until then; after that, another may take it.
    pub locked_until: Option<Timestamp>,
    #[sea_orm(column_type = "Text")]
    pub locked_by: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub last_error: Option<String>,
    pub created_at: Timestamp,
    pub lane: JobLane,
}

impl ActiveModelBehavior for ActiveModel {}
