//! Making and changing organisations, many at once, each named by its code.
//!
//! Refuses to deactivate one that people still work in. Who may change an organisation only from within it makes no
//! other, and does not learn which codes are in use elsewhere.

use std::collections::{HashMap, HashSet};

use entity::{UserStatus, membership, organization, user};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, sea_query::OnConflict,
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    authz::{Permission, Reach, Scope},
    bulk::{self, Run},
    change::Change,
    context::Ctx,
    db::Txn,
    domain::{
        events::log::{self, EventType, NewEvent},
        identity::names,
    },
    error::{Error, ErrorCode, Fault, Result},
    ids::Kind,
};

pub struct OrganizationChange {
    pub code: String,
    pub name: Change<String>,
    pub description: Change<String>,
    pub active: bool,
    pub listed: Change<bool>,
    pub self_registration: Change<bool>,
}

/// All of them or none. A constant number of statements, however many.
pub async fn upsert(
    ctx: &Ctx,
    changes: Vec<OrganizationChange>,
    run: Run,
) -> Result<Vec<organization::Model>> {
    bulk::check_size("organizations", changes.len())?;
    let txn = ctx.app.db.begin().await?;
    let keys: Vec<_> = changes.iter().map(|change| names::name_key(&change.code)).collect();
    let present = present(&txn, ctx, &keys).await?;
    let leaving = changes.iter().zip(&keys).filter(|(change, _)| !change.active);
    let leaving = leaving.filter_map(|(_, key)| present.get(key).filter(|org| org.active).map(|org| org.id));
    let in_use = in_use(&txn, leaving.collect()).await?;

    let judged =
        changes.iter().zip(&keys).map(|(change, key)| (key, check(ctx, change, present.get(key), &in_use)));
    bulk::judge("organizations", "code", judged)?;
    let (mut rows, mut events) = (Vec::new(), Vec::new());
    for (change, key) in changes.into_iter().zip(keys) {
        let before = present.get(&key);
        let after = applied(ctx, change, key, before);
        events.extend(told(before, &after));
        rows.push(after);
    }
    write(&txn, &rows).await?;
    log::record_all(&txn, ctx, events).await?;
    // What rests in a deactivated organisation comes and goes for all who hold something there.
    let woken = |org: &organization::Model| {
        present.get(&org.code_key).is_some_and(|before| before.active != org.active)
    };
    if rows.iter().any(woken) {
        ctx.forget_everybody(&txn);
    }
    run.end(txn, rows).await
}

/// Those that the caller may change, held until the end: nobody joins one that is being deactivated. To whoever may not
/// change it, an organisation is not there at all, and is not held up either.
async fn present(txn: &Txn, ctx: &Ctx, keys: &[String]) -> Result<HashMap<String, organization::Model>> {
    let mut within = Condition::all().add(organization::Column::CodeKey.is_in(keys));
    if let Reach::Orgs(orgs) = ctx.actor.reach(Permission::OrgUpsert) {
        within = within.add(organization::Column::Id.is_in(orgs));
    }
    let rows = organization::Entity::find()
        .filter(within)
        .order_by_asc(organization::Column::Id)
        .lock_exclusive()
        .all(&**txn)
        .await?;
    Ok(rows.into_iter().map(|org| (org.code_key.clone(), org)).collect())
}

/// Which of these have active members.
async fn in_use(txn: &Txn, ids: Vec<Uuid>) -> Result<HashSet<Uuid>> {
    let rows: Vec<Uuid> = membership::Entity::find()
        .select_only()
        .column(membership::Column::OrganizationId)
        .distinct()
        .inner_join(user::Entity)
        .filter(membership::Column::OrganizationId.is_in(ids))
        .filter(user::Column::Status.eq(UserStatus::Active))
        .into_tuple()
        .all(&**txn)
        .await?;
    Ok(rows.into_iter().collect())
}

fn check(
    ctx: &Ctx,
    change: &OrganizationChange,
    before: Option<&organization::Model>,
    in_use: &HashSet<Uuid>,
) -> Vec<Fault> {
    let OrganizationChange { code, name, description, active: _, listed: _, self_registration: _ } = change;
    let scope = before.map_or(Scope::Platform, |org| Scope::Org(org.id));
    if !ctx.actor.may(Permission::OrgUpsert, scope) {
        // One answer, whether or not there is an organisation of this code.
        let message = "You may not make or change this organisation.";
        return vec![Fault::new(ErrorCode::NotAllowed, &["code"], message)];
    }
    let mut faults = Vec::new();
    faults.extend(code_problem(code).map(|problem| Fault::invalid("code", problem)));
    for (field, text) in [("name", name), ("description", description)] {
        let problem = text.value().and_then(|text| names::text_problem(text));
        faults.extend(problem.map(|problem| Fault::invalid(field, problem)));
    }
    if before.is_some_and(|org| in_use.contains(&org.id)) {
        faults.push(Fault::new(ErrorCode::InUse, &["active"], "It has active members."));
    }
    faults
}

fn code_problem(code: &str) -> Option<&'static str> {
    let letters = code.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let begins = letters.starts_with(|c: char| c.is_ascii_alphanumeric());
    let good = begins && (2..=64).contains(&letters.len()) && letters.chars().all(plain);
    (!good)
        .then_some("A code has 2 to 64 letters, digits and - _ . only, and begins with a letter or a digit.")
}

/// What the organisation is after the change.
fn applied(
    ctx: &Ctx,
    change: OrganizationChange,
    key: String,
    before: Option<&organization::Model>,
) -> organization::Model {
    let now = ctx.now();
    let OrganizationChange { code, name, description, active, listed, self_registration } = change;
    let fresh = || organization::Model {
        id: ctx.new_id(),
        code: code.trim().to_owned(),
        code_key: key,
        name: None,
        description: None,
        active,
        listed: false,
        self_registration: false,
        created_at: now,
        updated_at: now,
    };
    let mut org = before.cloned().unwrap_or_else(fresh);
    org.name = name.over(org.name);
    org.description = description.over(org.description);
    org.active = active;
    org.listed = listed.over(Some(org.listed)).unwrap_or_default();
    org.self_registration = self_registration.over(Some(org.self_registration)).unwrap_or_default();
    if before != Some(&org) {
        org.updated_at = now;
    }
    org
}

/// What there is to tell of it: nothing when nothing changed.
fn told(before: Option<&organization::Model>, after: &organization::Model) -> Vec<NewEvent> {
    let event = |kind| NewEvent::of(kind).on(Kind::Organization, after.id).within(Some(after.id));
    let Some(before) = before else {
        return vec![
            event(EventType::OrgCreated).with(json!({ "code": after.code, "active": after.active })),
        ];
    };
    let fields = [
        ("name", before.name != after.name),
        ("description", before.description != after.description),
        ("listed", before.listed != after.listed),
        ("selfRegistration", before.self_registration != after.self_registration),
    ];
    let changed: Vec<_> = fields.iter().filter(|(_, differs)| *differs).map(|(field, _)| *field).collect();
    let mut events = Vec::new();
    if !changed.is_empty() {
        events.push(event(EventType::OrgUpdated).with(json!({ "changed": changed })));
    }
    match (before.active, after.active) {
        (true, false) => events.push(event(EventType::OrgDeactivated)),
        (false, true) => events.push(event(EventType::OrgActivated)),
        _ => {}
    }
    events
}

async fn write(txn: &Txn, rows: &[organization::Model]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let on_conflict = OnConflict::column(organization::Column::Id)
        .update_columns([
            organization::Column::Name,
            organization::Column::Description,
            organization::Column::Active,
            organization::Column::Listed,
            organization::Column::SelfRegistration,
            organization::Column::UpdatedAt,
        ])
        .to_owned();
    // In one order, so that two lists with the same codes do not wait for each other in a ring.
    let mut rows: Vec<_> = rows.iter().collect();
    rows.sort_by(|left, right| left.code_key.cmp(&right.code_key));
    let all = rows.into_iter().map(|row| row.clone().into_active_model().reset_all());
    let message = "Somebody made one of these organisations at the same time: try again.";
    let same_time = || Fault::new(ErrorCode::Conflict, &["organizations"], message);
    organization::Entity::insert_many(all)
        .on_conflict(on_conflict)
        .exec_without_returning(&**txn)
        .await
        .map_err(|error| Error::from(error).on_conflict("organizations.code_key", same_time()))?;
    Ok(())
}
