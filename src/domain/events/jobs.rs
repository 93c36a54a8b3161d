//! Jobs: work that follows from a change, put on the list in the transaction of the change.
//!
//! At least once: a job is claimed for a while, done, and struck off; if the process dies in between, the claim runs
//! out and somebody else takes it. A job that fails comes back later, each time after a longer wait; one that keeps
//! failing is kept as dead, where `denizen doctor` and the metrics show it.

use std::time::Duration;

pub use entity::JobLane as Lane;
use entity::{Timestamp, job};
use sea_orm::{
    ActiveEnum, ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, ExprTrait, PaginatorTrait,
    QueryFilter, Set,
    sea_query::{Expr, LockBehavior, LockType, Query, SelectStatement, SimpleExpr},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    app::App,
    context::Ctx,
    crypto::Random,
    db::Txn,
    domain::{credentials::otp::Way, limits::Network, notifications::template::Asked},
    error::{Error, Result},
};

/// Every kind of work. It is stored as JSON, so a variant keeps its name for as long as rows may hold it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Job {
    DeliverNotification {
        notification_id: Uuid,
        /// Jobs of earlier versions do not say it.
        way: Option<Way>,
    },
    /// Without a user there is nothing to do: it is there so that a request for nobody costs the same.
    ResendVerification {
        user_id: Option<Uuid>,
        /// Where it was asked for; jobs of earlier versions do not say it.
        asker: Option<Network>,
    },
    /// Likewise.
    SendCode {
        user_id: Option<Uuid>,
        asked: Asked,
        way: Way,
        /// Likewise.
        asker: Option<Network>,
    },
    /// What was still written of an erased person.
    ForgetUser { user_id: Uuid },
}

impl Job {
    /// What stands in the table.
    const fn kind(&self) -> &'static str {
        match self {
            Self::DeliverNotification { way: Some(Way::Mail), .. } => "deliver_mail",
            Self::DeliverNotification { way: Some(Way::Text), .. } => "deliver_text",
            Self::DeliverNotification { way: None, .. } => "deliver_notification",
            Self::ResendVerification { .. } => "resend_verification",
            Self::SendCode { .. } => "send_code",
            Self::ForgetUser { .. } => "forget_user",
        }
    }

    const fn lane(&self) -> Lane {
        match self {
            Self::DeliverNotification { way: Some(Way::Mail), .. } => Lane::Mail,
            Self::DeliverNotification { way: Some(Way::Text), .. } => Lane::Text,
            Self::DeliverNotification { way: None, .. }
            | Self::ResendVerification { .. }
            | Self::SendCode { .. }
            | Self::ForgetUser { .. } => Lane::Other,
        }
    }
}

/// How many jobs of a lane are under way at once.
pub const fn places(lane: Lane) -> u64 {
    match lane {
        Lane::Mail => 8,
        Lane::Text | Lane::Other => 4,
    }
}

/// How long a claim holds: longer than the slowest job may take.
const LEASE: Duration = Duration::from_mins(1);
/// With the waits below: about a day of trying.
const MAX_ATTEMPTS: i32 = 14;
const FIRST_WAIT: Duration = Duration::from_secs(5);
const LONGEST_WAIT: Duration = Duration::from_hours(4);

pub async fn enqueue(txn: &Txn, ctx: &Ctx, job: &Job) -> Result<()> {
    enqueue_all(txn, ctx, std::slice::from_ref(job)).await
}

/// Not before that time has passed.
pub async fn enqueue_after(txn: &Txn, ctx: &Ctx, job: &Job, wait: Duration) -> Result<()> {
    let mut row = row(ctx, job)?;
    row.run_at = Set(ctx.now().plus(wait));
    job::Entity::insert(row).exec_without_returning(&**txn).await?;
    Ok(())
}

/// Many at once, in one statement.
pub async fn enqueue_all(txn: &Txn, ctx: &Ctx, jobs: &[Job]) -> Result<()> {
    let rows = jobs.iter().map(|job| row(ctx, job)).collect::<Result<Vec<_>>>()?;
    job::Entity::insert_many(rows).exec_without_returning(&**txn).await?;
    txn.has_enqueued();
    Ok(())
}

fn row(ctx: &Ctx, job: &Job) -> Result<job::ActiveModel> {
    let now = ctx.now();
    Ok(job::ActiveModel {
        id: Set(ctx.new_id()),
        kind: Set(job.kind().to_owned()),
        payload: Set(serde_json::to_value(job).map_err(Error::internal)?),
        state: Set(job::JobState::Queued),
        run_at: Set(now),
        attempts: Set(0),
        max_attempts: Set(MAX_ATTEMPTS),
        locked_until: Set(None),
        locked_by: Set(None),
        last_error: Set(None),
        created_at: Set(now),
        lane: Set(job.lane()),
    })
}

/// A job that is ours until the lease runs out.
pub struct Claimed {
    id: Uuid,
    /// Who holds it: a claim that ran out may be somebody else's by now, and is then theirs to settle.
    worker: String,
    attempts: i32,
    max_attempts: i32,
    pub lane: Lane,
    /// `None` when this version cannot read it: made by a newer one, or damaged.
    pub job: Option<Job>,
}

/// Takes jobs that are due and that nobody holds, of each lane up to so many. Where nothing is due, nothing is written.
pub async fn claim(app: &App, worker: &str, free: &[(Lane, u64)]) -> Result<Vec<Claimed>> {
    let mut rows = Vec::new();
    for (lane, places) in due(app, free).await? {
        match claim_of(app, worker, lane, places).await {
            Ok(claimed) => rows.extend(claimed),
            Err(error) if rows.is_empty() => return Err(error),
            // What is ours already is done: otherwise it would wait until the claim runs out.
            Err(error) => tracing::warn!(%error, ?lane, "the jobs of a lane cannot be claimed"),
        }
    }
    // In the order in which they came, so that mails come in the order of what they tell.
    rows.sort_by_key(|row| (row.run_at, row.id));
    Ok(rows
        .into_iter()
        .map(|row| Claimed {
            id: row.id,
            worker: worker.to_owned(),
            attempts: row.attempts,
            max_attempts: row.max_attempts,
            lane: row.lane,
            job: serde_json::from_value(row.payload).ok(),
        })
        .collect())
}

async fn claim_of(app: &App, worker: &str, lane: Lane, places: u64) -> Result<Vec<job::Model>> {
    let now = app.clock.now();
    let rows = job::Entity::update_many()
        .col_expr(job::Column::LockedUntil, Expr::value(now.plus(LEASE)))
        .col_expr(job::Column::LockedBy, Expr::value(worker))
        .col_expr(job::Column::Attempts, Expr::col(job::Column::Attempts).add(1))
        .filter(job::Column::Id.in_subquery(next_of(app, lane, places)))
        .exec_with_returning(app.db.alone())
        .await?;
    Ok(rows)
}

fn next_of(app: &App, lane: Lane, places: u64) -> SelectStatement {
    let mut next = Query::select();
    next.column(job::Column::Id)
        .from(job::Entity)
        .cond_where(is_due(app, lane))
        .order_by(job::Column::RunAt, sea_orm::Order::Asc)
        .order_by(job::Column::Id, sea_orm::Order::Asc)
        .limit(places);
    if app.db.backend() == DbBackend::Postgres {
        // Two instances that look at the same moment take different rows instead of waiting for each other.
        next.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    }
    next
}

/// In the order of the index `ix__jobs__lane__state__run_at__id`.
fn is_due(app: &App, lane: Lane) -> Condition {
    let now = app.clock.now();
    // The lane stands in the text: PostgreSQL plans for it, and not for a lane of medium length.
    let lane = SimpleExpr::Constant(lane.to_value().into());
    Condition::all()
        .add(Expr::col((job::Entity, job::Column::Lane)).eq(lane))
        .add(job::Column::State.eq(job::JobState::Queued))
        .add(job::Column::RunAt.lte(now))
        .add(Condition::any().add(job::Column::LockedUntil.is_null()).add(job::Column::LockedUntil.lte(now)))
}

/// The lanes in which anything is due: asked before a claim, in one statement, so that an idle service writes nothing.
async fn due(app: &App, free: &[(Lane, u64)]) -> Result<Vec<(Lane, u64)>> {
    if free.is_empty() {
        return Ok(Vec::new());
    }
    let mut look = Query::select();
    for (lane, _) in free {
        // The first of an index. Whether one exists would be asked of the whole table: most of it looks due.
        let mut first = Query::select();
        first.expr(Expr::col(job::Column::RunAt).min()).from(job::Entity).cond_where(is_due(app, *lane));
        look.expr(SimpleExpr::SubQuery(None, Box::new(first.into())));
    }
    let row = app.db.read().query_one_raw(app.db.statement(&look)).await?;
    let Some(row) = row else { return Ok(Vec::new()) };
    let mut due = Vec::new();
    for (number, free) in free.iter().enumerate() {
        if row.try_get_by_index::<Option<i64>>(number)?.is_some() {
            due.push(*free);
        }
    }
    Ok(due)
}

impl Claimed {
    /// Claimed more often than it may be tried: its workers died of it, or it of them.
    pub const fn is_spent(&self) -> bool {
        self.attempts > self.max_attempts
    }
}

pub async fn complete(app: &App, claimed: &Claimed) -> Result<()> {
    let ours = job::Entity::delete_many().filter(job::Column::Id.eq(claimed.id));
    ours.filter(job::Column::LockedBy.eq(&claimed.worker)).exec(app.db.alone()).await?;
    Ok(())
}

/// Whether what failed may succeed later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    Open,
    Final,
}

/// Puts the job back for later, or among the dead. Says whether it is dead now.
pub async fn fail(app: &App, claimed: &Claimed, error: &str, outlook: Outlook) -> Result<bool> {
    let now = app.clock.now();
    let dead = outlook == Outlook::Final || claimed.attempts >= claimed.max_attempts;
    let state = if dead { job::JobState::Dead } else { job::JobState::Queued };
    let run_at = now.plus(wait_after(claimed.attempts, app.random.as_ref()));
    job::Entity::update_many()
        .col_expr(job::Column::State, Expr::value(state))
        .col_expr(job::Column::RunAt, Expr::value(run_at))
        .col_expr(job::Column::LockedUntil, Expr::value(None::<Timestamp>))
        .col_expr(job::Column::LastError, Expr::value(error))
        .filter(job::Column::Id.eq(claimed.id))
        .filter(job::Column::LockedBy.eq(&claimed.worker))
        .exec(app.db.alone())
        .await?;
    Ok(dead)
}

/// Twice as long after each try, and a random part on top, so that what failed together does not return together.
fn wait_after(attempts: i32, random: &dyn Random) -> Duration {
    let doublings = Ord::min(u32::try_from(attempts - 1).unwrap_or_default(), 20);
    let wait = FIRST_WAIT.saturating_mul(1 << doublings).min(LONGEST_WAIT);
    let mut byte = [0];
    random.fill(&mut byte);
    wait + wait.mul_f64(f64::from(byte[0]) / 512.0)
}

/// How many jobs wait, and how many are dead.
pub async fn counts(app: &App) -> Result<(u64, u64)> {
    let of =
        |state: job::JobState| job::Entity::find().filter(job::Column::State.eq(state)).count(app.db.read());
    Ok((of(job::JobState::Queued).await?, of(job::JobState::Dead).await?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::SystemRandomness;

    #[test]
    fn waits_grow_and_end() {
        let random = SystemRandomness::default();
        for attempts in 1..40 {
            let wait = wait_after(attempts, &random);
            assert!(wait >= FIRST_WAIT && wait <= LONGEST_WAIT.mul_f64(1.5), "{attempts}: {wait:?}");
        }
        assert!(wait_after(6, &random) > wait_after(1, &random));
    }
}
