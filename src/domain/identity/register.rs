//! Registering: an unverified account, and a mail that proves the address.
//!
//! The answer and the work are the same whether or not the address is known. An unverified account blocks nothing:
//! the address belongs to whoever proves it, and an attempt whose link has run out gives its user name up.

use std::time::Duration;

use entity::{Channel, Timestamp, user};
use uuid::Uuid;

use super::{
    names::{self, Email},
    write::{self, Secrets},
};
use crate::{
    clock,
    context::Ctx,
    crypto,
    domain::{
        applications,
        credentials::{codes, policy},
        limits::{rules, service as limits},
        notifications::{foreign_text, service::Notice, template::Template},
        orgs::service::{self as orgs, Plan, Wish},
    },
    error::{Error, ErrorCode, Fault, Result},
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
pub const RETRY_AFTER: Duration = Duration::from_mins(1);

/// What whoever registered is told: as much for a known address as for a new one.
pub struct Registered {
    pub delivery: Delivery,
    /// With it, the proof of the address keeps what was chosen here.
    pub token: String,
}

pub async fn register(ctx: &Ctx, registration: Registration) -> Result<Registered> {
    let judged = one(judge_all(ctx, vec![registration]).await?)?.map_err(Error::Faults)?;
    let (password, random) = (&judged.registration.password, ctx.app.random.as_ref());
    let password = ctx.app.hasher.hash(ctx.source(), password, random).await?;
    let token = crypto::new_token(random);
    let secrets = Secrets { password, token: Some(crypto::token_hash(&token)) };
    let written = write::all(ctx, &[(judged, secrets)]).await;
    let written = written.map_err(|error| error.on_conflict("users.user_name_key", taken()))?;
    let written =
        written.map_err(|refused| Error::Faults(refused.into_iter().map(|(_, fault)| fault).collect()))?;
    Ok(Registered { delivery: one(written)?, token })
}

fn one<T>(all: Vec<T>) -> Result<T> {
    all.into_iter().next().ok_or_else(|| Error::internal("a registration got no answer"))
}

pub(super) fn taken() -> Fault {
    Fault::new(ErrorCode::Taken, &["userName"], "This user name is taken.")
}

/// A registration without a fault of its own.
pub(super) struct Judged {
    pub registration: Registration,
    pub email: Email,
    pub user_name: String,
    pub application_id: Uuid,
    pub plan: Plan,
}

/// Every fault of each, or what is to be written. A constant number of statements, however many. Those whose password is
/// judged are counted for where they come from, before that and whatever comes of it.
pub(super) async fn judge_all(
    ctx: &Ctx,
    registrations: Vec<Registration>,
) -> Result<Vec<Result<Judged, Vec<Fault>>>> {
    let named: Vec<_> = registrations.iter().map(|one| one.application_id.as_deref()).collect();
    let applications = applications::service::named_all(ctx, &named).await?;
    let key = |one: &Registration| one.email.as_deref().and_then(names::email).map(|email| email.key);
    let wishes: Vec<_> = registrations.iter().map(|one| (&one.wish, key(one).unwrap_or_default())).collect();
    let plans = orgs::judge_all(ctx, &wishes).await?;
    let checked = registrations.into_iter().zip(applications).zip(plans);
    let checked: Vec<_> =
        checked.map(|((one, application), plan)| checked_alone(ctx, one, application, plan)).collect();
    let to_judge = checked.iter().filter(|one| one.is_ok()).count();
    limits::several_for_source(ctx, &rules::REGISTER_SOURCE, to_judge).await?;
    let mut judged = Vec::with_capacity(checked.len());
    for one in checked {
        judged.push(match one {
            Ok(one) => judge_password(ctx, one).await?,
            Err(faults) => Err(faults),
        });
    }
    Ok(judged)
}

async fn judge_password(ctx: &Ctx, judged: Judged) -> Result<Result<Judged, Vec<Fault>>> {
    let (registration, source) = (&judged.registration, ctx.source());
    let own = own_data(registration);
    match ctx.app.hasher.judge(source, "password", &registration.password, own).await {
        Ok(()) => Ok(Ok(judged)),
        Err(Error::Faults(faults)) => Ok(Err(faults)),
        Err(other) => Err(other),
    }
}

/// All but what takes time: whether the password is a common one.
fn checked_alone(
    ctx: &Ctx,
    registration: Registration,
    application: Result<Uuid, Fault>,
    plan: Result<Plan, Vec<Fault>>,
) -> Result<Judged, Vec<Fault>> {
    let (email, application_id, plan) = match (check(&registration), application, plan) {
        (Ok(email), Ok(application), Ok(plan)) => (email, application, plan),
        (email, application, plan) => {
            let mut faults = email.err().unwrap_or_default();
            faults.extend(application.err());
            faults.extend(plan.err().unwrap_or_default());
            return Err(faults);
        }
    };
    let requested = registration.user_name.as_deref().map(|name| name.trim().to_owned());
    let user_name = requested.unwrap_or_else(|| made_up_name(ctx));
    Ok(Judged { registration, email, user_name, application_id, plan })
}

/// Every fault of its own at once.
fn check(registration: &Registration) -> Result<Email, Vec<Fault>> {
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
    let number = phone.as_deref().and_then(names::phone);
    let own = parsed.iter().map(|email| email.key.as_str()).chain(number.as_deref());
    faults.extend(user_name.as_deref().and_then(|name| user_name_fault(name, own)));
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
        _ => Err(faults),
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

/// What stands against this user name, for somebody with these addresses and numbers (their keys).
pub(super) fn user_name_fault<'a>(name: &str, own: impl IntoIterator<Item = &'a str>) -> Option<Fault> {
    if let Some(problem) = names::user_name_problem(name) {
        return Some(Fault::invalid("userName", problem));
    }
    if names::is_reserved(name) {
        return Some(taken());
    }
    // A proved number comes before a name in every search, so a name that is one's own keeps its owner from nothing.
    let (key, number) = (names::name_key(name), names::phone(name));
    let own = own.into_iter().any(|own| own == key || Some(own) == number.as_deref());
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
    let device = foreign_text::device(ctx.request.user_agent.as_deref());
    let device = device.map(|device| format!(", with {device}")).unwrap_or_default();
    format!("{}{ip}{device}", clock::rfc3339(user.created_at))
}

pub(super) fn already_registered(ctx: &Ctx, owner: user::Model, application_id: Uuid) -> Result<Notice> {
    let to = owner.email.ok_or_else(|| Error::internal("a verified address is missing"))?;
    let public_url = ctx.app.public_url.as_str().to_owned();
    let template = Template::AlreadyRegistered { user_name: owner.user_name, public_url };
    Ok(Notice { user_id: owner.id, application_id, to, template })
}
