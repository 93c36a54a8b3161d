//! Changing one's address: nothing changes before the new mailbox is proved, and the old one is told.
//!
//! The answer does not tell whether the new address is somebody's. If it is, its owner hears of it, and the link is told
//! to nobody.

use entity::{Channel, CodePurpose, UserStatus, user};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, Set};

use crate::{
    context::Ctx,
    db::Txn,
    domain::{
        applications::service as applications,
        credentials::{
            codes::{self, Spent},
            proofs,
        },
        events::log::{self, EventType, NewEvent},
        identity::{
            names::{self, Email},
            register::{self, Delivery},
            verify, vouched,
        },
        limits::{
            Network,
            budget::{self, Matter, Verdict},
        },
        notifications::{
            service::{self as notifications, Notice},
            template::Template,
        },
    },
    error::{Error, ErrorCode, Fault, Result},
    ids::Kind,
};

/// So many mails in ten minutes are enough for one account that wants another address.
const MOST_MESSAGES: u64 = 5;

pub struct NewEmail {
    pub new_email: String,
    /// The current one: an open session alone takes nobody's account away.
    pub password: Option<String>,
    /// Or what shows anew that it is them.
    pub proof: Option<String>,
}

pub async fn change_email(ctx: &Ctx, change: NewEmail) -> Result<Delivery> {
    let Some(signed_in) = ctx.actor.in_person() else {
        return Err(Error::forbidden());
    };
    let NewEmail { new_email, password, proof } = change;
    let email = check(&new_email, password.as_deref().or(proof.as_deref()))?;
    let confirmed = proofs::confirm(ctx, password.as_deref(), proof.as_deref()).await?;
    let txn = ctx.app.db.begin().await?;
    let gone = || Error::refused(ErrorCode::Unauthenticated, "This account is gone.");
    let user = user::Entity::find_by_id(signed_in.user_id).one(&*txn).await?.ok_or_else(gone)?;
    if user.email_key.as_ref() == Some(&email.key) && user.email_proved_at.is_some() {
        return Err(
            Fault::new(ErrorCode::AlreadyVerified, &["newEmail"], "This is your address already.").into()
        );
    }
    refuse_too_many(&txn, ctx, &user).await?;
    confirmed.spend(&txn, ctx).await?;
    let delivery = Delivery {
        channel: Channel::Email,
        destination: Some(names::masked(&email.address)),
        expires_at: ctx.now().plus(codes::CODE_TTL),
        retry_after: register::RETRY_AFTER,
    };
    let asker = Network::of(ctx);
    if budget::take(&txn, ctx, Matter::Verification, &email.key, &asker).await? != Verdict::Send {
        txn.commit().await?;
        return Ok(delivery);
    }
    // The address and not its key: folding makes one of several mailboxes, and the mail must reach the right one.
    let (application, purpose) = (signed_in.application_id, CodePurpose::ChangeEmail);
    let issued = codes::issue(&txn, ctx, user.id, application, purpose, &email.address, asker).await?;
    let owner = user::Entity::find()
        .filter(user::Column::EmailKey.eq(&email.key))
        .filter(user::Column::EmailProvedAt.is_not_null())
        .one(&*txn)
        .await?;
    let notice = match owner {
        Some(owner) => Notice {
            user_id: owner.id,
            application_id: application,
            to: owner.email.ok_or_else(|| Error::internal("a verified address is missing"))?,
            template: Template::AddressWanted { user_name: owner.user_name },
        },
        None => Notice {
            user_id: user.id,
            application_id: application,
            to: email.address.clone(),
            template: Template::ChangeEmail {
                user_name: user.user_name,
                link: ctx.app.public_url.link("verify", &issued.token),
                code: issued.code,
                code_minutes: codes::CODE_TTL.as_secs() / 60,
                link_hours: codes::LINK_TTL.as_secs() / 3_600,
            },
        },
    };
    notifications::send(&txn, ctx, notice).await?;
    txn.commit().await?;
    Ok(delivery)
}

fn check(new_email: &str, shown: Option<&str>) -> Result<Email> {
    let email = names::email(new_email);
    let mut faults = Vec::new();
    if email.is_none() {
        faults.push(Fault::invalid("newEmail", "This is not an email address."));
    }
    if shown.is_none() {
        faults.push(Fault::required("password", "Your current password is needed, or a proof."));
    }
    match email {
        Some(email) if faults.is_empty() => Ok(email),
        _ => Err(Error::Faults(faults)),
    }
}

/// Counts what this account asked for, and so tells nothing about anybody else's.
async fn refuse_too_many(txn: &Txn, ctx: &Ctx, user: &user::Model) -> Result<()> {
    let since = ctx.now().minus(codes::CODE_TTL);
    if codes::count_since(&**txn, user.id, CodePurpose::ChangeEmail, since).await? < MOST_MESSAGES {
        return Ok(());
    }
    let message = "Too many mails were sent for this account: wait a while.";
    let mut fault = Fault::new(ErrorCode::TooManyAttempts, &[], message);
    fault.retry_after = Some(codes::CODE_TTL);
    Err(fault.into())
}

/// The new mailbox is proved: from now on it is the account's, and every other link of the account is dead.
pub async fn apply_email(txn: Txn, ctx: &Ctx, spent: Spent, field: &str) -> Result<user::Model> {
    let refusal = || verify::refusal(ErrorCode::AlreadyUsed, field);
    let email = names::email(&spent.target).ok_or_else(refusal)?;
    let found = user::Entity::find_by_id(spent.user_id).one(&*txn).await?;
    let user = found.filter(|user| user.status == UserStatus::Active).ok_or_else(refusal)?;
    vouched::displace_mailbox(&txn, ctx, &email.key, user.id).await?;
    let same = user.email.as_ref() == Some(&email.address);
    let (now, old) = (ctx.now(), user.email.clone().filter(|_| !same));
    let old_is_proved = user.email_proved_at.is_some();
    let mut row = user.into_active_model();
    row.email = Set(Some(email.address.clone()));
    row.email_key = Set(Some(email.key.clone()));
    row.email_verified_at = Set(Some(now));
    row.email_proved_at = Set(Some(now));
    row.updated_at = Set(now);
    let taken = || Fault::new(ErrorCode::Taken, &[field], "This address belongs to another account by now.");
    let user = row
        .update(&*txn)
        .await
        .map_err(|error| Error::from(error).on_conflict("users.email_key", taken()))?;
    verify::drop_attempts(&txn, &email.key).await?;
    codes::end_all(&txn, ctx, &[user.id]).await?;
    applications::release(&txn, ctx, user.id).await?;
    let happened = if same { EventType::UserVerified } else { EventType::EmailChanged };
    log::record(&txn, ctx, NewEvent::of(happened).on(Kind::User, user.id)).await?;
    if let Some(to) = old {
        let new_address = old_is_proved.then(|| names::masked(&email.address));
        let template = Template::EmailChanged { user_name: user.user_name.clone(), new_address };
        let notice = Notice { user_id: user.id, application_id: spent.application_id, to, template };
        notifications::send(&txn, ctx, notice).await?;
    }
    txn.commit().await?;
    Ok(user)
}
