//! Making accounts that are active at once, many in one transaction.
//!
//! Everything is judged before anything is written, so that every fault is named at once. Passwords are hashed between
//! the two, outside of any transaction; what was judged is then judged again, for others write meanwhile.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use entity::{CodePurpose, Secret, UserStatus, role, user};
use sea_orm::{ActiveModelTrait, ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter};
use uuid::Uuid;

use super::judge::{self, Judged, ROLES_EACH};
pub use super::judge::{NewUser, Past};
use crate::{
    authz::{Permission, Scope},
    bulk::{self, Run},
    context::Ctx,
    db::Txn,
    domain::{
        credentials::{
            codes::{self, NewLink},
            passwords,
        },
        events::log::{self, EventType, NewEvent},
        identity::{discarding::discard, names},
        models::service as models,
        notifications::{
            service::{self as notifications, Letter},
            template::Template,
        },
        orgs::service::{self as orgs, Joiner},
        roles::{authority, service as roles},
    },
    error::{Error, ErrorCode, Fault, Result},
    ids::Kind,
};

/// What becomes of those who come without a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mails {
    /// They are mailed a link to set one.
    Send,
    /// They are told nothing; "forgot password" leads them in.
    Withhold,
}

/// How long the link to set a first password is good for: people are away.
pub const LINK_TTL: Duration = Duration::from_hours(7 * 24);
const TRIES: u32 = 4;
const MEMBER: &str = "MEMBER";

/// Makes the accounts, all of them or none; a hundred at most. Answers them in their order; none for a dry run.
pub async fn onboard(ctx: &Ctx, run: Run, mails: Mails, users: Vec<NewUser>) -> Result<Vec<user::Model>> {
    if !ctx.actor.may_somewhere(Permission::UserOnboard) {
        return Err(Error::forbidden());
    }
    bulk::check_size("users", users.len())?;
    let (items, own_faults) = judge::all(ctx, users).await?;
    let mut hashes = HashMap::new();
    if run == Run::Real && items.iter().any(|item| item.user.password.is_some()) {
        // Nobody's hash is computed in vain: whatever else is wrong is told before.
        let txn = ctx.app.db.begin().await?;
        survey(&txn, ctx, &items, &own_faults).await?;
        drop(txn);
        hashes = hash(ctx, &items).await?;
    }
    let mut tries = 1;
    loop {
        let txn = ctx.app.db.begin().await?;
        let survey = survey(&txn, ctx, &items, &own_faults).await?;
        match write(&txn, ctx, &items, survey, &hashes).await {
            // Somebody took a name or an address at this moment: now it can be seen which.
            Err(Error::Conflict(_)) if tries < TRIES => tries += 1,
            Err(Error::Conflict(_)) => return Err(same_time().into()),
            Err(error) => return Err(error),
            Ok(made) => {
                if mails == Mails::Send {
                    mail(&txn, ctx, &made, &items).await?;
                }
                if run == Run::Dry {
                    return Ok(Vec::new());
                }
                txn.commit().await?;
                return Ok(made);
            }
        }
    }
}

fn same_time() -> Fault {
    let message = "Somebody took one of these names or addresses at the same time: try again.";
    Fault::new(ErrorCode::Conflict, &["users"], message)
}

/// One after the other: a bulk call takes one place in the hashing pool, like everybody else.
async fn hash(ctx: &Ctx, items: &[Judged]) -> Result<HashMap<Uuid, Secret>> {
    let mut hashes = HashMap::new();
    for item in items {
        if let Some(password) = &item.user.password {
            hashes.insert(item.id, ctx.app.hasher.hash(password, ctx.app.random.as_ref()).await?);
        }
    }
    Ok(hashes)
}

/// What the database knows of the newcomers.
struct Survey {
    /// The roles of each, in the order of the items.
    roles: Vec<Vec<role::Model>>,
    /// Accounts that were never proved and give way.
    attempts: Vec<Uuid>,
}

/// Judges what only the database can. Roles, organisations and models are held from here on.
async fn survey(txn: &Txn, ctx: &Ctx, items: &[Judged], own_faults: &[Fault]) -> Result<Survey> {
    let mut faults = own_faults.to_vec();
    let codes = items.iter().flat_map(|item| item.user.role_codes.iter().take(ROLES_EACH).cloned());
    let catalogue = roles::hold(txn, &codes.chain([MEMBER.to_owned()]).collect::<Vec<_>>()).await?;
    let held = orgs::lock_all(txn, items.iter().filter_map(|item| item.place)).await?;
    let known = known(txn, items).await?;
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
                    found.push(Fault::new(ErrorCode::Taken, &[field], "Another account has this already."));
                }
            }
        }
        faults.extend(found.into_iter().map(|fault| fault.of_item("users", index)));
    }
    faults.extend(models::faults(txn, &models_of(items)).await?);
    if faults.is_empty() {
        return Ok(Survey { roles, attempts: attempts.into_iter().collect() });
    }
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

fn models_of(items: &[Judged]) -> Vec<models::Wanted> {
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

/// Whether the caller's word for an address counts for everybody. An organisation's administrator vouches for it within
/// their own organisation: it ends nobody's registration, and gives way to whoever proves the mailbox.
fn counts_for_all(ctx: &Ctx) -> bool {
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

async fn write(
    txn: &Txn,
    ctx: &Ctx,
    items: &[Judged],
    survey: Survey,
    hashes: &HashMap<Uuid, Secret>,
) -> Result<Vec<user::Model>> {
    let Survey { roles, attempts } = survey;
    if !attempts.is_empty() {
        discard(txn, Condition::all().add(user::Column::Id.is_in(attempts))).await?;
    }
    let made: Vec<_> = items.iter().map(|item| row(ctx, item)).collect();
    if made.is_empty() {
        return Ok(made);
    }
    let rows = made.iter().map(|user| user.clone().into_active_model().reset_all());
    user::Entity::insert_many(rows).exec_without_returning(&**txn).await?;
    let hash = |item: &Judged| {
        let imported = item.user.password_hash.as_ref().map(|hash| Secret::from(hash.clone().into_bytes()));
        Some((item.id, imported.or_else(|| hashes.get(&item.id).cloned())?))
    };
    passwords::set_first(txn, ctx, items.iter().filter_map(hash).collect()).await?;
    let event =
        |item: &Judged| NewEvent::of(EventType::UserOnboarded).on(Kind::User, item.id).within(item.place);
    log::record_all(txn, ctx, items.iter().map(event).collect()).await?;
    settle(txn, ctx, items, roles).await?;
    models::replace(txn, &models_of(items)).await?;
    Ok(made)
}

/// Memberships with their roles, and the roles on the platform.
async fn settle(txn: &Txn, ctx: &Ctx, items: &[Judged], roles: Vec<Vec<role::Model>>) -> Result<()> {
    let (mut joiners, mut platform) = (Vec::new(), Vec::new());
    for (index, (item, roles)) in items.iter().zip(roles).enumerate() {
        match item.place {
            Some(organization) => joiners.push((organization, Joiner { user_id: item.id, roles })),
            None if roles.is_empty() => {}
            None => platform.push(roles::Wanted {
                user_id: item.id,
                organization_id: None,
                role_codes: item.user.role_codes.clone(),
                path: vec!["users".to_owned(), index.to_string(), "roleCodes".to_owned()],
            }),
        }
    }
    if !joiners.is_empty() {
        let joiners: Vec<_> = joiners.iter().map(|(place, joiner)| (*place, joiner)).collect();
        orgs::join_all(txn, ctx, &joiners).await?;
    }
    if !platform.is_empty() {
        roles::replace(txn, ctx, &platform).await?;
    }
    Ok(())
}

fn row(ctx: &Ctx, item: &Judged) -> user::Model {
    let Judged { id, user, name_key, email, phone, place: _ } = item;
    let Past { given_name, family_name, gender, locale, created_at, status } = user.past.clone();
    let now = ctx.now();
    user::Model {
        id: *id,
        user_name: user.user_name.clone(),
        user_name_key: name_key.clone(),
        awaited_name_key: None,
        name: user.name.clone(),
        given_name,
        family_name,
        gender,
        locale,
        avatar_url: None,
        status: status.unwrap_or(UserStatus::Active),
        email: email.as_ref().map(|email| email.address.clone()),
        email_key: email.as_ref().map(|email| email.key.clone()),
        email_verified_at: email.as_ref().map(|_| now),
        email_proved_at: email.as_ref().filter(|_| counts_for_all(ctx)).map(|_| now),
        phone: phone.clone(),
        phone_key: phone.clone(),
        phone_verified_at: phone.as_ref().map(|_| now),
        created_at: created_at.unwrap_or(now),
        updated_at: now,
        last_login_at: None,
    }
}

/// Who came without a password is mailed a link to set one.
async fn mail(txn: &Txn, ctx: &Ctx, made: &[user::Model], items: &[Judged]) -> Result<()> {
    let application_id =
        ctx.actor.signed_in().map_or(ctx.app.default_application, |caller| caller.application_id);
    let without = |item: &Judged| item.user.password.is_none() && item.user.password_hash.is_none();
    let mut to = Vec::new();
    for (user, item) in made.iter().zip(items) {
        if let Some(email) =
            item.email.as_ref().filter(|_| without(item) && user.status == UserStatus::Active)
        {
            to.push((user, email));
        }
    }
    if to.is_empty() {
        return Ok(());
    }
    let link = |(user, email): &(&user::Model, &names::Email)| NewLink {
        user_id: user.id,
        application_id,
        purpose: CodePurpose::PasswordReset,
        target: email.key.clone(),
    };
    let tokens = codes::issue_first_links(txn, ctx, to.iter().map(link).collect(), LINK_TTL).await?;
    let letter = |((user, email), token): ((&user::Model, &names::Email), String)| Letter {
        user_id: Some(user.id),
        application_id,
        to: email.address.clone(),
        template: Template::SetPassword {
            user_name: user.user_name.clone(),
            link: ctx.app.public_url.link("reset", &token),
            days: LINK_TTL.as_secs() / 86_400,
        },
    };
    notifications::send_all(txn, ctx, to.into_iter().zip(tokens).map(letter).collect()).await
}

/// Which of these are there already: the same user name with the same address. For imports that are repeated.
pub async fn there_already(ctx: &Ctx, users: &[NewUser]) -> Result<Vec<bool>> {
    let keys: Vec<_> = users.iter().map(|user| names::name_key(&user.user_name)).collect();
    let rows = user::Entity::find()
        .filter(user::Column::UserNameKey.is_in(keys.iter().cloned()))
        .filter(user::Column::Status.ne(UserStatus::Unverified))
        .all(ctx.app.db.read())
        .await?;
    let rows: HashMap<_, _> = rows.into_iter().map(|row| (row.user_name_key, row.email_key)).collect();
    let same = |(user, key): (&NewUser, &String)| {
        let email = user.email.as_deref().map(|text| names::email(text).map(|email| email.key));
        match (rows.get(key), email) {
            (Some(present), Some(Some(email))) => *present == Some(email),
            (Some(present), None) => present.is_none(),
            _ => false,
        }
    };
    Ok(users.iter().zip(&keys).map(same).collect())
}
