//! Table `user_models`.

use sea_orm::entity::prelude::*;

/// A person may use a language model: one at most for each pair of languages.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "user_models")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub model_id: Uuid,
    /// Copied from the model, and kept equal by the foreign key, so that a unique index can see the pair.
    #[sea_orm(column_type = "Text")]
    pub source_language: String,
    /// As `source_language`.
    #[sea_orm(column_type = "Text")]
    pub target_language: String,
    #[sea_orm(belongs_to, from = "user_id", to = "id")]
    pub user: BelongsTo<super::user::Entity>,
    #[sea_orm(belongs_to, from = "model_id", to = "id")]
    pub model: BelongsTo<super::model::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
