//! Table `sessions`.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

/// One login on one device, and the family of its refresh tokens.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_id: Uuid,
    pub application_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub device: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub ip: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub user_agent: Option<String>,
    /// When the person last proved who they are; a step-up moves it, a refresh does not.
    pub authenticated_at: Timestamp,
    pub created_at: Timestamp,
    pub last_used_at: Timestamp,
    /// The end if it is not used.
    pub idle_expires_at: Timestamp,
    /// The end in any case.
    pub expires_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    #[sea_orm(column_type = "Text")]
    pub end_reason: Option<String>,
    #[sea_orm(belongs_to, from = "user_id", to = "id")]
    pub user: BelongsTo<super::user::Entity>,
    #[sea_orm(belongs_to, from = "application_id", to = "id")]
    pub application: BelongsTo<super::application::Entity>,
    #[sea_orm(has_many)]
    pub refresh_tokens: HasMany<super::refresh_token::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
