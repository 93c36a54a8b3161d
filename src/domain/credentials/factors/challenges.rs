//! Questions that wait for one answer: for five minutes, with five tries, for one person.
//!
//! What the answer is judged by stands in the database, sealed and bound to its row: any instance can judge it, also
//! after a restart.

use std::time::Duration;

use entity::{ChallengeKind, Secret, challenge};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, ExprTrait, QueryFilter, Set,
    sea_query::{Expr, SimpleExpr},
};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::{
    app::App,
    context::Ctx,
    crypto::Purpose,
    db::Txn,
    error::{Error, ErrorCode, Fault, Result},
};

pub const TTL: Duration = Duration::from_mins(5);
const TRIES: i32 = 5;
/// So long after its end one that was used or has run out is still told from one that never was.
const REMEMBERED: Duration = Duration::from_hours(1);

pub struct NewChallenge {
    pub kind: ChallengeKind,
    /// `None` where the answer says who it is.
    pub user_id: Option<Uuid>,
    pub application_id: Option<Uuid>,
}

pub async fn put<S: Serialize + Sync>(
    txn: &Txn,
    ctx: &Ctx,
    new: NewChallenge,
    state: &S,
) -> Result<challenge::Model> {
    let NewChallenge { kind, user_id, application_id } = new;
    let (id, now) = (ctx.new_id(), ctx.now());
    let row = challenge::ActiveModel {
        id: Set(id),
        kind: Set(kind),
        user_id: Set(user_id),
        application_id: Set(application_id),
        sealed: Set(seal(ctx, id, state)?),
        code_hash: Set(None),
        attempts: Set(0),
        created_at: Set(now),
        expires_at: Set(now.plus(TTL)),
        consumed_at: Set(None),
    };
    Ok(row.insert(&**txn).await?)
}

fn seal<S: Serialize>(ctx: &Ctx, id: Uuid, state: &S) -> Result<Secret> {
    let mut plain = id.as_bytes().to_vec();
    serde_json::to_writer(&mut plain, state).map_err(Error::internal)?;
    ctx.app.vault.seal(Purpose::Challenge, &plain, ctx.app.random.as_ref())
}

/// What the answer is judged by.
pub fn state<S: DeserializeOwned>(ctx: &Ctx, row: &challenge::Model) -> Result<S> {
    let strange =
        || Error::internal("a challenge was sealed with another DENIZEN_SECRET, or for another row");
    let plain = ctx.app.vault.open(Purpose::Challenge, &row.sealed).ok_or_else(strange)?;
    let json = plain.strip_prefix(row.id.as_bytes().as_slice()).ok_or_else(strange)?;
    serde_json::from_slice(json).map_err(Error::internal)
}

/// One that waits for an answer. `None` is an id that leads nowhere.
pub async fn find(ctx: &Ctx, kind: ChallengeKind, id: Option<Uuid>) -> Result<challenge::Model> {
    let id = id.ok_or_else(|| fault(ErrorCode::NotFound))?;
    let found = challenge::Entity::find_by_id(id)
        .filter(challenge::Column::Kind.eq(kind))
        .one(ctx.app.db.read())
        .await?;
    let row = found.ok_or_else(|| fault(ErrorCode::NotFound))?;
    if row.consumed_at.is_some() {
        return Err(fault(ErrorCode::AlreadyUsed).into());
    }
    if row.expires_at <= ctx.now() {
        return Err(fault(ErrorCode::Expired).into());
    }
    Ok(row)
}

/// The same, if it is this person's: what is somebody else's is not there.
pub async fn find_own(
    ctx: &Ctx,
    kind: ChallengeKind,
    id: Option<Uuid>,
    user_id: Uuid,
) -> Result<challenge::Model> {
    let row = find(ctx, kind, id).await;
    match row {
        Ok(row) if row.user_id == Some(user_id) => Ok(row),
        Ok(_) => Err(fault(ErrorCode::NotFound).into()),
        Err(error) => Err(error),
    }
}

/// Counts a try, in a transaction of its own: it stands whatever becomes of the rest. It is counted before the answer
/// is looked at, so that of forty at once five are looked at.
pub async fn count_try(ctx: &Ctx, row: &challenge::Model) -> Result<()> {
    let txn = ctx.app.db.begin().await?;
    let counted = challenge::Entity::update_many()
        .col_expr(challenge::Column::Attempts, Expr::col(challenge::Column::Attempts).add(1))
        .filter(still_open(ctx, row.id))
        .filter(challenge::Column::Attempts.lt(TRIES))
        .exec(&*txn)
        .await?;
    txn.commit().await?;
    if counted.rows_affected == 0 { Err(fault(ErrorCode::TooManyAttempts).into()) } else { Ok(()) }
}

/// Uses the challenge up. Of two right answers at once, one is let in.
pub async fn consume(txn: &Txn, ctx: &Ctx, id: Uuid) -> Result<()> {
    let consumed = challenge::Entity::update_many()
        .col_expr(challenge::Column::ConsumedAt, Expr::value(ctx.now()))
        .filter(still_open(ctx, id))
        .exec(&**txn)
        .await?;
    if consumed.rows_affected == 0 { Err(fault(ErrorCode::AlreadyUsed).into()) } else { Ok(()) }
}

/// A code was sent for it: an earlier one is good for nothing.
pub async fn note_code(txn: &Txn, ctx: &Ctx, id: Uuid, hash: Secret) -> Result<()> {
    let noted = challenge::Entity::update_many()
        .col_expr(challenge::Column::CodeHash, Expr::value(hash))
        .filter(still_open(ctx, id))
        .exec(&**txn)
        .await?;
    if noted.rows_affected == 0 { Err(fault(ErrorCode::AlreadyUsed).into()) } else { Ok(()) }
}

fn still_open(ctx: &Ctx, id: Uuid) -> SimpleExpr {
    challenge::Column::Id
        .eq(id)
        .and(challenge::Column::ConsumedAt.is_null())
        .and(challenge::Column::ExpiresAt.gt(ctx.now()))
}

/// Ends what waits for an answer of these users: it dies with what it rests on.
pub async fn end_all(txn: &Txn, ctx: &Ctx, user_ids: &[Uuid]) -> Result<()> {
    challenge::Entity::update_many()
        .col_expr(challenge::Column::ConsumedAt, Expr::value(ctx.now()))
        .filter(challenge::Column::UserId.is_in(user_ids.iter().copied()))
        .filter(challenge::Column::ConsumedAt.is_null())
        .exec(&**txn)
        .await?;
    Ok(())
}

/// Forgets what can no longer be answered.
pub async fn sweep(app: &App) -> Result<()> {
    let txn = app.db.begin().await?;
    let long_ago = app.clock.now().minus(REMEMBERED);
    challenge::Entity::delete_many().filter(challenge::Column::ExpiresAt.lt(long_ago)).exec(&*txn).await?;
    txn.commit().await
}

fn fault(code: ErrorCode) -> Fault {
    let message = match code {
        ErrorCode::AlreadyUsed => "This challenge was answered, or ended: start anew.",
        ErrorCode::Expired => "This challenge has run out: start anew.",
        ErrorCode::TooManyAttempts => "Too many wrong answers: start anew.",
        _ => "There is no such challenge.",
    };
    Fault::new(code, &["challengeId"], message)
}
