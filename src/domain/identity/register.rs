//! Registering: an unverified account, and a mail that proves the address.
//!
//! The answer and the work are the same whether or not the address is known. An unverified account blocks nothing:
//! the address belongs to whoever proves it, and an attempt whose link has run out gives its user name up.

use std::time::Duration;

use entity::{Channel, CodePurpose, Secret, Timestamp, UserStatus, registration, user};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter, Set};
use uuid::Uuid;

use super::names::{self, Email};
use crate::{
    clock,
    context::Ctx,
    crypto,
    db::Txn,
    domain::{
        applications,
        credentials::{codes, passwords, policy},
        events::log::{self, EventType, NewEvent},
        notifications::{
            service::{self as notifications, Notice},
            template::Template,
        },
        orgs::service::{self as orgs, Plan, Wish},
    },
    error::{Error, ErrorCode, Fault, Result},
    ids::Kind,
};

pub struct Registration {
    pub user_name: Option<String>,
    pub email: Option<String>,
    /// A number to prove later: until then it is only claimed, and nobody's.
    pub phone: Option<String>,
    pub password: String,
    pub name: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub gender: Option<String>,
    pub locale: Option<String>,
    pub application_id: Option<String>,
    /// What to join once the address is proved.
    pub wish: Wish,
}

/// What was sent: the same whether or not the account exists.
pub struct Delivery {
    pub channel: Channel,
    /// Masked; `None` when a user name was given, for it would tell the address.
    pub destination: Option<String>,
    pub expires_at: Timestamp,
    pub retry_after: Duration,
}

/// How long to wait before asking for another mail.
pub(super) const RETRY_AFTER: Duration = Duration::from_mins(1);

pub async fn register(ctx: &Ctx, registration: Registration) -> Result<Delivery> {
    let judged = judge(ctx, registration).await?;
    let hash = ctx.app.hasher.hash(&judged.registration.password, ctx.app.random.as_ref()).await?;
    let mut tries = 1;
    loop {
        let txn = ctx.app.db.begin().await?;
        match write(&txn, ctx, &judged, &hash).await {
            // Another attempt took the name at the same moment: now it can be seen whose it is.
            Err(Error::Conflict(_)) if tries < TRIES => tries += 1,
            Err(error) => return Err(error.on_conflict("users.user_name_key", taken())),
            Ok(delivery) => {
                txn.commit().await?;
                return Ok(delivery);
            }
        }
    }
}

const TRIES: u32 = 4;

pub(super) fn taken() -> Fault {
    Fault::new(ErrorCode::Taken, &["userName"], "This user name is taken.")
}

/// A registration without a fault of its own.
pub(super) struct Judged {
    pub registration: Registration,
    pub email: Email,
    user_name: String,
    application_id: Uuid,
    plan: Plan,
}

pub(super) async fn judge(ctx: &Ctx, registration: Registration) -> Result<Judged> {
    let application_id = applications::service::named(ctx, registration.application_id.as_deref()).await?;
    let (email, plan) = judged(ctx, &registration).await?;
    ctx.app.hasher.judge("password", &registration.password, own_data(&registration)).await?;
    let requested = registration.user_name.as_deref().map(|name| name.trim().to_owned());
    let user_name = requested.unwrap_or_else(|| made_up_name(ctx));
    Ok(Judged { registration, email, user_name, application_id, plan })
}

/// The account, its password, and the mail: all of it in the transaction.
pub(super) async fn write(txn: &Txn, ctx: &Ctx, judged: &Judged, hash: &Secret) -> Result<Delivery> {
    let Judged { registration, email, user_name, application_id, plan } = judged;
    let owner = user::Entity::find()
        .filter(user::Column::EmailKey.eq(&email.key))
        .filter(user::Column::EmailVerifiedAt.is_not_null())
        .one(&**txn)
        .await?;
    let key = free_key(txn, ctx, user_name, email).await?;
    let user = insert(txn, ctx, key, user_name, email, registration).await?;
    passwords::set(txn, ctx, user.id, hash.clone()).await?;
    orgs::note(txn, user.id, plan).await?;
    registration::ActiveModel {
        user_id: Set(user.id),
        application_id: Set(*application_id),
        created_at: Set(ctx.now()),
        last_login_at: Set(None),
    }
    .insert(&**txn)
    .await?;
    let purpose = CodePurpose::VerifyEmail;
    let issued = codes::issue(txn, ctx, user.id, *application_id, purpose, &email.key).await?;
    let notice = match owner {
        // The code of this attempt is told to nobody, so the attempt leads nowhere.
        Some(owner) => already_registered(ctx, owner, *application_id)?,
        None => verification(ctx, &user, email, *application_id, &issued),
    };
    notifications::send(txn, ctx, notice).await?;
    log::record(txn, ctx, NewEvent::of(EventType::UserRegistered).on(Kind::User, user.id)).await?;
    Ok(Delivery {
        channel: Channel::Email,
        destination: Some(names::masked(&email.address)),
        expires_at: ctx.now().plus(codes::CODE_TTL),
        retry_after: RETRY_AFTER,
    })
}

/// Every fault at once.
async fn judged(ctx: &Ctx, registration: &Registration) -> Result<(Email, Plan)> {
    let key = registration.email.as_deref().and_then(names::email).map(|email| email.key).unwrap_or_default();
    let plan = orgs::judge(ctx, &registration.wish, &key).await?;
    match (check(registration), plan) {
        (Ok(email), Ok(plan)) => Ok((email, plan)),
        (Err(Error::Faults(mut faults)), plan) => {
            faults.extend(plan.err().unwrap_or_default());
            Err(Error::Faults(faults))
        }
        (Err(other), _) => Err(other),
        (Ok(_), Err(faults)) => Err(Error::Faults(faults)),
    }
}

fn check(registration: &Registration) -> Result<Email> {
    let Registration {
        user_name,
        email,
        phone,
        password,
        name,
        given_name,
        family_name,
        gender,
        locale,
        application_id: _,
        wish: _,
    } = registration;
    let mut faults = Vec::new();
    let parsed = email.as_deref().and_then(names::email);
    if email.is_none() {
        faults.push(Fault::required("email", "An address is needed: the verification is sent there."));
    } else if parsed.is_none() {
        faults.push(Fault::invalid("email", "This is not an email address."));
    }
    if phone.as_deref().is_some_and(|phone| names::phone(phone).is_none()) {
        faults.push(Fault::invalid("phone", "This is not a phone number such as +911234567890."));
    }
    faults.extend(
        user_name.as_deref().and_then(|name| user_name_fault(name, parsed.as_ref(), phone.as_deref())),
    );
    if locale.as_deref().is_some_and(|locale| !names::is_language_tag(locale)) {
        faults.push(Fault::invalid("locale", "This is not a language tag such as `de` or `pt-BR`."));
    }
    let texts = [("name", name), ("givenName", given_name), ("familyName", family_name), ("gender", gender)];
    for (field, text) in texts {
        if let Some(problem) = text.as_deref().and_then(names::text_problem) {
            faults.push(Fault::invalid(field, problem));
        }
    }
    faults.extend(policy::check("password", password, &own_data(registration)).err());
    match parsed {
        Some(email) if faults.is_empty() => Ok(email),
        _ => Err(Error::Faults(faults)),
    }
}

/// What a password of this person must not be made of.
fn own_data(registration: &Registration) -> Vec<String> {
    let Registration { user_name, email, phone, name, given_name, family_name, .. } = registration;
    let local = email.as_deref().and_then(|email| email.split('@').next()).map(str::to_owned);
    [user_name, name, given_name, family_name, email, phone]
        .into_iter()
        .flatten()
        .cloned()
        .chain(local)
        .collect()
}

fn user_name_fault(name: &str, email: Option<&Email>, phone: Option<&str>) -> Option<Fault> {
    if let Some(problem) = names::user_name_problem(name) {
        return Some(Fault::invalid("userName", problem));
    }
    if names::is_reserved(name) {
        return Some(taken());
    }
    // A proved number comes before a name in every search, so this one keeps its owner from nothing.
    let number = names::phone(name);
    let own = email.is_some_and(|email| email.key == names::name_key(name))
        || (number.is_some() && number == phone.and_then(names::phone));
    let message = "A user name that looks like an address or a phone number must be your own.";
    let refused = names::looks_like_contact(name.trim()) && !own;
    refused.then(|| Fault::new(ErrorCode::NotAllowed, &["userName"], message))
}

/// Never made from the address: it would tell it.
fn made_up_name(ctx: &Ctx) -> String {
    let token = crypto::new_token(ctx.app.random.as_ref());
    let letters = token.chars().filter(char::is_ascii_alphanumeric).take(10).collect::<String>();
    format!("user-{}", letters.to_lowercase())
}

/// The key under which the attempt is kept. Attempts of one mailbox for one name live side by side until the mailbox is
/// proved, for nobody can tell whose is whose; all but the first wait under a key that is no name. An attempt of
/// another mailbox keeps the name until its link has run out.
async fn free_key(txn: &Txn, ctx: &Ctx, user_name: &str, email: &Email) -> Result<String> {
    let key = names::name_key(user_name);
    let Some(holder) = user::Entity::find().filter(user::Column::UserNameKey.eq(&key)).one(&**txn).await?
    else {
        return Ok(key);
    };
    if holder.status != UserStatus::Unverified {
        return Err(taken().into());
    }
    if holder.created_at.plus(codes::LINK_TTL) <= ctx.now() {
        user::Entity::delete_by_id(holder.id).exec(&**txn).await?;
        return Ok(key);
    }
    if holder.email_key.as_ref() != Some(&email.key) {
        return Err(taken().into());
    }
    Ok(names::waiting_key(&key, ctx.new_id()))
}

async fn insert(
    txn: &Txn,
    ctx: &Ctx,
    user_name_key: String,
    user_name: &str,
    email: &Email,
    from: &Registration,
) -> Result<user::Model> {
    let now = ctx.now();
    let Registration {
        user_name: _,
        email: _,
        phone,
        password: _,
        name,
        given_name,
        family_name,
        gender,
        locale,
        application_id: _,
        wish: _,
    } = from;
    let phone = phone.as_deref().and_then(names::phone);
    let row = user::ActiveModel {
        id: Set(ctx.new_id()),
        user_name: Set(user_name.to_owned()),
        user_name_key: Set(user_name_key),
        name: Set(name.clone()),
        given_name: Set(given_name.clone()),
        family_name: Set(family_name.clone()),
        gender: Set(gender.clone()),
        locale: Set(locale.clone()),
        avatar_url: Set(None),
        status: Set(UserStatus::Unverified),
        email: Set(Some(email.address.clone())),
        email_key: Set(Some(email.key.clone())),
        email_verified_at: Set(None),
        phone: Set(phone.clone()),
        phone_key: Set(phone),
        phone_verified_at: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
        last_login_at: Set(None),
    };
    Ok(row.insert(&**txn).await?)
}

pub(super) fn verification(
    ctx: &Ctx,
    user: &user::Model,
    email: &Email,
    application_id: Uuid,
    issued: &codes::Issued,
) -> Notice {
    Notice {
        user_id: user.id,
        application_id,
        to: email.address.clone(),
        template: Template::VerifyEmail {
            user_name: user.user_name.clone(),
            link: ctx.app.public_url.link("verify", &issued.token),
            code: issued.code.clone(),
            code_minutes: codes::CODE_TTL.as_secs() / 60,
            link_hours: codes::LINK_TTL.as_secs() / 3_600,
            asked_from: asked_from(ctx, user),
        },
    }
}

/// When and from where the registration came: so that its reader can tell it from somebody else's.
fn asked_from(ctx: &Ctx, user: &user::Model) -> String {
    let ip = ctx.request.ip.map(|ip| format!(", from {ip}")).unwrap_or_default();
    let agent = ctx.request.user_agent.as_deref().map(|agent| format!(" ({agent})")).unwrap_or_default();
    format!("{}{ip}{agent}", clock::rfc3339(user.created_at))
}

fn already_registered(ctx: &Ctx, owner: user::Model, application_id: Uuid) -> Result<Notice> {
    let to = owner.email.ok_or_else(|| Error::internal("a verified address is missing"))?;
    let public_url = ctx.app.public_url.as_str().to_owned();
    let template = Template::AlreadyRegistered { user_name: owner.user_name, public_url };
    Ok(Notice { user_id: owner.id, application_id, to, template })
}
