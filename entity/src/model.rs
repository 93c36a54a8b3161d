//! Table `models`.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

/// A language model of the product.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "models")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The product's own identifier, unique; text, because it is theirs and need not be a UUID.
    #[sea_orm(column_type = "Text", unique)]
    pub uuid: String,
    #[sea_orm(column_type = "Text")]
    pub name: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub source_language: String,
    #[sea_orm(column_type = "Text")]
    pub target_language: String,
    pub active: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    #[sea_orm(has_many)]
    pub user_models: HasMany<super::user_model::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
