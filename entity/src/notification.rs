//! Table `notifications`.

use sea_orm::entity::prelude::*;

use crate::{Channel, Secret, Timestamp};

/// How far a message has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(32))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum NotificationState {
    Pending,
    Sent,
    Failed,
}

/// A mail or a text message.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "notifications")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// `None` once the person is erased.
    pub user_id: Option<Uuid>,
    pub application_id: Uuid,
    pub channel: Channel,
    #[sea_orm(column_type = "Text")]
    pub template: String,
    #[sea_orm(column_type = "Text")]
    pub locale: Option<String>,
    /// Recipient and variables, codes and links among them: sealed, and wiped once delivered.
    pub sealed: Option<Secret>,
    pub state: NotificationState,
    pub created_at: Timestamp,
    pub sent_at: Option<Timestamp>,
    #[sea_orm(belongs_to, from = "user_id", to = "id")]
    pub user: BelongsTo<Option<super::user::Entity>>,
    #[sea_orm(belongs_to, from = "application_id", to = "id")]
    pub application: BelongsTo<super::application::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
