//! One-time codes and links: for one purpose, one person, one use.
//!
//! A code has six digits and ten tries: five for the network that asked for it, and five for all others, so that strangers
//! use up no try of the owner's. A link carries a token that nobody can guess. Both are stored as hashes, and of two who show
//! the same at once, one wins. (ADR 0064.)

use std::time::Duration;

use entity::{Channel, CodePurpose, Timestamp, one_time_code as code};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, Set, sea_query::Expr,
};
use uuid::Uuid;

use super::factors::challenges;
use crate::{
    context::Ctx,
    crypto,
    db::Txn,
    domain::limits::Network,
    error::{ErrorCode, Result},
};

pub use super::tries::{check_code, from_here, give_back_try};

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
    asker: Network,
) -> Result<Issued> {
    let (target, channel, link) = (target.to_owned(), Channel::Email, Some(LINK_TTL));
    issue_new(txn, ctx, NewCode { user_id, application_id, purpose, channel, target, link, asker }).await
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
    /// Where it was asked for.
    pub asker: Network,
}

/// Earlier ones for the same purpose end: where strangers can ask for them, those that were asked for from the same network.
pub async fn issue_new(txn: &Txn, ctx: &Ctx, new: NewCode) -> Result<Issued> {
    let mut earlier = code::Entity::update_many()
        .col_expr(code::Column::ConsumedAt, Expr::value(ctx.now()))
        .filter(code::Column::UserId.eq(new.user_id))
        .filter(code::Column::Purpose.eq(new.purpose))
        .filter(code::Column::ConsumedAt.is_null());
    if is_for_strangers(new.purpose) {
        earlier = earlier.filter(code::Column::Asker.eq(new.asker.hash()));
    }
    earlier.exec(&**txn).await?;
    let (row, issued) = made(ctx, new)?;
    row.insert(&**txn).await?;
    Ok(issued)
}

/// Whether somebody who is not signed in can ask for such a code in somebody else's name.
const fn is_for_strangers(purpose: CodePurpose) -> bool {
    match purpose {
        CodePurpose::Login
        | CodePurpose::PasswordReset
        | CodePurpose::VerifyEmail
        | CodePurpose::VerifyPhone => true,
        CodePurpose::ChangeEmail | CodePurpose::ChangePhone | CodePurpose::StepUp | CodePurpose::Mfa => false,
    }
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
        let asker = Network::of(ctx);
        let new = NewCode { user_id, application_id, purpose, channel, target, link, asker };
        let (row, issued) = made(ctx, new)?;
        rows.push(row);
        all.push(issued);
    }
    code::Entity::insert_many(rows).exec_without_returning(&**txn).await?;
    Ok(all)
}

fn made(ctx: &Ctx, new: NewCode) -> Result<(code::ActiveModel, Issued)> {
    let NewCode { user_id, application_id, purpose, channel, target, link, asker } = new;
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
        asker: Set(Some(asker.hash())),
        asker_attempts: Set(0),
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
            asker: Set(None),
            asker_attempts: Set(0),
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

/// Marks the code as consumed, unless somebody else just did, and with it whatever else was sent for the same purpose.
pub async fn spend(txn: &Txn, ctx: &Ctx, row: code::Model) -> Result<Result<Spent, ErrorCode>> {
    let code::Model { id, user_id, application_id, purpose, target, .. } = row;
    let open: Vec<Uuid> = code::Entity::find()
        .select_only()
        .column(code::Column::Id)
        .filter(code::Column::UserId.eq(user_id))
        .filter(code::Column::Purpose.eq(purpose))
        .filter(code::Column::ConsumedAt.is_null())
        // In one order, so that two who show different codes do not wait for each other.
        .order_by_asc(code::Column::Id)
        .lock_exclusive()
        .into_tuple()
        .all(&**txn)
        .await?;
    if !open.contains(&id) {
        return Ok(Err(ErrorCode::AlreadyUsed));
    }
    code::Entity::update_many()
        .col_expr(code::Column::ConsumedAt, Expr::value(ctx.now()))
        .filter(code::Column::Id.is_in(open))
        .exec(&**txn)
        .await?;
    Ok(Ok(Spent { user_id, application_id, purpose, target }))
}
