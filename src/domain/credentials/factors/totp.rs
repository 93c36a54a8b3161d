//! Authenticator apps: enrolling one, showing that it works, and taking it away again.

use std::time::Duration;

use entity::{totp_secret as totp, user};
use qrcode::{EcLevel, QrCode, render::svg};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter, Set,
    sea_query::{Expr, OnConflict},
};
use uuid::Uuid;

use super::{
    challenges, otp, recovery,
    service::{account, caller},
    telling::{tell, tell_added},
};
use crate::{
    context::Ctx,
    crypto::Purpose,
    db::Txn,
    domain::{
        credentials::proofs,
        events::log::{EventType, NewEvent},
        identity::names,
        limits::{rules, service as limits},
    },
    error::{Error, ErrorCode, Fault, Result},
};

/// How long an enrolment waits for its first code: the proof that opened it does not last for ever.
const PATIENCE: Duration = Duration::from_mins(15);
/// A QR code holds only so much.
const LONGEST_LABEL: usize = 64;

/// What an authenticator app is told, in three forms. It is shown once.
pub struct Enrolled {
    pub secret: String,
    pub uri: String,
    pub qr_svg: String,
}

/// A new secret, which is in force once [`confirm`] has seen a code of it.
pub async fn enroll(ctx: &Ctx, label: Option<String>, proof: Option<&str>) -> Result<Enrolled> {
    let caller = caller(ctx)?;
    if let Some(problem) = label.as_deref().and_then(label_problem) {
        return Err(Fault::invalid("label", problem).into());
    }
    let confirmed = proofs::require(ctx, proof).await?;
    let mut secret = [0; otp::SECRET_BYTES];
    ctx.app.random.fill(&mut secret);
    let account = label.clone().unwrap_or_else(|| caller.user_name.clone());
    let uri = otp::uri(&issuer(ctx), &account, &secret);
    let enrolled = Enrolled { secret: otp::base32(&secret), qr_svg: qr_svg(&uri)?, uri };
    let plain = [caller.user_id.as_bytes().as_slice(), &secret].concat();
    let row = totp::ActiveModel {
        user_id: Set(caller.user_id),
        sealed: Set(ctx.app.vault.seal(Purpose::Totp, &plain, ctx.app.random.as_ref())?),
        label: Set(label),
        last_step: Set(0),
        created_at: Set(ctx.now()),
        confirmed_at: Set(None),
    };
    // An enrolment that was not finished is replaced; one that is in force stays.
    let replace = OnConflict::column(totp::Column::UserId)
        .update_columns([
            totp::Column::Sealed,
            totp::Column::Label,
            totp::Column::LastStep,
            totp::Column::CreatedAt,
        ])
        .action_and_where(Expr::col((totp::Entity, totp::Column::ConfirmedAt)).is_null())
        .to_owned();
    let txn = ctx.app.db.begin().await?;
    confirmed.spend(&txn, ctx).await?;
    let written = totp::Entity::insert(row).on_conflict(replace).exec_without_returning(&*txn).await?;
    if written == 0 {
        return Err(in_force().into());
    }
    txn.commit().await?;
    Ok(enrolled)
}

/// The app knows the secret: from now on it is asked for. The recovery codes, if these are the first.
pub async fn confirm(ctx: &Ctx, code: &str) -> Result<Vec<String>> {
    let user_id = caller(ctx)?.user_id;
    let row = totp::Entity::find_by_id(user_id).one(ctx.app.db.read()).await?;
    let row = row.ok_or_else(|| Fault::new(ErrorCode::NotFound, &[], "Enrol an authenticator app first."))?;
    if row.confirmed_at.is_some() {
        return Err(in_force().into());
    }
    if ctx.now().since(row.created_at) >= PATIENCE {
        return Err(Fault::new(ErrorCode::Expired, &[], "This enrolment has run out: enrol again.").into());
    }
    let subject = user_id.to_string();
    limits::for_person(ctx, &rules::SECOND_FACTOR, &subject).await?;
    let step = otp::matching_step(&secret_of(ctx, &row)?, code, ctx.now(), row.last_step);
    let step = step.ok_or_else(wrong_code)?;
    let txn = ctx.app.db.begin().await?;
    let confirmed = totp::Entity::update_many()
        .col_expr(totp::Column::ConfirmedAt, Expr::value(ctx.now()))
        .col_expr(totp::Column::LastStep, Expr::value(step))
        .filter(totp::Column::UserId.eq(user_id))
        .filter(totp::Column::ConfirmedAt.is_null())
        .filter(totp::Column::Sealed.eq(row.sealed))
        .exec(&*txn)
        .await?;
    if confirmed.rows_affected == 0 {
        let message = "You enrolled another app at the same time: look again.";
        return Err(Fault::new(ErrorCode::Conflict, &[], message).into());
    }
    let codes = if recovery::any(&*txn, user_id).await? {
        Vec::new()
    } else {
        recovery::renew(&txn, ctx, user_id).await?
    };
    let user = account(&*txn, user_id).await?;
    let event = NewEvent::of(EventType::MfaEnabled);
    tell_added(&txn, ctx, &user, event, "an authenticator app is asked for at each login from now on")
        .await?;
    txn.commit().await?;
    limits::give_back(ctx, &rules::SECOND_FACTOR, &subject).await?;
    Ok(codes)
}

/// Takes the app away, and the recovery codes with it: logins ask for one factor again.
pub async fn disable(ctx: &Ctx, password: Option<&str>, proof: Option<&str>) -> Result<user::Model> {
    let user_id = caller(ctx)?.user_id;
    let confirmed = proofs::confirm(ctx, password, proof).await?;
    let txn = ctx.app.db.begin().await?;
    confirmed.spend(&txn, ctx).await?;
    let dropped = totp::Entity::delete_many()
        .filter(totp::Column::UserId.eq(user_id))
        .filter(totp::Column::ConfirmedAt.is_not_null())
        .exec(&*txn)
        .await?;
    if dropped.rows_affected == 0 {
        return Err(Fault::new(ErrorCode::NotFound, &[], "No authenticator app is in force.").into());
    }
    recovery::drop_all(&txn, user_id).await?;
    challenges::end_all(&txn, ctx, &[user_id]).await?;
    let user = account(&*txn, user_id).await?;
    let event = NewEvent::of(EventType::MfaDisabled);
    tell(&txn, ctx, &user, event, "no authenticator app is asked for at a login any more").await?;
    txn.commit().await?;
    Ok(user)
}

/// Ten new recovery codes; the earlier ones are good for nothing.
pub async fn regenerate(ctx: &Ctx, password: Option<&str>, proof: Option<&str>) -> Result<Vec<String>> {
    let user_id = caller(ctx)?.user_id;
    let confirmed = proofs::confirm(ctx, password, proof).await?;
    let txn = ctx.app.db.begin().await?;
    confirmed.spend(&txn, ctx).await?;
    let in_force = totp::Entity::find_by_id(user_id).filter(totp::Column::ConfirmedAt.is_not_null());
    if in_force.one(&*txn).await?.is_none() {
        let message = "Recovery codes stand in for an authenticator app: enrol one first.";
        return Err(Fault::new(ErrorCode::NotAllowed, &[], message).into());
    }
    let codes = recovery::renew(&txn, ctx, user_id).await?;
    let user = account(&*txn, user_id).await?;
    let event = NewEvent::of(EventType::UserUpdated).with(serde_json::json!({ "fields": ["recoveryCodes"] }));
    tell(&txn, ctx, &user, event, "there are new recovery codes, and the old ones are good for nothing")
        .await?;
    txn.commit().await?;
    Ok(codes)
}

/// The step of the code, if it is right. [`spend`] uses it up.
pub async fn check(ctx: &Ctx, user_id: Uuid, code: &str) -> Result<Option<i64>> {
    let row = totp::Entity::find_by_id(user_id)
        .filter(totp::Column::ConfirmedAt.is_not_null())
        .one(ctx.app.db.read())
        .await?;
    match row {
        Some(row) => Ok(otp::matching_step(&secret_of(ctx, &row)?, code, ctx.now(), row.last_step)),
        None => Ok(None),
    }
}

/// Of two that show one code at once, one goes on.
pub async fn spend(txn: &Txn, user_id: Uuid, step: i64) -> Result<bool> {
    let spent = totp::Entity::update_many()
        .col_expr(totp::Column::LastStep, Expr::value(step))
        .filter(totp::Column::UserId.eq(user_id))
        .filter(totp::Column::ConfirmedAt.is_not_null())
        .filter(totp::Column::LastStep.lt(step))
        .exec(&**txn)
        .await?;
    Ok(spent.rows_affected > 0)
}

/// When the app was confirmed, and what it is called: for who takes their data along.
pub async fn in_force_since<C: ConnectionTrait>(db: &C, user_id: Uuid) -> Result<Option<totp::Model>> {
    let found = totp::Entity::find_by_id(user_id).filter(totp::Column::ConfirmedAt.is_not_null());
    Ok(found.one(db).await?)
}

fn secret_of(ctx: &Ctx, row: &totp::Model) -> Result<Vec<u8>> {
    let strange =
        || Error::internal("a TOTP secret was sealed with another DENIZEN_SECRET, or for another person");
    let plain = ctx.app.vault.open(Purpose::Totp, &row.sealed).ok_or_else(strange)?;
    Ok(plain.strip_prefix(row.user_id.as_bytes().as_slice()).ok_or_else(strange)?.to_vec())
}

fn label_problem(label: &str) -> Option<&'static str> {
    if label.trim().is_empty() {
        return Some("It is empty.");
    }
    if label.chars().count() > LONGEST_LABEL {
        return Some("It is longer than 64 characters.");
    }
    names::text_problem(label)
}

/// Whose code it is, as the app shows it.
fn issuer(ctx: &Ctx) -> String {
    super::webauthn::host(ctx).unwrap_or_else(|| "Denizen".to_owned())
}

fn qr_svg(uri: &str) -> Result<String> {
    let code = QrCode::with_error_correction_level(uri, EcLevel::M).map_err(Error::internal)?;
    Ok(code.render::<svg::Color<'_>>().min_dimensions(240, 240).build())
}

fn in_force() -> Fault {
    Fault::new(ErrorCode::InUse, &[], "An authenticator app is in force already: disable it first.")
}

pub fn wrong_code() -> Fault {
    Fault::new(ErrorCode::WrongCode, &["code"], "This code is wrong, or was used already.")
}
