//! Table `challenges`.

use sea_orm::entity::prelude::*;

use crate::{Secret, Timestamp};

/// What has to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(32))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ChallengeKind {
    /// The second factor of a login.
    Login,
    /// A login with a passkey alone.
    PasskeyLogin,
    /// The making of a passkey.
    PasskeyRegistration,
}

/// A question that waits for one answer: kept here, so that any instance can judge it, also after a restart.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "challenges")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub kind: ChallengeKind,
    /// `None` where the answer says who it is.
    pub user_id: Option<Uuid>,
    pub application_id: Option<Uuid>,
    /// What the answer is judged by.
    pub sealed: Secret,
    /// Of the code that was sent last, if one was.
    pub code_hash: Option<Secret>,
    pub attempts: i32,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub consumed_at: Option<Timestamp>,
    #[sea_orm(belongs_to, from = "user_id", to = "id")]
    pub user: BelongsTo<Option<super::user::Entity>>,
    #[sea_orm(belongs_to, from = "application_id", to = "id")]
    pub application: BelongsTo<Option<super::application::Entity>>,
}

impl ActiveModelBehavior for ActiveModel {}
