//! Owners: whoever holds `ADMIN` in an organisation, or `SUPERADMIN` on the platform. Once there is one, the last one
//! stays, even when two go at the same moment.
//!
//! Whoever takes something away from users (a role, a membership, the account) watches them first, makes the change, and
//! asks what was left without an owner:
//!
//! ```text
//! let watch = owners::watch(&txn, &user_ids).await?;
//! … the change …
//! for loss in watch.losses(&txn).await? { … a fault with LAST_OWNER … }
//! ```

use std::collections::{BTreeSet, HashSet};

use entity::{UserStatus, grant, installation, membership, organization, role, user};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect, RelationTrait,
    sea_query::LockType,
};
use uuid::Uuid;

use crate::{
    db::Txn,
    domain::identity::names,
    error::{ErrorCode, Fault, Result},
};

/// The role that makes its holder an owner, of an organisation or (without one) of the platform.
pub const fn role_of(organization: Option<Uuid>) -> &'static str {
    if organization.is_some() { "ADMIN" } else { "SUPERADMIN" }
}

/// What the watched users owned before the change.
pub struct Watch(Vec<Owned>);

/// One user owns one organisation, or (without one) the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owned {
    pub user_id: Uuid,
    pub organization_id: Option<Uuid>,
}

impl Owned {
    /// The refusal to whoever would leave it without an owner, at the input that asks for it.
    pub fn last_owner(&self, path: &[&str]) -> Fault {
        let message = match self.organization_id {
            Some(_) => "The organisation would be left without an owner.",
            None => "The platform would be left without a super-administrator.",
        };
        Fault::new(ErrorCode::LastOwner, path, message)
    }
}

/// Begins to watch: until the transaction ends, nobody else changes who owns what these users own.
///
/// On `PostgreSQL` by locks, always in this order: users, organisations, the platform. They are of the kinds that leave
/// alone what merely refers to the rows. On `SQLite` there is one writer anyway.
pub async fn watch(txn: &Txn, user_ids: &[Uuid]) -> Result<Watch> {
    watch_moves(txn, user_ids, &[], &[]).await
}

/// The same, where some of the users move to one of these organisations: those that they leave and go to are held with the
/// others, all in one order, so that two who move users to and fro never wait for each other.
pub async fn watch_moves(txn: &Txn, user_ids: &[Uuid], moving: &[Uuid], targets: &[Uuid]) -> Result<Watch> {
    let ids = user_ids.iter().copied();
    user::Entity::find()
        .select_only()
        .column(user::Column::Id)
        .filter(user::Column::Id.is_in(ids.clone()))
        .order_by_asc(user::Column::Id)
        .lock(LockType::Update)
        .into_tuple::<Uuid>()
        .all(&**txn)
        .await?;
    let owned = owned(txn, Condition::all().add(grant::Column::UserId.is_in(ids))).await?;
    let mut organizations: BTreeSet<_> = owned.iter().filter_map(|owned| owned.organization_id).collect();
    organizations.extend(targets);
    if !moving.is_empty() {
        let left: Vec<Uuid> = membership::Entity::find()
            .select_only()
            .column(membership::Column::OrganizationId)
            .filter(membership::Column::UserId.is_in(moving.iter().copied()))
            .filter(membership::Column::IsPrimary.eq(true))
            .into_tuple()
            .all(&**txn)
            .await?;
        organizations.extend(left);
    }
    if !organizations.is_empty() {
        organization::Entity::find()
            .select_only()
            .column(organization::Column::Id)
            .filter(organization::Column::Id.is_in(organizations))
            .order_by_asc(organization::Column::Id)
            .lock(LockType::NoKeyUpdate)
            .into_tuple::<Uuid>()
            .all(&**txn)
            .await?;
    }
    if owned.iter().any(|owned| owned.organization_id.is_none()) {
        // The one row that stands for the platform.
        installation::Entity::find()
            .select_only()
            .column(installation::Column::Id)
            .lock(LockType::NoKeyUpdate)
            .into_tuple::<i32>()
            .all(&**txn)
            .await?;
    }
    Ok(Watch(owned))
}

impl Watch {
    /// What has no owner any more: asked after the change, in the same transaction.
    pub async fn losses(&self, txn: &Txn) -> Result<Vec<Owned>> {
        if self.0.is_empty() {
            return Ok(Vec::new());
        }
        let organizations = self.0.iter().filter_map(|owned| owned.organization_id);
        let mut places = Condition::any().add(grant::Column::OrganizationId.is_in(organizations));
        if self.0.iter().any(|owned| owned.organization_id.is_none()) {
            places = places.add(grant::Column::OrganizationId.is_null());
        }
        let kept: HashSet<_> =
            owned(txn, places).await?.into_iter().map(|owned| owned.organization_id).collect();
        Ok(self.0.iter().filter(|owned| !kept.contains(&owned.organization_id)).copied().collect())
    }
}

/// What active users own, among these grants.
async fn owned(txn: &Txn, among: Condition) -> Result<Vec<Owned>> {
    let key = |organization| role::Column::CodeKey.eq(names::name_key(role_of(organization)));
    let owning = Condition::any()
        .add(Condition::all().add(grant::Column::OrganizationId.is_null()).add(key(None)))
        .add(Condition::all().add(grant::Column::OrganizationId.is_not_null()).add(key(Some(Uuid::nil()))));
    let rows = grant::Entity::find()
        .select_only()
        .column(grant::Column::UserId)
        .column(grant::Column::OrganizationId)
        .join(JoinType::InnerJoin, grant::Relation::Role.def())
        .join(JoinType::InnerJoin, grant::Relation::User.def())
        .filter(among)
        .filter(owning)
        .filter(user::Column::Status.eq(UserStatus::Active))
        .into_tuple::<(Uuid, Option<Uuid>)>()
        .all(&**txn)
        .await?;
    Ok(rows.into_iter().map(|(user_id, organization_id)| Owned { user_id, organization_id }).collect())
}
