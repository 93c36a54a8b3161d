//! Showing a code that proves something: an address, a number, or oneself.

use entity::{CodePurpose, session};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use serde_json::json;
use uuid::Uuid;

use super::OtpPurpose;
use crate::{
    context::Ctx,
    domain::{
        credentials::{codes, factors::service as factors, guessing, proofs, refusals},
        identity::{
            account::service as account,
            service::{self as identity, Confirmation, Proof},
        },
        limits::{rules, service as limits},
    },
    error::{Error, Fault, Result},
};

pub struct Shown {
    pub purpose: OtpPurpose,
    pub identifier: Option<String>,
    pub code: String,
}

/// The proof that a step-up gives; nothing for what is proved by the code itself.
pub async fn show(ctx: &Ctx, shown: Shown) -> Result<Option<String>> {
    let Shown { purpose, identifier, code } = shown;
    match purpose {
        OtpPurpose::StepUp => step_up(ctx, identifier.as_deref(), &code).await.map(Some),
        OtpPurpose::VerifyEmail => {
            let own_name = || ctx.actor.signed_in().map(|me| me.user_name.clone());
            let identifier = identifier.or_else(own_name).ok_or_else(needed)?;
            // There is no place here to show who registered: what was chosen at a registration is dropped.
            identity::verify(ctx, Proof::Otp { identifier, code }, Confirmation::None).await.map(|_| None)
        }
        OtpPurpose::VerifyPhone => {
            account::verify_phone(ctx, identifier.as_deref(), &code).await.map(|()| None)
        }
        OtpPurpose::Login => Err(elsewhere("`loginWithOtp`").into()),
        OtpPurpose::PasswordReset => Err(elsewhere("`resetPassword`").into()),
    }
}

fn needed() -> Fault {
    Fault::required("identifier", "Say what the code proves: the address or the number that it was sent to.")
}

fn elsewhere(mutation: &str) -> Fault {
    Fault::invalid("purpose", format!("Such a code is spent by {mutation}."))
}

/// One code, one proof, whether it was sent or an authenticator app shows it; and from now on the session speaks for the person again.
async fn step_up(ctx: &Ctx, identifier: Option<&str>, code: &str) -> Result<String> {
    let me = ctx.actor.in_person().ok_or_else(Error::forbidden)?;
    if identifier.is_some() {
        return Err(Fault::invalid("identifier", "A step-up is of oneself: leave this out.").into());
    }
    let candidates = [(me.user_id, CodePurpose::StepUp)];
    let subject = me.user_id.to_string();
    let what = OtpPurpose::StepUp;
    let sent = match guessing::guess(ctx, what, &subject, &candidates, code).await {
        Ok(row) => Some(row),
        // It may be the app's. Where guesses are used up, they are for both.
        Err(error) if guessing::is_wrong(&error) && has_app(ctx, me.user_id).await? => {
            noted(ctx, me.user_id, factors::totp_step_up(ctx, code).await).await?;
            limits::give_back_source(ctx, &rules::SOURCE).await?;
            guessing::start_anew(ctx, what.as_str(), &subject).await?;
            None
        }
        Err(error) => return noted(ctx, me.user_id, Err(error)).await,
    };
    let txn = ctx.app.db.begin().await?;
    if let Some(row) = sent {
        codes::spend(&txn, ctx, row).await?.map_err(|code| identity::refusal(code, "code"))?;
    }
    let proof = proofs::issue(&txn, ctx, me.session_id).await?;
    session::Entity::update_many()
        .col_expr(session::Column::AuthenticatedAt, Expr::value(ctx.now()))
        .filter(session::Column::Id.eq(me.session_id))
        .exec(&*txn)
        .await?;
    ctx.forget_users(&txn, &[me.user_id]);
    txn.commit().await?;
    Ok(proof)
}

async fn noted<T>(ctx: &Ctx, user_id: Uuid, outcome: Result<T>) -> Result<T> {
    if outcome.as_ref().is_err_and(guessing::is_wrong) {
        refusals::note(ctx, Some(user_id), json!({ "code": "STEP_UP" })).await?;
    }
    outcome
}

async fn has_app(ctx: &Ctx, user_id: Uuid) -> Result<bool> {
    Ok(factors::in_force_since(ctx.app.db.read(), user_id).await?.is_some())
}
