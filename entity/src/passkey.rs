//! Table `passkeys`.

use sea_orm::entity::prelude::*;

use crate::{Secret, Timestamp};

/// A key pair in somebody's device or password manager, of which we hold the public half.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "passkeys")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_id: Uuid,
    /// What the person calls it.
    #[sea_orm(column_type = "Text")]
    pub name: String,
    /// What the authenticator calls it: of all people's passkeys one at most.
    #[sea_orm(unique)]
    pub credential_id: Secret,
    /// The public key and what was agreed at the registration, as JSON.
    #[sea_orm(column_type = "Text")]
    pub credential: String,
    /// How often the authenticator says that it was used; always 0 where it does not count.
    pub counter: i64,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
    #[sea_orm(belongs_to, from = "user_id", to = "id")]
    pub user: BelongsTo<super::user::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
