//! Table `events`.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

/// What kind of somebody did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(32))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ActorKind {
    User,
    ApiKey,
    Application,
    System,
    Anonymous,
}

/// Something that happened. It refers to nothing by foreign key: what it tells of may be gone, the event stays.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "events")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Column `type`, which Rust reserves.
    #[sea_orm(column_name = "type", column_type = "Text")]
    pub kind: String,
    pub actor_kind: ActorKind,
    pub actor_id: Option<Uuid>,
    #[sea_orm(column_type = "Text")]
    pub actor_name: Option<String>,
    pub organization_id: Option<Uuid>,
    pub application_id: Option<Uuid>,
    #[sea_orm(column_type = "JsonBinary")]
    pub data: Option<Json>,
    #[sea_orm(column_type = "Text")]
    pub ip: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub user_agent: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub request_id: Option<String>,
    pub occurred_at: Timestamp,
    #[sea_orm(has_many)]
    pub targets: HasMany<super::event_target::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
