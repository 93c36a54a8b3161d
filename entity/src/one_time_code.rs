//! Table `one_time_codes`.

use sea_orm::entity::prelude::*;

use crate::{Secret, Timestamp};

/// What a code is good for, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(32))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CodePurpose {
    VerifyEmail,
    VerifyPhone,
    ChangeEmail,
    ChangePhone,
    Login,
    PasswordReset,
    StepUp,
    Mfa,
}

/// The way a message takes to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(32))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Channel {
    Email,
    Sms,
}

/// A code, a link, or both, that were sent to one person for one purpose and work once.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "one_time_codes")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_id: Uuid,
    pub application_id: Uuid,
    pub purpose: CodePurpose,
    pub channel: Channel,
    /// The normalised address that the code proves.
    #[sea_orm(column_type = "Text")]
    pub target: String,
    /// Of the six digits.
    pub code_hash: Option<Secret>,
    /// Of the token in the link.
    #[sea_orm(unique)]
    pub token_hash: Option<Secret>,
    pub attempts: i32,
    pub max_attempts: i32,
    pub created_at: Timestamp,
    /// The end of the code; the link may live longer.
    pub expires_at: Timestamp,
    pub link_expires_at: Option<Timestamp>,
    pub consumed_at: Option<Timestamp>,
    /// The hash of the network that asked for it.
    #[sea_orm(column_type = "Text")]
    pub asker: Option<String>,
    /// The wrong tries from that network; `attempts` are those from all others.
    pub asker_attempts: i32,
    #[sea_orm(belongs_to, from = "user_id", to = "id")]
    pub user: BelongsTo<super::user::Entity>,
    #[sea_orm(belongs_to, from = "application_id", to = "id")]
    pub application: BelongsTo<super::application::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
