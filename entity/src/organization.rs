//! Table `organizations`.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

/// An organisation.
#[sea_orm::model]
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "organizations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub code: String,
    /// The normalised code, unique.
    #[sea_orm(column_type = "Text", unique)]
    pub code_key: String,
    #[sea_orm(column_type = "Text")]
    pub name: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub description: Option<String>,
    pub active: bool,
    /// Shown to people who are not members.
    pub listed: bool,
    /// People may join without an invitation.
    pub self_registration: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    #[sea_orm(has_many)]
    pub memberships: HasMany<super::membership::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
