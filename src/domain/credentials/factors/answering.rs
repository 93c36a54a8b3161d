//! Answering a challenge: five tries in all, one right answer, and the session opens.

use std::time::Duration;

use entity::{ChallengeKind, Channel, CodePurpose, UserStatus, challenge, user};
use sea_orm::EntityTrait;
use serde_json::{Value as Json, json};
use uuid::Uuid;
use webauthn_rs::prelude::PublicKeyCredential;

use super::{
    asking::Waiting,
    challenges,
    passkeys::{self, Expected, Proved},
    recovery,
    service::account,
    standing::Method,
    totp,
    webauthn::Answer,
};
use crate::{
    context::Ctx,
    crypto,
    db::Txn,
    domain::{
        credentials::failures,
        events::log::{self, EventType, NewEvent},
        identity::{names, service::Delivery},
        limits::{
            Network,
            budget::{self, Matter, Verdict},
            rules::{self, Rule},
            service as limits,
        },
        notifications::{
            service::{self as notifications, Notice},
            template::Template,
        },
        sessions::{
            entering::{self, Entering, LoggedIn},
            service as sessions,
        },
    },
    error::{Error, ErrorCode, Fault, Result},
    ids::Kind,
};

/// How long to wait before asking for another code.
const RETRY_AFTER: Duration = Duration::from_mins(1);

pub struct Completion {
    pub challenge_id: Option<Uuid>,
    pub method: Method,
    pub code: Option<String>,
    pub passkey: Option<Json>,
}

/// What was shown, in a form that can be judged.
enum Shown {
    Code(String),
    Passkey(Box<Answer<PublicKeyCredential>>),
}

/// What was right, and is to be used up.
enum Right {
    Step(i64),
    Recovery(String),
    Sent,
    Passkey(Box<Proved>),
}

/// An open login challenge, and what waits behind it.
struct Open {
    row: challenge::Model,
    user: user::Model,
    application_id: Uuid,
    waiting: Waiting,
}

/// What an answer counts against. Whoever holds no more than the password uses nothing up of a person on a device that is
/// known; and at what nobody can guess, a passkey or a recovery code, the tries of the challenge are enough.
enum Bound {
    Source,
    /// Codes, from a device that is not known.
    Person(String),
    Device(String),
    /// On a known device, at what nobody can guess.
    Free,
}

impl Bound {
    async fn of(ctx: &Ctx, user_id: Uuid, method: Method, device_token: Option<&str>) -> Result<Self> {
        let device = sessions::known_device(ctx, user_id, device_token).await?;
        Ok(match (method, device) {
            (Method::Totp | Method::EmailCode | Method::SmsCode, Some(id)) => Self::Device(id.to_string()),
            (Method::Totp | Method::EmailCode | Method::SmsCode, None) => Self::Person(user_id.to_string()),
            (Method::RecoveryCode | Method::Passkey, Some(_)) => Self::Free,
            (Method::RecoveryCode | Method::Passkey, None) => Self::Source,
        })
    }

    fn rule(&self) -> Option<(&'static Rule, &str)> {
        match self {
            Self::Person(id) => Some((&rules::SECOND_FACTOR, id)),
            Self::Device(id) => Some((&rules::SECOND_FACTOR_KNOWN_DEVICE, id)),
            Self::Source | Self::Free => None,
        }
    }

    async fn take_of_source(&self, ctx: &Ctx) -> Result<()> {
        match self {
            Self::Source | Self::Person(_) => limits::for_source(ctx, &rules::SOURCE).await,
            Self::Device(_) | Self::Free => Ok(()),
        }
    }

    async fn take(&self, ctx: &Ctx) -> Result<()> {
        match self.rule() {
            Some((rule, subject)) => limits::for_person(ctx, rule, subject).await,
            None => Ok(()),
        }
    }

    /// Whether there were so many wrong codes in a row that one proves nothing, but on a device that is known.
    async fn is_worn_out(&self, ctx: &Ctx, user_id: Uuid) -> Result<bool> {
        let full = failures::are_too_many(ctx.app.db.read(), ctx, user_id, CodePurpose::Mfa).await?;
        Ok(full && matches!(self, Self::Person(_)))
    }

    async fn give_back(&self, ctx: &Ctx) -> Result<()> {
        if let Some((rule, subject)) = self.rule() {
            limits::give_back(ctx, rule, subject).await?;
        }
        match self {
            Self::Source | Self::Person(_) => limits::give_back_source(ctx, &rules::SOURCE).await,
            Self::Device(_) | Self::Free => Ok(()),
        }
    }
}

pub async fn complete(ctx: &Ctx, completion: Completion) -> Result<LoggedIn> {
    let Completion { challenge_id, method, code, passkey } = completion;
    let since = ctx.now();
    let opened = open(ctx, challenge_id, method).await;
    let bound = match &opened {
        Ok(open) => Bound::of(ctx, open.user.id, method, open.waiting.device_token.as_deref()).await?,
        Err(_) => Bound::Source,
    };
    bound.take_of_source(ctx).await?;
    let Open { row, user, application_id, waiting } = opened?;
    let shown = shown(method, code, passkey)?;
    challenges::count_try(ctx, &row).await?;
    bound.take(ctx).await?;
    let worn_out = bound.is_worn_out(ctx, user.id).await?;
    let Waiting { device, device_token, how, methods: _, question } = waiting;
    let right = match shown {
        Shown::Code(code) => judge_code(ctx, &row, user.id, method, code).await?,
        Shown::Passkey(answer) => match question {
            Some(question) => {
                let proved = passkeys::prove(ctx, &answer, question, Expected::User(user.id)).await?;
                proved.ok().map(|proved| Right::Passkey(Box::new(proved)))
            }
            None => None,
        },
    };
    let Some(right) = right.filter(|_| !worn_out) else {
        refuse(ctx, user.id, method, &bound).await?;
        return Err(wrong(method).into());
    };
    let txn = ctx.app.db.begin().await?;
    challenges::consume(&txn, ctx, row.id).await?;
    if !spend(&txn, ctx, user.id, right).await? {
        drop(txn);
        refuse(ctx, user.id, method, &bound).await?;
        return Err(wrong(method).into());
    }
    txn.commit().await?;
    bound.give_back(ctx).await?;
    entering::open(ctx, Entering { user, application_id, device, how, device_token, since }).await
}

async fn open(ctx: &Ctx, challenge_id: Option<Uuid>, method: Method) -> Result<Open> {
    let row = challenges::find(ctx, ChallengeKind::Login, challenge_id).await?;
    let (Some(user_id), Some(application_id)) = (row.user_id, row.application_id) else {
        return Err(Error::internal("a login challenge without a user or an application"));
    };
    let waiting: Waiting = challenges::state(ctx, &row)?;
    let user = account(ctx.app.db.read(), user_id).await?;
    if user.status != UserStatus::Active {
        return Err(Fault::new(ErrorCode::Inactive, &[], "This account is deactivated.").into());
    }
    if !waiting.methods.contains(&method) {
        let message = "This cannot answer here: choose one of the challenge's methods.";
        return Err(Fault::new(ErrorCode::NotAllowed, &["method"], message).into());
    }
    Ok(Open { row, user, application_id, waiting })
}

fn shown(method: Method, code: Option<String>, passkey: Option<Json>) -> Result<Shown> {
    if method == Method::Passkey {
        let missing = || Fault::required("passkey", "Show what the browser answered.");
        return Ok(Shown::Passkey(Box::new(Answer::parse(passkey.ok_or_else(missing)?)?)));
    }
    Ok(Shown::Code(code.ok_or_else(|| Fault::required("code", "Show the code."))?))
}

async fn judge_code(
    ctx: &Ctx,
    row: &challenge::Model,
    user_id: Uuid,
    method: Method,
    code: String,
) -> Result<Option<Right>> {
    Ok(match method {
        Method::Totp => totp::check(ctx, user_id, &code).await?.map(Right::Step),
        Method::RecoveryCode => {
            recovery::is_right(ctx, user_id, &code).await?.then_some(Right::Recovery(code))
        }
        Method::EmailCode | Method::SmsCode => {
            // Read anew: a code may have been sent since.
            let now = challenge::Entity::find_by_id(row.id).one(ctx.app.db.read()).await?;
            let sent = now.and_then(|row| row.code_hash);
            let guessed = code_hash(ctx, row.id, method, &code)?;
            sent.is_some_and(|hash| crypto::same(&hash.0, &guessed.0)).then_some(Right::Sent)
        }
        Method::Passkey => None,
    })
}

async fn spend(txn: &Txn, ctx: &Ctx, user_id: Uuid, right: Right) -> Result<bool> {
    match right {
        Right::Step(step) => totp::spend(txn, user_id, step).await,
        Right::Recovery(code) => recovery::spend(txn, ctx, user_id, &code).await,
        Right::Passkey(proved) => proved.spend(txn, ctx).await,
        // It goes with the challenge.
        Right::Sent => Ok(true),
    }
}

/// Bound to the challenge and to the way that it took: it is good for nothing else.
fn code_hash(ctx: &Ctx, challenge_id: Uuid, method: Method, code: &str) -> Result<entity::Secret> {
    let way: &[u8] = if method == Method::SmsCode { b"sms" } else { b"email" };
    ctx.app.vault.code_hash(&[challenge_id.as_bytes().as_slice(), way].concat(), code.trim())
}

async fn refuse(ctx: &Ctx, user_id: Uuid, method: Method, bound: &Bound) -> Result<()> {
    let txn = ctx.app.db.begin().await?;
    if matches!(bound, Bound::Person(_)) {
        failures::count(&txn, user_id, CodePurpose::Mfa).await?;
    }
    let event = NewEvent::of(EventType::SessionRefused)
        .on(Kind::User, user_id)
        .with(json!({ "secondFactor": method.as_str() }));
    log::record(&txn, ctx, event).await?;
    txn.commit().await
}

fn wrong(method: Method) -> Fault {
    if method == Method::Passkey {
        let message = "This does not prove that you hold one of your passkeys.";
        return Fault::new(ErrorCode::WrongCode, &["passkey"], message);
    }
    totp::wrong_code()
}

/// Sends a code for this challenge; an earlier one is good for nothing then. The tries stay counted.
pub async fn send_code(ctx: &Ctx, challenge_id: Option<Uuid>, method: Method) -> Result<Delivery> {
    let channel = match method {
        Method::EmailCode => Channel::Email,
        Method::SmsCode => Channel::Sms,
        Method::Totp | Method::RecoveryCode | Method::Passkey => {
            let message = "Only EMAIL_CODE and SMS_CODE are sent.";
            return Err(Fault::new(ErrorCode::NotAllowed, &["method"], message).into());
        }
    };
    limits::for_source(ctx, &rules::SEND_SOURCE).await?;
    let Open { row, user, application_id, waiting: _ } = open(ctx, challenge_id, method).await?;
    if channel == Channel::Sms {
        ctx.app.texter.check("method")?;
    }
    let (to, key, destination) = target(&user, channel)?;
    let code = crypto::new_code(ctx.app.random.as_ref());
    let txn = ctx.app.db.begin().await?;
    // Whoever gets here has shown the password: they may be told.
    if budget::take(&txn, ctx, Matter::SecondFactor, &key, &Network::of(ctx)).await? != Verdict::Send {
        return Err(limits::too_many(budget::WINDOW).into());
    }
    challenges::note_code(&txn, ctx, row.id, code_hash(ctx, row.id, method, &code)?).await?;
    let minutes = challenges::TTL.as_secs() / 60;
    let template = Template::FactorCode { user_name: user.user_name, code, minutes };
    let notice = Notice { user_id: user.id, application_id, to, template };
    notifications::send_by(&txn, ctx, channel, notice).await?;
    let said = json!({ "purpose": "second_factor", "method": method.as_str() });
    log::record(&txn, ctx, NewEvent::of(EventType::OtpSent).on(Kind::User, user.id).with(said)).await?;
    txn.commit().await?;
    Ok(Delivery {
        channel,
        destination: Some(destination),
        expires_at: row.expires_at,
        retry_after: RETRY_AFTER,
    })
}

/// Where it goes, the form of it that is counted, and what is shown of it.
fn target(user: &user::Model, channel: Channel) -> Result<(String, String, String)> {
    let proved = match channel {
        Channel::Email => user.email_proved_at.and(user.email.clone().zip(user.email_key.clone())),
        Channel::Sms => user.phone_proved_at.and(user.phone.clone().zip(user.phone_key.clone())),
    };
    let gone = || Fault::new(ErrorCode::NotAllowed, &["method"], "There is nowhere to send it to any more.");
    let (to, key) = proved.ok_or_else(gone)?;
    let shown = match channel {
        Channel::Email => names::masked(&to),
        Channel::Sms => names::masked_phone(&to),
    };
    Ok((to, key, shown))
}
