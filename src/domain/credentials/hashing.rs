//! Password hashing in a bounded pool.
//!
//! A hash burns a core for a quarter of a second, by design. Without a bound, a storm of logins would take every core and
//! every read would wait. So no more hashes are computed at once than there are cores (and one again whose thread got no
//! turn), on threads that step back for all others; a few requests wait, and the rest is told to come back.

use std::{sync::Arc, thread, time::Duration};

use entity::Secret;
use tokio::{
    sync::{AcquireError, Semaphore, TryAcquireError, oneshot},
    time::timeout,
};

use super::{imported, policy};
use crate::{
    crypto::Random,
    error::{Error, Result},
};

pub struct Hasher {
    cost: u32,
    /// How many characters a new password needs.
    shortest: usize,
    /// The one permit for the thread that gets a turn whatever else runs.
    steady: Arc<Semaphore>,
    /// One permit for each of the others: with that one, they are as many as cores.
    aside: Arc<Semaphore>,
    /// One permit per request that may be in here, waiting ones included.
    room: Arc<Semaphore>,
    /// Of no password: verified in place of a hash that does not exist, so that both take the same time.
    nobody: String,
    patience: Duration,
}

/// After so long, a hash is taken for one whose thread gets no turn: it takes a quarter of it.
const PATIENCE: Duration = Duration::from_secs(1);
/// How many may wait for a core, for each that computes.
const WAITING_PER_CORE: usize = 8;
/// Who would wait longer for a core comes back instead.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
const RETRY_AFTER: Duration = Duration::from_secs(2);

impl Hasher {
    pub fn new(cost: u32, shortest: u8) -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self {
            cost,
            shortest: usize::from(shortest),
            steady: Arc::new(Semaphore::new(1)),
            aside: Arc::new(Semaphore::new(cores - 1)),
            room: Arc::new(Semaphore::new(cores * (1 + WAITING_PER_CORE))),
            nobody: format!("$2b${cost:02}$......................{}", ".".repeat(31)),
            patience: PATIENCE,
        }
    }

    pub async fn hash(&self, password: &str, random: &dyn Random) -> Result<Secret> {
        let mut salt = [0; 16];
        random.fill(&mut salt);
        let (cost, password) = (self.cost, password.to_owned());
        // The policy has refused what bcrypt would cut (over 72 bytes) or stop at (a NUL).
        let hash = self.compute(move || bcrypt::hash_with_salt(password.as_str(), cost, salt)).await?;
        Ok(Secret::from(hash.map_err(Error::internal)?.to_string().into_bytes()))
    }

    /// Whether this is the password. Without a hash it never is, but that takes as long to find out.
    pub async fn verify(&self, password: &str, hash: Option<&Secret>) -> Result<bool> {
        let known = hash.is_some();
        let hash = hash
            .and_then(|hash| String::from_utf8(hash.0.clone()).ok())
            .unwrap_or_else(|| self.nobody.clone());
        // bcrypt reads 72 bytes and stops at a NUL: what it would cut is no password here.
        let whole = !imported::is_bcrypt(&hash) || (password.len() <= 72 && !password.contains('\0'));
        let (password, nobody) = (password.to_owned(), self.nobody.clone());
        let same = self.compute(move || {
            let same = imported::verify(&password, &hash);
            // A right password is hashed anew; a wrong one takes as long, and no less than it takes for nobody.
            if !same && !imported::is_bcrypt(&hash) {
                imported::verify(&password, &nobody);
            }
            same
        });
        let same = same.await?;
        Ok(known && whole && same)
    }

    /// Whether the hash is not one as we make them now: of another system, or cheaper to compute.
    pub fn is_outdated(&self, hash: &Secret) -> bool {
        let cost = std::str::from_utf8(&hash.0).ok().and_then(imported::own_cost);
        cost.is_none_or(|cost| cost < self.cost)
    }

    /// Judges a password in the pool, too: it costs as much as a hash at a lower setting.
    pub async fn judge(&self, field: &'static str, password: &str, own: Vec<String>) -> Result<()> {
        policy::check_length(field, password, self.shortest)?;
        let password = password.to_owned();
        self.compute(move || policy::judge(field, &password, &own)).await?.map_err(Error::from)
    }

    /// Whether there is room for one more, before anything is done for a request that would be turned away.
    pub fn has_room(&self) -> Result<()> {
        if self.room.available_permits() > 0 { Ok(()) } else { Err(Error::overloaded(RETRY_AFTER)) }
    }

    async fn compute<T: Send + 'static>(&self, work: impl Fn() -> T + Send + Sync + 'static) -> Result<T> {
        let place = Arc::clone(&self.room).try_acquire_owned().map_err(|full| match full {
            TryAcquireError::NoPermits => Error::overloaded(RETRY_AFTER),
            TryAcquireError::Closed => Error::internal("the hashing pool is closed"),
        })?;
        let work = Arc::new(work);
        let core = async {
            tokio::select! {
                biased;
                steady = Arc::clone(&self.steady).acquire_owned() => steady.map(|core| (core, Step::Back)),
                aside = Arc::clone(&self.aside).acquire_owned() => aside.map(|core| (core, Step::Aside)),
            }
        };
        let (core, step) = in_time(core).await?;
        // The permits go with the work: whoever hangs up in the middle does not make room for another.
        let mut told = begin(step, &work, (core, place))?;
        if matches!(step, Step::Aside) {
            if let Ok(done) = timeout(self.patience, &mut told).await {
                return done.map_err(Error::internal);
            }
            // It may be that its thread never gets a turn. The other one does.
            return tokio::select! {
                done = &mut told => done.map_err(Error::internal),
                done = self.again(&work) => done,
            };
        }
        told.await.map_err(Error::internal)
    }

    /// Does the work once more, on the thread that always gets a turn.
    async fn again<T: Send + 'static>(
        &self,
        work: &Arc<impl Fn() -> T + Send + Sync + 'static>,
    ) -> Result<T> {
        let steady = in_time(Arc::clone(&self.steady).acquire_owned()).await?;
        begin(Step::Back, work, steady)?.await.map_err(Error::internal)
    }
}

async fn in_time<T>(turn: impl Future<Output = std::result::Result<T, AcquireError>>) -> Result<T> {
    let turn = timeout(LONGEST_WAIT, turn).await.map_err(|_| Error::overloaded(RETRY_AFTER))?;
    turn.map_err(Error::internal)
}

/// Begins the work on a thread that is made for it, and keeps what is held until it is done.
fn begin<T: Send + 'static>(
    step: Step,
    work: &Arc<impl Fn() -> T + Send + Sync + 'static>,
    held: impl Send + 'static,
) -> Result<oneshot::Receiver<T>> {
    let (tell, told) = oneshot::channel();
    let work = Arc::clone(work);
    let thread = move || {
        step.make();
        let done = work();
        drop(held);
        // Whoever hung up is not told.
        let _ = tell.send(done);
    };
    thread::Builder::new().name("hashing".to_owned()).spawn(thread).map_err(Error::internal)?;
    Ok(told)
}

/// How far a thread that hashes steps back for whatever else wants to run: where reads keep every core busy, logins take
/// their time.
#[derive(Clone, Copy)]
enum Step {
    /// It gets a small share of a core, whatever else runs.
    Back,
    /// It gives way at once, and gets what nobody else wants: with a neighbour that never rests, that is nothing.
    Aside,
}

impl Step {
    /// Elsewhere than on Linux it would be the whole process.
    #[cfg(not(target_os = "linux"))]
    fn make(self) {}

    #[cfg(target_os = "linux")]
    fn make(self) {
        use thread_priority::{
            NormalThreadSchedulePolicy::{Idle, Other},
            ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy, thread_native_id,
        };
        // Of a scale that ends at 99; it is what elsewhere is called nice 10, a tenth of what others get.
        const A_TENTH: u8 = 22;
        let (policy, priority) = match self {
            Self::Back => (Other, ThreadPriority::Crossplatform(A_TENTH.try_into().unwrap_or_default())),
            Self::Aside => (Idle, ThreadPriority::Min),
        };
        let policy = ThreadSchedulePolicy::Normal(policy);
        if let Err(error) = set_thread_priority_and_policy(thread_native_id(), priority, policy) {
            tracing::debug!(?error, "hashing does not step back");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::SystemRandomness;
    use std::sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    };

    #[tokio::test]
    async fn only_the_whole_password_verifies() {
        let hasher = Hasher::new(4, 8);
        let longest = "ü".repeat(36);
        let hash = hasher.hash(&longest, &SystemRandomness::default()).await.unwrap();
        assert!(hasher.verify(&longest, Some(&hash)).await.unwrap());
        assert!(!hasher.verify(&format!("{longest}x"), Some(&hash)).await.unwrap(), "byte 73 counts");
        let hash = hasher.hash("before", &SystemRandomness::default()).await.unwrap();
        assert!(!hasher.verify("before\0after", Some(&hash)).await.unwrap(), "a NUL ends nothing");
        assert!(!hasher.verify("before", None).await.unwrap(), "nobody has no password");
    }

    #[tokio::test]
    async fn a_storm_is_shed_with_a_time_to_come_back() {
        let hasher = Hasher::new(8, 8);
        let random = SystemRandomness::default();
        let storm = (0..200).map(|_| hasher.hash("password", &random));
        let answers = futures_util::future::join_all(storm).await;
        let shed = answers
            .iter()
            .filter(|answer| matches!(answer, Err(Error::Refused { retry_after: Some(_), .. })));
        assert!(shed.count() > 0);
        assert!(answers.iter().any(Result::is_ok));
    }

    #[tokio::test]
    async fn whoever_hangs_up_makes_no_room_for_another() {
        let hasher = Hasher::new(10, 8);
        let random = SystemRandomness::default();
        let mut hashing = Box::pin(hasher.hash("password", &random));
        assert!(futures_util::poll!(hashing.as_mut()).is_pending());
        drop(hashing);
        assert_eq!(hasher.steady.available_permits(), 0, "the hash goes on, and its core is taken");
    }

    #[tokio::test]
    async fn what_gets_no_turn_is_done_by_the_thread_that_always_gets_one() {
        let aside = Arc::new(Semaphore::new(1));
        let hasher = Hasher { patience: Duration::ZERO, aside, ..Hasher::new(4, 8) };
        let taken = Arc::clone(&hasher.steady).try_acquire_owned().unwrap();
        let (say, heard) = mpsc::channel();
        let (go_on, wait) = mpsc::channel::<()>();
        let (say, wait, calls) = (Mutex::new(say), Mutex::new(wait), AtomicUsize::new(0));
        let mut work = Box::pin(hasher.compute(move || {
            let call = calls.fetch_add(1, Ordering::Relaxed);
            if call == 0 {
                say.lock().unwrap().send(()).unwrap();
                let _ = wait.lock().unwrap().recv();
            }
            call
        }));
        assert!(futures_util::poll!(work.as_mut()).is_pending());
        heard.recv().unwrap();
        drop(taken);
        assert_eq!(work.await.unwrap(), 1, "the first call is stuck still");
        drop(go_on);
    }

    #[test]
    fn the_hash_of_nobody_is_one_that_bcrypt_reads() {
        let hasher = Hasher::new(4, 8);
        assert_eq!(bcrypt::verify("anything", &hasher.nobody).ok(), Some(false));
    }
}
