//! Asking for a code. Whoever is named, the same is done and said.

use entity::{Channel, user};
use sea_orm::EntityTrait;
use uuid::Uuid;

use super::{OtpPurpose, Way};
use crate::{
    authz::SignedIn,
    context::Ctx,
    domain::{
        credentials::{codes, guessing},
        events::jobs::{self, Job},
        identity::{
            account::service as account,
            names,
            service::{self as identity, Delivery, RETRY_AFTER},
        },
        limits::{Network, rules, service as limits},
        notifications::template::Asked,
    },
    error::{Error, ErrorCode, Fault, Result},
};

pub struct Request {
    pub purpose: OtpPurpose,
    pub identifier: Option<String>,
    pub channel: Option<Channel>,
}

pub async fn ask(ctx: &Ctx, request: Request) -> Result<Delivery> {
    let Request { purpose, identifier, channel } = request;
    match purpose {
        OtpPurpose::StepUp => step_up(ctx, identifier.as_deref(), channel).await,
        OtpPurpose::VerifyEmail => verify_email(ctx, identifier, channel).await,
        OtpPurpose::VerifyPhone => verify_phone(ctx, identifier, channel).await,
        OtpPurpose::Login | OtpPurpose::PasswordReset => {
            let identifier = judged(identifier)?;
            let usual = if names::phone(&identifier).is_some() { Channel::Sms } else { Channel::Email };
            let asked = if purpose == OtpPurpose::Login { Asked::Login } else { Asked::PasswordReset };
            let way = way(ctx, channel.unwrap_or(usual))?;
            let user = bounded(ctx, purpose, &identifier, by_identifier(ctx, &identifier)).await?;
            post(ctx, user, asked, way, shown(&identifier, way)).await
        }
    }
}

/// The mail with a link and a code: always a mail, however the account is named.
pub async fn ask_to_reset(ctx: &Ctx, identifier: String) -> Result<Delivery> {
    let identifier = judged(Some(identifier))?;
    let found = by_identifier(ctx, &identifier);
    let user = bounded(ctx, OtpPurpose::PasswordReset, &identifier, found).await?;
    post(ctx, user, Asked::PasswordReset, Way::Mail, shown(&identifier, Way::Mail)).await
}

/// Of oneself: where to, is no secret then.
async fn step_up(ctx: &Ctx, identifier: Option<&str>, channel: Option<Channel>) -> Result<Delivery> {
    let me = ctx.actor.in_person().ok_or_else(Error::forbidden)?;
    if identifier.is_some() {
        return Err(Fault::invalid("identifier", "A step-up is of oneself: leave this out.").into());
    }
    let user = own(ctx, me).await?;
    let email = own_contact(ctx, &user, Way::Mail).await?;
    let phone = own_contact(ctx, &user, Way::Text).await?;
    let usual = if email.is_none() && phone.is_some() { Channel::Sms } else { Channel::Email };
    let way = way(ctx, channel.unwrap_or(usual))?;
    let target = match way {
        Way::Mail => email.map(|address| names::masked(&address)),
        Way::Text => phone.map(|number| names::masked_phone(&number)),
    };
    let message = "You have nothing of this kind that is proved.";
    let target = target.ok_or_else(|| Fault::new(ErrorCode::NotVerified, &["channel"], message))?;
    let subject = me.user_id.to_string();
    bounded(ctx, OtpPurpose::StepUp, &subject, async { Ok(()) }).await?;
    post(ctx, Some(me.user_id), Asked::StepUp, way, Some(target)).await
}

/// What is sent to it opens the account.
async fn own_contact(ctx: &Ctx, user: &user::Model, way: Way) -> Result<Option<String>> {
    let (shown, key) = match way {
        Way::Mail => (&user.email, &user.email_key),
        Way::Text => (&user.phone, &user.phone_key),
    };
    let Some(key) = key else { return Ok(None) };
    let opens = identity::opens(ctx.app.db.read(), user, key).await?;
    Ok(shown.clone().filter(|_| opens))
}

/// The mail that proves an address, once more.
async fn verify_email(ctx: &Ctx, identifier: Option<String>, channel: Option<Channel>) -> Result<Delivery> {
    if channel == Some(Channel::Sms) {
        return Err(Fault::invalid("channel", "An address is proved by a mail.").into());
    }
    let own_name = || ctx.actor.signed_in().map(|me| me.user_name.clone());
    let identifier = judged(identifier.or_else(own_name))?;
    bounded(ctx, OtpPurpose::VerifyEmail, &identifier, async { Ok(()) }).await?;
    account::post_again(ctx, &identifier).await
}

/// A text message to the number that the caller's own account claims, or for which only an administrator vouches. The account
/// of somebody else gets none: whoever asked could otherwise have a number proved that a stranger planted.
async fn verify_phone(ctx: &Ctx, identifier: Option<String>, channel: Option<Channel>) -> Result<Delivery> {
    if channel == Some(Channel::Email) {
        return Err(Fault::invalid("channel", "A number is proved by a text message.").into());
    }
    let me = ctx.actor.in_person().ok_or_else(Error::forbidden)?;
    let way = way(ctx, Channel::Sms)?;
    let user = own(ctx, me).await?;
    let message = "You have no such phone number: `changePhone` sets one.";
    let none = || Fault::new(ErrorCode::NotFound, &["identifier"], message);
    let number = user.phone.ok_or_else(none)?;
    if identifier.is_some_and(|text| names::phone(&text).as_ref() != Some(&number)) {
        return Err(none().into());
    }
    if user.phone_proved_at.is_some() {
        let message = "This is your number already.";
        return Err(Fault::new(ErrorCode::AlreadyVerified, &["identifier"], message).into());
    }
    bounded(ctx, OtpPurpose::VerifyPhone, &number, async { Ok(()) }).await?;
    guessing::start_anew(ctx, OtpPurpose::VerifyPhone.as_str(), &me.user_id.to_string()).await?;
    post(ctx, Some(me.user_id), Asked::Phone, way, Some(names::masked_phone(&number))).await
}

fn judged(identifier: Option<String>) -> Result<String> {
    let identifier = identifier.ok_or_else(|| {
        Fault::required("identifier", "Say who you are: a user name, an address or a number.")
    })?;
    match names::text_problem(&identifier) {
        Some(problem) => Err(Fault::invalid("identifier", problem).into()),
        None => Ok(identifier),
    }
}

fn way(ctx: &Ctx, channel: Channel) -> Result<Way> {
    match channel {
        Channel::Email => Ok(Way::Mail),
        Channel::Sms => {
            ctx.app.texter.check("channel")?;
            Ok(Way::Text)
        }
    }
}

/// What the caller knows already, masked. Where a mail goes that was asked for by a user name, it does not tell.
fn shown(identifier: &str, way: Way) -> Option<String> {
    match way {
        Way::Mail => names::email(identifier).map(|email| names::masked(&email.address)),
        Way::Text => names::phone(identifier).map(|number| names::masked_phone(&number)),
    }
}

/// Counts what is asked for this identifier from here, whether or not it is somebody's; then looks.
async fn bounded<T>(
    ctx: &Ctx,
    purpose: OtpPurpose,
    identifier: &str,
    look: impl Future<Output = Result<T>>,
) -> Result<T> {
    limits::for_source(ctx, &rules::SEND_SOURCE).await?;
    // Each purpose for itself: whoever has codes for logins sent does not close the way to a new password.
    // And each network: how many messages the target gets, whoever asks, the job finds out.
    let (key, network) = (names::identifier_key(identifier), Network::of(ctx));
    let asked_for = format!("asked for {} {key} from {}", purpose.as_str(), network.as_str());
    limits::for_person(ctx, &rules::SEND, &asked_for).await?;
    guessing::start_anew(ctx, purpose.as_str(), identifier).await?;
    look.await
}

async fn by_identifier(ctx: &Ctx, identifier: &str) -> Result<Option<Uuid>> {
    Ok(identity::named_by(ctx, identifier).await?.map(|user| user.id))
}

async fn own(ctx: &Ctx, me: &SignedIn) -> Result<user::Model> {
    let gone = || Error::refused(ErrorCode::Unauthenticated, "This account is gone.");
    user::Entity::find_by_id(me.user_id).one(ctx.app.db.read()).await?.ok_or_else(gone)
}

async fn post(
    ctx: &Ctx,
    user_id: Option<Uuid>,
    asked: Asked,
    way: Way,
    destination: Option<String>,
) -> Result<Delivery> {
    let txn = ctx.app.db.begin().await?;
    let network = Some(Network::of(ctx));
    jobs::enqueue(&txn, ctx, &Job::SendCode { user_id, asked, way, asker: network }).await?;
    txn.commit().await?;
    let expires_at = ctx.now().plus(codes::CODE_TTL);
    Ok(Delivery { channel: way.channel(), destination, expires_at, retry_after: RETRY_AFTER })
}
