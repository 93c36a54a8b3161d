//! Changing many users in one transaction, in a constant number of statements.
//!
//! Each part does what it may and names what it may not, so that every fault is told at once; if there is any, the
//! transaction ends as if nothing had been done.

use std::collections::{HashMap, HashSet};

use entity::{UserStatus, membership, user};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::json;
use uuid::Uuid;

use super::{fields, moves};
use crate::{
    authz::Permission,
    bulk::{self, Run},
    change::Change,
    context::Ctx,
    db::Txn,
    domain::{
        events::log::{self, EventType, NewEvent},
        limits::service as limits,
        models::service::{self as models, ModelInput},
        orgs::service as orgs,
        roles::{authority, owners, service as roles},
    },
    error::{Error, ErrorCode, Fault, Result},
    ids::Kind,
};

/// What to change of one user. Cleared lists are empty ones.
pub struct UserChange {
    /// `None` when the id leads nowhere.
    pub id: Option<Uuid>,
    pub email: Change<String>,
    pub name: Change<String>,
    /// The organisation to belong to in the first place; the membership in the one before ends.
    pub org_code: Change<String>,
    /// In the primary organisation, as it is afterwards; without one, on the platform.
    pub role_codes: Change<Vec<String>>,
    pub models: Change<Vec<ModelInput>>,
}

/// One user who may be touched, and what of them is to change.
pub(super) struct Item {
    pub index: usize,
    pub user: user::Model,
    pub change: UserChange,
}

impl Item {
    pub fn fault(&self, code: ErrorCode, field: &str, message: &'static str) -> Fault {
        Fault::new(code, &[field], message).of_item("users", self.index)
    }

    fn path(&self, field: &str) -> Vec<String> {
        vec!["users".to_owned(), self.index.to_string(), field.to_owned()]
    }
}

const ROLES_EACH: usize = 20;

/// All of these users or none; a hundred at most. Answers them in their order; none for a dry run.
pub async fn update(ctx: &Ctx, run: Run, changes: Vec<UserChange>) -> Result<Vec<user::Model>> {
    if !ctx.actor.may_somewhere(Permission::UserUpdate) {
        return Err(Error::forbidden());
    }
    bulk::check_size("users", changes.len())?;
    let codes: Vec<_> = changes.iter().filter_map(|change| change.org_code.value().cloned()).collect();
    let targets = orgs::by_codes(ctx, &codes).await?;
    let order: Vec<_> = changes.iter().filter_map(|change| change.id).collect();
    let txn = ctx.app.db.begin().await?;
    let moving = changes.iter().filter(|change| change.org_code != Change::Keep);
    let moving: Vec<_> = moving.filter_map(|change| change.id).collect();
    let to: Vec<_> = targets.values().map(|org| org.id).collect();
    let watch = owners::watch_moves(&txn, &order, &moving, &to).await?;
    let (items, mut faults) = touchable(&txn, ctx, changes, &order).await?;

    let mut edits = fields::apply(&txn, ctx, &items, &mut faults).await?;
    let moved = moves::apply(&txn, ctx, &items, &targets, &mut faults).await?;
    let regranted = replace_roles(&txn, ctx, &items, &moved.refused, &mut faults).await?;
    let remodelled = replace_models(&txn, &items, &mut faults).await?;
    for loss in watch.losses(&txn).await? {
        let left = |item: &&Item| {
            let left = moved.left.get(&item.user.id);
            item.user.id == loss.user_id && left.is_some() && left == loss.organization_id.as_ref()
        };
        let item = items.iter().find(left);
        faults.extend(item.map(|item| loss.last_owner(&["orgCode"]).of_item("users", item.index)));
    }
    if !faults.is_empty() {
        faults.sort_by_key(|fault| fault.path.get(1).and_then(|index| index.parse::<usize>().ok()));
        return Err(Error::Faults(faults));
    }
    let unseen = edits.take_unseen();
    if run == Run::Real && !unseen.is_empty() {
        drop(txn);
        limits::for_unseen(ctx, unseen.len()).await?;
        return Err(Error::Faults(unseen));
    }
    tell(&txn, ctx, &items, &edits, &remodelled).await?;
    if run == Run::Dry {
        return Ok(Vec::new());
    }
    let touched: Vec<_> = moved.users.into_iter().chain(regranted).collect();
    ctx.forget_users(&txn, &touched);
    txn.commit().await?;
    let mut users: HashMap<_, _> = items.into_iter().map(|item| (item.user.id, item.user)).collect();
    users.extend(edits.into_rows());
    Ok(order.iter().filter_map(|id| users.get(id).cloned()).collect())
}

/// Those who may be touched, and why the others may not.
async fn touchable(
    txn: &Txn,
    ctx: &Ctx,
    changes: Vec<UserChange>,
    ids: &[Uuid],
) -> Result<(Vec<Item>, Vec<Fault>)> {
    let refusals = authority::refusals(&**txn, ctx, Permission::UserUpdate, ids).await?;
    let select = user::Entity::find().filter(user::Column::Id.is_in(ids.iter().copied()));
    let mut users: HashMap<_, _> =
        select.all(&**txn).await?.into_iter().map(|user| (user.id, user)).collect();
    let (mut items, mut faults, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
    for (index, change) in changes.into_iter().enumerate() {
        let twice = change.id.is_some_and(|id| !seen.insert(id));
        let refusal = match change.id.map(|id| refusals.get(&id)) {
            None | Some(Some(ErrorCode::NotFound)) => Some((ErrorCode::NotFound, "There is no such user.")),
            Some(Some(code)) => Some((*code, "You may not change this user.")),
            Some(None) if twice => Some((ErrorCode::Taken, "This user is named twice.")),
            Some(None) => None,
        };
        let user = change.id.filter(|_| !twice).and_then(|id| users.remove(&id));
        let refusal = refusal.or_else(|| match &user {
            None => Some((ErrorCode::NotFound, "There is no such user.")),
            // It is nobody's yet, and nothing may be planted on it.
            Some(user) if user.status == UserStatus::Unverified => {
                Some((ErrorCode::NotVerified, "The address of this account is not proved yet."))
            }
            Some(_) => None,
        });
        match (refusal, user) {
            (None, Some(user)) => items.push(Item { index, user, change }),
            (Some((code, message)), _) => {
                faults.push(Fault::new(code, &["id"], message).of_item("users", index));
            }
            (None, None) => {}
        }
    }
    Ok((items, faults))
}

/// Takes the faults out of what failed for them alone.
fn or_faults<T: Default>(outcome: Result<T>, faults: &mut Vec<Fault>) -> Result<T> {
    match outcome {
        Err(Error::Faults(found)) => {
            faults.extend(found);
            Ok(T::default())
        }
        other => other,
    }
}

async fn replace_roles(
    txn: &Txn,
    ctx: &Ctx,
    items: &[Item],
    homeless: &HashSet<Uuid>,
    faults: &mut Vec<Fault>,
) -> Result<Vec<Uuid>> {
    let mut concerned = Vec::new();
    for item in items.iter().filter(|item| !homeless.contains(&item.user.id)) {
        let codes = match &item.change.role_codes {
            Change::Keep => continue,
            Change::Clear => Vec::new(),
            Change::Set(codes) => codes.clone(),
        };
        if codes.len() > ROLES_EACH {
            faults.push(item.fault(ErrorCode::TooManyItems, "roleCodes", "At most 20 roles."));
        } else {
            concerned.push((item, codes));
        }
    }
    if concerned.is_empty() {
        return Ok(Vec::new());
    }
    let primary = membership::Entity::find()
        .filter(membership::Column::UserId.is_in(concerned.iter().map(|(item, _)| item.user.id)))
        .filter(membership::Column::IsPrimary.eq(true))
        .all(&**txn)
        .await?;
    let primary: HashMap<_, _> = primary.into_iter().map(|row| (row.user_id, row.organization_id)).collect();
    let wanted = concerned.into_iter().map(|(item, role_codes)| roles::Wanted {
        user_id: item.user.id,
        organization_id: primary.get(&item.user.id).copied(),
        role_codes,
        path: item.path("roleCodes"),
    });
    or_faults(roles::replace(txn, ctx, &wanted.collect::<Vec<_>>()).await, faults)
}

async fn replace_models(txn: &Txn, items: &[Item], faults: &mut Vec<Fault>) -> Result<Vec<Uuid>> {
    let mut wanted = Vec::new();
    for item in items {
        let models = match &item.change.models {
            Change::Keep => continue,
            Change::Clear => Vec::new(),
            Change::Set(models) => models.clone(),
        };
        wanted.push(models::Wanted { user_id: item.user.id, models, path: item.path("models") });
    }
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    or_faults(models::replace(txn, &wanted).await, faults)
}

/// Memberships and roles have told of themselves; this is the rest. The names of the fields and not what they hold: the
/// log keeps no second copy of a person.
async fn tell(
    txn: &Txn,
    ctx: &Ctx,
    items: &[Item],
    edits: &fields::Edits,
    remodelled: &[Uuid],
) -> Result<()> {
    let mut events = Vec::new();
    for Item { user, .. } in items {
        let mut changed = Vec::new();
        changed.extend(edits.renamed(user.id).then_some("name"));
        changed.extend(remodelled.contains(&user.id).then_some("models"));
        if !changed.is_empty() {
            let event = NewEvent::of(EventType::UserUpdated).on(Kind::User, user.id);
            events.push(event.with(json!({ "fields": changed })));
        }
        if edits.readdressed(user.id) {
            events.push(NewEvent::of(EventType::EmailChanged).on(Kind::User, user.id));
        }
    }
    log::record_all(txn, ctx, events).await?;
    fields::tell_old_addresses(txn, ctx, items, edits).await
}
