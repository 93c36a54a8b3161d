//! Table `totp_secrets`.

use sea_orm::entity::prelude::*;

use crate::{Secret, Timestamp};

/// What a person's authenticator app shares with us: one at most for each person, in force once it is confirmed.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "totp_secrets")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: Uuid,
    /// Sealed: it must be read again for every code.
    pub sealed: Secret,
    /// What the person calls the account in the app.
    #[sea_orm(column_type = "Text")]
    pub label: Option<String>,
    /// The step of the last code that was accepted: it, and those before it, are good for nothing any more.
    pub last_step: i64,
    pub created_at: Timestamp,
    /// `None` while nobody has shown that the app knows it.
    pub confirmed_at: Option<Timestamp>,
    #[sea_orm(belongs_to, from = "user_id", to = "id")]
    pub user: BelongsTo<super::user::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
