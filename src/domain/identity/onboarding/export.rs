//! Everybody, page by page, as an import would bring them in again.

use std::collections::HashMap;

use entity::{UserStatus, grant, membership, organization, password, role, user};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use crate::{
    authz::{Permission, Scope},
    context::Ctx,
    domain::models::service as models,
    error::Result,
};

/// Whether password hashes go out, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hashes {
    Included,
    Left,
}

/// One account, with what belongs to it.
pub struct Exported {
    pub user: user::Model,
    pub password_hash: Option<String>,
    /// Of the primary organisation.
    pub org_code: Option<String>,
    /// In the primary organisation; without one, on the platform.
    pub role_codes: Vec<String>,
    pub models: Vec<entity::model::Model>,
    /// Whether there is more than an import can bring in: other organisations, roles elsewhere.
    pub more: bool,
}

const PAGE: u64 = 500;

/// The accounts after this id, by id; an empty page is the end. Accounts that nobody proved are nobody's, and stay.
pub async fn page(ctx: &Ctx, after: Option<Uuid>, hashes: Hashes) -> Result<Vec<Exported>> {
    ctx.actor.require(Permission::UserRead, Scope::Platform)?;
    let db = ctx.app.db.read();
    let mut select = user::Entity::find().filter(user::Column::Status.ne(UserStatus::Unverified));
    if let Some(after) = after {
        select = select.filter(user::Column::Id.gt(after));
    }
    let users = select.order_by_asc(user::Column::Id).limit(PAGE).all(db).await?;
    let ids: Vec<_> = users.iter().map(|user| user.id).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut hash_of = HashMap::new();
    if hashes == Hashes::Included {
        let select = password::Entity::find().filter(password::Column::UserId.is_in(ids.iter().copied()));
        let text = |row: password::Model| Some((row.user_id, String::from_utf8(row.hash.0).ok()?));
        hash_of = select.all(db).await?.into_iter().filter_map(text).collect();
    }
    let places = Places::of(ctx, &ids).await?;
    let mut models = models::of_users(ctx, &ids).await?;
    let exported = |user: user::Model| {
        let (org_code, role_codes, more) = places.told(user.id);
        Exported {
            password_hash: hash_of.remove(&user.id),
            org_code,
            role_codes,
            models: models.remove(&user.id).unwrap_or_default(),
            more,
            user,
        }
    };
    Ok(users.into_iter().map(exported).collect())
}

/// Where these users belong, and what they hold there.
struct Places {
    memberships: HashMap<Uuid, Vec<(membership::Model, String)>>,
    grants: HashMap<Uuid, Vec<(Option<Uuid>, String)>>,
}

impl Places {
    async fn of(ctx: &Ctx, ids: &[Uuid]) -> Result<Self> {
        let db = ctx.app.db.read();
        let mut places = Self { memberships: HashMap::new(), grants: HashMap::new() };
        let rows = membership::Entity::find()
            .filter(membership::Column::UserId.is_in(ids.iter().copied()))
            .find_also_related(organization::Entity)
            .all(db)
            .await?;
        for (membership, org) in rows {
            let place = places.memberships.entry(membership.user_id).or_default();
            place.extend(org.map(|org| (membership, org.code)));
        }
        let rows = grant::Entity::find()
            .filter(grant::Column::UserId.is_in(ids.iter().copied()))
            .find_also_related(role::Entity)
            .order_by_asc(role::Column::CodeKey)
            .all(db)
            .await?;
        for (grant, role) in rows {
            let held = places.grants.entry(grant.user_id).or_default();
            held.extend(role.map(|role| (grant.organization_id, role.code)));
        }
        Ok(places)
    }

    /// The primary organisation, the roles there, and whether there is more than that.
    fn told(&self, user_id: Uuid) -> (Option<String>, Vec<String>, bool) {
        let memberships = self.memberships.get(&user_id).map(Vec::as_slice).unwrap_or_default();
        let grants = self.grants.get(&user_id).map(Vec::as_slice).unwrap_or_default();
        let primary = memberships.iter().find(|(membership, _)| membership.is_primary);
        let place = primary.map(|(membership, _)| membership.organization_id);
        let here = grants.iter().filter(|(organization, _)| *organization == place);
        let roles: Vec<_> = here.map(|(_, code)| code.clone()).collect();
        let more = roles.len() < grants.len() || memberships.len() > usize::from(place.is_some());
        (primary.map(|(_, code)| code.clone()), roles, more)
    }
}
