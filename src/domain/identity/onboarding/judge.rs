//! What a new account must be like, before the database is asked who else there is.

use std::collections::{HashMap, HashSet};

use entity::{Timestamp, UserStatus, organization};
use uuid::Uuid;

use crate::{
    authz::{Permission, Scope},
    context::Ctx,
    domain::{
        credentials::{foreign, policy},
        identity::{
            names::{self, Email},
            register,
        },
        limits::{rules, service as limits},
        models::service::ModelInput,
        orgs::service as orgs,
    },
    error::{Error, ErrorCode, Fault, Result},
};

/// An account to be. Not to be printed: it may hold a password.
#[derive(Clone, Default)]
pub struct NewUser {
    pub user_name: String,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub password: Option<String>,
    /// A hash that another system made.
    pub password_hash: Option<String>,
    pub name: Option<String>,
    /// The organisation to belong to; the roles are for the platform without one.
    pub org_code: Option<String>,
    /// In an organisation, none at all means `MEMBER`.
    pub role_codes: Vec<String>,
    pub models: Vec<ModelInput>,
    pub past: Past,
}

/// What an account was in the system that it comes from.
#[derive(Clone, Debug, Default)]
pub struct Past {
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub gender: Option<String>,
    pub locale: Option<String>,
    pub created_at: Option<Timestamp>,
    pub status: Option<UserStatus>,
}

/// An account to be, whose fields were judged one by one.
pub(super) struct Judged {
    pub id: Uuid,
    pub user: NewUser,
    pub name_key: String,
    pub email: Option<Email>,
    /// In the form in which it is stored and compared.
    pub phone: Option<String>,
    pub place: Option<Uuid>,
}

/// The most roles that one account is made with.
pub(super) const ROLES_EACH: usize = 20;

/// Judges each, and finds the organisations. The faults have the paths of their items.
pub(super) async fn all(ctx: &Ctx, users: Vec<NewUser>) -> Result<(Vec<Judged>, Vec<Fault>)> {
    let codes: Vec<_> = users.iter().filter_map(|user| user.org_code.clone()).collect();
    let orgs = orgs::by_codes(ctx, &codes).await?;
    let mut twice = Twice::default();
    let (mut judged, mut faults) = (Vec::new(), Vec::new());
    let passwords = users.iter().filter(|user| user.password.is_some()).count();
    limits::several_for_caller(ctx, &rules::ONBOARD_PASSWORD, passwords).await?;
    for (index, user) in users.into_iter().enumerate() {
        let item = judged_alone(ctx, user);
        let mut found = check(&item, ctx.now());
        found.extend(password_faults(ctx, &item).await?);
        let (place, refused) = place(ctx, item.user.org_code.as_deref(), &orgs);
        found.extend(refused);
        found.extend(twice.faults(&item));
        faults.extend(found.into_iter().map(|fault| fault.of_item("users", index)));
        judged.push(Judged { place, ..item });
    }
    Ok((judged, faults))
}

fn judged_alone(ctx: &Ctx, mut user: NewUser) -> Judged {
    user.user_name = user.user_name.trim().to_owned();
    let email = user.email.as_deref().and_then(names::email);
    let phone = user.phone.as_deref().and_then(names::phone);
    Judged { id: ctx.new_id(), name_key: names::name_key(&user.user_name), email, phone, place: None, user }
}

fn check(item: &Judged, now: Timestamp) -> Vec<Fault> {
    let Judged { id: _, user, name_key: _, email, phone, place: _ } = item;
    let NewUser {
        user_name,
        email: given_email,
        phone: given_phone,
        password: _,
        password_hash: _,
        name,
        org_code: _,
        role_codes,
        models: _,
        past,
    } = user;
    let Past { given_name, family_name, gender, locale, created_at, status } = past;
    let mut faults = Vec::new();
    let own = email.iter().map(|email| &*email.key).chain(phone.as_deref());
    faults.extend(register::user_name_fault(user_name, own));
    if given_email.is_some() && email.is_none() {
        faults.push(Fault::invalid("email", "This is not an email address."));
    }
    if given_phone.is_some() && phone.is_none() {
        faults.push(Fault::invalid(
            "phone",
            "This is not a number in the international form, as +911234567890.",
        ));
    }
    let texts = [("name", name), ("givenName", given_name), ("familyName", family_name), ("gender", gender)];
    for (field, text) in texts {
        if let Some(problem) = text.as_deref().and_then(names::text_problem) {
            faults.push(Fault::invalid(field, problem));
        }
    }
    if locale.as_deref().is_some_and(|locale| !names::is_language_tag(locale)) {
        faults.push(Fault::invalid("locale", "This is not a language tag such as `de` or `pt-BR`."));
    }
    if created_at.is_some_and(|at| at > now) {
        faults.push(Fault::invalid("createdAt", "This moment has not come yet."));
    }
    if *status == Some(UserStatus::Unverified) {
        faults.push(Fault::invalid("status", "An account comes in as ACTIVE or as DEACTIVATED."));
    }
    if role_codes.len() > ROLES_EACH {
        let message = format!("At most {ROLES_EACH} roles.");
        faults.push(Fault::new(ErrorCode::TooManyItems, &["roleCodes"], message));
    }
    faults
}

async fn password_faults(ctx: &Ctx, item: &Judged) -> Result<Vec<Fault>> {
    let NewUser { user_name, email, password, password_hash, name, past, .. } = &item.user;
    match (password, password_hash) {
        (Some(_), Some(_)) => {
            Ok(vec![Fault::invalid("passwordHash", "Give the password or its hash, not both.")])
        }
        (None, Some(hash)) => {
            Ok(hash_problem(ctx, hash).map(|why| Fault::invalid("passwordHash", why)).into_iter().collect())
        }
        (Some(password), None) => {
            let local = email.as_deref().and_then(|email| email.split('@').next()).map(str::to_owned);
            let own = [&Some(user_name.clone()), name, &past.given_name, &past.family_name, email, &local];
            let own: Vec<String> = own.into_iter().flatten().cloned().collect();
            if let Err(fault) = policy::check("password", password, &own) {
                return Ok(vec![fault]);
            }
            match ctx.app.hasher.judge(ctx.source(), "password", password, own).await {
                Ok(()) => Ok(Vec::new()),
                Err(Error::Faults(faults)) => Ok(faults),
                Err(other) => Err(other),
            }
        }
        (None, None) if item.user.email.is_none() => {
            let message = "Without a password an address is needed, to which a link to set one is mailed.";
            Ok(vec![Fault::required("email", message)])
        }
        (None, None) => Ok(Vec::new()),
    }
}

/// What stands against taking this hash over. As long as there are dear ones, every wrong password is answered as late as the
/// dearest: whether that is worth it is for the platform to say.
fn hash_problem(ctx: &Ctx, hash: &str) -> Option<&'static str> {
    const TOO_DEAR: &str =
        "This hash takes too much time or memory to verify: only administrators of the platform import it.";
    match foreign::recognise(hash) {
        Err(why) => Some(why),
        Ok(hash) => {
            let any = ctx.actor.may(Permission::UserOnboard, Scope::Platform);
            (!any && !ctx.app.hasher.is_modest(&hash)).then_some(TOO_DEAR)
        }
    }
}

/// Where the account belongs, and what stands against it. Where the caller may not see an organisation, there is none.
fn place(
    ctx: &Ctx,
    code: Option<&str>,
    orgs: &HashMap<String, organization::Model>,
) -> (Option<Uuid>, Option<Fault>) {
    let fault = |code, message: &'static str| Some(Fault::new(code, &["orgCode"], message));
    let Some(code) = code else {
        let allowed = ctx.actor.may(Permission::UserOnboard, Scope::Platform);
        let message = "You may onboard users within organisations only: name one.";
        return (None, if allowed { None } else { fault(ErrorCode::NotAllowed, message) });
    };
    match orgs.get(&names::name_key(code)) {
        None => (None, fault(ErrorCode::NotFound, "There is no such organisation.")),
        Some(org) if !ctx.actor.may(Permission::UserOnboard, Scope::Org(org.id)) => {
            (Some(org.id), fault(ErrorCode::NotAllowed, "You may not onboard users into this organisation."))
        }
        Some(org) if !org.active => {
            (Some(org.id), fault(ErrorCode::Inactive, "The organisation is deactivated."))
        }
        Some(org) => (Some(org.id), None),
    }
}

/// What stood in the list before.
#[derive(Default)]
struct Twice {
    names: HashSet<String>,
    addresses: HashSet<String>,
    numbers: HashSet<String>,
}

impl Twice {
    fn faults(&mut self, item: &Judged) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut twice = |field, message: &'static str| {
            faults.push(Fault::new(ErrorCode::Taken, &[field], message));
        };
        if !self.names.insert(item.name_key.clone()) {
            twice("userName", "This user name stands twice in the list.");
        }
        if item.email.as_ref().is_some_and(|email| !self.addresses.insert(email.key.clone())) {
            twice("email", "This address stands twice in the list.");
        }
        if item.phone.as_ref().is_some_and(|phone| !self.numbers.insert(phone.clone())) {
            twice("phone", "This number stands twice in the list.");
        }
        faults
    }
}
