//! Table `invitations`.

use sea_orm::entity::prelude::*;

use crate::{Secret, Timestamp};

/// What became of an invitation. One that nobody answered in time is still `PENDING` here; its moment has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(32))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum InvitationStatus {
    Pending,
    Accepted,
    Declined,
    Revoked,
}

/// An address that was asked to join an organisation.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "invitations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub organization_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub email: String,
    #[sea_orm(column_type = "Text")]
    pub email_key: String,
    /// A list of the ids of the roles that are granted in the organisation with it.
    #[sea_orm(column_type = "JsonBinary")]
    pub role_ids: Json,
    /// Of the token in the link.
    #[sea_orm(unique)]
    pub token_hash: Secret,
    pub status: InvitationStatus,
    /// A user; not a foreign key, for the invitation outlives them.
    pub invited_by: Option<Uuid>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    #[sea_orm(belongs_to, from = "organization_id", to = "id")]
    pub organization: BelongsTo<super::organization::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
