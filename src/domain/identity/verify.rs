//! Verifying: the proof of the mailbox makes the account active, and ends whatever else was planted on the address.

use entity::{CodePurpose, UserStatus, user};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, Set};

use super::names;
use crate::{
    context::Ctx,
    db::Txn,
    domain::{
        credentials::codes::{self, Spent},
        events::log::{self, EventType, NewEvent},
        notifications::{
            service::{self as notifications, Notice},
            template::Template,
        },
        orgs::service as orgs,
    },
    error::{Error, ErrorCode, Fault, Result},
    ids::Kind,
};

/// What the user shows: the token of the mailed link, or the code of the same mail.
pub enum Proof {
    Token(String),
    Code { user_name: String, code: String },
}

pub async fn verify(ctx: &Ctx, proof: Proof) -> Result<user::Model> {
    match proof {
        Proof::Token(token) => {
            let txn = ctx.app.db.begin().await?;
            let spent = codes::spend_token(&txn, ctx, CodePurpose::VerifyEmail, &token).await?;
            finish(txn, ctx, spent.map_err(|code| refusal(code, "token"))?, "token").await
        }
        Proof::Code { user_name, code } => {
            let pending = user::Entity::find()
                .filter(user::Column::UserNameKey.eq(names::name_key(&user_name)))
                .filter(user::Column::Status.eq(UserStatus::Unverified))
                .one(ctx.app.db.read())
                .await?;
            // A name that nobody is registering under is answered like a wrong code.
            let pending = pending.ok_or_else(|| refusal(ErrorCode::WrongCode, "code"))?;
            let right = codes::check_code(ctx, pending.id, CodePurpose::VerifyEmail, code.trim()).await?;
            let right = right.map_err(|code| refusal(code, "code"))?;
            let txn = ctx.app.db.begin().await?;
            let spent = codes::spend(&txn, ctx, right).await?;
            finish(txn, ctx, spent.map_err(|code| refusal(code, "code"))?, "code").await
        }
    }
}

fn refusal(code: ErrorCode, field: &str) -> Fault {
    let message = match code {
        ErrorCode::Expired => "This has run out: ask for a new mail.",
        ErrorCode::AlreadyUsed => "This was used already.",
        ErrorCode::TooManyAttempts => "Too many wrong codes: ask for a new mail.",
        _ => "This is not right: take the newest mail.",
    };
    Fault::new(code, &[field], message)
}

async fn finish(txn: Txn, ctx: &Ctx, spent: Spent, field: &str) -> Result<user::Model> {
    let found = user::Entity::find_by_id(spent.user_id).one(&*txn).await?;
    // The proof is of the address that the account has now, not of one that it had.
    let same = |user: &user::Model| user.email_key.as_ref() == Some(&spent.target);
    let pending = found.filter(|user| same(user) && user.status == UserStatus::Unverified);
    let pending = pending.ok_or_else(|| refusal(ErrorCode::AlreadyUsed, field))?;
    let now = ctx.now();
    let mut row = pending.into_active_model();
    row.status = Set(UserStatus::Active);
    row.email_verified_at = Set(Some(now));
    row.updated_at = Set(now);
    let taken = || Fault::new(ErrorCode::Taken, &[field], "This address belongs to another account by now.");
    let user = row
        .update(&*txn)
        .await
        .map_err(|error| Error::from(error).on_conflict("users.email_key", taken()))?;
    user::Entity::delete_many()
        .filter(user::Column::EmailKey.eq(&spent.target))
        .filter(user::Column::Status.eq(UserStatus::Unverified))
        .exec(&*txn)
        .await?;
    orgs::carry_out(&txn, ctx, user.id).await?;
    log::record(&txn, ctx, NewEvent::of(EventType::UserVerified).on(Kind::User, user.id)).await?;
    if let Some(to) = user.email.clone() {
        let template = Template::Welcome { user_name: user.user_name.clone() };
        let notice = Notice { user_id: user.id, application_id: spent.application_id, to, template };
        notifications::send(&txn, ctx, notice).await?;
    }
    txn.commit().await?;
    Ok(user)
}
