//! What stands against the newcomers, as only the database can tell.

use std::collections::{HashMap, HashSet};

use entity::{UserStatus, role, user};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::judge::{Judged, ROLES_EACH};
use crate::{
    authz::{Permission, Scope},
    bulk::Run,
    context::Ctx,
    db::Txn,
    domain::{
        credentials::codes,
        identity::{names, service::visible_among},
        limits::service as limits,
        models::service as models,
        orgs::service as orgs,
        roles::{authority, service as roles},
    },
    error::{Error, ErrorCode, Fault, Result},
};

pub(super) const MEMBER: &str = "MEMBER";

/// What the database knows of the newcomers.
pub(super) struct Survey {
    /// The roles of each, in the order of the items.
    pub roles: Vec<Vec<role::Model>>,
    /// Accounts that were never proved and give way.
    pub attempts: Vec<Uuid>,
    /// How many accounts that the caller cannot see are in the way, and what is to be said of them.
    pub unseen: usize,
    faults: Vec<Fault>,
}

impl Survey {
    /// A dry run tells nothing of accounts that the caller cannot see. In earnest it cannot be hidden that they are there;
    /// but it counts, so that nobody reads them off a list.
    pub async fn of_unseen(&self, ctx: &Ctx) -> Result<()> {
        if self.faults.is_empty() {
            return Ok(());
        }
        limits::for_unseen(ctx, self.unseen).await?;
        Err(Error::Faults(self.faults.clone()))
    }
}

/// Judges what only the database can. Roles, organisations and models are held from here on.
pub(super) async fn survey(
    txn: &Txn,
    ctx: &Ctx,
    run: Run,
    items: &[Judged],
    own_faults: &[Fault],
) -> Result<Survey> {
    let mut faults = own_faults.to_vec();
    let mut unseen = Vec::new();
    let codes = items.iter().flat_map(|item| item.user.role_codes.iter().take(ROLES_EACH).cloned());
    let catalogue = roles::hold(txn, &codes.chain([MEMBER.to_owned()]).collect::<Vec<_>>()).await?;
    let held = orgs::lock_all(txn, items.iter().filter_map(|item| item.place)).await?;
    let known = known(txn, items).await?;
    let seen = visible_among(&**txn, ctx, &known.iter().map(|other| other.id).collect::<Vec<_>>()).await?;
    let (mut roles, mut attempts) = (Vec::new(), HashSet::new());
    for (index, item) in items.iter().enumerate() {
        let (granted, mut found) = roles_of(ctx, item, &catalogue);
        roles.push(granted);
        if item.place.is_some_and(|id| held.get(&id).is_none_or(|org| !org.active)) {
            let closed = Fault::new(ErrorCode::Inactive, &["orgCode"], "The organisation is deactivated.");
            found.push(closed);
        }
        for other in &known {
            match clash(ctx, item, other) {
                Clash::No => {}
                Clash::GivesWay => drop(attempts.insert(other.id)),
                Clash::Taken(field) => {
                    let fault = Fault::new(ErrorCode::Taken, &[field], "Another account has this already.");
                    // Names are everybody's: registering tells the same.
                    if field == "userName" || seen.contains(&other.id) {
                        found.push(fault);
                    } else {
                        unseen.push(fault.of_item("users", index));
                    }
                }
            }
        }
        faults.extend(found.into_iter().map(|fault| fault.of_item("users", index)));
    }
    faults.extend(models::faults(txn, &models_of(items)).await?);
    if faults.is_empty() {
        let attempts = attempts.into_iter().collect();
        let faults = if run == Run::Dry { Vec::new() } else { in_order(unseen.clone()) };
        return Ok(Survey { roles, attempts, unseen: unseen.len(), faults });
    }
    // What the caller can see comes first; of the others nothing is said before that is mended.
    Err(Error::Faults(in_order(faults)))
}

/// By item, and what was found twice once.
fn in_order(mut faults: Vec<Fault>) -> Vec<Fault> {
    let place = |fault: &Fault| fault.path.get(1).and_then(|index| index.parse::<usize>().ok());
    faults.sort_by_key(place);
    let mut seen = HashSet::new();
    faults.retain(|fault| seen.insert((fault.code, fault.path.clone())));
    faults
}

pub(super) fn models_of(items: &[Judged]) -> Vec<models::Wanted> {
    let wanted = items.iter().enumerate().filter(|(_, item)| !item.user.models.is_empty());
    let wanted = wanted.map(|(index, item)| models::Wanted {
        user_id: item.id,
        models: item.user.models.clone(),
        path: vec!["users".to_owned(), index.to_string(), "models".to_owned()],
    });
    wanted.collect()
}

/// Everybody who has one of these names, addresses or numbers.
async fn known(txn: &Txn, items: &[Judged]) -> Result<Vec<user::Model>> {
    let emails: Vec<_> = items.iter().filter_map(|item| Some(item.email.as_ref()?.key.clone())).collect();
    let phones: Vec<_> = items.iter().filter_map(|item| item.phone.clone()).collect();
    let mut any =
        Condition::any().add(user::Column::UserNameKey.is_in(items.iter().map(|item| item.name_key.clone())));
    // A list with nothing in it would have SQLite read the whole table.
    if !emails.is_empty() {
        any = any.add(user::Column::EmailKey.is_in(emails));
    }
    if !phones.is_empty() {
        let proved = user::Column::PhoneVerifiedAt.is_not_null();
        any = any.add(Condition::all().add(user::Column::PhoneKey.is_in(phones)).add(proved));
    }
    Ok(user::Entity::find().filter(any).all(&**txn).await?)
}

/// Whether the caller's word for an address or a number counts for everybody. An organisation's administrator vouches for it
/// within their own organisation: it ends nobody's registration, and gives way to whoever proves the mailbox or the number.
pub(super) fn counts_for_all(ctx: &Ctx) -> bool {
    ctx.actor.may(Permission::UserOnboard, Scope::Platform)
}

enum Clash {
    No,
    /// An attempt that nobody proved, of the same mailbox or too old.
    GivesWay,
    Taken(&'static str),
}

fn clash(ctx: &Ctx, item: &Judged, other: &user::Model) -> Clash {
    let same_address =
        item.email.is_some() && other.email_key == item.email.as_ref().map(|email| email.key.clone());
    let same_name = other.user_name_key == item.name_key;
    if other.status == UserStatus::Unverified {
        let over = other.created_at.plus(codes::LINK_TTL) <= ctx.now();
        return match (same_address, same_name) {
            (true, _) if counts_for_all(ctx) => Clash::GivesWay,
            (_, true) if over => Clash::GivesWay,
            (_, true) => Clash::Taken("userName"),
            (_, false) => Clash::No,
        };
    }
    if same_name {
        Clash::Taken("userName")
    } else if same_address && other.email_verified_at.is_some() {
        Clash::Taken("email")
    } else if item.phone.is_some() && other.phone_verified_at.is_some() && other.phone_key == item.phone {
        Clash::Taken("phone")
    } else {
        Clash::No
    }
}

/// The roles that are asked for, each once, and what stands against them.
fn roles_of(
    ctx: &Ctx,
    item: &Judged,
    catalogue: &HashMap<String, role::Model>,
) -> (Vec<role::Model>, Vec<Fault>) {
    let (mut roles, mut faults): (Vec<role::Model>, _) = (Vec::new(), Vec::new());
    let codes = &item.user.role_codes;
    if codes.is_empty() && item.place.is_some() {
        return (catalogue.get(&names::name_key(MEMBER)).cloned().into_iter().collect(), faults);
    }
    // An organisation that is not there is one fault, and not one for each role.
    let nowhere = item.place.is_none() && item.user.org_code.is_some();
    for (index, code) in codes.iter().enumerate().take(ROLES_EACH) {
        let mut refuse = |code, message: &'static str| {
            faults.push(Fault::new(code, &["roleCodes", &index.to_string()], message));
        };
        match catalogue.get(&names::name_key(code)) {
            None => refuse(ErrorCode::NotFound, "There is no such role."),
            Some(_) if nowhere => {}
            Some(role) if !role.active => refuse(ErrorCode::Inactive, "This role is not active."),
            Some(role) if !authority::may_grant(ctx, role, item.place) => {
                refuse(ErrorCode::NotAllowed, "You may not grant this role here.");
            }
            Some(role) if roles.iter().any(|known| known.id == role.id) => {}
            Some(role) => roles.push(role.clone()),
        }
    }
    (roles, faults)
}
