//! Table `recovery_codes`.

use sea_orm::entity::prelude::*;

use crate::{Secret, Timestamp};

/// What stands in for a lost second factor, once.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "recovery_codes")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(unique_key = "code")]
    pub user_id: Uuid,
    #[sea_orm(unique_key = "code")]
    pub code_hash: Secret,
    pub created_at: Timestamp,
    pub used_at: Option<Timestamp>,
    #[sea_orm(belongs_to, from = "user_id", to = "id")]
    pub user: BelongsTo<super::user::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
