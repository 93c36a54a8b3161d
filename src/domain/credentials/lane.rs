//! A lane: a pool with its queue, and the threads on which its work is done.
//!
//! While requests of this process want the cores, one thread always gets a small share, and the others get what is left.
//! Where a neighbour never rests, that is nothing: what has waited for a while on one of them is done again on the first.

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use tokio::{
    sync::{AcquireError, OwnedSemaphorePermit, Semaphore, oneshot},
    time::timeout,
};

use super::{
    pool::{Load, Permit, Pool, Size},
    priority::{Pressure, Priority},
};
use crate::{
    context::Source,
    error::{Error, Result},
};

/// Who would wait longer comes back instead.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
pub const RETRY_AFTER: Duration = Duration::from_secs(2);
/// After so long, work is taken for some whose thread gets no turn: it takes a quarter of it.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often to look whether requests still want the cores.
const LOOK_EVERY: Duration = Duration::from_millis(200);

pub struct Lane {
    pool: Pool,
    pressure: Arc<Pressure>,
    /// The one permit for the thread that gets a share whatever else this process does.
    steady: Arc<Semaphore>,
    /// One permit for each thread that counts as idle: with that one, they are as many as the lane has.
    aside: Arc<Semaphore>,
    patience: Duration,
}

/// A thread's priority, with the permit for it.
type Seat = (Priority, Option<OwnedSemaphorePermit>);
/// What is held until the work is done, by whichever thread is done first.
type Held = Arc<Mutex<Option<Permit>>>;

impl Lane {
    pub fn new(threads: usize, places: usize, memory_kib: u32, pressure: &Arc<Pressure>) -> Self {
        Self {
            pool: Pool::new(&Size { threads, places, memory_kib, longest_wait: LONGEST_WAIT }),
            pressure: Arc::clone(pressure),
            steady: Arc::new(Semaphore::new(1)),
            aside: Arc::new(Semaphore::new(threads.saturating_sub(1))),
            patience: PATIENCE,
        }
    }

    /// Whether a request of this source would be let in now.
    pub fn has_room(&self, source: Source) -> Result<()> {
        if self.pool.has_room(source) { Ok(()) } else { Err(full()) }
    }

    /// Does the work when it is this source's turn. Whoever hangs up in the middle makes no room for another: the work goes
    /// on, and holds what it holds.
    pub async fn compute<T: Send + 'static>(
        self: &Arc<Self>,
        source: Source,
        load: Load,
        work: impl Fn() -> T + Send + Sync + 'static,
    ) -> Result<T> {
        let permit = self.pool.enter(source, load).await.map_err(|_| full())?;
        let lane = Arc::clone(self);
        tokio::spawn(async move { lane.carry_out(load, permit, work).await })
            .await
            .map_err(Error::internal)?
    }

    async fn carry_out<T: Send + 'static>(
        &self,
        load: Load,
        permit: Permit,
        work: impl Fn() -> T + Send + Sync + 'static,
    ) -> Result<T> {
        let work = Arc::new(work);
        // What fills memory is never done twice at once, so it sits where it gets a share.
        let aside = if load.memory_kib == 0 { Some(&self.aside) } else { None };
        let (priority, seat) = timeout(LONGEST_WAIT, self.seat(aside)).await.map_err(|_| full())??;
        let held = Arc::new(Mutex::new(Some(permit)));
        let mut done = begin((priority, seat), &work, &held)?;
        if priority != Priority::Idle {
            return done.await.map_err(Error::internal);
        }
        if let Ok(done) = timeout(self.patience, &mut done).await {
            return done.map_err(Error::internal);
        }
        tokio::select! {
            done = &mut done => done.map_err(Error::internal),
            done = self.again(&work, &held) => done,
        }
    }

    /// Does the work once more, on a thread that gets a share.
    async fn again<T: Send + 'static>(
        &self,
        work: &Arc<impl Fn() -> T + Send + Sync + 'static>,
        held: &Held,
    ) -> Result<T> {
        let seat = timeout(LONGEST_WAIT, self.seat(None)).await.map_err(|_| full())??;
        begin(seat, work, held)?.await.map_err(Error::internal)
    }

    /// A low priority, while no request wants the cores. Else one of those that step further back, as soon as it is free.
    async fn seat(&self, aside: Option<&Arc<Semaphore>>) -> Result<Seat> {
        while self.pressure.is_high() {
            let turn = async {
                tokio::select! {
                    biased;
                    steady = Arc::clone(&self.steady).acquire_owned() => seat(Priority::VeryLow, steady),
                    aside = acquire(aside) => seat(Priority::Idle, aside),
                }
            };
            if let Ok(seat) = timeout(LOOK_EVERY, turn).await {
                return seat;
            }
        }
        Ok((Priority::Low, None))
    }
}

async fn acquire(aside: Option<&Arc<Semaphore>>) -> std::result::Result<OwnedSemaphorePermit, AcquireError> {
    match aside {
        Some(aside) => Arc::clone(aside).acquire_owned().await,
        None => std::future::pending().await,
    }
}

fn seat(priority: Priority, permit: std::result::Result<OwnedSemaphorePermit, AcquireError>) -> Result<Seat> {
    Ok((priority, Some(permit.map_err(Error::internal)?)))
}

fn full() -> Error {
    Error::overloaded(RETRY_AFTER)
}

/// Begins the work on a thread that is made for it: one whose priority was lowered cannot raise it again.
fn begin<T: Send + 'static>(
    (priority, seat): Seat,
    work: &Arc<impl Fn() -> T + Send + Sync + 'static>,
    held: &Held,
) -> Result<oneshot::Receiver<T>> {
    let (tell, told) = oneshot::channel();
    let (work, held) = (Arc::clone(work), Arc::clone(held));
    let thread = move || {
        priority.apply();
        let done = work();
        drop(seat);
        held.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Whoever hung up is not told.
        let _ = tell.send(done);
    };
    thread::Builder::new().name("hashing".to_owned()).spawn(thread).map_err(Error::internal)?;
    Ok(told)
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    };

    use super::*;

    const HERE: Source = Source::Inside;

    fn lane(threads: usize, pressure: Pressure) -> Arc<Lane> {
        Arc::new(Lane::new(threads, 0, 0, &Arc::new(pressure)))
    }

    #[tokio::test]
    async fn whoever_hangs_up_makes_no_room_for_another() {
        let lane = lane(1, Pressure::default());
        let (go_on, wait) = mpsc::channel::<()>();
        let wait = Mutex::new(wait);
        let mut hashing =
            Box::pin(lane.compute(HERE, Load::default(), move || wait.lock().unwrap().recv().is_ok()));
        assert!(futures_util::poll!(hashing.as_mut()).is_pending());
        drop(hashing);
        assert!(lane.has_room(HERE).is_err(), "the work goes on, and its thread is taken");
        go_on.send(()).unwrap();
        while lane.has_room(HERE).is_err() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn what_gets_no_turn_is_done_by_the_thread_that_always_gets_one() {
        let lane = Lane { patience: Duration::ZERO, ..Lane::new(2, 0, 0, &Arc::new(Pressure::that_stays())) };
        let taken = Arc::clone(&lane.steady).try_acquire_owned().unwrap();
        let (say, heard) = mpsc::channel();
        let (go_on, wait) = mpsc::channel::<()>();
        let (say, wait, calls) = (Mutex::new(say), Mutex::new(wait), AtomicUsize::new(0));
        let lane = Arc::new(lane);
        let mut work = Box::pin(lane.compute(HERE, Load::default(), move || {
            let call = calls.fetch_add(1, Ordering::Relaxed);
            if call == 0 {
                say.lock().unwrap().send(()).unwrap();
                let _ = wait.lock().unwrap().recv();
            }
            call
        }));
        assert!(futures_util::poll!(work.as_mut()).is_pending());
        while heard.try_recv().is_err() {
            tokio::task::yield_now().await;
        }
        drop(taken);
        assert_eq!(work.await.unwrap(), 1, "the first call is stuck still");
        let further = lane.compute(HERE, Load::default(), || ());
        assert!(further.await.is_ok(), "and keeps nobody from working");
        drop(go_on);
    }

    #[tokio::test]
    async fn what_fills_memory_is_never_begun_twice() {
        let lane =
            Lane { patience: Duration::ZERO, ..Lane::new(2, 0, 64, &Arc::new(Pressure::that_stays())) };
        let taken = Arc::clone(&lane.steady).try_acquire_owned().unwrap();
        let lane = Arc::new(lane);
        let load = Load { memory_kib: 64, ..Load::default() };
        let calls = Arc::new(AtomicUsize::new(0));
        let counting = Arc::clone(&calls);
        let mut work = Box::pin(lane.compute(HERE, load, move || counting.fetch_add(1, Ordering::Relaxed)));
        for _ in 0..100 {
            assert!(futures_util::poll!(work.as_mut()).is_pending());
            tokio::task::yield_now().await;
        }
        assert_eq!(calls.load(Ordering::Relaxed), 0, "it waits for the thread that gets a share");
        drop(taken);
        assert_eq!(work.await.unwrap(), 0);
    }
}
