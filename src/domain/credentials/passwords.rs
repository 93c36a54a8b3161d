//! Where password hashes are kept, and the only functions that read them.

use entity::{Secret, Timestamp, password};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect, Set,
    sea_query::{Expr, OnConflict},
};
use uuid::Uuid;

use super::{failures, hashing, policy};
use crate::{
    app::App,
    context::Ctx,
    db::Txn,
    error::{Error, Result},
};

/// Sets the password; an earlier one is gone.
pub async fn set(txn: &Txn, ctx: &Ctx, user_id: Uuid, hash: Secret) -> Result<()> {
    let row = password::ActiveModel {
        user_id: Set(user_id),
        hash: Set(hash),
        changed_at: Set(ctx.now()),
        failures: Set(0),
    };
    let replace = OnConflict::column(password::Column::UserId)
        .update_columns([password::Column::Hash, password::Column::ChangedAt, password::Column::Failures])
        .to_owned();
    password::Entity::insert(row).on_conflict(replace).exec_without_returning(&**txn).await?;
    failures::end_all(txn, user_id).await
}

/// Sets the passwords of accounts that have none yet, in one statement.
pub async fn set_first(txn: &Txn, ctx: &Ctx, hashes: Vec<(Uuid, Secret)>) -> Result<()> {
    if hashes.is_empty() {
        return Ok(());
    }
    for (_, hash) in &hashes {
        ctx.app.hasher.notice(hash);
    }
    let row = |(user_id, hash)| password::ActiveModel {
        user_id: Set(user_id),
        hash: Set(hash),
        changed_at: Set(ctx.now()),
        failures: Set(0),
    };
    password::Entity::insert_many(hashes.into_iter().map(row)).exec_without_returning(&**txn).await?;
    Ok(())
}

/// There is no password any more.
pub async fn remove(txn: &Txn, user_id: Uuid) -> Result<()> {
    password::Entity::delete_by_id(user_id).exec(&**txn).await?;
    failures::end_all(txn, user_id).await
}

/// Replaces this very hash, if it is still the one: whoever proved the old password while another was set comes too late.
pub async fn replace(txn: &Txn, ctx: &Ctx, user_id: Uuid, old: &Secret, new: Secret) -> Result<bool> {
    let replaced = password::Entity::update_many()
        .col_expr(password::Column::Hash, Expr::value(new))
        .col_expr(password::Column::ChangedAt, Expr::value(ctx.now()))
        .col_expr(password::Column::Failures, Expr::value(0))
        .filter(password::Column::UserId.eq(user_id))
        .filter(password::Column::Hash.eq(old.clone()))
        .exec(&**txn)
        .await?;
    failures::end_all(txn, user_id).await?;
    Ok(replaced.rows_affected > 0)
}

/// What the next proof of a password costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewed {
    /// About as much as any other.
    Usual,
    /// Several times as much: the attempt counts although the password was right.
    Dear,
}

/// The password was just proved: a hash that is outdated is made anew. What bcrypt would cut keeps its hash; and a
/// login does not fail because there is no room for this.
pub async fn renew(ctx: &Ctx, user_id: Uuid, password: &str, hash: &Secret) -> Result<Renewed> {
    let hasher = &ctx.app.hasher;
    let kept = if hasher.is_dear(hash) { Renewed::Dear } else { Renewed::Usual };
    if !hasher.is_outdated(hash) || policy::check_whole("password", password).is_err() {
        return Ok(kept);
    }
    let new = match hasher.hash(ctx.source(), password, ctx.app.random.as_ref()).await {
        Err(Error::Refused { .. }) => return Ok(kept),
        done => done?,
    };
    let txn = ctx.app.db.begin().await?;
    let same = password::Entity::update_many()
        .col_expr(password::Column::Hash, Expr::value(new))
        .filter(password::Column::UserId.eq(user_id))
        .filter(password::Column::Hash.eq(hash.clone()));
    same.exec(&*txn).await?;
    txn.commit().await?;
    Ok(Renewed::Usual)
}

/// Looks for the dearest hashes: as late as those, every wrong password is answered.
pub async fn look_for_dear(app: &App) -> Result<()> {
    const AT_ONCE: u64 = 10_000;
    let (bcrypt, after) = (Secret::from(b"$2".to_vec()), Secret::from(b"$3".to_vec()));
    let hash = || password::Entity::find().select_only().column(password::Column::Hash);
    let dearest = hash()
        .filter(password::Column::Hash.gte(bcrypt))
        .filter(password::Column::Hash.lt(after.clone()))
        .order_by_desc(Expr::cust("substr(hash, 5, 2)"))
        .into_tuple::<Secret>()
        .one(app.db.read())
        .await?;
    let mut dearest: Vec<Secret> = dearest.into_iter().collect();
    let mut last = Uuid::nil();
    loop {
        // Those of other systems: argon2, pbkdf2, scrypt.
        let rows: Vec<(Uuid, Secret)> = password::Entity::find()
            .select_only()
            .columns([password::Column::UserId, password::Column::Hash])
            .filter(password::Column::Hash.gte(after.clone()))
            .filter(password::Column::UserId.gt(last))
            .order_by_asc(password::Column::UserId)
            .limit(AT_ONCE)
            .into_tuple()
            .all(app.db.read())
            .await?;
        let Some((id, _)) = rows.last() else {
            break;
        };
        last = *id;
        dearest.extend(hashing::dearest(rows.into_iter().map(|(_, hash)| hash)));
    }
    app.hasher.notice_dearest(dearest);
    Ok(())
}

pub async fn hash_of<C: ConnectionTrait>(db: &C, user_id: Uuid) -> Result<Option<Secret>> {
    Ok(password::Entity::find_by_id(user_id).one(db).await?.map(|row| row.hash))
}

/// So many wrong guesses in a row, and the password alone lets nobody in any more from a device that is not known. With
/// those that may be under way at that moment (ten for each name, address and number), they are a hundred: NIST SP 800-63B,
/// 3.2.2. (ADR 0045.)
pub const MOST_FAILURES: i32 = 70;

/// The hash, and whether it was guessed at too often.
pub async fn hash_and_state<C: ConnectionTrait>(db: &C, user_id: Uuid) -> Result<Option<(Secret, State)>> {
    let row = password::Entity::find_by_id(user_id).one(db).await?;
    let state = |failures| if failures >= MOST_FAILURES { State::WornOut } else { State::Good };
    Ok(row.map(|row| (row.hash, state(row.failures))))
}

/// What a password is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Good,
    /// Guessed at too often: from a device that is not known, it proves nothing.
    WornOut,
}

/// One more wrong guess in a row, which counts as several if its hash takes several times as long. For nobody it does as
/// much, and changes nothing: that must not be told by time.
pub async fn count_failure(txn: &Txn, user_id: Option<Uuid>, guesses: i32) -> Result<()> {
    password::Entity::update_many()
        .col_expr(password::Column::Failures, Expr::col(password::Column::Failures).add(guesses))
        .filter(password::Column::UserId.eq(user_id.unwrap_or_default()))
        .filter(password::Column::Failures.lt(MOST_FAILURES))
        .exec(&**txn)
        .await?;
    Ok(())
}

/// The person was here: what others guessed before, at the password and at codes, is over.
pub async fn forget_failures(txn: &Txn, user_id: Uuid) -> Result<()> {
    password::Entity::update_many()
        .col_expr(password::Column::Failures, Expr::value(0))
        .filter(password::Column::UserId.eq(user_id))
        .filter(password::Column::Failures.gt(0))
        .exec(&**txn)
        .await?;
    failures::end_all(txn, user_id).await
}

/// What became of a password so far.
pub struct Past {
    pub changed_at: Timestamp,
    /// At the password, or at a code of the same person: [`forget_failures`] ends it.
    pub guessed_at: bool,
}

/// `None` for who has none.
pub async fn past(txn: &Txn, user_id: Uuid) -> Result<Option<Past>> {
    let row: Option<(Timestamp, bool)> = password::Entity::find_by_id(user_id)
        .select_only()
        .column(password::Column::ChangedAt)
        .expr(password::Column::Failures.gt(0).or(failures::exist(user_id)))
        .into_tuple()
        .one(&**txn)
        .await?;
    Ok(row.map(|(changed_at, guessed_at)| Past { changed_at, guessed_at }))
}
