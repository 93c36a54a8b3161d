//! How far a thread that hashes steps back, and for whom.
//!
//! A thread of the class "idle" gives way at once, and gets nothing where a neighbour never rests. So threads count as idle
//! only while the requests of this very process want the cores; beside neighbours they are merely of a lower priority.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::runtime::Handle;

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

/// How busy the rest of this process keeps the cores: what its requests run on are the threads of the runtime.
pub struct Pressure(Mutex<Sample>);

struct Sample {
    at: Instant,
    busy: Duration,
    /// Of all threads of the runtime, since the sample before.
    share: f64,
}

/// A sample is good for so long.
const SAMPLED_EVERY: Duration = Duration::from_millis(100);
/// Logins alone keep the threads busy for a tenth of the time, reads that want every core for more than half of it.
const HIGH: f64 = 0.25;

impl Default for Pressure {
    fn default() -> Self {
        Self(Mutex::new(Sample { at: Instant::now(), busy: Duration::ZERO, share: 0.0 }))
    }
}

impl Pressure {
    pub fn is_high(&self) -> bool {
        let Ok(runtime) = Handle::try_current() else {
            return false;
        };
        let mut sample = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = sample.at.elapsed();
        if elapsed >= SAMPLED_EVERY {
            let metrics = runtime.metrics();
            let threads = metrics.num_workers();
            let busy: Duration = (0..threads).map(|thread| metrics.worker_total_busy_duration(thread)).sum();
            let since = busy.saturating_sub(sample.busy).as_secs_f64();
            let whole = elapsed.saturating_mul(u32::try_from(threads).unwrap_or(u32::MAX)).as_secs_f64();
            *sample = Sample { at: Instant::now(), busy, share: since / whole };
        }
        sample.share > HIGH
    }
}

#[cfg(test)]
impl Pressure {
    /// High, and not looked at again.
    pub fn that_stays() -> Self {
        let never = Instant::now() + Duration::from_hours(1);
        Self(Mutex::new(Sample { at: never, busy: Duration::ZERO, share: 1.0 }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tasks that leave the threads of the runtime no time, for so long.
    async fn keep_busy(time: Duration) {
        let begun = Instant::now();
        while begun.elapsed() < time {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn requests_that_want_the_cores_are_noticed_and_forgotten() {
        let pressure = Pressure::default();
        assert!(!pressure.is_high(), "nothing is known yet");
        tokio::spawn(keep_busy(SAMPLED_EVERY * 2)).await.unwrap();
        assert!(pressure.is_high());
        tokio::time::sleep(SAMPLED_EVERY * 20).await;
        assert!(!pressure.is_high());
    }

    #[test]
    fn without_a_runtime_there_are_no_requests() {
        assert!(!Pressure::default().is_high());
    }
}
