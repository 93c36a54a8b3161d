//! Does the jobs: takes what is due, gives each to the room that knows how, and strikes it off or puts it back.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use sea_orm::Iterable as _;
use tokio::{
    task::{self, JoinSet},
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    context::Ctx,
    domain::{
        credentials,
        events::jobs::{self, Claimed, Job, Lane, Outlook},
        identity,
        limits::Network,
        notifications::{self, channel::Undeliverable},
    },
    error::{Error, Result},
    housekeeping,
};

/// A job that takes longer has failed. Shorter than the claim, so that nobody else has taken it by then.
const TIME_LIMIT: Duration = Duration::from_secs(45);
/// How often to look without being called: for retries, and for what another instance left behind.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Works, and keeps the house, until it is told to stop.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let keeping = housekeeping::run(Arc::clone(&app), stop.clone());
    tokio::join!(work(app, stop), keeping);
}

/// What is under way, and in which lanes there was more to do than there was room for.
#[derive(Default)]
struct Places {
    taken: HashMap<Lane, u64>,
    full: HashSet<Lane>,
}

impl Places {
    fn free(&self) -> Vec<(Lane, u64)> {
        let left =
            |lane: Lane| jobs::places(lane).saturating_sub(self.taken.get(&lane).copied().unwrap_or(0));
        Lane::iter().map(|lane| (lane, left(lane))).filter(|(_, left)| *left > 0).collect()
    }

    fn take(&mut self, free: &[(Lane, u64)], claimed: &[Claimed]) {
        for (lane, left) in free {
            let count = claimed.iter().filter(|job| job.lane == *lane).count() as u64;
            *self.taken.entry(*lane).or_default() += count;
            if count >= *left {
                self.full.insert(*lane);
            } else {
                self.full.remove(lane);
            }
        }
    }

    /// Says whether more of the lane may be waiting.
    fn leave(&mut self, lane: Lane) -> bool {
        if let Some(taken) = self.taken.get_mut(&lane) {
            *taken = taken.saturating_sub(1);
        }
        self.full.contains(&lane)
    }
}

async fn work(app: Arc<App>, stop: CancellationToken) {
    let (mut under_way, mut places) = (JoinSet::new(), Places::default());
    // Which lane each task is of: one that panics says nothing any more.
    let mut lanes: HashMap<task::Id, Lane> = HashMap::new();
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = app.db.enqueued() => {}
            Some(done) = under_way.join_next_with_id() => {
                let id = done.map_or_else(|error| error.id(), |(id, ())| id);
                if !lanes.remove(&id).is_some_and(|lane| places.leave(lane)) {
                    continue;
                }
            }
            _ = looks.tick() => {}
        }
        let free = places.free();
        let taken = timeout(TIME_LIMIT, jobs::claim(&app, &app.instance, &free)).await;
        match taken.unwrap_or_else(|_| Err(Error::internal("the database does not answer"))) {
            Ok(claimed) => {
                places.take(&free, &claimed);
                for job in claimed {
                    let lane = job.lane;
                    let task = under_way.spawn(carry_out(Arc::clone(&app), job));
                    lanes.insert(task.id(), lane);
                }
            }
            Err(error) => tracing::warn!(%error, "the jobs cannot be looked at"),
        }
    }
    // What is under way may finish; what does not comes back when its claim runs out.
    while under_way.join_next().await.is_some() {}
}

/// Does everything that is due now, and what it gives rise to. Says how many jobs that were.
pub async fn drain(app: &Arc<App>) -> Result<usize> {
    let mut done = 0;
    loop {
        let claimed = jobs::claim(app, &app.instance, &Places::default().free()).await?;
        if claimed.is_empty() {
            return Ok(done);
        }
        for job in claimed {
            carry_out(Arc::clone(app), job).await;
            done += 1;
        }
    }
}

async fn carry_out(app: Arc<App>, claimed: Claimed) {
    let ctx = Ctx::system(&app);
    let outcome = match &claimed.job {
        _ if claimed.is_spent() => Err(Error::internal("it was begun too often and never ended")),
        Some(job) => timeout(TIME_LIMIT, perform(&ctx, job))
            .await
            .unwrap_or_else(|_| Err(Error::internal("it took too long"))),
        None => Err(Error::internal("this version does not know the job")),
    };
    let settled = match outcome {
        Ok(()) => jobs::complete(&app, &claimed).await,
        Err(error) => put_back(&ctx, &claimed, &error).await,
    };
    if let Err(error) = settled {
        // The claim runs out, and the job is done again: at least once, not at most once.
        tracing::warn!(%error, "a job cannot be settled");
    }
}

async fn perform(ctx: &Ctx, job: &Job) -> Result<()> {
    match job {
        Job::DeliverNotification { notification_id, .. } => {
            notifications::service::deliver(ctx, *notification_id).await
        }
        Job::ResendVerification { user_id: Some(user_id), asker } => {
            let asker = asker.clone().unwrap_or_else(|| Network::of(ctx));
            identity::account::service::send_verification_again(ctx, *user_id, asker).await
        }
        Job::SendCode { user_id: Some(user_id), asked, way, asker } => {
            let asker = asker.clone().unwrap_or_else(|| Network::of(ctx));
            credentials::otp::send(ctx, *user_id, *asked, *way, asker).await
        }
        Job::ResendVerification { user_id: None, .. } | Job::SendCode { user_id: None, .. } => Ok(()),
        Job::ForgetUser { user_id } => identity::account::service::forget_again(ctx, *user_id).await,
    }
}

async fn put_back(ctx: &Ctx, claimed: &Claimed, error: &Error) -> Result<()> {
    let outlook = match error {
        Error::Internal(source) if source.is::<Undeliverable>() => Outlook::Final,
        _ => Outlook::Open,
    };
    let dead = jobs::fail(&ctx.app, claimed, &error.to_string(), outlook).await?;
    if !dead {
        tracing::warn!(%error, job = ?claimed.job, "a job failed and will be tried again");
        return Ok(());
    }
    tracing::error!(%error, job = ?claimed.job, "a job failed for the last time");
    match &claimed.job {
        Some(Job::DeliverNotification { notification_id, .. }) => {
            notifications::service::give_up(ctx, *notification_id).await
        }
        // The person asks again.
        Some(Job::ResendVerification { .. } | Job::SendCode { .. } | Job::ForgetUser { .. }) | None => Ok(()),
    }
}
