//! Table `registration_tokens`.

use sea_orm::entity::prelude::*;

use crate::{Secret, Timestamp};

/// The token that whoever registered was shown. It is kept as a hash, until an address is proved.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "registration_tokens")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: Uuid,
    pub token_hash: Secret,
    pub created_at: Timestamp,
    #[sea_orm(belongs_to, from = "user_id", to = "id")]
    pub user: BelongsTo<super::user::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
