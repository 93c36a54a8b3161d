//! Everything that is held about the caller, for them to take along. Never a hash, nor what would open the account.

use std::collections::HashMap;

use entity::{
    api_key, device_token, event, event_target, grant, invitation, membership, model, notification,
    one_time_code, organization, password, pending_membership, registration, role, session, user, user_model,
};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::erase;
use crate::{
    clock::rfc3339,
    context::Ctx,
    domain::{
        applications,
        credentials::{factors::service as factors, proofs},
    },
    error::{Error, ErrorCode, Result},
    ids::{self, Kind},
};

/// The newest of what grows without end; one answer holds no more.
const MOST_ROWS: u64 = 10_000;
/// A statement holds only so many values.
const AT_ONCE: usize = 1_000;

pub async fn export_my_data(ctx: &Ctx, proof: Option<&str>) -> Result<Json> {
    let id = ctx.actor.in_person().ok_or_else(Error::forbidden)?.user_id;
    let confirmed = proofs::require(ctx, proof).await?;
    let txn = ctx.app.db.begin().await?;
    confirmed.spend(&txn, ctx).await?;
    txn.commit().await?;
    let db = ctx.app.db.read();
    let gone = || Error::refused(ErrorCode::Unauthenticated, "This account is gone.");
    let user = user::Entity::find_by_id(id).one(db).await?.ok_or_else(gone)?;
    Ok(json!({
        "exportedAt": rfc3339(ctx.now()),
        "invitations": invitations(db, &user).await?,
        "profile": profile(db, user).await?,
        "applications": registrations(db, id).await?,
        "extensionOf": applications::service::exported_links(db, id).await?,
        "memberships": memberships(db, id).await?,
        "pendingMemberships": pending_memberships(db, id).await?,
        "roles": roles(db, id).await?,
        "models": models(db, id).await?,
        "secondFactors": factors::exported(db, id).await?,
        "sessions": sessions(db, id).await?,
        "devices": devices(db, id).await?,
        "apiKeys": api_keys(db, id).await?,
        "codes": pending_codes(db, id).await?,
        "notifications": notifications(db, id).await?,
        "events": events(db, id).await?,
    }))
}

async fn profile<C: ConnectionTrait>(db: &C, user: user::Model) -> Result<Json> {
    let user::Model {
        id,
        user_name,
        user_name_key: _,
        awaited_name_key: _,
        name,
        given_name,
        family_name,
        gender,
        locale,
        avatar_url,
        status,
        email,
        email_key: _,
        email_verified_at,
        email_proved_at,
        phone,
        phone_key: _,
        phone_verified_at,
        phone_proved_at,
        created_at,
        updated_at,
        last_login_at,
    } = user;
    let password = password::Entity::find_by_id(id).one(db).await?;
    Ok(json!({
        "id": ids::encode(Kind::User, id),
        "userName": user_name,
        "name": name,
        "givenName": given_name,
        "familyName": family_name,
        "gender": gender,
        "locale": locale,
        "avatarUrl": avatar_url,
        "status": format!("{status:?}").to_uppercase(),
        "email": email,
        "emailVerifiedAt": email_verified_at.map(rfc3339),
        "emailProvedAt": email_proved_at.map(rfc3339),
        "phone": phone,
        "phoneVerifiedAt": phone_verified_at.map(rfc3339),
        "phoneProvedAt": phone_proved_at.map(rfc3339),
        "createdAt": rfc3339(created_at),
        "updatedAt": rfc3339(updated_at),
        "lastLoginAt": last_login_at.map(rfc3339),
        "passwordChangedAt": password.map(|row| rfc3339(row.changed_at)),
    }))
}

async fn registrations<C: ConnectionTrait>(db: &C, id: Uuid) -> Result<Vec<Json>> {
    let rows = registration::Entity::find().filter(registration::Column::UserId.eq(id)).all(db).await?;
    let entry = |row: registration::Model| {
        json!({
            "applicationId": ids::encode(Kind::Application, row.application_id),
            "createdAt": rfc3339(row.created_at),
            "lastLoginAt": row.last_login_at.map(rfc3339),
        })
    };
    Ok(rows.into_iter().map(entry).collect())
}

async fn memberships<C: ConnectionTrait>(db: &C, id: Uuid) -> Result<Vec<Json>> {
    let rows = membership::Entity::find()
        .filter(membership::Column::UserId.eq(id))
        .find_also_related(organization::Entity)
        .all(db)
        .await?;
    let entry = |(row, org): (membership::Model, Option<organization::Model>)| {
        json!({
            "organization": org.map(|org| org.code),
            "primary": row.is_primary,
            "joinedAt": rfc3339(row.joined_at),
        })
    };
    Ok(rows.into_iter().map(entry).collect())
}

async fn pending_memberships<C: ConnectionTrait>(db: &C, id: Uuid) -> Result<Vec<Json>> {
    let rows = pending_membership::Entity::find()
        .filter(pending_membership::Column::UserId.eq(id))
        .find_also_related(organization::Entity)
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|(_, org)| json!({ "organization": org.map(|org| org.code) })).collect())
}

async fn invitations<C: ConnectionTrait>(db: &C, user: &user::Model) -> Result<Vec<Json>> {
    // Those to the proved address only: one that is claimed or vouched for may be somebody else's.
    let Some(email_key) = user.email_key.as_ref().filter(|_| user.email_proved_at.is_some()) else {
        return Ok(Vec::new());
    };
    let rows = invitation::Entity::find()
        .filter(invitation::Column::EmailKey.eq(email_key))
        .find_also_related(organization::Entity)
        .all(db)
        .await?;
    let entry = |(row, org): (invitation::Model, Option<organization::Model>)| {
        json!({
            "id": ids::encode(Kind::Invitation, row.id),
            "organization": org.map(|org| org.code),
            "email": row.email,
            "status": format!("{:?}", row.status).to_uppercase(),
            "createdAt": rfc3339(row.created_at),
            "expiresAt": rfc3339(row.expires_at),
        })
    };
    Ok(rows.into_iter().map(entry).collect())
}

async fn roles<C: ConnectionTrait>(db: &C, id: Uuid) -> Result<Vec<Json>> {
    let rows = grant::Entity::find()
        .filter(grant::Column::UserId.eq(id))
        .find_also_related(role::Entity)
        .all(db)
        .await?;
    let entry = |(row, role): (grant::Model, Option<role::Model>)| {
        json!({
            "role": role.map(|role| role.code),
            "organizationId": row.organization_id.map(|org| ids::encode(Kind::Organization, org)),
            "grantedAt": rfc3339(row.created_at),
        })
    };
    Ok(rows.into_iter().map(entry).collect())
}

async fn models<C: ConnectionTrait>(db: &C, id: Uuid) -> Result<Vec<Json>> {
    let rows = user_model::Entity::find()
        .filter(user_model::Column::UserId.eq(id))
        .find_also_related(model::Entity)
        .all(db)
        .await?;
    let entry = |(row, model): (user_model::Model, Option<model::Model>)| {
        json!({
            "uuid": model.map(|model| model.uuid),
            "sourceLanguage": row.source_language,
            "targetLanguage": row.target_language,
        })
    };
    Ok(rows.into_iter().map(entry).collect())
}

async fn sessions<C: ConnectionTrait>(db: &C, id: Uuid) -> Result<Vec<Json>> {
    let rows = session::Entity::find()
        .filter(session::Column::UserId.eq(id))
        .order_by_desc(session::Column::CreatedAt)
        .limit(MOST_ROWS)
        .all(db)
        .await?;
    let entry = |row: session::Model| {
        json!({
            "id": ids::encode(Kind::Session, row.id),
            "device": row.device,
            "ip": row.ip,
            "userAgent": row.user_agent,
            "createdAt": rfc3339(row.created_at),
            "lastUsedAt": rfc3339(row.last_used_at),
            "expiresAt": rfc3339(row.expires_at),
            "endedAt": row.ended_at.map(rfc3339),
            "endReason": row.end_reason,
        })
    };
    Ok(rows.into_iter().map(entry).collect())
}

async fn devices<C: ConnectionTrait>(db: &C, id: Uuid) -> Result<Vec<Json>> {
    let rows =
        device_token::Entity::find().filter(device_token::Column::UserId.eq(id)).limit(MOST_ROWS).all(db);
    let entry = |row: device_token::Model| {
        json!({
            "createdAt": rfc3339(row.created_at),
            "lastUsedAt": rfc3339(row.last_used_at),
            "expiresAt": rfc3339(row.expires_at),
        })
    };
    Ok(rows.await?.into_iter().map(entry).collect())
}

async fn api_keys<C: ConnectionTrait>(db: &C, id: Uuid) -> Result<Vec<Json>> {
    let rows = api_key::Entity::find().filter(api_key::Column::UserId.eq(id)).limit(MOST_ROWS).all(db);
    let entry = |row: api_key::Model| {
        json!({
            "id": ids::encode(Kind::ApiKey, row.id),
            "name": row.name,
            "prefix": row.prefix,
            "scopes": row.scopes,
            "createdAt": rfc3339(row.created_at),
            "lastUsedAt": row.last_used_at.map(rfc3339),
            "expiresAt": row.expires_at.map(rfc3339),
        })
    };
    Ok(rows.await?.into_iter().map(entry).collect())
}

async fn pending_codes<C: ConnectionTrait>(db: &C, id: Uuid) -> Result<Vec<Json>> {
    let rows = one_time_code::Entity::find()
        .filter(one_time_code::Column::UserId.eq(id))
        .filter(one_time_code::Column::ConsumedAt.is_null())
        .all(db)
        .await?;
    let entry = |row: one_time_code::Model| {
        json!({
            "purpose": format!("{:?}", row.purpose),
            "sentTo": row.target,
            "createdAt": rfc3339(row.created_at),
            "expiresAt": rfc3339(row.link_expires_at.unwrap_or(row.expires_at)),
        })
    };
    Ok(rows.into_iter().map(entry).collect())
}

async fn notifications<C: ConnectionTrait>(db: &C, id: Uuid) -> Result<Vec<Json>> {
    let rows = notification::Entity::find()
        .filter(notification::Column::UserId.eq(id))
        .order_by_desc(notification::Column::CreatedAt)
        .limit(MOST_ROWS)
        .all(db)
        .await?;
    let entry = |row: notification::Model| {
        json!({
            "template": row.template,
            "createdAt": rfc3339(row.created_at),
            "sentAt": row.sent_at.map(rfc3339),
        })
    };
    Ok(rows.into_iter().map(entry).collect())
}

async fn events<C: ConnectionTrait>(db: &C, id: Uuid) -> Result<Vec<Json>> {
    let rows = event::Entity::find()
        .filter(erase::about(&[id]))
        .order_by_desc(event::Column::OccurredAt)
        .limit(MOST_ROWS)
        .all(db)
        .await?;
    let mut targets: HashMap<Uuid, Vec<String>> = HashMap::new();
    for rows in rows.chunks(AT_ONCE) {
        let found = event_target::Entity::find()
            .filter(event_target::Column::EventId.is_in(rows.iter().map(|row| row.id)))
            .order_by_asc(event_target::Column::Position);
        for target in found.all(db).await? {
            targets.entry(target.event_id).or_default().push(target.target_id);
        }
    }
    let entry = |row: event::Model| {
        // Where somebody else acted, the address of their machine is theirs.
        let own = row.actor_id == Some(id);
        json!({
            "id": ids::encode(Kind::Event, row.id),
            "type": row.kind,
            "actorId": row.actor_id.map(|actor| ids::encode(Kind::User, actor)),
            "targets": targets.remove(&row.id).unwrap_or_default(),
            "organizationId": row.organization_id.map(|org| ids::encode(Kind::Organization, org)),
            "data": row.data,
            "ip": row.ip.filter(|_| own),
            "userAgent": row.user_agent.filter(|_| own),
            "occurredAt": rfc3339(row.occurred_at),
        })
    };
    Ok(rows.into_iter().map(entry).collect())
}
