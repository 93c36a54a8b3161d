//! Verifying: the proof of the mailbox makes the account active, and ends whatever else was planted on the address. It does not
//! tell who chose the password of the registration: that is [`confirmation`]'s.

use std::time::Duration;

use entity::{CodePurpose, UserStatus, one_time_code, registration_token, user};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, DbBackend, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait, Set,
};
use serde_json::json;
use uuid::Uuid;

use super::{
    account,
    confirmation::{self, Confirmation, Outcome},
    discarding::discard,
    names, vouched,
};
use crate::{
    context::Ctx,
    db::Txn,
    domain::{
        credentials::{
            codes::{self, NewLink, Spent},
            guessing,
            otp::OtpPurpose,
            passwords,
        },
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
    Code {
        user_name: String,
        code: String,
    },
    /// The address that the code was sent to, or the user name.
    Otp {
        identifier: String,
        code: String,
    },
}

pub(super) const PURPOSES: [CodePurpose; 2] = [CodePurpose::VerifyEmail, CodePurpose::ChangeEmail];

/// The account, active now.
pub struct Verified {
    pub user: user::Model,
    /// Where the password was dropped: what sets another, as a mailed token does.
    pub password_token: Option<String>,
}

/// How long the token to set a password in place of a dropped one is good for.
const PASSWORD_TOKEN_TTL: Duration = Duration::from_hours(1);

/// A confirmation that is wrong uses up neither the token nor the code.
pub async fn verify(ctx: &Ctx, proof: Proof, confirmation: Confirmation) -> Result<Verified> {
    let (row, field) = match proof {
        Proof::Token(token) => (codes::find_token(ctx, &PURPOSES, &token).await?, "token"),
        Proof::Code { user_name, code } => (Ok(right_code(ctx, &user_name, &code).await?), "code"),
        Proof::Otp { identifier, code } => (Ok(guessed(ctx, &identifier, &code).await?), "code"),
    };
    let row = row.map_err(|code| refusal(code, field))?;
    if row.purpose == CodePurpose::ChangeEmail {
        // Nothing was chosen here: the account has its password.
        let (txn, spent) = spend(ctx, row, field).await?;
        let user = account::service::apply_email(txn, ctx, spent, field).await?;
        return Ok(Verified { user, password_token: None });
    }
    let outcome = match confirmation::judge(ctx, &row, confirmation, field).await {
        Ok(outcome) => outcome,
        Err(error) => {
            if field == "code" {
                codes::give_back_try(ctx, &row).await?;
            }
            return Err(error);
        }
    };
    let (txn, spent) = spend(ctx, row, field).await?;
    finish(txn, ctx, spent, outcome, field).await
}

/// Uses up the code, in the transaction of what it proves.
async fn spend(ctx: &Ctx, row: one_time_code::Model, field: &str) -> Result<(Txn, Spent)> {
    let txn = ctx.app.db.begin().await?;
    lock(&txn, ctx, &row).await?;
    let spent = codes::spend(&txn, ctx, row).await?.map_err(|code| refusal(code, field))?;
    Ok((txn, spent))
}

/// So many attempts that wait for one name are tried; the others have their links.
const MOST_TRIED: u64 = 20;

/// The code that is open for this name: of an address that its account wants to have, or of one of the attempts that
/// wait for the name. A name for which nothing is to be proved is answered like a wrong code.
async fn right_code(ctx: &Ctx, user_name: &str, code: &str) -> Result<one_time_code::Model> {
    let key = names::name_key(user_name);
    let candidates = user::Entity::find()
        .filter(named(&key))
        .order_by_desc(user::Column::CreatedAt)
        .limit(MOST_TRIED)
        .all(ctx.app.db.read())
        .await?;
    let purpose = |status| match status {
        UserStatus::Unverified => CodePurpose::VerifyEmail,
        UserStatus::Active | UserStatus::Deactivated => CodePurpose::ChangeEmail,
    };
    let candidates: Vec<_> = candidates.iter().map(|user| (user.id, purpose(user.status))).collect();
    guessing::guess(ctx, OtpPurpose::VerifyEmail, user_name, &candidates, code).await
}

/// Has this name, or waits for it.
fn named(key: &str) -> Condition {
    Condition::any().add(user::Column::UserNameKey.eq(key)).add(user::Column::AwaitedNameKey.eq(key))
}

/// So many attempts that wait for the proof of one mailbox are looked at: those made from here, and then the newest.
const LOOKED_AT: u64 = 5;

/// The right code among those that were sent to this address, or that wait for this name.
async fn guessed(ctx: &Ctx, identifier: &str, code: &str) -> Result<one_time_code::Model> {
    let db = ctx.app.db.read();
    let mut open = one_time_code::Entity::find()
        .filter(one_time_code::Column::Purpose.is_in(PURPOSES))
        .filter(one_time_code::Column::ConsumedAt.is_null())
        .filter(one_time_code::Column::CodeHash.is_not_null())
        .order_by_desc(codes::from_here(ctx))
        .order_by_desc(one_time_code::Column::CreatedAt)
        .limit(LOOKED_AT);
    let email = names::email(identifier);
    open = if let Some(email) = &email {
        // A caller finds their own in any spelling: what is wanted stands as it was typed, for the mail's sake.
        open.filter(
            Condition::any()
                .add(one_time_code::Column::Target.is_in([&email.key, &email.address]))
                .add_option(ctx.actor.user_id().map(|id| one_time_code::Column::UserId.eq(id))),
        )
    } else {
        let ids = user::Entity::find()
            .select_only()
            .column(user::Column::Id)
            .filter(named(&names::name_key(identifier)));
        open.filter(one_time_code::Column::UserId.in_subquery(ids.into_query()))
    };
    let meant = |row: &one_time_code::Model| {
        email.as_ref().is_none_or(|email| names::name_key(&row.target) == email.key)
    };
    let open = open.all(db).await?.into_iter().filter(meant);
    let candidates: Vec<_> = open.map(|row| (row.user_id, row.purpose)).collect();
    guessing::guess(ctx, OtpPurpose::VerifyEmail, identifier, &candidates, code).await
}

/// Proofs of one mailbox queue here, and so do those for one name. Without it two of them could each hold what the other
/// is about to delete or to rename.
async fn lock(txn: &Txn, ctx: &Ctx, code: &one_time_code::Model) -> Result<()> {
    if ctx.app.db.backend() == DbBackend::Postgres {
        let user = user::Entity::find_by_id(code.user_id).one(&**txn).await?;
        let name_key = user.map(|user| names::name_key(&user.user_name)).unwrap_or_default();
        let concerned = Condition::any()
            .add(user::Column::EmailKey.eq(names::name_key(&code.target)))
            .add(user::Column::UserNameKey.eq(name_key));
        let rows = user::Entity::find().select_only().column(user::Column::Id);
        let rows = rows.filter(concerned).order_by_asc(user::Column::Id).lock_exclusive();
        rows.into_tuple::<Uuid>().all(&**txn).await?;
    }
    Ok(())
}

pub fn refusal(code: ErrorCode, field: &str) -> Fault {
    let message = match code {
        ErrorCode::Expired => "This has run out: ask for a new mail.",
        ErrorCode::AlreadyUsed => "This was used already.",
        ErrorCode::TooManyAttempts => "Too many wrong codes: ask for a new mail.",
        _ => "This is not right, or it is over.",
    };
    Fault::new(code, &[field], message)
}

async fn finish(txn: Txn, ctx: &Ctx, spent: Spent, outcome: Outcome, field: &str) -> Result<Verified> {
    let found = user::Entity::find_by_id(spent.user_id).one(&*txn).await?;
    // The proof is of the address that the account has now, not of one that it had.
    let same = |user: &user::Model| user.email_key.as_ref() == Some(&spent.target);
    let pending = found.filter(|user| same(user) && user.status == UserStatus::Unverified);
    let pending = pending.ok_or_else(|| refusal(ErrorCode::AlreadyUsed, field))?;
    let others = Condition::all().add(user::Column::EmailKey.eq(&spent.target));
    discard(&txn, others.add(user::Column::Id.ne(pending.id))).await?;
    vouched::displace_mailbox(&txn, ctx, &spent.target, pending.id).await?;
    let user = activate(&txn, ctx, pending, &outcome, field).await?;
    let password_token = settle(&txn, ctx, &user, &spent, outcome).await?;
    txn.commit().await?;
    Ok(Verified { user, password_token })
}

async fn activate(
    txn: &Txn,
    ctx: &Ctx,
    pending: user::Model,
    outcome: &Outcome,
    field: &str,
) -> Result<user::Model> {
    let now = ctx.now();
    let key = names::name_key(&pending.user_name);
    give_way(txn, &key, pending.id).await?;
    let mut row = pending.into_active_model();
    row.user_name_key = Set(key);
    row.awaited_name_key = Set(None);
    row.status = Set(UserStatus::Active);
    row.email_verified_at = Set(Some(now));
    row.email_proved_at = Set(Some(now));
    row.updated_at = Set(now);
    if !matches!(outcome, Outcome::Kept) {
        row.phone = Set(None);
        row.phone_key = Set(None);
    }
    let taken = |what: &'static str| Fault::new(ErrorCode::Taken, &[field], what);
    row.update(&**txn).await.map_err(|error| {
        let error = Error::from(error);
        let error =
            error.on_conflict("users.email_key", taken("This address belongs to another account by now."));
        error.on_conflict(
            "users.user_name_key",
            taken("The user name was taken meanwhile: register with another."),
        )
    })
}

/// What becomes of password and wishes; and the token for another password, where there is none any more.
async fn settle(
    txn: &Txn,
    ctx: &Ctx,
    user: &user::Model,
    spent: &Spent,
    outcome: Outcome,
) -> Result<Option<String>> {
    registration_token::Entity::delete_by_id(user.id).exec(&**txn).await?;
    let event = NewEvent::of(EventType::UserVerified).on(Kind::User, user.id);
    let user_name = user.user_name.clone();
    let (event, template, password_token) = match outcome {
        Outcome::Kept => {
            orgs::carry_out(txn, ctx, user.id).await?;
            (event, Template::Welcome { user_name }, None)
        }
        Outcome::Replaced(hash) => {
            passwords::set(txn, ctx, user.id, hash).await?;
            orgs::drop_plans(txn, user.id).await?;
            (event.with(json!({ "password": "REPLACED" })), Template::Welcome { user_name }, None)
        }
        Outcome::Dropped => {
            passwords::remove(txn, user.id).await?;
            orgs::drop_plans(txn, user.id).await?;
            let token = password_token(txn, ctx, spent).await?;
            let template = Template::WelcomeWithoutPassword { user_name };
            (event.with(json!({ "password": "DROPPED" })), template, token)
        }
    };
    log::record(txn, ctx, event).await?;
    if let Some(to) = user.email.clone() {
        let notice = Notice { user_id: user.id, application_id: spent.application_id, to, template };
        notifications::send(txn, ctx, notice).await?;
    }
    Ok(password_token)
}

async fn password_token(txn: &Txn, ctx: &Ctx, spent: &Spent) -> Result<Option<String>> {
    let link = NewLink {
        user_id: spent.user_id,
        application_id: spent.application_id,
        purpose: CodePurpose::PasswordReset,
        target: spent.target.clone(),
    };
    Ok(codes::issue_first_links(txn, ctx, vec![link], PASSWORD_TOKEN_TTL).await?.pop())
}

/// An attempt that holds the name, and that nobody has proved, waits from now on like the others.
async fn give_way(txn: &Txn, name_key: &str, to: Uuid) -> Result<()> {
    let holder = user::Entity::find()
        .filter(user::Column::UserNameKey.eq(name_key))
        .filter(user::Column::Status.eq(UserStatus::Unverified))
        .filter(user::Column::Id.ne(to))
        .one(&**txn)
        .await?;
    if let Some(holder) = holder {
        let mut row = holder.clone().into_active_model();
        row.user_name_key = Set(names::waiting_key(name_key, holder.id));
        row.awaited_name_key = Set(Some(name_key.to_owned()));
        row.update(&**txn).await?;
    }
    Ok(())
}

/// Whoever proves the mailbox ends what others planted on it.
pub(super) async fn drop_attempts(txn: &Txn, email_key: &str) -> Result<()> {
    discard(txn, Condition::all().add(user::Column::EmailKey.eq(email_key))).await
}
