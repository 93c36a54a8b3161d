//! Inviting, renewing and taking back. The answer is the same whoever lives behind the address.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use entity::{InvitationStatus, invitation, organization, role};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect,
    sea_query::{Expr, OnConflict},
};
use serde_json::json;
use uuid::Uuid;

use super::{
    finders,
    sent::{self, Flooded},
};
use crate::{
    authz::{Permission, Scope},
    bulk,
    context::Ctx,
    crypto,
    db::Txn,
    domain::{
        events::log::{self, EventType, NewEvent},
        identity::names::{self, Email},
        notifications::{
            foreign_text,
            service::{self as notifications, Letter},
            template::Template,
        },
        orgs::adding::{Catalogue, hold_active, in_scope},
        roles::authority,
    },
    error::{Error, ErrorCode, Fault, Result},
    ids::Kind,
};

pub const TTL: Duration = Duration::from_hours(7 * 24);

/// Whom to invite; without roles named, as `MEMBER`.
pub struct Invitee {
    pub email: String,
    pub role_codes: Option<Vec<String>>,
}

pub async fn invite(
    ctx: &Ctx,
    organization_id: Uuid,
    invitees: Vec<Invitee>,
) -> Result<Vec<invitation::Model>> {
    let org = in_scope(ctx, Permission::OrgInvite, organization_id).await?;
    bulk::check_size("invitees", invitees.len())?;
    let catalogue =
        Catalogue::read(ctx, invitees.iter().map(|invitee| invitee.role_codes.as_deref())).await?;
    let invitees = judged(ctx, org.id, &catalogue, &invitees)?;

    let txn = ctx.app.db.begin().await?;
    let addresses: Vec<_> = invitees.iter().map(|(email, _)| email.key.as_str()).collect();
    let flooded = sent::flooded(&txn, ctx, org.id, &addresses).await?;
    let fault = |(index, (email, _)): (usize, &(Email, _))| {
        flooded.by_us.contains(&email.key).then(|| sent::too_many(&["invitees", &index.to_string(), "email"]))
    };
    let faults: Vec<_> = invitees.iter().enumerate().filter_map(fault).collect();
    bulk::refuse(faults)?;
    let org = hold_active(&txn, org.id).await?;
    let open = invitation::Entity::find()
        .filter(invitation::Column::OrganizationId.eq(org.id))
        .filter(invitation::Column::EmailKey.is_in(invitees.iter().map(|(email, _)| email.key.as_str())))
        .filter(invitation::Column::Status.eq(InvitationStatus::Pending))
        .lock_exclusive()
        .all(&*txn)
        .await?;
    let mut open: HashMap<_, _> = open.into_iter().map(|row| (row.email_key.clone(), row)).collect();
    let rows = invitees.into_iter().map(|(email, roles)| {
        let before = open.remove(&email.key);
        if let Some(before) = before.clone().filter(|_| flooded.by_all.contains(&email.key)) {
            // No mail goes out that would bring another link: the one that did stays good.
            let (row, token) = renewed(ctx, before.clone(), role_ids(&roles));
            return (invitation::Model { token_hash: before.token_hash, ..row }, token);
        }
        renewed(ctx, before.unwrap_or_else(|| fresh(ctx, org.id, email)), role_ids(&roles))
    });
    let sent: Vec<_> = rows.collect();
    send(&txn, ctx, &org, &sent, &flooded).await?;
    txn.commit().await?;
    Ok(sent.into_iter().map(|(row, _)| row).collect())
}

/// Every fault at once, or who is invited with which roles.
fn judged(
    ctx: &Ctx,
    organization: Uuid,
    catalogue: &Catalogue,
    invitees: &[Invitee],
) -> Result<Vec<(Email, Vec<role::Model>)>> {
    let (mut good, mut faults, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
    for (index, Invitee { email, role_codes }) in invitees.iter().enumerate() {
        let path = ["invitees", &index.to_string()];
        let at = [path[0], path[1], "email"];
        let parsed = names::email(email);
        match &parsed {
            None => faults.push(Fault::new(ErrorCode::Invalid, &at, "This is not an email address.")),
            Some(email) if !seen.insert(email.key.clone()) => {
                faults.push(Fault::new(ErrorCode::Taken, &at, "This address is named twice."));
            }
            Some(_) => {}
        }
        match (catalogue.grantable(ctx, organization, role_codes.as_deref(), &path), parsed) {
            (Err(found), _) => faults.extend(found),
            (Ok(roles), Some(email)) => good.push((email, roles)),
            (Ok(_), None) => {}
        }
    }
    if faults.is_empty() { Ok(good) } else { Err(Error::Faults(faults)) }
}

fn role_ids(roles: &[role::Model]) -> serde_json::Value {
    json!(roles.iter().map(|role| role.id).collect::<Vec<_>>())
}

fn fresh(ctx: &Ctx, organization_id: Uuid, email: Email) -> invitation::Model {
    invitation::Model {
        id: ctx.new_id(),
        organization_id,
        email: email.address,
        email_key: email.key,
        role_ids: json!([]),
        token_hash: crypto::token_hash(""),
        status: InvitationStatus::Pending,
        invited_by: None,
        created_at: ctx.now(),
        expires_at: ctx.now(),
    }
}

/// The invitation with a new link, which ends the one before, and the token of the link.
fn renewed(
    ctx: &Ctx,
    mut row: invitation::Model,
    role_ids: serde_json::Value,
) -> (invitation::Model, String) {
    let token = crypto::new_token(ctx.app.random.as_ref());
    row.role_ids = role_ids;
    row.token_hash = crypto::token_hash(&token);
    row.invited_by = ctx.actor.user_id();
    row.expires_at = ctx.now().plus(TTL);
    (row, token)
}

/// Writes the invitations, which are held or new, mails the links and tells of it.
async fn send(
    txn: &Txn,
    ctx: &Ctx,
    org: &organization::Model,
    sent: &[(invitation::Model, String)],
    flooded: &Flooded,
) -> Result<()> {
    if sent.is_empty() {
        return Ok(());
    }
    let again = OnConflict::column(invitation::Column::Id)
        .update_columns([
            invitation::Column::RoleIds,
            invitation::Column::TokenHash,
            invitation::Column::InvitedBy,
            invitation::Column::ExpiresAt,
        ])
        .to_owned();
    let rows = sent.iter().map(|(row, _)| row.clone().into_active_model().reset_all());
    invitation::Entity::insert_many(rows).on_conflict(again).exec_without_returning(&**txn).await?;
    let user = ctx.actor.signed_in();
    let letter = |(row, token): &(invitation::Model, String)| Letter {
        user_id: None,
        application_id: user.map_or(ctx.app.default_application, |user| user.application_id),
        to: row.email.clone(),
        template: Template::Invitation {
            organization: shown(org),
            link: ctx.app.public_url.link("invitation", token),
            days: TTL.as_secs() / 86_400,
        },
    };
    let mailed = sent.iter().filter(|(row, _)| !flooded.by_all.contains(&row.email_key));
    let letters: Vec<_> = mailed.map(letter).collect();
    if !letters.is_empty() {
        notifications::send_all(txn, ctx, letters).await?;
    }
    let codes = super::answering::role_codes(txn, sent.iter().map(|(row, _)| row)).await?;
    let event = |(row, _): &(invitation::Model, String)| {
        let roles = codes.get(&row.id).cloned().unwrap_or_default();
        told(EventType::InvitationSent, row).with(json!({ "roles": roles }))
    };
    log::record_all(txn, ctx, sent.iter().map(event).collect()).await
}

/// How a mail calls it: by its name, if that is no more than a name.
fn shown(org: &organization::Model) -> String {
    let name = org.name.as_deref().and_then(foreign_text::title);
    name.unwrap_or(&org.code).to_owned()
}

pub(super) fn told(kind: EventType, row: &invitation::Model) -> NewEvent {
    NewEvent::of(kind).on(Kind::Invitation, row.id).within(Some(row.organization_id))
}

/// The invitation, if the caller may invite in its organisation.
async fn administered(ctx: &Ctx, id: Uuid) -> Result<invitation::Model> {
    let found = finders::by_ids(ctx, [id]).await?.remove(&id);
    let mine =
        |row: &invitation::Model| ctx.actor.may(Permission::OrgInvite, Scope::Org(row.organization_id));
    let not_found = || Fault::new(ErrorCode::NotFound, &["invitationId"], "There is no such invitation.");
    Ok(found.filter(mine).ok_or_else(not_found)?)
}

fn answered() -> Fault {
    Fault::new(ErrorCode::AlreadyUsed, &["invitationId"], "This invitation waits for no answer any more.")
}

/// Mails a new link for another seven days. Who sends it must be able to grant what it promises.
pub async fn resend(ctx: &Ctx, id: Uuid) -> Result<invitation::Model> {
    let seen = administered(ctx, id).await?;
    let txn = ctx.app.db.begin().await?;
    let flooded = sent::flooded(&txn, ctx, seen.organization_id, &[&seen.email_key]).await?;
    if !flooded.by_us.is_empty() {
        return Err(sent::too_many(&["invitationId"]).into());
    }
    let org = hold_active(&txn, seen.organization_id).await?;
    let held = invitation::Entity::find_by_id(id)
        .filter(invitation::Column::Status.eq(InvitationStatus::Pending))
        .lock_exclusive()
        .one(&*txn)
        .await?;
    let held = held.ok_or_else(answered)?;
    let roles = super::answering::roles_of(&txn, &held).await?;
    if !roles.iter().all(|role| promised_by_default(role) || authority::may_grant(ctx, role, Some(org.id))) {
        let message = "You may not grant what this invitation promises.";
        return Err(Fault::new(ErrorCode::NotAllowed, &["invitationId"], message).into());
    }
    let role_ids = held.role_ids.clone();
    let link = held.token_hash.clone();
    let (mut row, token) = renewed(ctx, held, role_ids);
    if flooded.by_all.contains(&row.email_key) {
        row.token_hash = link;
    }
    send(&txn, ctx, &org, &[(row.clone(), token)], &flooded).await?;
    txn.commit().await?;
    Ok(row)
}

/// What everybody becomes who is invited without any role named.
pub(super) fn promised_by_default(role: &role::Model) -> bool {
    role.code_key == names::name_key(crate::domain::orgs::adding::MEMBER)
}

pub async fn revoke(ctx: &Ctx, id: Uuid) -> Result<invitation::Model> {
    let mut row = administered(ctx, id).await?;
    let txn = ctx.app.db.begin().await?;
    let done = invitation::Entity::update_many()
        .col_expr(invitation::Column::Status, Expr::value(InvitationStatus::Revoked))
        .filter(invitation::Column::Id.eq(id))
        .filter(invitation::Column::Status.eq(InvitationStatus::Pending))
        .exec(&*txn)
        .await?;
    if done.rows_affected == 0 {
        return Err(answered().into());
    }
    log::record(&txn, ctx, told(EventType::InvitationRevoked, &row)).await?;
    txn.commit().await?;
    row.status = InvitationStatus::Revoked;
    Ok(row)
}
