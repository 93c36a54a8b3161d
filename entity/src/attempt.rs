//! Table `attempts`.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

/// How much of what it may try somebody has used up, as the moment at which all of it is free again.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "attempts")]
pub struct Model {
    /// The hash of what is bounded and of whom: the table tells neither addresses nor names.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub key: String,
    pub free_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
