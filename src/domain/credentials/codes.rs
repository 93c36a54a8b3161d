//! One-time codes and links: for one purpose, one person, one use.
//!
//! A code has six digits and five tries; a link carries a token that nobody can guess. Both are stored as hashes, and
//! both are consumed by one conditional update whose row count decides, so that of two at once one wins.

use std::time::Duration;

use entity::{Channel, CodePurpose, Timestamp, one_time_code as code};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, EntityTrait, ExprTrait, PaginatorTrait,
    QueryFilter, QueryOrder, Set, sea_query::Expr,
};
use uuid::Uuid;

use super::factors::challenges;
use crate::{
    context::Ctx,
    crypto,
    db::Txn,
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
    let NewCode { user_id, application_id, purpose, channel, target, link } = new;
    let now = ctx.now();
    code::Entity::update_many()
        .col_expr(code::Column::ConsumedAt, Expr::value(now))
        .filter(code::Column::UserId.eq(user_id))
        .filter(code::Column::Purpose.eq(purpose))
        .filter(code::Column::ConsumedAt.is_null())
        .exec(&**txn)
        .await?;
    let id = ctx.new_id();
    let random = ctx.app.random.as_ref();
    let issued = Issued { token: crypto::new_token(random), code: crypto::new_code(random) };
    code::ActiveModel {
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
    }
    .insert(&**txn)
    .await?;
    Ok(issued)
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
/// right; [`spend`] uses it up. The count is raised before the code is looked at, so that of forty parallel guesses
/// five are looked at.
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
    let Some(row) = open else {
        return Ok(Err(ErrorCode::WrongCode));
    };
    if row.expires_at <= ctx.now() {
        return Ok(Err(ErrorCode::Expired));
    }
    let left = Condition::all()
        .add(code::Column::Id.eq(row.id))
        .add(Expr::col(code::Column::Attempts).lt(Expr::col(code::Column::MaxAttempts)));
    let counted = code::Entity::update_many()
        .col_expr(code::Column::Attempts, Expr::col(code::Column::Attempts).add(1))
        .filter(left)
        .exec(&*txn)
        .await?;
    txn.commit().await?;
    if counted.rows_affected == 0 {
        return Ok(Err(ErrorCode::TooManyAttempts));
    }
    let guessed = ctx.app.vault.code_hash(row.id.as_bytes(), guess)?;
    let right = row.code_hash.as_ref().is_some_and(|hash| crypto::same(&hash.0, &guessed.0));
    Ok(if right { Ok(row) } else { Err(ErrorCode::WrongCode) })
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
