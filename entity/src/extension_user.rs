//! Table `extension_users`.

use sea_orm::entity::prelude::*;

use crate::{Secret, Timestamp};

/// Whom an application's extension means by an id of its own. The id is kept as a hash: it is only ever looked up.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "extension_users")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub application_id: Uuid,
    pub subject_hash: Secret,
    pub user_id: Uuid,
    pub created_at: Timestamp,
    #[sea_orm(belongs_to, from = "application_id", to = "id")]
    pub application: BelongsTo<super::application::Entity>,
    #[sea_orm(belongs_to, from = "user_id", to = "id")]
    pub user: BelongsTo<super::user::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
