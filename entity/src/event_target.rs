//! Table `event_targets`.

use sea_orm::entity::prelude::*;

/// Whom or what an event was about.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "event_targets")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub event_id: Uuid,
    /// The public id, which names its kind: targets come from many tables.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub target_id: String,
    /// The order in which the event names its targets.
    pub position: i32,
    #[sea_orm(belongs_to, from = "event_id", to = "id")]
    pub event: BelongsTo<super::event::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
