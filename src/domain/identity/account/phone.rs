//! One's phone number: claimed by whoever says so, and theirs who prove it with a code that is sent there.
//!
//! Nothing changes before the proof, and the answer does not tell whether the number is somebody's: if it is, its owner
//! hears of it, and the code is told to nobody.

use entity::{Channel, CodePurpose, UserStatus, one_time_code, user};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, Set,
};
use uuid::Uuid;

use crate::{
    context::Ctx,
    db::Txn,
    domain::{
        applications::service as applications,
        credentials::{
            codes::{self, NewCode},
            guessing,
            otp::OtpPurpose,
            proofs,
        },
        events::log::{self, EventType, NewEvent},
        identity::{
            names,
            register::{self, Delivery},
            service, verify, vouched,
        },
        limits::{
            Network,
            budget::{self, Matter, Verdict},
            rules, service as limits,
        },
        notifications::{
            service::{self as notifications, Notice},
            template::{Asked, Template},
        },
    },
    error::{Error, ErrorCode, Fault, Result},
    ids::Kind,
};

pub struct NewPhone {
    pub new_phone: String,
    pub password: Option<String>,
    pub proof: Option<String>,
}

pub async fn change_phone(ctx: &Ctx, change: NewPhone) -> Result<Delivery> {
    let me = ctx.actor.in_person().ok_or_else(Error::forbidden)?;
    let NewPhone { new_phone, password, proof } = change;
    let message = "This is not a phone number such as +911234567890.";
    let number = names::phone(&new_phone).ok_or_else(|| Fault::invalid("newPhone", message))?;
    ctx.app.texter.check("newPhone")?;
    let confirmed = proofs::confirm(ctx, password.as_deref(), proof.as_deref()).await?;
    limits::for_source(ctx, &rules::SEND_SOURCE).await?;
    limits::for_person(ctx, &rules::SEND, &format!("by {}", me.user_id)).await?;
    guessing::start_anew(ctx, OtpPurpose::VerifyPhone.as_str(), &me.user_id.to_string()).await?;
    let txn = ctx.app.db.begin().await?;
    let gone = || Error::refused(ErrorCode::Unauthenticated, "This account is gone.");
    let user = user::Entity::find_by_id(me.user_id).one(&*txn).await?.ok_or_else(gone)?;
    if user.phone_key.as_ref() == Some(&number) && user.phone_proved_at.is_some() {
        let message = "This is your number already.";
        return Err(Fault::new(ErrorCode::AlreadyVerified, &["newPhone"], message).into());
    }
    confirmed.spend(&txn, ctx).await?;
    // Whoever asked for this number before is not told of: what is not sent is announced as well.
    if budget::take(&txn, ctx, Matter::Phone, &number, &Network::of(ctx)).await? == Verdict::Send {
        let notice = wanted(&txn, ctx, user, me.application_id, &number).await?;
        notifications::send_by(&txn, ctx, Channel::Sms, notice).await?;
    }
    txn.commit().await?;
    Ok(Delivery {
        channel: Channel::Sms,
        destination: Some(names::masked_phone(&number)),
        expires_at: ctx.now().plus(codes::CODE_TTL),
        retry_after: register::RETRY_AFTER,
    })
}

/// The code for the new number, or, to somebody whose number it is, that another wanted it.
async fn wanted(
    txn: &Txn,
    ctx: &Ctx,
    user: user::Model,
    application_id: Uuid,
    number: &str,
) -> Result<Notice> {
    let (user_id, purpose, channel) = (user.id, CodePurpose::ChangePhone, Channel::Sms);
    let (target, asker) = (number.to_owned(), Network::of(ctx));
    let new = NewCode { user_id, application_id, purpose, channel, target, link: None, asker };
    let issued = codes::issue_new(txn, ctx, new).await?;
    let owner = user::Entity::find()
        .filter(user::Column::PhoneKey.eq(number))
        .filter(user::Column::PhoneProvedAt.is_not_null())
        .one(&**txn)
        .await?;
    let to = number.to_owned();
    if let Some(owner) = owner {
        let template = Template::NumberWanted { user_name: owner.user_name };
        return Ok(Notice { user_id: owner.id, application_id, to, template });
    }
    let minutes = codes::CODE_TTL.as_secs() / 60;
    let (user_name, purpose) = (user.user_name, Asked::Phone);
    let template = Template::Code { user_name, code: issued.code, minutes, purpose };
    Ok(Notice { user_id, application_id, to, template })
}

const PURPOSES: [CodePurpose; 2] = [CodePurpose::ChangePhone, CodePurpose::VerifyPhone];
/// So many codes of the caller are looked at, the newest first.
const LOOKED_AT: u64 = 5;

/// The code is right: the number is the caller's. Nobody proves a number of somebody else's account, for who holds a phone is
/// not who claimed its number.
pub async fn verify_phone(ctx: &Ctx, identifier: Option<&str>, code: &str) -> Result<()> {
    let me = ctx.actor.in_person().ok_or_else(Error::forbidden)?;
    let number = identifier.and_then(names::phone);
    let candidates = open(ctx, me.user_id, number.as_deref()).await?;
    let subject = me.user_id.to_string();
    let row = guessing::guess(ctx, OtpPurpose::VerifyPhone, &subject, &candidates, code).await?;
    apply(ctx, row).await
}

/// What this user waits for.
async fn open(ctx: &Ctx, user_id: Uuid, number: Option<&str>) -> Result<Vec<(Uuid, CodePurpose)>> {
    let rows = one_time_code::Entity::find()
        .filter(one_time_code::Column::UserId.eq(user_id))
        .filter(one_time_code::Column::Purpose.is_in(PURPOSES))
        .filter(one_time_code::Column::ConsumedAt.is_null())
        .filter(one_time_code::Column::CodeHash.is_not_null())
        .filter(Condition::all().add_option(number.map(|number| one_time_code::Column::Target.eq(number))))
        .order_by_desc(codes::from_here(ctx))
        .order_by_desc(one_time_code::Column::CreatedAt)
        .limit(LOOKED_AT);
    let rows = rows.all(ctx.app.db.read()).await?;
    Ok(rows.into_iter().map(|row| (row.user_id, row.purpose)).collect())
}

async fn apply(ctx: &Ctx, row: one_time_code::Model) -> Result<()> {
    let txn = ctx.app.db.begin().await?;
    // Proofs of one number come one after the other, and so does what happens to one account.
    txn.queue_for(&[&row.target]).await?;
    service::hold(&txn, row.user_id).await?;
    let refusal = |code| verify::refusal(code, "code");
    let spent = codes::spend(&txn, ctx, row).await?.map_err(refusal)?;
    let found = user::Entity::find_by_id(spent.user_id).one(&*txn).await?;
    let claimed = |user: &user::Model| {
        spent.purpose == CodePurpose::ChangePhone || user.phone_key.as_ref() == Some(&spent.target)
    };
    let user = found.filter(|user| user.status == UserStatus::Active && claimed(user));
    let user = user.ok_or_else(|| refusal(ErrorCode::AlreadyUsed))?;
    vouched::displace_number(&txn, ctx, &spent.target, user.id).await?;
    let (now, number) = (ctx.now(), spent.target);
    let mut row = user.into_active_model();
    row.phone = Set(Some(number.clone()));
    row.phone_key = Set(Some(number.clone()));
    row.phone_verified_at = Set(Some(now));
    row.phone_proved_at = Set(Some(now));
    row.updated_at = Set(now);
    let taken = || Fault::new(ErrorCode::Taken, &["code"], "This number belongs to another account by now.");
    let user = row
        .update(&*txn)
        .await
        .map_err(|error| Error::from(error).on_conflict("users.phone_key", taken()))?;
    codes::end_all(&txn, ctx, &[user.id]).await?;
    applications::release(&txn, ctx, user.id).await?;
    log::record(&txn, ctx, NewEvent::of(EventType::PhoneChanged).on(Kind::User, user.id)).await?;
    if let Some(to) = user.email.filter(|_| user.email_verified_at.is_some()) {
        let new_number = names::masked_phone(&number);
        let template = Template::PhoneChanged { user_name: user.user_name, new_number };
        let notice = Notice { user_id: user.id, application_id: spent.application_id, to, template };
        notifications::send(&txn, ctx, notice).await?;
    }
    txn.commit().await
}
