//! One-time codes and links: for one purpose, one person, one use.
//!
//! A code has six digits and five tries; a link carries a token that nobody can guess. Both are stored as hashes, and
//! both are consumed by one conditional update whose row count decides, so that of two at once one wins.

use std::{collections::HashMap, time::Duration};

use entity::{Channel, CodePurpose, Timestamp, one_time_code as code};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, EntityTrait, ExprTrait, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, Set, sea_query::Expr,
};
use uuid::Uuid;

use super::{factors::challenges, failures};
use crate::{
    context::Ctx,
    crypto,
    db::Txn,
    domain::{identity::names::Email, limits::service as limits},
    error::{ErrorCode, Result},
};

pub const CODE_TTL: Duration = Duration::from_mins(10);
pub const LINK_TTL: Duration = Duration::from_hours(24);
const TRIES: i32 = 5;

/// Ends every code and link of these users, and every login that waits for one: they die with the address or the
/// password that they rest on.
pub async fn end_all(txn: &Txn, ctx: &Ctx, user_ids: &[Uuid]) -> Result<()> {
    challenges::end_all(txn, ctx, user_ids).await?;
    code::Entity::update_many()
        .col_expr(code::Column::ConsumedAt, Expr::value(ctx.now()))
        .filter(code::Column::UserId.is_in(user_ids.iter().copied()))
        .filter(code::Column::ConsumedAt.is_null())
        .exec(&**txn)
        .await?;
    Ok(())
}

/// So many mails on request in [`CODE_TTL`] are enough for one address, whoever asks for them.
pub const MOST_TO_ADDRESS: u64 = 5;

/// How many codes that prove an address were lately made for each of these targets. Whoever makes one more queues for
/// the address before counting (`Txn::queue_for`).
pub async fn sent_lately<C: ConnectionTrait>(
    db: &C,
    ctx: &Ctx,
    targets: &[&str],
) -> Result<HashMap<String, u64>> {
    let rows: Vec<(String, i64)> = code::Entity::find()
        .select_only()
        .column(code::Column::Target)
        .column_as(code::Column::Id.count(), "count")
        .filter(code::Column::Target.is_in(targets.iter().copied()))
        .filter(code::Column::Purpose.is_in([CodePurpose::VerifyEmail, CodePurpose::ChangeEmail]))
        .filter(code::Column::CreatedAt.gt(ctx.now().minus(CODE_TTL)))
        .group_by(code::Column::Target)
        .into_tuple()
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|(target, count)| (target, u64::try_from(count).unwrap_or_default())).collect())
}

/// Whether the address has had enough mails for now. It queues for the address, and knows both spellings.
pub async fn is_flooded(txn: &Txn, ctx: &Ctx, email: &Email) -> Result<bool> {
    txn.queue_for(&[&email.key]).await?;
    let mut spellings = vec![email.key.as_str(), email.address.as_str()];
    spellings.dedup();
    let sent = sent_lately(&**txn, ctx, &spellings).await?;
    Ok(sent.values().sum::<u64>() >= MOST_TO_ADDRESS)
}

/// How many codes for this purpose the user was sent since then.
pub async fn count_since<C: ConnectionTrait>(
    db: &C,
    user_id: Uuid,
    purpose: CodePurpose,
    since: Timestamp,
) -> Result<u64> {
    let recent = code::Entity::find()
        .filter(code::Column::UserId.eq(user_id))
        .filter(code::Column::Purpose.eq(purpose))
        .filter(code::Column::CreatedAt.gt(since));
    Ok(recent.count(db).await?)
}

/// What is handed out. It leaves the house only inside a sealed message.
pub struct Issued {
    pub token: String,
    pub code: String,
}

/// A code together with a link that is good for a day, for proving the address `target`.
pub async fn issue(
    txn: &Txn,
    ctx: &Ctx,
    user_id: Uuid,
    application_id: Uuid,
    purpose: CodePurpose,
    target: &str,
) -> Result<Issued> {
    let target = target.to_owned();
    let link = Some(LINK_TTL);
    issue_new(txn, ctx, NewCode { user_id, application_id, purpose, channel: Channel::Email, target, link })
        .await
}

/// A code to be.
pub struct NewCode {
    pub user_id: Uuid,
    pub application_id: Uuid,
    pub purpose: CodePurpose,
    pub channel: Channel,
    /// The address or the number that it is sent to, in the form in which it is compared.
    pub target: String,
    /// How long the link is good for; without it there is none, and the token that is handed out leads nowhere.
    pub link: Option<Duration>,
}

/// Earlier ones for the same purpose end.
pub async fn issue_new(txn: &Txn, ctx: &Ctx, new: NewCode) -> Result<Issued> {
    code::Entity::update_many()
        .col_expr(code::Column::ConsumedAt, Expr::value(ctx.now()))
        .filter(code::Column::UserId.eq(new.user_id))
        .filter(code::Column::Purpose.eq(new.purpose))
        .filter(code::Column::ConsumedAt.is_null())
        .exec(&**txn)
        .await?;
    let (row, issued) = made(ctx, new)?;
    row.insert(&**txn).await?;
    Ok(issued)
}

/// As [`issue`], for accounts that are new and have no earlier ones: who, with which application, for what target. One
/// statement, however many.
pub async fn issue_first(
    txn: &Txn,
    ctx: &Ctx,
    purpose: CodePurpose,
    wanted: &[(Uuid, Uuid, &str)],
) -> Result<Vec<Issued>> {
    let (mut rows, mut all) = (Vec::new(), Vec::new());
    for (user_id, application_id, target) in wanted.iter().copied() {
        let (channel, target, link) = (Channel::Email, target.to_owned(), Some(LINK_TTL));
        let (row, issued) = made(ctx, NewCode { user_id, application_id, purpose, channel, target, link })?;
        rows.push(row);
        all.push(issued);
    }
    code::Entity::insert_many(rows).exec_without_returning(&**txn).await?;
    Ok(all)
}

fn made(ctx: &Ctx, new: NewCode) -> Result<(code::ActiveModel, Issued)> {
    let NewCode { user_id, application_id, purpose, channel, target, link } = new;
    let (id, now) = (ctx.new_id(), ctx.now());
    let random = ctx.app.random.as_ref();
    let issued = Issued { token: crypto::new_token(random), code: crypto::new_code(random) };
    let row = code::ActiveModel {
        id: Set(id),
        user_id: Set(user_id),
        application_id: Set(application_id),
        purpose: Set(purpose),
        channel: Set(channel),
        target: Set(target),
        code_hash: Set(Some(ctx.app.vault.code_hash(id.as_bytes(), &issued.code)?)),
        token_hash: Set(link.map(|_| crypto::token_hash(&issued.token))),
        attempts: Set(0),
        max_attempts: Set(TRIES),
        created_at: Set(now),
        expires_at: Set(now.plus(CODE_TTL)),
        link_expires_at: Set(link.map(|time| now.plus(time))),
        consumed_at: Set(None),
    };
    Ok((row, issued))
}

/// A link without a code, for proving `target`.
pub struct NewLink {
    pub user_id: Uuid,
    pub application_id: Uuid,
    pub purpose: CodePurpose,
    pub target: String,
}

/// The tokens of many links, in one statement. It is for accounts that were made in the same transaction: there are no
/// earlier links to end.
pub async fn issue_first_links(
    txn: &Txn,
    ctx: &Ctx,
    links: Vec<NewLink>,
    lifetime: Duration,
) -> Result<Vec<String>> {
    let (mut rows, mut tokens) = (Vec::new(), Vec::new());
    let (now, end) = (ctx.now(), ctx.now().plus(lifetime));
    for NewLink { user_id, application_id, purpose, target } in links {
        let token = crypto::new_token(ctx.app.random.as_ref());
        rows.push(code::ActiveModel {
            id: Set(ctx.new_id()),
            user_id: Set(user_id),
            application_id: Set(application_id),
            purpose: Set(purpose),
            channel: Set(Channel::Email),
            target: Set(target),
            code_hash: Set(None),
            token_hash: Set(Some(crypto::token_hash(&token))),
            attempts: Set(0),
            max_attempts: Set(TRIES),
            created_at: Set(now),
            expires_at: Set(end),
            link_expires_at: Set(Some(end)),
            consumed_at: Set(None),
        });
        tokens.push(token);
    }
    if !rows.is_empty() {
        code::Entity::insert_many(rows).exec_without_returning(&**txn).await?;
    }
    Ok(tokens)
}

/// A code or link that was right, and is spent now.
pub struct Spent {
    pub user_id: Uuid,
    pub application_id: Uuid,
    pub purpose: CodePurpose,
    pub target: String,
}

/// The row of a link's token; [`spend`] uses it up. `Err` says why it is not good any more, for a payload.
pub async fn find_token(
    ctx: &Ctx,
    purposes: &[CodePurpose],
    token: &str,
) -> Result<Result<code::Model, ErrorCode>> {
    let found = code::Entity::find()
        .filter(code::Column::TokenHash.eq(crypto::token_hash(token)))
        .filter(code::Column::Purpose.is_in(purposes.iter().copied()))
        .one(ctx.app.db.read())
        .await?;
    let Some(row) = found else {
        return Ok(Err(ErrorCode::WrongCode));
    };
    if row.consumed_at.is_some() {
        return Ok(Err(ErrorCode::AlreadyUsed));
    }
    if row.link_expires_at.is_none_or(|end| end <= ctx.now()) {
        return Ok(Err(ErrorCode::Expired));
    }
    Ok(Ok(row))
}

/// Counts a try, in a transaction of its own: it stands even if what follows fails. Then says whether the code was
/// right; [`spend`] uses it up. The count is raised before the answer is known to anybody, so that of forty parallel
/// guesses five are answered.
///
/// Where there is no code, or nobody (the nil id), as much is asked and written: time does not tell.
pub async fn check_code(
    ctx: &Ctx,
    user_id: Uuid,
    purpose: CodePurpose,
    guess: &str,
) -> Result<Result<code::Model, ErrorCode>> {
    let txn = ctx.app.db.begin().await?;
    // One at most is open: a new one ends the earlier ones.
    let open = code::Entity::find()
        .filter(code::Column::UserId.eq(user_id))
        .filter(code::Column::ConsumedAt.is_null())
        .filter(code::Column::Purpose.eq(purpose))
        .filter(code::Column::CodeHash.is_not_null())
        .order_by_desc(code::Column::CreatedAt)
        .order_by_desc(code::Column::Id)
        .one(&*txn)
        .await?;
    let id = open.as_ref().map(|row| row.id).unwrap_or_default();
    let guessed = ctx.app.vault.code_hash(id.as_bytes(), guess)?;
    let hash = open.as_ref().and_then(|row| row.code_hash.as_ref());
    let same = hash.is_some_and(|hash| crypto::same(&hash.0, &guessed.0));
    let in_time = open.as_ref().is_some_and(|row| row.expires_at > ctx.now());
    let counted = count_try(&txn, if in_time { id } else { Uuid::nil() }).await?;
    limits::leave_a_trace(&txn, ctx).await?;
    let whose = if counted { user_id } else { Uuid::nil() };
    let right = is_worth(&txn, ctx, whose, purpose, same && counted).await?;
    txn.commit().await?;
    Ok(match open {
        Some(row) if right => Ok(row),
        // Only who has the code learns that it has run out: it tells that there was one.
        Some(_) if same && !in_time => Err(ErrorCode::Expired),
        Some(_) if in_time && !counted => Err(ErrorCode::TooManyAttempts),
        _ => Err(ErrorCode::WrongCode),
    })
}

/// Whether there was a try left.
async fn count_try(txn: &Txn, code_id: Uuid) -> Result<bool> {
    let left = Condition::all()
        .add(code::Column::Id.eq(code_id))
        .add(Expr::col(code::Column::Attempts).lt(Expr::col(code::Column::MaxAttempts)));
    let counted = code::Entity::update_many()
        .col_expr(code::Column::Attempts, Expr::col(code::Column::Attempts).add(1))
        .filter(left)
        .exec(&**txn)
        .await?;
    Ok(counted.rows_affected > 0)
}

/// The code was right, and what else was needed was not: that was no wrong code.
pub async fn give_back_try(ctx: &Ctx, code_id: Uuid) -> Result<()> {
    let txn = ctx.app.db.begin().await?;
    code::Entity::update_many()
        .col_expr(code::Column::Attempts, Expr::col(code::Column::Attempts).sub(1))
        .filter(code::Column::Id.eq(code_id))
        .filter(code::Column::Attempts.gt(0))
        .exec(&*txn)
        .await?;
    txn.commit().await
}

/// Whether a code that is `right` proves anything after those that were wrong before it. A wrong one counts, a right one
/// ends the count. The row of the code is held: one guess after the other.
async fn is_worth(txn: &Txn, ctx: &Ctx, user_id: Uuid, purpose: CodePurpose, right: bool) -> Result<bool> {
    if !failures::is_counted(purpose) {
        return Ok(right);
    }
    let full = failures::are_too_many(&**txn, ctx, user_id, purpose).await?;
    let worth = right && !full;
    if worth {
        failures::end(txn, user_id, purpose).await?;
    } else {
        failures::count(txn, user_id, purpose).await?;
    }
    Ok(worth)
}

/// Marks the row as consumed, unless somebody else just did.
pub async fn spend(txn: &Txn, ctx: &Ctx, row: code::Model) -> Result<Result<Spent, ErrorCode>> {
    let spent = code::Entity::update_many()
        .col_expr(code::Column::ConsumedAt, Expr::value(ctx.now()))
        .filter(code::Column::Id.eq(row.id))
        .filter(code::Column::ConsumedAt.is_null())
        .exec(&**txn)
        .await?;
    if spent.rows_affected == 0 {
        return Ok(Err(ErrorCode::AlreadyUsed));
    }
    let code::Model { user_id, application_id, purpose, target, .. } = row;
    Ok(Ok(Spent { user_id, application_id, purpose, target }))
}
