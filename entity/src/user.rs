//! Table `users`.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

/// How far an account has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(32))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum UserStatus {
    /// Registered, but no address is proved yet.
    Unverified,
    Active,
    #[default]
    Deactivated,
}

/// A person.
///
/// Columns that end in `_key` hold the normalised form of the column before them: that is what is unique and what
/// is looked up. An address is unique only once it is proved, so nobody can occupy the mailbox of another.
#[sea_orm::model]
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub user_name: String,
    #[sea_orm(column_type = "Text", unique)]
    pub user_name_key: String,
    /// The key of the name for which an attempt waits, while `user_name_key` is none: somebody else holds it.
    #[sea_orm(column_type = "Text")]
    pub awaited_name_key: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub name: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub given_name: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub family_name: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub gender: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub locale: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub avatar_url: Option<String>,
    pub status: UserStatus,
    #[sea_orm(column_type = "Text")]
    pub email: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub email_key: Option<String>,
    /// `None` while the address is only claimed.
    pub email_verified_at: Option<Timestamp>,
    /// `None` while only an organisation's administrator vouches for the address: it is in force, and opens nothing that
    /// belongs to others. Set by the proof of the mailbox, or by the word of the platform's administrators.
    pub email_proved_at: Option<Timestamp>,
    #[sea_orm(column_type = "Text")]
    pub phone: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub phone_key: Option<String>,
    /// `None` while the number is only claimed.
    pub phone_verified_at: Option<Timestamp>,
    /// `None` while only an organisation's administrator vouches for the number: it is in force, and gives way to whoever
    /// proves it. Set by the proof of the number, or by the word of the platform's administrators.
    pub phone_proved_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub last_login_at: Option<Timestamp>,
    #[sea_orm(has_one)]
    pub password: HasOne<super::password::Entity>,
    #[sea_orm(has_many)]
    pub registrations: HasMany<super::registration::Entity>,
    #[sea_orm(has_many)]
    pub memberships: HasMany<super::membership::Entity>,
    #[sea_orm(has_many)]
    pub grants: HasMany<super::grant::Entity>,
    #[sea_orm(has_many)]
    pub user_models: HasMany<super::user_model::Entity>,
    #[sea_orm(has_many)]
    pub sessions: HasMany<super::session::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
