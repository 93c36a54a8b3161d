//! Table `dispatches`.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

/// A message that went out because somebody asked for it. Kept for a day.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "dispatches")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The hash of what it is about and of where it went: the table tells neither addresses nor names.
    #[sea_orm(column_type = "Text")]
    pub target: String,
    /// The hash of who asked: a network, or an organisation.
    #[sea_orm(column_type = "Text")]
    pub asker: String,
    /// The hash of the block of addresses that the network is a part of; of an organisation, as `asker`.
    #[sea_orm(column_type = "Text")]
    pub block: String,
    /// It went out beyond the target's budget, because the asker was new to the target.
    pub newcomer: bool,
    pub sent_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
