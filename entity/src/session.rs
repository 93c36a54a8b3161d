//! Table `sessions`.

use sea_orm::entity::prelude::*;

use crate::{Secret, Timestamp};

/// One login on one device, and the newest of its refresh tokens.
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
    /// The hash of the refresh token in force; none while it is one of the previous version, in a row of `refresh_tokens`.
    pub refresh_hash: Option<Secret>,
    /// The hash of the refresh token that the one in force was given for.
    pub previous_refresh_hash: Option<Secret>,
    /// How often the session was refreshed.
    pub refresh_generation: i32,
    /// When it was refreshed last.
    pub refreshed_at: Option<Timestamp>,
    /// The hash of the user agent that did so.
    pub refresh_agent_hash: Option<Secret>,
    /// How often the token before the one in force was shown again.
    pub refresh_repeats: i32,
    #[sea_orm(belongs_to, from = "user_id", to = "id")]
    pub user: BelongsTo<super::user::Entity>,
    #[sea_orm(belongs_to, from = "application_id", to = "id")]
    pub application: BelongsTo<super::application::Entity>,
    #[sea_orm(has_many)]
    pub refresh_tokens: HasMany<super::refresh_token::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
