//! Table `roles`.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

/// A role.
#[sea_orm::model]
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "roles")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub code: String,
    /// The normalised code, unique.
    #[sea_orm(column_type = "Text", unique)]
    pub code_key: String,
    #[sea_orm(column_type = "Text")]
    pub description: Option<String>,
    pub active: bool,
    /// Comes from the program's own policy table: nobody may change or delete it.
    pub system: bool,
    pub self_assignable: bool,
    /// A list: where the role may be granted (platform, organisation).
    #[sea_orm(column_type = "JsonBinary")]
    pub scopes: Json,
    /// A list of permission codes.
    #[sea_orm(column_type = "JsonBinary")]
    pub permissions: Json,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    #[sea_orm(has_many)]
    pub grants: HasMany<super::grant::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
