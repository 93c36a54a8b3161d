//! Accepting and declining: once, and in time. Accepting is for the proved address that was invited, and an invitation is
//! worth what its sender may still give: who was removed, demoted or closed invites nobody any more, by whatever link.

use std::collections::{HashMap, HashSet};

use entity::{InvitationStatus, Secret, UserStatus, invitation, membership, organization, role, user};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, sea_query::Expr};
use uuid::Uuid;

use super::{
    finders,
    inviting::{promised_by_default, told},
};
use crate::{
    authz::{Permission, Scope},
    context::Ctx,
    crypto,
    db::Txn,
    domain::{
        events::log::{self, EventType},
        orgs::{
            finders as orgs,
            joining::{self, Joiner},
        },
        roles::authority::{self, Standing},
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
        ErrorCode::NotVerified => {
            "Nobody has proved your address yet: `changeEmail` with this very address mails you a link."
        }
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

/// The invitation of each link, if whoever proves the address beside it may still take it up.
pub async fn usable(
    ctx: &Ctx,
    asked: &[(&str, &str)],
) -> Result<Vec<std::result::Result<invitation::Model, ErrorCode>>> {
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let db = ctx.app.db.read();
    let hashes: Vec<_> = asked.iter().map(|(token, _)| crypto::token_hash(token)).collect();
    let found = invitation::Entity::find().filter(invitation::Column::TokenHash.is_in(hashes.clone()));
    let found = found.all(db).await?;
    let backed = backed(db, &found).await?;
    let answer = |(hash, (_, email_key)): (&Secret, &(&str, &str))| {
        let row = found.iter().find(|row| row.token_hash == *hash && row.email_key == *email_key);
        let row = row.ok_or(ErrorCode::WrongCode)?;
        waits(ctx, row)?;
        if backed.contains(&row.id) { Ok(row.clone()) } else { Err(ErrorCode::Expired) }
    };
    Ok(hashes.iter().zip(asked).map(answer).collect())
}

/// Those of these invitations whose senders may still invite there and grant what they promise. It is looked at when
/// an invitation is taken up, and not noted when the sender loses something: there are many ways to lose, and one to
/// join. Whoever may give it sends it again, and then it is theirs.
async fn backed<C: ConnectionTrait>(db: &C, rows: &[invitation::Model]) -> Result<HashSet<Uuid>> {
    let senders: Vec<Uuid> = rows.iter().filter_map(|row| row.invited_by).collect();
    let active: HashSet<Uuid> = user::Entity::find()
        .select_only()
        .column(user::Column::Id)
        .filter(user::Column::Id.is_in(senders.iter().copied()))
        .filter(user::Column::Status.eq(UserStatus::Active))
        .into_tuple()
        .all(db)
        .await?
        .into_iter()
        .collect();
    let standings = authority::standings(db, &senders).await?;
    let mut promised = Vec::new();
    for row in rows {
        promised.extend(role_ids(row)?);
    }
    let roles = role::Entity::find().filter(role::Column::Id.is_in(promised)).all(db).await?;
    let mut backed = HashSet::new();
    for row in rows {
        let (organization, ids) = (row.organization_id, role_ids(row)?);
        let promised: Vec<_> = roles.iter().filter(|role| ids.contains(&role.id)).collect();
        let holds = |sender: Uuid| {
            let standing = standings.get(&sender).filter(|_| active.contains(&sender));
            standing.is_some_and(|Standing { grants, organizations: _ }| {
                let gives = |role: &&role::Model| {
                    promised_by_default(role) || authority::could_grant(grants, role, Some(organization))
                };
                grants.allow(Permission::OrgInvite, Scope::Org(organization)) && promised.iter().all(gives)
            })
        };
        // What the service itself sent rests on nobody.
        if row.invited_by.is_none_or(holds) {
            backed.insert(row.id);
        }
    }
    Ok(backed)
}

/// What each of these invitations promises, by code, in one statement.
pub(super) async fn role_codes(
    txn: &Txn,
    rows: impl IntoIterator<Item = &invitation::Model>,
) -> Result<HashMap<Uuid, Vec<String>>> {
    let promised = rows.into_iter().map(|row| Ok((row.id, role_ids(row)?)));
    let promised = promised.collect::<Result<Vec<_>>>()?;
    let ids: HashSet<Uuid> = promised.iter().flat_map(|(_, ids)| ids).copied().collect();
    let roles = role::Entity::find().filter(role::Column::Id.is_in(ids)).all(&**txn).await?;
    let codes: HashMap<Uuid, String> = roles.into_iter().map(|role| (role.id, role.code)).collect();
    let of = |ids: Vec<Uuid>| {
        let mut codes: Vec<_> = ids.iter().filter_map(|id| codes.get(id).cloned()).collect();
        codes.sort();
        codes
    };
    Ok(promised.into_iter().map(|(id, ids)| (id, of(ids))).collect())
}

fn role_ids(row: &invitation::Model) -> Result<Vec<Uuid>> {
    serde_json::from_value(row.role_ids.clone()).map_err(Error::internal)
}

pub async fn accept(ctx: &Ctx, token: &str) -> Result<membership::Model> {
    let found = finders::by_token(ctx, token).await?;
    let seen = found.ok_or_else(|| refusal(ErrorCode::WrongCode))?;
    let user_id = ctx.actor.in_person().ok_or_else(Error::forbidden)?.user_id;
    let txn = ctx.app.db.begin().await?;
    let (_, org) = joining::hold(&txn, seen.organization_id, &[user_id]).await?;
    let me = user::Entity::find_by_id(user_id).one(&*txn).await?;
    let me = me.filter(|user| user.email_verified_at.is_some());
    let me = me.filter(|user| user.email_key.as_ref() == Some(&seen.email_key));
    let me = me.ok_or_else(|| refusal(ErrorCode::NotAllowed))?;
    if me.email_proved_at.is_none() {
        return Err(refusal(ErrorCode::NotVerified).into());
    }
    waits(ctx, &seen).map_err(refusal)?;
    if !org.is_some_and(|org| org.active) {
        return Err(refusal(ErrorCode::Inactive).into());
    }
    let joined = take_up(&txn, ctx, &seen, user_id).await?.map_err(refusal)?;
    txn.commit().await?;
    Ok(joined)
}

/// Uses the invitation up and makes the user a member, with the roles written in it. User and organisation are held.
/// `Err` when somebody was faster, or it is not good any more.
async fn take_up(
    txn: &Txn,
    ctx: &Ctx,
    row: &invitation::Model,
    user_id: Uuid,
) -> Result<std::result::Result<membership::Model, ErrorCode>> {
    if backed(&**txn, std::slice::from_ref(row)).await?.is_empty() {
        return Ok(Err(ErrorCode::Expired));
    }
    if !answer(txn, ctx, row, Answered::Accepted).await? {
        return Ok(Err(ErrorCode::AlreadyUsed));
    }
    let roles = roles_of(txn, row).await?;
    let joined = joining::join(txn, ctx, row.organization_id, &[Joiner { user_id, roles }]).await?;
    let event = told(EventType::InvitationAccepted, row).on(Kind::User, user_id);
    log::record(txn, ctx, event).await?;
    Ok(joined.into_iter().next().ok_or(ErrorCode::Conflict))
}

/// The same for one that was noted while registering, if it still waits and is for the address that the user has.
pub async fn take_up_by_id(txn: &Txn, ctx: &Ctx, id: Uuid, user_id: Uuid) -> Result<bool> {
    let row = invitation::Entity::find_by_id(id).one(&**txn).await?;
    let user = user::Entity::find_by_id(user_id).one(&**txn).await?;
    let key = user.and_then(|user| user.email_key);
    match row.filter(|row| Some(&row.email_key) == key.as_ref() && waits(ctx, row).is_ok()) {
        Some(row) => Ok(take_up(txn, ctx, &row, user_id).await?.is_ok()),
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
    Ok(role::Entity::find().filter(role::Column::Id.is_in(role_ids(row)?)).all(&**txn).await?)
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
