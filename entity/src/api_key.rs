//! Table `api_keys`.

use sea_orm::entity::prelude::*;

use crate::{Secret, Timestamp};

/// A key that a program shows in place of its user. Kept as a hash; a revoked one is gone.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_keys")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_id: Uuid,
    /// The application that its user was signed in to when it was made.
    pub application_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub name: String,
    /// As much of the key as may be shown.
    #[sea_orm(column_type = "Text")]
    pub prefix: String,
    #[sea_orm(unique)]
    pub token_hash: Secret,
    /// A list of permissions.
    #[sea_orm(column_type = "JsonBinary")]
    pub scopes: Json,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    #[sea_orm(belongs_to, from = "user_id", to = "id")]
    pub user: BelongsTo<super::user::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
