//! How far a thread that hashes steps back, and for whom.
//!
//! A thread of the class "idle" gives way at once, and gets nothing where a neighbour never rests. So threads count as idle
//! only while the requests of this very process want the cores; beside neighbours they are merely of a lower priority.

use std::{
    fs,
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// Half of what a neighbour gets: a third of a core that is shared with one.
    Low,
    /// A tenth of what others get.
    VeryLow,
    /// What nobody else wants.
    Idle,
}

impl Priority {
    /// Gives this priority to the thread that calls. Elsewhere than on Linux it would be given to the whole process.
    #[cfg(not(target_os = "linux"))]
    pub fn apply(self) {}

    #[cfg(target_os = "linux")]
    pub fn apply(self) {
        use thread_priority::{
            NormalThreadSchedulePolicy::{Idle, Other},
            ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy, thread_native_id,
        };
        // Of a scale that ends at 99; elsewhere they are called nice 3 and nice 10.
        const NICE_3: u8 = 40;
        const NICE_10: u8 = 22;
        let nice = |priority: u8| ThreadPriority::Crossplatform(priority.try_into().unwrap_or_default());
        let (policy, priority) = match self {
            Self::Low => (Other, nice(NICE_3)),
            Self::VeryLow => (Other, nice(NICE_10)),
            Self::Idle => (Idle, ThreadPriority::Min),
        };
        let policy = ThreadSchedulePolicy::Normal(policy);
        if let Err(error) = set_thread_priority_and_policy(thread_native_id(), priority, policy) {
            tracing::debug!(?error, "a hashing thread keeps its priority");
        }
    }
}

/// How much of the processors the rest of this process takes: all of its threads but those that hash.
pub struct Pressure(Mutex<Sample>);

struct Sample {
    at: Instant,
    taken: Duration,
    /// Of all cores, since the sample before.
    share: f64,
}

/// A sample is good for so long.
const SAMPLED_EVERY: Duration = Duration::from_millis(100);
/// Logins alone take a tenth beside their hashes, reads that want every core more than a third. What others take does not count:
/// beside neighbours that leave little to this process, nothing is gained by stepping further back.
const HIGH: f64 = 0.25;

/// The machine's own time: how long a hash takes, no test chooses.
#[expect(
    clippy::disallowed_methods,
    reason = "it measures how long something takes, and tells no time of day"
)]
pub fn now() -> Instant {
    Instant::now()
}

impl Default for Pressure {
    fn default() -> Self {
        Self(Mutex::new(Sample { at: now(), taken: taken(), share: 0.0 }))
    }
}

impl Pressure {
    pub fn is_high(&self) -> bool {
        let mut sample = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = sample.at.elapsed();
        if elapsed >= SAMPLED_EVERY {
            let taken = taken();
            let since = taken.saturating_sub(sample.taken).as_secs_f64();
            let cores = thread::available_parallelism().map_or(1, usize::from);
            let whole = elapsed.saturating_mul(u32::try_from(cores).unwrap_or(u32::MAX)).as_secs_f64();
            *sample = Sample { at: now(), taken, share: since / whole };
        }
        sample.share > HIGH
    }
}

/// The processor time of all threads but those that hash. Elsewhere than on Linux no thread steps back, so nobody asks.
fn taken() -> Duration {
    let Ok(threads) = fs::read_dir("/proc/self/task") else {
        return Duration::ZERO;
    };
    // A thread that ends at this moment is none.
    let stats = threads.flatten().filter_map(|thread| fs::read_to_string(thread.path().join("stat")).ok());
    let ticks: u64 = stats.filter_map(|stat| ticks(&stat)).sum();
    Duration::from_millis(ticks.saturating_mul(10))
}

/// Hundredths of a second, of a line such as `17 (name) S 1 …`: those in user and in system mode are the twelfth and the
/// thirteenth field after the name.
fn ticks(stat: &str) -> Option<u64> {
    let (name, fields) = stat.rsplit_once(") ")?;
    if name.ends_with("(hashing") {
        return None;
    }
    let mut fields = fields.split(' ').skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(user + system)
}

#[cfg(test)]
impl Pressure {
    /// High, and not looked at again.
    pub fn that_stays() -> Self {
        let never = now() + Duration::from_hours(1);
        Self(Mutex::new(Sample { at: never, taken: Duration::ZERO, share: 1.0 }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &str = "S 1 17 17 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 9 0 4242 1 2 3";

    #[test]
    fn what_hashes_is_not_counted_and_all_else_is() {
        assert_eq!(ticks(&format!("17 (tokio-rt-worker) {FIELDS}")), Some(300));
        assert_eq!(ticks(&format!("17 (a) b (c) {FIELDS}")), Some(300));
        assert_eq!(ticks(&format!("17 (hashing) {FIELDS}")), None);
        assert_eq!(ticks("nonsense"), None);
    }

    #[test]
    fn a_process_that_waits_has_no_pressure() {
        let pressure = Pressure::default();
        assert!(!pressure.is_high(), "nothing is known yet");
        assert!(Pressure::that_stays().is_high());
    }
}
