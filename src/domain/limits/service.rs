//! Counting attempts.
//!
//! What is stored for each rule and subject is one moment: when everything is free again. An attempt moves it by an
//! interval, unless it would then lie further ahead than the rule allows; the row count of that one statement decides.

use std::time::Duration;

use data_encoding::HEXLOWER;
use entity::attempt;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set, Value};

use super::rules::{self, Rule};
use crate::{
    app::App,
    config::Switch,
    context::{Block, Ctx, Source},
    crypto,
    db::Txn,
    error::{Error, ErrorCode, Fault, Result},
};

/// Takes one attempt, or says how long to wait for the next. It is taken by itself: it stands whatever becomes of the rest.
pub async fn take(ctx: &Ctx, rule: &Rule, subject: &str) -> Result<Result<(), Duration>> {
    take_several(ctx, rule, subject, 1).await
}

/// So many at once, or none of them.
async fn take_several(ctx: &Ctx, rule: &Rule, subject: &str, count: u32) -> Result<Result<(), Duration>> {
    if ctx.app.config.server.rate_limits == Switch::Off {
        return Ok(Ok(()));
    }
    let (key, now) = (key(rule, subject), ctx.now());
    let (every, whole) = (rule.every.saturating_mul(count), rule.whole());
    let sql = "INSERT INTO attempts (key, free_at) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE \
               SET free_at = CASE WHEN attempts.free_at > $3 THEN attempts.free_at ELSE $3 END + $4 \
               WHERE attempts.free_at <= $5";
    let latest = now.plus(whole).minus(every);
    let values: [Value; 5] = [
        key.clone().into(),
        now.plus(every).millis().into(),
        now.millis().into(),
        milliseconds(every).into(),
        latest.millis().into(),
    ];
    if ctx.app.db.execute(sql, values).await? > 0 {
        return Ok(Ok(()));
    }
    let row = attempt::Entity::find_by_id(key).one(ctx.app.db.read()).await?;
    let free_at = row.map_or(now, |row| row.free_at);
    Ok(Err(free_at.since(latest).max(Duration::from_secs(1))))
}

/// Gives an attempt back that was a right one: only wrong ones count.
pub async fn give_back(ctx: &Ctx, rule: &Rule, subject: &str) -> Result<()> {
    give_back_several(ctx, rule, subject, 1).await
}

async fn give_back_several(ctx: &Ctx, rule: &Rule, subject: &str, count: u32) -> Result<()> {
    if ctx.app.config.server.rate_limits == Switch::Off {
        return Ok(());
    }
    let sql = "UPDATE attempts SET free_at = free_at - $1 WHERE key = $2";
    let time = rule.every.saturating_mul(count);
    let values: [Value; 2] = [milliseconds(time).into(), key(rule, subject).into()];
    ctx.app.db.execute(sql, values).await.map(drop)
}

/// All of the rule is free again.
pub async fn clear(ctx: &Ctx, rule: &Rule, subject: &str) -> Result<()> {
    let sql = "DELETE FROM attempts WHERE key = $1";
    ctx.app.db.execute(sql, [key(rule, subject).into()]).await.map(drop)
}

/// Writes a row that bounds nothing and is soon swept: so that a transaction that has nothing else to write takes as long as
/// one that has.
pub async fn leave_a_trace(txn: &Txn, ctx: &Ctx) -> Result<()> {
    let key = Set(key(&rules::TOLD, &ctx.new_id().to_string()));
    let row = attempt::ActiveModel { key, free_at: Set(ctx.now()) };
    attempt::Entity::insert(row).exec_without_returning(&**txn).await?;
    Ok(())
}

/// One more attempt of this person, or the fault that says when.
pub async fn for_person(ctx: &Ctx, rule: &Rule, subject: &str) -> Result<()> {
    take(ctx, rule, subject).await?.map_err(|wait| too_many(wait).into())
}

/// So many more of whoever is signed in, or the refusal of all of them.
pub async fn several_for_caller(ctx: &Ctx, rule: &Rule, count: usize) -> Result<()> {
    let Some(id) = ctx.actor.user_id().filter(|_| count > 0) else {
        return Ok(());
    };
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    take_several(ctx, rule, &id.to_string(), count).await?.map_err(Error::rate_limited)
}

/// The caller has run so often into accounts that they cannot see.
pub async fn for_unseen(ctx: &Ctx, times: usize) -> Result<()> {
    if let Some(id) = ctx.actor.user_id() {
        for _ in 0..times {
            for_person(ctx, &rules::UNSEEN, &id.to_string()).await?;
        }
    }
    Ok(())
}

/// One more attempt from where the request comes from, or the refusal that says when.
pub async fn for_source(ctx: &Ctx, rule: &Rule) -> Result<()> {
    several_for_source(ctx, rule, 1).await
}

/// So many more at once, or the refusal of all of them. What a block has used up is used up for each source in it: those
/// that have tried nothing leave no row then.
pub async fn several_for_source(ctx: &Ctx, rule: &Rule, count: usize) -> Result<()> {
    let Some(source) = source(ctx).filter(|_| count > 0) else {
        return Ok(());
    };
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let Some(block) = block(ctx) else {
        return take_several(ctx, rule, &source, count).await?.map_err(Error::rate_limited);
    };
    take_several(ctx, &rule.of_block(), &block, count).await?.map_err(Error::rate_limited)?;
    let taken = take_several(ctx, rule, &source, count).await?;
    if taken.is_err() {
        give_back_several(ctx, &rule.of_block(), &block, count).await?;
    }
    taken.map_err(Error::rate_limited)
}

/// Whether it is news that the rule refuses this subject, or, without one, where the request comes from. Of all sources of
/// one block that is news once.
pub async fn is_news(ctx: &Ctx, rule: &Rule, subject: Option<&str>) -> Result<bool> {
    let subject =
        subject.map(str::to_owned).or_else(|| block(ctx)).or_else(|| source(ctx)).unwrap_or_default();
    Ok(take(ctx, &rules::TOLD, &format!("{} {subject}", rule.name)).await?.is_ok())
}

/// The attempt from where the request comes from was a right one.
pub async fn give_back_source(ctx: &Ctx, rule: &Rule) -> Result<()> {
    if let Some(source) = source(ctx) {
        give_back(ctx, rule, &source).await?;
    }
    if let Some(block) = block(ctx) {
        give_back(ctx, &rule.of_block(), &block).await?;
    }
    Ok(())
}

/// Nothing that the service does for itself is counted.
fn source(ctx: &Ctx) -> Option<String> {
    match ctx.source() {
        Source::Inside => None,
        source => Some(source.to_string()),
    }
}

/// Whose sources have a bound together as well. An address of version 4 is somebody's only one: neighbours are not counted
/// for each other.
fn block(ctx: &Ctx) -> Option<String> {
    match ctx.source().block() {
        Block::Inside | Block::V4(_) => None,
        Block::V6(bits) => Some(format!("{bits:x}/48")),
    }
}

pub fn too_many(wait: Duration) -> Fault {
    let mut fault = Fault::new(ErrorCode::TooManyAttempts, &[], "Too many attempts: wait a while.");
    fault.retry_after = Some(wait);
    fault
}

/// Forgets what has no effect any more.
pub async fn sweep(app: &App) -> Result<()> {
    let txn = app.db.begin().await?;
    attempt::Entity::delete_many().filter(attempt::Column::FreeAt.lt(app.clock.now())).exec(&*txn).await?;
    txn.commit().await
}

fn key(rule: &Rule, subject: &str) -> String {
    HEXLOWER.encode(&crypto::token_hash(&format!("{}\0{subject}", rule.name)).0)
}

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
