//! Seeding, listing and granting roles.

use std::{collections::HashMap, sync::Arc};

use entity::{grant, role};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, Set,
    sea_query::{LockType, OnConflict},
};
use serde_json::json;
use uuid::Uuid;

pub use super::{
    grants::{Assignment, Wanted, grant, replace, replace_in_org, revoke},
    upsert::{RoleChange, upsert},
};
use crate::{
    authz::{BUILT_IN_ROLES, BuiltInRole, Permission, Reach, RoleScope},
    context::Ctx,
    db::{Db, Txn},
    domain::{
        events::log::{self, EventType, NewEvent},
        identity::names,
    },
    error::{Error, Result},
    ids::Kind,
};

/// Makes the rows of the built-in roles say what the policy says.
pub async fn seed(ctx: &Ctx) -> Result<()> {
    let present = role::Entity::find().filter(role::Column::System.eq(true)).all(ctx.app.db.read()).await?;
    let present: HashMap<_, _> = present.into_iter().map(|role| (role.code.clone(), role)).collect();
    let differing: Vec<_> = BUILT_IN_ROLES
        .iter()
        .filter(|role| present.get(role.code).is_none_or(|row| !says(row, role)))
        .collect();
    if differing.is_empty() {
        return Ok(());
    }
    let txn = ctx.app.db.begin().await?;
    for built_in in differing {
        let on_conflict = OnConflict::column(role::Column::CodeKey)
            .update_columns([
                role::Column::Description,
                role::Column::Active,
                role::Column::System,
                role::Column::SelfAssignable,
                role::Column::Scopes,
                role::Column::Permissions,
                role::Column::UpdatedAt,
            ])
            .to_owned();
        role::Entity::insert(row_of(ctx, built_in))
            .on_conflict(on_conflict)
            .exec_without_returning(&*txn)
            .await?;
    }
    txn.commit().await
}

fn says(row: &role::Model, role: &BuiltInRole) -> bool {
    row.active
        && row.description.as_deref() == Some(role.description)
        && row.self_assignable == role.self_assignable
        && row.scopes == scopes_of(role)
        && row.permissions == permissions_of(role)
}

fn scopes_of(role: &BuiltInRole) -> serde_json::Value {
    json!(role.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>())
}

fn permissions_of(role: &BuiltInRole) -> serde_json::Value {
    json!(role.permissions.iter().map(Permission::code).collect::<Vec<_>>())
}

fn row_of(ctx: &Ctx, role: &BuiltInRole) -> role::ActiveModel {
    let now = ctx.now();
    role::ActiveModel {
        id: Set(ctx.new_id()),
        code: Set(role.code.to_owned()),
        code_key: Set(names::name_key(role.code)),
        description: Set(Some(role.description.to_owned())),
        active: Set(true),
        system: Set(true),
        self_assignable: Set(role.self_assignable),
        scopes: Set(scopes_of(role)),
        permissions: Set(permissions_of(role)),
        created_at: Set(now),
        updated_at: Set(now),
    }
}

pub async fn super_admin_exists(db: &Db) -> Result<bool> {
    let holders = grant::Entity::find()
        .inner_join(role::Entity)
        .filter(role::Column::CodeKey.eq(names::name_key("SUPERADMIN")))
        .count(db.read())
        .await?;
    Ok(holders > 0)
}

/// Grants a built-in role on the platform. For the first start and the command line: it asks nobody's leave.
pub async fn grant_built_in(txn: &Txn, ctx: &Ctx, user_id: Uuid, code: &str) -> Result<()> {
    let role =
        role::Entity::find().filter(role::Column::CodeKey.eq(names::name_key(code))).one(&**txn).await?;
    let role = role.ok_or_else(|| Error::internal(format!("the role {code} is missing")))?;
    grant::ActiveModel {
        id: Set(ctx.new_id()),
        user_id: Set(user_id),
        role_id: Set(role.id),
        organization_id: Set(None),
        granted_by: Set(ctx.actor.user_id()),
        created_at: Set(ctx.now()),
    }
    .insert(&**txn)
    .await?;
    let event = NewEvent::of(EventType::RoleGranted).on(Kind::User, user_id).on(Kind::Role, role.id);
    log::record(txn, ctx, event.with(json!({ "roles": [role.code] }))).await
}

/// All roles, by code. Roles are no secret: whoever is signed in may know what there is.
pub async fn list(ctx: &Ctx, active: Option<bool>) -> Result<Vec<role::Model>> {
    let mut select = role::Entity::find().order_by_asc(role::Column::CodeKey);
    if let Some(active) = active {
        select = select.filter(role::Column::Active.eq(active));
    }
    Ok(select.all(ctx.app.db.read()).await?)
}

pub async fn by_ids(ctx: &Ctx, ids: impl IntoIterator<Item = Uuid>) -> Result<HashMap<Uuid, role::Model>> {
    let ids: Vec<_> = ids.into_iter().collect();
    if ids.is_empty() || ctx.actor.user_id().is_none() {
        return Ok(HashMap::new());
    }
    let rows = role::Entity::find().filter(role::Column::Id.is_in(ids)).all(ctx.app.db.read()).await?;
    Ok(rows.into_iter().map(|role| (role.id, role)).collect())
}

/// By the keys of the codes.
pub async fn by_codes(ctx: &Ctx, codes: &[String]) -> Result<HashMap<String, role::Model>> {
    if codes.is_empty() || ctx.actor.user_id().is_none() {
        return Ok(HashMap::new());
    }
    let keys = codes.iter().map(|code| names::name_key(code));
    let rows = role::Entity::find().filter(role::Column::CodeKey.is_in(keys)).all(ctx.app.db.read()).await?;
    Ok(rows.into_iter().map(|role| (role.code_key.clone(), role)).collect())
}

/// The roles of these codes, by the keys of the codes. Until the transaction ends they stay what they are now.
pub async fn hold(txn: &Txn, codes: &[String]) -> Result<HashMap<String, role::Model>> {
    let keys = codes.iter().map(|code| names::name_key(code));
    let select = role::Entity::find().filter(role::Column::CodeKey.is_in(keys));
    let rows = select.order_by_asc(role::Column::CodeKey).lock(LockType::Share).all(&**txn).await?;
    Ok(rows.into_iter().map(|role| (role.code_key.clone(), role)).collect())
}

/// All of these, named by something that the caller may see.
pub async fn seen_through(
    ctx: &Ctx,
    ids: impl IntoIterator<Item = Uuid>,
) -> Result<HashMap<Uuid, role::Model>> {
    let rows = role::Entity::find().filter(role::Column::Id.is_in(ids)).all(ctx.app.db.read()).await?;
    Ok(rows.into_iter().map(|role| (role.id, role)).collect())
}

/// The distinct roles of these users, as far as the caller may know of them: all of one's own; of others those that
/// hold where the caller reads users.
pub async fn of_users(ctx: &Ctx, user_ids: &[Uuid]) -> Result<HashMap<Uuid, Vec<Arc<role::Model>>>> {
    let rows = grant::Entity::find()
        .filter(grant::Column::UserId.is_in(user_ids.iter().copied()))
        .filter(visible_grants(ctx))
        .find_also_related(role::Entity)
        .order_by_asc(role::Column::CodeKey)
        .all(ctx.app.db.read())
        .await?;
    let mut roles: HashMap<Uuid, Vec<Arc<role::Model>>> = HashMap::new();
    for (grant, role) in rows {
        let held = roles.entry(grant.user_id).or_default();
        held.extend(role.filter(|role| held.last().is_none_or(|last| last.id != role.id)).map(Arc::new));
    }
    Ok(roles)
}

/// The grants that the caller may know of: their own, and those that hold where they read users. Fields and filters
/// ask the same, or a filter would tell what a field hides.
pub fn visible_grants(ctx: &Ctx) -> Condition {
    match ctx.actor.reach(Permission::UserRead) {
        Reach::Everywhere => Condition::all(),
        Reach::Orgs(orgs) => Condition::any()
            .add_option(ctx.actor.user_id().map(|id| grant::Column::UserId.eq(id)))
            .add(grant::Column::OrganizationId.is_in(orgs)),
    }
}

/// The scopes that the row names; a word that this version does not know names none.
pub fn scopes(role: &role::Model) -> Vec<RoleScope> {
    strings(&role.scopes).filter_map(RoleScope::parse).collect()
}

pub fn permissions(role: &role::Model) -> Vec<String> {
    strings(&role.permissions).map(str::to_owned).collect()
}

fn strings(json: &serde_json::Value) -> impl Iterator<Item = &str> {
    json.as_array().into_iter().flatten().filter_map(serde_json::Value::as_str)
}
