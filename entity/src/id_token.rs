//! Table `id_tokens`.

use sea_orm::entity::prelude::*;

use crate::{Secret, Timestamp};

/// An id token that was exchanged: kept as a hash until it has run out, so that it does not come again.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "id_tokens")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(unique)]
    pub token_hash: Secret,
    pub expires_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
