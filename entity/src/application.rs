//! Table `applications`.

use sea_orm::entity::prelude::*;

use crate::{Secret, Timestamp};

/// Where the identities of an application are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(32))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum IdentityBackend {
    /// In this database.
    Native,
    #[sea_orm(string_value = "FUSIONAUTH")]
    FusionAuth,
}

/// A tenant: an application that registered with Denizen.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "applications")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub name: String,
    /// The normalised name, unique.
    #[sea_orm(column_type = "Text", unique)]
    pub name_key: String,
    pub active: bool,
    pub backend: IdentityBackend,
    /// The sealed settings of a foreign backend (its address, its key).
    pub backend_settings: Option<Secret>,
    pub client_secret_hash: Option<Secret>,
    /// The sealed key that signs calls to this application's extensions.
    pub extension_key: Option<Secret>,
    /// A list of URLs.
    #[sea_orm(column_type = "JsonBinary")]
    pub redirect_urls: Json,
    /// Who asks without naming an application means this one: at most one row says true.
    pub is_default: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    #[sea_orm(has_many)]
    pub registrations: HasMany<super::registration::Entity>,
    #[sea_orm(has_many)]
    pub sessions: HasMany<super::session::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
