//! Making and changing roles at run time.

use std::collections::{HashMap, HashSet};

use entity::{grant, role};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{LockType, OnConflict},
};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::service;
use crate::{
    authz::{Permission, RoleScope, Scope},
    bulk::{self, Run},
    change::Change,
    context::Ctx,
    db::Txn,
    domain::{
        events::log::{self, EventType, NewEvent},
        identity::names,
    },
    error::{ErrorCode, Fault, Result},
    ids::Kind,
};

/// One role, as it shall be. What is left out stays, or is as usual for a new role.
pub struct RoleChange {
    pub code: String,
    pub description: Change<String>,
    pub active: Option<bool>,
    pub self_assignable: Option<bool>,
    pub scopes: Option<Vec<RoleScope>>,
    pub permissions: Option<Vec<String>>,
}

/// Makes or changes roles by their codes: all of them or none. Answers them in their order; none for a dry run.
pub async fn upsert(ctx: &Ctx, run: Run, changes: Vec<RoleChange>) -> Result<Vec<role::Model>> {
    ctx.actor.require(Permission::RoleUpsert, Scope::Platform)?;
    bulk::check_size("roles", changes.len())?;
    let keys: Vec<_> = changes.iter().map(|change| names::name_key(&change.code)).collect();
    let txn = ctx.app.db.begin().await?;
    let present = role::Entity::find()
        .filter(role::Column::CodeKey.is_in(keys.iter().cloned()))
        .order_by_asc(role::Column::CodeKey)
        // Nobody grants them meanwhile.
        .lock(LockType::NoKeyUpdate)
        .all(&*txn)
        .await?;
    let present: HashMap<_, _> = present.into_iter().map(|role| (role.code_key.clone(), role)).collect();
    let in_use = scopes_in_use(&txn, &present).await?;
    let judged =
        changes.iter().zip(&keys).map(|(change, key)| (key, check(ctx, change, present.get(key), &in_use)));
    bulk::judge("roles", "code", judged)?;
    let wanted: Vec<_> =
        changes.into_iter().zip(&keys).map(|(change, key)| change.over(ctx, present.get(key))).collect();
    let differs = |role: &&role::Model| present.get(&role.code_key) != Some(*role);
    let differing: Vec<_> = wanted.iter().filter(differs).cloned().collect();
    let written = write(&txn, ctx, differing, &present).await?;
    let shown = |role: role::Model| written.get(&role.code_key).cloned().unwrap_or(role);
    run.end(txn, wanted.into_iter().map(shown).collect()).await
}

/// Where each of these roles is held.
async fn scopes_in_use(
    txn: &Txn,
    roles: &HashMap<String, role::Model>,
) -> Result<HashSet<(Uuid, RoleScope)>> {
    let rows = grant::Entity::find()
        .select_only()
        .column(grant::Column::RoleId)
        .expr_as(grant::Column::OrganizationId.is_null(), "on_platform")
        .distinct()
        .filter(Condition::all().add(grant::Column::RoleId.is_in(roles.values().map(|role| role.id))))
        .into_tuple::<(Uuid, bool)>()
        .all(&**txn)
        .await?;
    let scope = |on_platform| if on_platform { RoleScope::Platform } else { RoleScope::Organization };
    Ok(rows.into_iter().map(|(id, on_platform)| (id, scope(on_platform))).collect())
}

/// Every fault of one item.
fn check(
    ctx: &Ctx,
    change: &RoleChange,
    present: Option<&role::Model>,
    in_use: &HashSet<(Uuid, RoleScope)>,
) -> Vec<Fault> {
    let RoleChange { code, description, active: _, self_assignable: _, scopes, permissions } = change;
    let mut faults = Vec::new();
    match present {
        None => faults.extend(code_problem(code).map(|problem| Fault::invalid("code", problem))),
        Some(role) if role.system => {
            faults.push(Fault::new(ErrorCode::NotAllowed, &["code"], "A built-in role cannot be changed."));
        }
        // Who could change a role that gives more than they hold could wake one that rests on themself.
        Some(role) if service::permissions(role).iter().any(|code| !holds(ctx, code)) => {
            let message = "This role gives what you do not hold yourself.";
            faults.push(Fault::new(ErrorCode::NotAllowed, &["code"], message));
        }
        Some(_) => {}
    }
    if let Some(problem) = description.value().and_then(|text| names::text_problem(text)) {
        faults.push(Fault::invalid("description", problem));
    }
    if let Some(scopes) = scopes {
        if scopes.is_empty() {
            faults.push(Fault::invalid("scopes", "A role can be granted somewhere: name a scope."));
        }
        let lost = |scope: &(Uuid, RoleScope)| {
            present.is_some_and(|role| role.id == scope.0) && !scopes.contains(&scope.1)
        };
        if in_use.iter().any(lost) {
            let message = "The role is held in a scope that this would take from it.";
            faults.push(Fault::new(ErrorCode::InUse, &["scopes"], message));
        }
    }
    faults.extend(permissions.iter().flat_map(|codes| check_permissions(ctx, codes)));
    faults
}

fn check_permissions(ctx: &Ctx, codes: &[String]) -> Vec<Fault> {
    if let Err(fault) = bulk::check_size("permissions", codes.len()) {
        return vec![fault];
    }
    let mut faults = Vec::new();
    for (index, code) in codes.iter().enumerate() {
        let path = ["permissions", &index.to_string()];
        if Permission::from_code(code).is_none() {
            faults.push(Fault::new(ErrorCode::Invalid, &path, "There is no such permission."));
        } else if !holds(ctx, code) {
            let message = "You do not hold this permission on the platform.";
            faults.push(Fault::new(ErrorCode::NotAllowed, &path, message));
        }
    }
    faults
}

/// A code that this version does not know gives nothing, and stands in nobody's way.
fn holds(ctx: &Ctx, code: &str) -> bool {
    Permission::from_code(code).is_none_or(|permission| ctx.actor.may(permission, Scope::Platform))
}

fn code_problem(code: &str) -> Option<&'static str> {
    let begins = code.chars().next().is_some_and(|first| first.is_ascii_alphabetic());
    let plain = code.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
    let fits = begins && plain && (2..=64).contains(&code.len());
    (!fits).then_some("A code has 2 to 64 letters, digits, and _ - . and begins with a letter.")
}

impl RoleChange {
    /// The row as it shall be.
    fn over(self, ctx: &Ctx, present: Option<&role::Model>) -> role::Model {
        let Self { code, description, active, self_assignable, scopes, permissions } = self;
        let now = ctx.now();
        let mut role = present.cloned().unwrap_or_else(|| role::Model {
            id: ctx.new_id(),
            code_key: names::name_key(&code),
            code,
            description: None,
            active: true,
            system: false,
            self_assignable: false,
            scopes: json!([RoleScope::Organization.as_str()]),
            permissions: json!([]),
            created_at: now,
            updated_at: now,
        });
        role.description = description.over(role.description);
        role.active = active.unwrap_or(role.active);
        role.self_assignable = self_assignable.unwrap_or(role.self_assignable);
        if let Some(scopes) = scopes {
            let known = [RoleScope::Platform, RoleScope::Organization];
            let kept = known.iter().filter(|scope| scopes.contains(scope)).map(|scope| scope.as_str());
            role.scopes = kept.collect();
        }
        if let Some(codes) = permissions {
            let kept = Permission::ALL.iter().map(|permission| permission.code());
            role.permissions = kept.filter(|code| codes.iter().any(|wanted| wanted == code)).collect();
        }
        if present.is_some_and(|present| *present != role) {
            role.updated_at = now;
        }
        role
    }
}

/// Writes the roles and their events; answers them as they are now, by the keys of their codes.
async fn write(
    txn: &Txn,
    ctx: &Ctx,
    mut differing: Vec<role::Model>,
    present: &HashMap<String, role::Model>,
) -> Result<HashMap<String, role::Model>> {
    // Somebody may have made a role of this code a moment ago: then this is a change of it.
    let on_conflict = OnConflict::column(role::Column::CodeKey)
        .update_columns([
            role::Column::Description,
            role::Column::Active,
            role::Column::SelfAssignable,
            role::Column::Scopes,
            role::Column::Permissions,
            role::Column::UpdatedAt,
        ])
        .to_owned();
    // In one order, so that two lists with the same roles do not wait for each other in a ring.
    differing.sort_by(|left, right| left.code_key.cmp(&right.code_key));
    let rows = differing.into_iter().map(IntoActiveModel::into_active_model);
    let written =
        role::Entity::insert_many(rows).on_conflict(on_conflict).exec_with_returning(&**txn).await?;
    let event = |role: &role::Model| {
        let data = difference(present.get(&role.code_key), role);
        NewEvent::of(EventType::RoleUpserted).on(Kind::Role, role.id).with(data)
    };
    log::record_all(txn, ctx, written.iter().map(event).collect()).await?;
    // Whoever holds one that was there may do more or less from now on.
    if written.iter().any(|role| present.contains_key(&role.code_key)) {
        ctx.forget_everybody(txn);
    }
    Ok(written.into_iter().map(|role| (role.code_key.clone(), role)).collect())
}

/// What the event tells: the code, and what is new.
fn difference(before: Option<&role::Model>, after: &role::Model) -> Json {
    let fields = |role: &role::Model| {
        [
            ("description", json!(role.description)),
            ("active", json!(role.active)),
            ("selfAssignable", json!(role.self_assignable)),
            ("scopes", role.scopes.clone()),
            ("permissions", role.permissions.clone()),
        ]
    };
    let before: HashMap<_, _> = before.map(fields).into_iter().flatten().collect();
    let new = fields(after).into_iter().filter(|(name, value)| before.get(name) != Some(value));
    let mut data: Map<_, _> = new.map(|(name, value)| (name.to_owned(), value)).collect();
    data.insert("code".to_owned(), json!(after.code));
    Json::Object(data)
}
