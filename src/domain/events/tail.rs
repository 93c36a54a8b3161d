//! The tail of the log: every event shortly after its commit, whichever instance committed it, for all who follow.
//!
//! One reader for the whole process, and only while somebody follows. It asks the table, which is the one place that all
//! instances share; a commit of this process wakes it, for the others' it looks twice a second. Owns no rule: who may
//! see an event, the room `audit` says.
//!
//! The order of the log is not the order of its commits: a transaction that began earlier may end later, and other
//! machines' clocks are a little off. So each look begins a while before the newest event, and what was read already
//! is known by its id. ADR 0014.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use entity::{Timestamp, event, event_target};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tokio::{
    sync::{Mutex, broadcast},
    task::JoinHandle,
    time::{MissedTickBehavior, interval, sleep},
};
use uuid::Uuid;

use crate::{app::App, error::Result};

/// How many events wait for the slowest follower. Whoever falls further behind is let go.
const CAPACITY: usize = 1024;
/// How often to look without being woken: for what other instances commit.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Commits that follow each other closely are read together; and what they changed for the followers themselves (a grant,
/// a session) is known by then.
const PAUSE: Duration = Duration::from_millis(20);
/// How far back each look goes.
const NEAR: Duration = Duration::from_secs(2);
/// How far back a look goes now and then: longer than the server lets a statement run.
const FAR: Duration = Duration::from_secs(20);
const FAR_EVERY: Duration = Duration::from_secs(2);
/// A statement holds only so many values.
const AT_ONCE: usize = 256;

/// An event with what it was about.
pub struct Recorded {
    pub event: Arc<event::Model>,
    pub targets: Arc<[String]>,
}

/// What a process has of it: the followers, and their one reader.
pub struct Tail {
    followers: broadcast::Sender<Arc<Recorded>>,
    reader: Mutex<Option<JoinHandle<()>>>,
}

impl Default for Tail {
    fn default() -> Self {
        Self { followers: broadcast::Sender::new(CAPACITY), reader: Mutex::default() }
    }
}

/// What comes to one follower.
pub struct Follower(broadcast::Receiver<Arc<Recorded>>);

/// The follower took too long, and events were dropped.
#[derive(Debug)]
pub struct TooSlow;

impl Follower {
    /// The next event, or `None` when there will be no more.
    pub async fn next(&mut self) -> Option<Result<Arc<Recorded>, TooSlow>> {
        match self.0.recv().await {
            Ok(recorded) => Some(Ok(recorded)),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(Err(TooSlow)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

/// Follows the log from now on: nothing that is committed after this returns is missed.
pub async fn follow(app: &Arc<App>) -> Result<Follower> {
    let mut reader = app.tail.reader.lock().await;
    let follower = Follower(app.tail.followers.subscribe());
    if reader.as_ref().is_none_or(JoinHandle::is_finished) {
        let begun = Reader::at_the_end(app).await?;
        *reader = Some(tokio::spawn(read_on(Arc::clone(app), begun)));
    }
    app.metrics.followed();
    Ok(follower)
}

async fn read_on(app: Arc<App>, mut reader: Reader) {
    let followers = &app.tail.followers;
    let mut far_looks = interval(FAR_EVERY);
    far_looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let back = tokio::select! {
            _ = far_looks.tick() => FAR,
            () = app.db.recorded() => NEAR,
            () = sleep(LOOK_EVERY) => NEAR,
        };
        {
            let mut task = app.tail.reader.lock().await;
            if followers.receiver_count() == 0 {
                *task = None;
                return;
            }
        }
        sleep(PAUSE).await;
        if let Err(error) = reader.look(&app, back).await {
            // Nothing is lost: the next look begins where the last good one ended.
            tracing::warn!(%error, "the tail of the log cannot be read");
        }
    }
}

struct Reader {
    /// When the newest event happened, by a clock that is not ahead of ours.
    newest: Timestamp,
    /// What was read, as far back as a look goes.
    seen: HashMap<Uuid, Timestamp>,
}

impl Reader {
    /// Takes everything that is there for read.
    async fn at_the_end(app: &App) -> Result<Self> {
        let newest = event::Entity::find()
            .select_only()
            .column(event::Column::OccurredAt)
            .order_by_desc(event::Column::OccurredAt)
            .limit(1)
            .into_tuple::<Timestamp>()
            .one(app.db.read())
            .await?;
        let now = app.clock.now();
        let newest = newest.unwrap_or(now).min(now);
        let seen = ids_since(app, newest.minus(FAR)).await?.into_iter().collect();
        Ok(Self { newest, seen })
    }

    /// Hands on what is new, or so far back and was not there before.
    async fn look(&mut self, app: &App, back: Duration) -> Result<()> {
        let found = ids_since(app, self.newest.minus(back)).await?;
        let new: Vec<_> = found.into_iter().filter(|(id, _)| !self.seen.contains_key(id)).collect();
        for part in new.chunks(AT_ONCE) {
            let ids: Vec<_> = part.iter().map(|(id, _)| *id).collect();
            for recorded in read(app, &ids).await? {
                // Who has just left is no failure.
                let _ = app.tail.followers.send(Arc::new(recorded));
            }
            let now = app.clock.now();
            for (id, at) in part {
                self.seen.insert(*id, *at);
                self.newest = self.newest.max((*at).min(now));
            }
            let_them_catch_up(&app.tail.followers).await;
        }
        let oldest = self.newest.minus(FAR);
        self.seen.retain(|_, at| *at >= oldest);
        Ok(())
    }
}

/// A transaction of thousands of events must not end every follower at once: they get a moment, but no more.
async fn let_them_catch_up(followers: &broadcast::Sender<Arc<Recorded>>) {
    for _ in 0..20 {
        if followers.len() < CAPACITY / 2 {
            return;
        }
        sleep(Duration::from_millis(5)).await;
    }
}

/// In their order.
async fn ids_since(app: &App, since: Timestamp) -> Result<Vec<(Uuid, Timestamp)>> {
    Ok(event::Entity::find()
        .select_only()
        .column(event::Column::Id)
        .column(event::Column::OccurredAt)
        .filter(event::Column::OccurredAt.gte(since))
        .order_by_asc(event::Column::OccurredAt)
        .order_by_asc(event::Column::Id)
        .into_tuple()
        .all(app.db.read())
        .await?)
}

async fn read(app: &App, ids: &[Uuid]) -> Result<Vec<Recorded>> {
    let events = event::Entity::find()
        .filter(event::Column::Id.is_in(ids.iter().copied()))
        .order_by_asc(event::Column::OccurredAt)
        .order_by_asc(event::Column::Id)
        .all(app.db.read())
        .await?;
    let known: HashSet<_> = events.iter().map(|event| event.id).collect();
    let rows = event_target::Entity::find()
        .filter(event_target::Column::EventId.is_in(known))
        .order_by_asc(event_target::Column::Position)
        .all(app.db.read())
        .await?;
    let mut targets: HashMap<Uuid, Vec<String>> = HashMap::new();
    for row in rows {
        targets.entry(row.event_id).or_default().push(row.target_id);
    }
    let with_targets = |event: event::Model| Recorded {
        targets: targets.remove(&event.id).unwrap_or_default().into(),
        event: Arc::new(event),
    };
    Ok(events.into_iter().map(with_targets).collect())
}
