//! After how long a wrong password is answered: as late for every account, whatever its hash costs.
//!
//! Work is counted in rounds of bcrypt, of which a hash at cost 12 takes 2¹². What costs less than our own hashes is made up
//! for by work; what costs more cannot be, so as long as there are such hashes, every wrong password is answered as late as
//! the dearest of them.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::context::{Block, Source};

pub struct Level {
    /// What a hash of our own takes, in rounds.
    own: u64,
    /// How many dear hashes one block has computed at once.
    at_once: u32,
    /// What the dearest known hash takes, in rounds.
    dearest: AtomicU64,
    /// How long a round took lately, in seconds.
    round: Mutex<Option<f64>>,
    /// When the next of a block would begin, if all that it asks about had the dearest hash.
    next: Mutex<HashMap<Block, Instant>>,
}

/// No answer is held back for longer.
const LONGEST: Duration = Duration::from_secs(5);
/// Times differ a little: a dear hash is to be done before its answer is due.
const MARGIN: f64 = 1.25;
/// How much the newest measurement counts.
const NEWEST: f64 = 0.2;
/// So many blocks are remembered before those are forgotten that ask about nothing any more.
const REMEMBERED: usize = 1_000;

impl Level {
    pub fn new(own: u64, at_once: usize) -> Self {
        Self {
            own,
            at_once: u32::try_from(at_once).unwrap_or(u32::MAX).max(1),
            dearest: AtomicU64::new(own),
            round: Mutex::new(None),
            next: Mutex::default(),
        }
    }

    /// There is such a hash.
    pub fn notice(&self, rounds: u64) {
        self.dearest.fetch_max(rounds, Ordering::Relaxed);
    }

    /// Of all hashes that there are, the dearest takes so many rounds.
    pub fn set(&self, rounds: u64) {
        self.dearest.store(rounds.max(self.own), Ordering::Relaxed);
    }

    /// So many rounds took so long. Fewer than a hash of our own has tell too little.
    pub fn measured(&self, rounds: u64, took: Duration) {
        if rounds < self.own {
            return;
        }
        let newest = took.as_secs_f64() / as_f64(rounds);
        let mut round = self.round.lock().unwrap_or_else(PoisonError::into_inner);
        *round = Some(round.map_or(newest, |known| known + NEWEST * (newest - known)));
    }

    /// How long the dearest hash takes, if it takes longer than one of our own.
    pub fn delay(&self) -> Duration {
        let dearest = self.dearest.load(Ordering::Relaxed);
        let round = *self.round.lock().unwrap_or_else(PoisonError::into_inner);
        match round {
            Some(round) if dearest > self.own => {
                let seconds = round * as_f64(dearest) * MARGIN;
                Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST).min(LONGEST)
            }
            _ => Duration::ZERO,
        }
    }

    /// When a password that this source asks about now is answered at the earliest, if it is wrong. Several dear hashes of
    /// one block at once wait for each other, so whoever asks about several waits as if all of them were.
    pub fn due(&self, source: Source, now: Instant) -> Instant {
        let delay = self.delay();
        if delay == Duration::ZERO {
            return now;
        }
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if next.len() >= REMEMBERED {
            next.retain(|_, begins| *begins > now);
        }
        let (latest, begins) = (now + LONGEST, next.entry(source.block()).or_insert(now));
        let begin = now.max(*begins);
        *begins = (begin + delay / self.at_once).min(latest);
        (begin + delay).min(latest)
    }
}

/// Exact for every number of rounds that a hash may have.
#[expect(clippy::cast_precision_loss, reason = "no hash has 2⁵² rounds")]
fn as_f64(rounds: u64) -> f64 {
    rounds as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn answers_are_held_back_for_the_dearest_hash_alone() {
        let level = Level::new(1 << 10, 1);
        level.measured(1 << 10, SECOND / 10);
        assert_eq!(level.delay(), Duration::ZERO, "all are our own");
        level.notice(1 << 12);
        level.notice(1 << 11);
        assert_eq!(level.delay(), SECOND / 2);
        level.set(0);
        assert_eq!(level.delay(), Duration::ZERO, "it is gone");
    }

    #[test]
    fn one_slow_hash_changes_little_and_nothing_is_held_back_for_ever() {
        let level = Level::new(1 << 10, 1);
        level.measured(1 << 4, SECOND * 100);
        level.notice(1 << 11);
        assert_eq!(level.delay(), Duration::ZERO, "nothing was measured that tells something");
        level.measured(1 << 10, SECOND / 10);
        level.measured(1 << 10, SECOND / 5);
        assert_eq!(level.delay(), SECOND * 3 / 10);
        level.notice(u64::MAX);
        assert_eq!(level.delay(), LONGEST);
    }

    #[test]
    fn whoever_asks_about_several_at_once_waits_as_if_all_were_dear() {
        let (level, now) = (Level::new(1 << 10, 2), crate::domain::credentials::priority::now());
        assert_eq!(level.due(Source::Inside, now), now);
        level.measured(1 << 10, SECOND / 5);
        level.notice(1 << 13);
        let [other, neighbour] = [Source::V6(1), Source::V6(2)];
        let due = |source| level.due(source, now) - now;
        assert_eq!([due(Source::Inside), due(Source::Inside)], [SECOND * 2, SECOND * 3]);
        assert_eq!(due(other), SECOND * 2, "nobody waits for others");
        assert_eq!(due(neighbour), SECOND * 3, "but for those of the same block");
        for _ in 0..9 {
            due(other);
        }
        assert_eq!(due(other), LONGEST);
        assert_eq!(level.due(other, now + LONGEST), now + LONGEST + SECOND * 2, "it is over");
    }
}
