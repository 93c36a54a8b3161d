//! Table `passwords`.

use sea_orm::entity::prelude::*;

use crate::{Secret, Timestamp};

/// The password of a person. Apart from `users`, so that reading people never loads a hash.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "passwords")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: Uuid,
    pub hash: Secret,
    pub changed_at: Timestamp,
    /// How many wrong guesses in a row there were, from devices that are not known.
    pub failures: i32,
    #[sea_orm(belongs_to, from = "user_id", to = "id")]
    pub user: BelongsTo<super::user::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
