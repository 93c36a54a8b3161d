//! Table `signing_keys`.

use sea_orm::entity::prelude::*;

use crate::{Secret, Timestamp};

/// A key that signs access tokens, will sign them, or did.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "signing_keys")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text", unique)]
    pub kid: String,
    #[sea_orm(column_type = "Text")]
    pub algorithm: String,
    #[sea_orm(column_type = "JsonBinary")]
    pub public_jwk: Json,
    pub sealed_private: Secret,
    pub created_at: Timestamp,
    /// Published before this moment, so that everybody knows the key when it starts to sign.
    pub active_from: Timestamp,
    /// From here on it signs no more, but is still published.
    pub retired_at: Option<Timestamp>,
    /// From here on nothing it signed is valid, and it is published no more.
    pub expires_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}
