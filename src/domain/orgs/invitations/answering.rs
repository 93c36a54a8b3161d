//! Accepting and declining: once, and in time. Accepting is for the proved address that was invited.

use entity::{InvitationStatus, invitation, membership, organization, role, user};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use uuid::Uuid;

use super::{finders, inviting::told};
use crate::{
    context::Ctx,
    db::Txn,
    domain::{
        events::log::{self, EventType},
        orgs::{
            finders as orgs,
            joining::{self, Joiner},
        },
    },
    error::{Error, ErrorCode, Fault, Result},
    ids::Kind,
};

/// What an answer makes of an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answered {
    Accepted,
    Declined,
}

fn refusal(code: ErrorCode) -> Fault {
    let message = match code {
        ErrorCode::Expired => "This invitation has run out, or was taken back: ask for a new one.",
        ErrorCode::AlreadyUsed => "This invitation was answered already.",
        ErrorCode::NotAllowed => "This invitation is for another address.",
        ErrorCode::Inactive => "The organisation is deactivated.",
        _ => "This is not right, or it is over.",
    };
    Fault::new(code, &["token"], message)
}

/// Whether the invitation waits for an answer.
fn waits(ctx: &Ctx, row: &invitation::Model) -> std::result::Result<(), ErrorCode> {
    match finders::status(ctx, row) {
        Some(InvitationStatus::Pending) => Ok(()),
        Some(InvitationStatus::Accepted | InvitationStatus::Declined) => Err(ErrorCode::AlreadyUsed),
        Some(InvitationStatus::Revoked) | None => Err(ErrorCode::Expired),
    }
}

/// The invitation of this link, if whoever proves the address may still take it up.
pub async fn usable(
    ctx: &Ctx,
    token: &str,
    email_key: &str,
) -> Result<std::result::Result<invitation::Model, ErrorCode>> {
    let found = finders::by_token(ctx, token).await?;
    let Some(row) = found.filter(|row| row.email_key == email_key) else {
        return Ok(Err(ErrorCode::WrongCode));
    };
    Ok(waits(ctx, &row).map(|()| row))
}

pub async fn accept(ctx: &Ctx, token: &str) -> Result<membership::Model> {
    let found = finders::by_token(ctx, token).await?;
    let seen = found.ok_or_else(|| refusal(ErrorCode::WrongCode))?;
    let user_id = ctx.actor.user_id().ok_or_else(Error::forbidden)?;
    let txn = ctx.app.db.begin().await?;
    let org = joining::lock(&txn, seen.organization_id).await?;
    let me = user::Entity::find_by_id(user_id).one(&*txn).await?;
    let proved = me.filter(|user| user.email_verified_at.is_some()).and_then(|user| user.email_key);
    if proved.as_ref() != Some(&seen.email_key) {
        return Err(refusal(ErrorCode::NotAllowed).into());
    }
    waits(ctx, &seen).map_err(refusal)?;
    if !org.is_some_and(|org| org.active) {
        return Err(refusal(ErrorCode::Inactive).into());
    }
    let joined = take_up(&txn, ctx, &seen, user_id).await?.ok_or_else(|| refusal(ErrorCode::AlreadyUsed))?;
    txn.commit().await?;
    ctx.app.live_sessions.forget_users(&[user_id]);
    Ok(joined)
}

/// Uses the invitation up and makes the user a member, with the roles written in it. The organisation is held. `None`
/// when somebody was faster, or it does not wait any more.
async fn take_up(
    txn: &Txn,
    ctx: &Ctx,
    row: &invitation::Model,
    user_id: Uuid,
) -> Result<Option<membership::Model>> {
    if !answer(txn, ctx, row, Answered::Accepted).await? {
        return Ok(None);
    }
    let roles = roles_of(txn, row).await?;
    let joined = joining::join(txn, ctx, row.organization_id, &[Joiner { user_id, roles }]).await?;
    let event = told(EventType::InvitationAccepted, row).on(Kind::User, user_id);
    log::record(txn, ctx, event).await?;
    Ok(joined.into_iter().next())
}

/// The same for one that was noted while registering, if it still waits and is for the address that the user has.
pub async fn take_up_by_id(txn: &Txn, ctx: &Ctx, id: Uuid, user_id: Uuid) -> Result<bool> {
    let row = invitation::Entity::find_by_id(id).one(&**txn).await?;
    let user = user::Entity::find_by_id(user_id).one(&**txn).await?;
    let key = user.and_then(|user| user.email_key);
    match row.filter(|row| Some(&row.email_key) == key.as_ref() && waits(ctx, row).is_ok()) {
        Some(row) => Ok(take_up(txn, ctx, &row, user_id).await?.is_some()),
        None => Ok(false),
    }
}

/// One conditional update: of two at once, one wins. A renewed invitation has another token, and is not meant.
async fn answer(txn: &Txn, ctx: &Ctx, row: &invitation::Model, answered: Answered) -> Result<bool> {
    let status = match answered {
        Answered::Accepted => InvitationStatus::Accepted,
        Answered::Declined => InvitationStatus::Declined,
    };
    let done = invitation::Entity::update_many()
        .col_expr(invitation::Column::Status, Expr::value(status))
        .filter(invitation::Column::Id.eq(row.id))
        .filter(invitation::Column::TokenHash.eq(row.token_hash.clone()))
        .filter(invitation::Column::Status.eq(InvitationStatus::Pending))
        .filter(invitation::Column::ExpiresAt.gt(ctx.now()))
        .exec(&**txn)
        .await?;
    Ok(done.rows_affected == 1)
}

pub(super) async fn roles_of(txn: &Txn, row: &invitation::Model) -> Result<Vec<role::Model>> {
    let ids: Vec<Uuid> = serde_json::from_value(row.role_ids.clone()).map_err(Error::internal)?;
    Ok(role::Entity::find().filter(role::Column::Id.is_in(ids)).all(&**txn).await?)
}

/// What a page says to whoever opens the link.
pub struct Introduction {
    pub organization: String,
    pub email: String,
}

/// Reads what the link is about while it waits for an answer, and uses nothing up.
pub async fn introduce(ctx: &Ctx, token: &str) -> Result<Option<Introduction>> {
    let found = finders::by_token(ctx, token).await?.filter(|row| waits(ctx, row).is_ok());
    let Some(row) = found else {
        return Ok(None);
    };
    let org = orgs::seen_through(ctx, [row.organization_id]).await?.remove(&row.organization_id);
    let name = |org: organization::Model| org.name.unwrap_or(org.code);
    Ok(org.map(name).map(|organization| Introduction { organization, email: row.email }))
}

/// For whoever holds the link: no account is needed to say no.
pub async fn decline(ctx: &Ctx, token: &str) -> Result<invitation::Model> {
    let found = finders::by_token(ctx, token).await?;
    let mut row = found.ok_or_else(|| refusal(ErrorCode::WrongCode))?;
    waits(ctx, &row).map_err(refusal)?;
    let txn = ctx.app.db.begin().await?;
    if !answer(&txn, ctx, &row, Answered::Declined).await? {
        return Err(refusal(ErrorCode::AlreadyUsed).into());
    }
    log::record(&txn, ctx, told(EventType::InvitationDeclined, &row)).await?;
    txn.commit().await?;
    row.status = InvitationStatus::Declined;
    Ok(row)
}
