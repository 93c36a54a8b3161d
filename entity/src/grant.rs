//! Table `grants`.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

/// A person holds a role. A grant in an organisation needs the membership there, and ends with it.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "grants")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_id: Uuid,
    pub role_id: Uuid,
    /// `None`: on the whole platform.
    pub organization_id: Option<Uuid>,
    /// The person who granted it. Not a foreign key: the grant outlives them.
    pub granted_by: Option<Uuid>,
    pub created_at: Timestamp,
    #[sea_orm(belongs_to, from = "user_id", to = "id")]
    pub user: BelongsTo<super::user::Entity>,
    #[sea_orm(belongs_to, from = "role_id", to = "id")]
    pub role: BelongsTo<super::role::Entity>,
    #[sea_orm(belongs_to, from = "(organization_id, user_id)", to = "(organization_id, user_id)")]
    pub membership: BelongsTo<Option<super::membership::Entity>>,
}

impl ActiveModelBehavior for ActiveModel {}
