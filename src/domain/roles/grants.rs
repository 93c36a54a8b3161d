//! Granting roles and taking them away.
//!
//! Both ask the two rules of [`authority`] for the user and for each role, and [`owners`] watches that the last owner
//! stays. The roles are held as they are from the judgement to the commit, so that none of them can grow in between.

use std::collections::{HashMap, HashSet};

use entity::{grant, role, user};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set, sea_query::OnConflict};
use serde_json::json;
use uuid::Uuid;

use super::{authority, owners, service};
use crate::{
    authz::Permission,
    bulk,
    context::Ctx,
    db::Txn,
    domain::{
        events::log::{self, EventType, NewEvent},
        identity::{self, names},
        orgs,
    },
    error::{Error, ErrorCode, Fault, Result},
    ids::Kind,
};

/// Roles for one user, in an organisation or (without one) on the platform.
pub struct Assignment {
    pub user_id: Uuid,
    pub role_codes: Vec<String>,
    pub organization_id: Option<Uuid>,
}

/// Grants the roles. One that is held already stays as it is.
pub async fn grant(ctx: &Ctx, assignment: Assignment) -> Result<user::Model> {
    check_place(ctx, &assignment).await?;
    let txn = ctx.app.db.begin().await?;
    let roles = judge(&txn, ctx, &assignment, granting).await?;
    let Assignment { user_id, role_codes: _, organization_id } = assignment;
    let rows: Vec<_> = roles.iter().map(|role| row(ctx, user_id, role.id, organization_id)).collect();
    let added: HashSet<_> = add(&txn, rows, &["userId"]).await?.into_iter().map(|row| row.role_id).collect();
    let granted: Vec<_> = roles.iter().filter(|role| added.contains(&role.id)).collect();
    if !granted.is_empty() {
        log::record(&txn, ctx, event(EventType::RoleGranted, user_id, organization_id, &granted)).await?;
    }
    ctx.forget_users(&txn, &[user_id]);
    txn.commit().await?;
    changed(ctx, user_id).await
}

/// Takes the roles away. One that is not held is none the less gone afterwards.
pub async fn revoke(ctx: &Ctx, assignment: Assignment) -> Result<user::Model> {
    check_place(ctx, &assignment).await?;
    let txn = ctx.app.db.begin().await?;
    let roles = judge(&txn, ctx, &assignment, revoking).await?;
    let Assignment { user_id, role_codes, organization_id } = assignment;
    let watch = owners::watch(&txn, &[user_id]).await?;
    let place = match organization_id {
        Some(id) => grant::Column::OrganizationId.eq(id),
        None => grant::Column::OrganizationId.is_null(),
    };
    let gone = grant::Entity::delete_many()
        .filter(grant::Column::UserId.eq(user_id))
        .filter(grant::Column::RoleId.is_in(roles.iter().map(|role| role.id)))
        .filter(place)
        .exec_with_returning(&*txn)
        .await?;
    let faults: Vec<_> = watch.losses(&txn).await?.iter().map(|loss| at_role(*loss, &role_codes)).collect();
    if !faults.is_empty() {
        return Err(Error::Faults(faults));
    }
    let gone: HashSet<_> = gone.into_iter().map(|row| row.role_id).collect();
    let revoked: Vec<_> = roles.iter().filter(|role| gone.contains(&role.id)).collect();
    if !revoked.is_empty() {
        log::record(&txn, ctx, event(EventType::RoleRevoked, user_id, organization_id, &revoked)).await?;
    }
    ctx.forget_users(&txn, &[user_id]);
    txn.commit().await?;
    changed(ctx, user_id).await
}

/// The refusal to take the last owner's role away, at the code that names it.
fn at_role(loss: owners::Owned, codes: &[String]) -> Fault {
    let key = names::name_key(owners::role_of(loss.organization_id));
    let index = codes.iter().position(|code| names::name_key(code) == key).unwrap_or_default();
    loss.last_owner(&["roleCodes", &index.to_string()])
}

async fn changed(ctx: &Ctx, user_id: Uuid) -> Result<user::Model> {
    let found = identity::service::by_ids(ctx, [user_id]).await?.remove(&user_id);
    // Somebody deleted the account since the commit.
    found.ok_or_else(|| Fault::new(ErrorCode::NotFound, &["userId"], NO_SUCH_USER).into())
}

const NO_SUCH_USER: &str = "There is no such user.";

/// Where the caller may not see an organisation, there is none; where they may not grant, they are told so.
async fn check_place(ctx: &Ctx, assignment: &Assignment) -> Result<()> {
    bulk::check_size("roleCodes", assignment.role_codes.len())?;
    if let Some(id) = assignment.organization_id
        && orgs::service::by_ids(ctx, [id]).await?.is_empty()
    {
        return Err(
            Fault::new(ErrorCode::NotFound, &["organizationId"], "There is no such organisation.").into()
        );
    }
    if !ctx.actor.may(Permission::RoleGrant, authority::scope_of(assignment.organization_id)) {
        let message = if assignment.organization_id.is_some() {
            "You may not grant roles in this organisation."
        } else {
            "You may grant roles within organisations only: name one."
        };
        return Err(Fault::new(ErrorCode::NotAllowed, &["organizationId"], message).into());
    }
    Ok(())
}

/// Why the caller may not do it with this role there, if so.
type Refusal = fn(&Ctx, &role::Model, Option<Uuid>) -> Option<(ErrorCode, &'static str)>;

fn granting(ctx: &Ctx, role: &role::Model, organization: Option<Uuid>) -> Option<(ErrorCode, &'static str)> {
    if authority::may_grant(ctx, role, organization) {
        None
    } else if role.active {
        Some((ErrorCode::NotAllowed, "You may not grant this role here."))
    } else {
        Some((ErrorCode::Inactive, "This role is not active."))
    }
}

fn revoking(ctx: &Ctx, role: &role::Model, organization: Option<Uuid>) -> Option<(ErrorCode, &'static str)> {
    let refused = !authority::may_revoke(ctx, role, organization);
    refused.then_some((ErrorCode::NotAllowed, "You may not take this role away here."))
}

/// The roles that are meant, each once, when the caller may do it with all of them and to this user; else every fault.
async fn judge(txn: &Txn, ctx: &Ctx, assignment: &Assignment, refusal: Refusal) -> Result<Vec<role::Model>> {
    let Assignment { user_id, role_codes, organization_id } = assignment;
    let roles = service::hold(txn, role_codes).await?;
    let mut faults = Vec::new();
    let refused = match organization_id {
        Some(id) => authority::refusals_within(&**txn, ctx, *id, &[*user_id]).await?,
        None => authority::refusals(&**txn, ctx, Permission::RoleGrant, &[*user_id]).await?,
    };
    faults.extend(refused.get(user_id).map(|code| {
        let message = match code {
            ErrorCode::NotFound => NO_SUCH_USER,
            _ => "You may not change what this user may do.",
        };
        Fault::new(*code, &["userId"], message)
    }));
    for (index, code) in role_codes.iter().enumerate() {
        let refused = match roles.get(&names::name_key(code)) {
            None => Some((ErrorCode::NotFound, "There is no such role.")),
            Some(role) => refusal(ctx, role, *organization_id),
        };
        let path = ["roleCodes", &index.to_string()];
        faults.extend(refused.map(|(code, message)| Fault::new(code, &path, message)));
    }
    if faults.is_empty() { Ok(roles.into_values().collect()) } else { Err(Error::Faults(faults)) }
}

fn row(ctx: &Ctx, user_id: Uuid, role_id: Uuid, organization_id: Option<Uuid>) -> grant::ActiveModel {
    grant::ActiveModel {
        id: Set(ctx.new_id()),
        user_id: Set(user_id),
        role_id: Set(role_id),
        organization_id: Set(organization_id),
        granted_by: Set(ctx.actor.user_id()),
        created_at: Set(ctx.now()),
    }
}

/// Adds those that are not there yet. The database knows who is a member, and refuses the others.
async fn add(txn: &Txn, rows: Vec<grant::ActiveModel>, path: &[&str]) -> Result<Vec<grant::Model>> {
    let once = OnConflict::new().do_nothing().to_owned();
    let added = grant::Entity::insert_many(rows).on_conflict(once).exec_with_returning(&**txn).await;
    let no_member = Fault::new(ErrorCode::NotFound, path, "There is no such member of the organisation.");
    added.map_err(|error| Error::from(error).on_gone(no_member))
}

fn event(kind: EventType, user_id: Uuid, organization: Option<Uuid>, roles: &[&role::Model]) -> NewEvent {
    let codes: Vec<_> = roles.iter().map(|role| &role.code).collect();
    let event = NewEvent::of(kind).on(Kind::User, user_id).within(organization);
    let event = roles.iter().fold(event, |event, role| event.on(Kind::Role, role.id));
    event.with(json!({ "roles": codes }))
}

/// What somebody shall hold in an organisation, or (without one) on the platform: this and nothing else there.
pub struct Wanted {
    pub user_id: Uuid,
    pub organization_id: Option<Uuid>,
    pub role_codes: Vec<String>,
    /// Leads to the list of codes: `["users", "3", "roleCodes"]`.
    pub path: Vec<String>,
}

/// [`replace`] for one user in one organisation.
pub async fn replace_in_org(txn: &Txn, ctx: &Ctx, wanted: Wanted) -> Result<Vec<Uuid>> {
    replace(txn, ctx, &[wanted]).await
}

/// Grants what is missing and takes away what is too much, for many users in a constant number of statements. Answers
/// whose grants have changed: after the commit, their live sessions are to be forgotten.
///
/// It judges each role that comes or goes. Whether the caller may touch these users, and whether they are members, the
/// caller of this function has made sure of.
pub async fn replace(txn: &Txn, ctx: &Ctx, wanted: &[Wanted]) -> Result<Vec<Uuid>> {
    let codes: Vec<_> = wanted.iter().flat_map(|item| item.role_codes.iter().cloned()).collect();
    let roles = service::hold(txn, &codes).await?;
    let mut held: HashMap<(Uuid, Option<Uuid>), Vec<Held>> = HashMap::new();
    let present = grant::Entity::find()
        .filter(grant::Column::UserId.is_in(wanted.iter().map(|item| item.user_id)))
        .find_also_related(role::Entity)
        .all(&**txn)
        .await?;
    for (grant, role) in present {
        let place = (grant.user_id, grant.organization_id);
        held.entry(place).or_default().extend(role.map(|role| (grant, role)));
    }
    let (mut changes, mut faults) = (Vec::new(), Vec::new());
    for item in wanted {
        let held = held.remove(&(item.user_id, item.organization_id)).unwrap_or_default();
        match item.change(ctx, &roles, held) {
            Ok(change) => changes.push((item, change)),
            Err(found) => faults.extend(found),
        }
    }
    if !faults.is_empty() {
        return Err(Error::Faults(faults));
    }
    changes.retain(|(_, change)| !change.fresh.is_empty() || !change.gone.is_empty());
    apply(txn, ctx, &changes).await?;
    Ok(changes.iter().map(|(item, _)| item.user_id).collect())
}

/// A grant, with the role that it gives.
type Held = (grant::Model, role::Model);

/// What comes, and what goes.
struct Change<'a> {
    fresh: Vec<&'a role::Model>,
    gone: Vec<Held>,
}

impl Wanted {
    fn change<'a>(
        &self,
        ctx: &Ctx,
        roles: &'a HashMap<String, role::Model>,
        held: Vec<Held>,
    ) -> Result<Change<'a>, Vec<Fault>> {
        let path: Vec<_> = self.path.iter().map(String::as_str).collect();
        let mut faults = Vec::new();
        let mut fresh: Vec<&role::Model> = Vec::new();
        for (index, code) in self.role_codes.iter().enumerate() {
            let role = roles.get(&names::name_key(code));
            let stays = |role: &role::Model| held.iter().any(|(_, present)| present.id == role.id);
            let refused = match role {
                None => Some((ErrorCode::NotFound, "There is no such role.")),
                Some(role) if stays(role) => None,
                Some(role) => granting(ctx, role, self.organization_id),
            };
            let index = index.to_string();
            let path: Vec<_> = path.iter().copied().chain([index.as_str()]).collect();
            faults.extend(refused.map(|(code, message)| Fault::new(code, &path, message)));
            fresh.extend(role.filter(|role| !stays(role) && !fresh.iter().any(|known| known.id == role.id)));
        }
        let stays =
            |role: &role::Model| self.role_codes.iter().any(|code| names::name_key(code) == role.code_key);
        let gone: Vec<_> = held.into_iter().filter(|(_, role)| !stays(role)).collect();
        for (_, role) in &gone {
            let refused = revoking(ctx, role, self.organization_id);
            let message = format!("You may not take {} away.", role.code);
            faults.extend(refused.map(|(code, _)| Fault::new(code, &path, message)));
        }
        if faults.is_empty() { Ok(Change { fresh, gone }) } else { Err(faults) }
    }
}

async fn apply(txn: &Txn, ctx: &Ctx, changes: &[(&Wanted, Change<'_>)]) -> Result<()> {
    let losers = changes.iter().filter(|(_, change)| !change.gone.is_empty()).map(|(item, _)| item.user_id);
    let losers: Vec<_> = losers.collect();
    let watch = if losers.is_empty() { None } else { Some(owners::watch(txn, &losers).await?) };
    let gone = changes.iter().flat_map(|(_, change)| change.gone.iter().map(|(grant, _)| grant.id));
    if watch.is_some() {
        grant::Entity::delete_many().filter(grant::Column::Id.is_in(gone)).exec(&**txn).await?;
    }
    let rows = changes.iter().flat_map(|(item, change)| {
        change.fresh.iter().map(|role| row(ctx, item.user_id, role.id, item.organization_id))
    });
    // The database does not say which of them is no member: the list as a whole is at fault.
    let list = changes.iter().filter_map(|(item, _)| item.path.first()).take(1);
    let list: Vec<_> = list.map(String::as_str).collect();
    add(txn, rows.collect(), &list).await?;
    // Only now: in one call, one owner may hand over to another.
    if let Some(watch) = watch {
        refuse_losses(&watch.losses(txn).await?, changes)?;
    }
    let mut events = Vec::new();
    for (item, change) in changes {
        let gone: Vec<_> = change.gone.iter().map(|(_, role)| role).collect();
        for (kind, roles) in [(EventType::RoleRevoked, gone), (EventType::RoleGranted, change.fresh.clone())]
        {
            if !roles.is_empty() {
                events.push(event(kind, item.user_id, item.organization_id, &roles));
            }
        }
    }
    log::record_all(txn, ctx, events).await
}

fn refuse_losses(losses: &[owners::Owned], changes: &[(&Wanted, Change<'_>)]) -> Result<()> {
    let faults = losses.iter().filter_map(|loss| {
        let here =
            |item: &Wanted| item.user_id == loss.user_id && item.organization_id == loss.organization_id;
        let (item, _) = changes.iter().find(|(item, _)| here(item))?;
        let path: Vec<_> = item.path.iter().map(String::as_str).collect();
        Some(loss.last_owner(&path))
    });
    let faults: Vec<_> = faults.collect();
    if faults.is_empty() { Ok(()) } else { Err(Error::Faults(faults)) }
}
