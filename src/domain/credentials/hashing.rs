//! Password hashing in a bounded pool.
//!
//! A hash burns a core for a quarter of a second, by design. Without a bound, a storm of logins would take every core and
//! every read would wait. So no more hashes are computed at once than there are cores, on threads that step back for others;
//! a few requests wait, each source for its turn, and the rest is told to come back. What judges new passwords has threads
//! and a queue of its own.

use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use entity::Secret;

use super::{
    imported::{self, Hash, MEMORY_KIB},
    lane::Lane,
    level::Level,
    policy,
    pool::{Length, Load, long_of_one_block},
    priority::{Pressure, now},
};
use crate::{
    context::Source,
    crypto::Random,
    error::{Error, Result},
};

pub struct Hasher {
    cost: u32,
    /// How many characters a new password needs.
    shortest: usize,
    hashes: Arc<Lane>,
    judges: Arc<Lane>,
    level: Level,
    /// Of bcrypt, computed so far for whatever reason.
    rounds: AtomicU64,
}

/// How many may wait for a core, for each that computes.
const WAITING_PER_CORE: usize = 8;
/// Some hashes take longer than our own and are no danger: up to twice as long.
const DEAR: u64 = 2;
/// A guess at a hash that takes much longer counts as so many at most.
const MOST_GUESSES: u64 = 4;
/// What no installation in production falls below: hashes at this cost are modest wherever they come from.
const LEAST_COST: u32 = 10;
/// What scrypt takes as it is recommended (N = 2¹⁷, r = 8), and some.
const MODEST_KIB: u32 = 160 * 1024;

impl Hasher {
    pub fn new(cost: u32, shortest: u8) -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let (places, pressure) = (cores * WAITING_PER_CORE, Arc::new(Pressure::default()));
        Self {
            cost,
            shortest: usize::from(shortest),
            hashes: Arc::new(Lane::new(cores, places, MEMORY_KIB, &pressure)),
            judges: Arc::new(Lane::new((cores / 2).max(1), places, 0, &pressure)),
            level: Level::new(1 << cost, long_of_one_block(cores)),
            rounds: AtomicU64::new(0),
        }
    }

    pub async fn hash(&self, source: Source, password: &str, random: &dyn Random) -> Result<Secret> {
        let mut salt = [0; 16];
        random.fill(&mut salt);
        let (cost, password) = (self.cost, password.to_owned());
        // The policy has refused what bcrypt would cut (over 72 bytes) or stop at (a NUL).
        let work = move || {
            let begun = now();
            (bcrypt::hash_with_salt(password.as_str(), cost, salt), begun.elapsed())
        };
        let (hash, took) = self.hashes.compute(source, Load::default(), work).await?;
        self.computed(1 << cost, took);
        Ok(Secret::from(hash.map_err(Error::internal)?.to_string().into_bytes()))
    }

    /// Whether this is the password. Without a hash it never is. That it is wrong is told after the same time for every
    /// hash, and for none.
    pub async fn verify(&self, source: Source, password: &str, hash: Option<&Secret>) -> Result<bool> {
        let text = hash.and_then(as_text);
        // bcrypt reads 72 bytes and stops at a NUL: what it would cut is no password here.
        let cut = text.is_some_and(imported::is_bcrypt) && policy::check_whole("password", password).is_err();
        let hash = text.and_then(Hash::read);
        let load = hash.as_ref().map_or_else(Load::default, |hash| self.load(hash));
        if let Some(hash) = &hash {
            self.level.notice(hash.rounds());
        }
        let due = self.level.due(source, now());
        let check = Check { hash, password: password.to_owned(), own_cost: self.cost };
        let Checked { same, rounds, took } = self.hashes.compute(source, load, move || check.run()).await?;
        self.computed(rounds, took);
        let right = same && !cut;
        if !right {
            tokio::time::sleep_until(due.into()).await;
        }
        Ok(right)
    }

    /// Whether the hash is not one as we make them now: of another system, or of another cost.
    pub fn is_outdated(&self, hash: &Secret) -> bool {
        as_text(hash).and_then(imported::own_cost) != Some(self.cost)
    }

    /// Whether it takes much longer to verify than one of ours.
    pub fn is_dear(&self, hash: &Secret) -> bool {
        self.guesses(Some(hash)) > 1
    }

    /// As how many a wrong guess at this hash counts.
    pub fn guesses(&self, hash: Option<&Secret>) -> i32 {
        let rounds = hash.map_or(0, rounds_of);
        if rounds <= self.own_rounds() * DEAR {
            return 1;
        }
        i32::try_from((rounds / self.own_rounds()).min(MOST_GUESSES)).unwrap_or(1)
    }

    /// Whether it takes so little that whoever vouches for a part of the people only may bring it along.
    pub fn is_modest(&self, hash: &Hash) -> bool {
        hash.rounds() <= DEAR << self.cost.max(LEAST_COST) && hash.memory_kib() <= MODEST_KIB
    }

    /// There is such a hash from now on.
    pub fn notice(&self, hash: &Secret) {
        self.level.notice(rounds_of(hash));
    }

    /// These are the dearest hashes of all that there are.
    pub fn notice_dearest(&self, hashes: impl IntoIterator<Item = Secret>) {
        self.level.set(hashes.into_iter().map(|hash| rounds_of(&hash)).max().unwrap_or(0));
    }

    /// Judges a password, beside the pool in which hashes are computed. Whoever calls has counted the attempt before.
    pub async fn judge(
        &self,
        source: Source,
        field: &'static str,
        password: &str,
        own: Vec<String>,
    ) -> Result<()> {
        policy::check_length(field, password, self.shortest)?;
        let password = password.to_owned();
        let work = move || policy::judge(field, &password, &own);
        self.judges.compute(source, Load::default(), work).await?.map_err(Error::from)
    }

    /// Whether there is room for one more of this source, before anything is done for a request that would be turned away.
    pub fn has_room(&self, source: Source) -> Result<()> {
        self.hashes.has_room(source)
    }

    /// How long after its question a wrong password is answered at the earliest, if the source asks about no other.
    pub fn delay(&self) -> Duration {
        self.level.delay()
    }

    /// How many rounds of bcrypt were computed so far.
    pub fn rounds(&self) -> u64 {
        self.rounds.load(Ordering::Relaxed)
    }

    fn own_rounds(&self) -> u64 {
        1 << self.cost
    }

    fn load(&self, hash: &Hash) -> Load {
        let long = hash.rounds() > self.own_rounds() * DEAR;
        Load { memory_kib: hash.memory_kib(), length: if long { Length::Long } else { Length::Usual } }
    }

    fn computed(&self, rounds: u64, took: Duration) {
        self.rounds.fetch_add(rounds, Ordering::Relaxed);
        self.level.measured(rounds, took);
    }
}

fn as_text(hash: &Secret) -> Option<&str> {
    std::str::from_utf8(&hash.0).ok()
}

/// The one of them that takes longest to verify.
pub fn dearest(hashes: impl IntoIterator<Item = Secret>) -> Option<Secret> {
    hashes.into_iter().max_by_key(rounds_of)
}

fn rounds_of(hash: &Secret) -> u64 {
    as_text(hash).and_then(Hash::read).map_or(0, |hash| hash.rounds())
}

/// A password, and the hash that it is compared with.
struct Check {
    hash: Option<Hash>,
    password: String,
    own_cost: u32,
}

struct Checked {
    same: bool,
    /// Of bcrypt.
    rounds: u64,
    took: Duration,
}

impl Check {
    fn run(&self) -> Checked {
        let begun = now();
        let same = self.hash.as_ref().is_some_and(|hash| hash.matches(&self.password));
        let rounds = self.hash.as_ref().and_then(Hash::bcrypt_cost).map_or(0, |cost| 1 << cost);
        // A right password is hashed anew, if its hash was cheap. A wrong one takes no less than for a hash of our own.
        let more = if same { 0 } else { self.make_up(begun.elapsed()) };
        Checked { same, rounds: rounds + more, took: begun.elapsed() }
    }

    /// Does what is missing to the work of a hash of our own, of which so much is done.
    fn make_up(&self, took: Duration) -> u64 {
        match &self.hash {
            None => self.bcrypt(self.own_cost),
            Some(hash) => match hash.bcrypt_cost() {
                // 2ⁿ = 2ᵏ + 2ᵏ + 2ᵏ⁺¹ + … + 2ⁿ⁻¹
                Some(cost) => (cost..self.own_cost).map(|cost| self.bcrypt(cost)).sum(),
                None => self.fill_up(took),
            },
        }
    }

    /// Another system's hash took so long: a sixteenth of a hash of our own tells how long the whole would take on this
    /// thread, now.
    fn fill_up(&self, took: Duration) -> u64 {
        const SIXTEENTH: u32 = 4;
        let Some(cost) = self.own_cost.checked_sub(SIXTEENTH).filter(|cost| *cost >= 4) else {
            return self.bcrypt(self.own_cost);
        };
        let begun = now();
        let first = self.bcrypt(cost);
        let sixteenth = begun.elapsed().as_nanos().max(1);
        let done = took.as_nanos().div_ceil(sixteenth);
        let left = 15_u128.saturating_sub(done);
        let bits = (0..SIXTEENTH).filter(|bit| left >> bit & 1 == 1);
        first + bits.map(|bit| self.bcrypt(cost + bit)).sum::<u64>()
    }

    fn bcrypt(&self, cost: u32) -> u64 {
        let _ = black_box(bcrypt::hash_with_salt(self.password.as_str(), cost, [0; 16]));
        1 << cost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::SystemRandomness;

    const HERE: Source = Source::Inside;

    fn secret(text: &str) -> Secret {
        Secret::from(text.as_bytes().to_vec())
    }

    #[tokio::test]
    async fn only_the_whole_password_verifies() {
        let (hasher, random) = (Hasher::new(4, 8), SystemRandomness::default());
        let longest = "ü".repeat(36);
        let hash = hasher.hash(HERE, &longest, &random).await.unwrap();
        assert!(hasher.verify(HERE, &longest, Some(&hash)).await.unwrap());
        let longer = format!("{longest}x");
        assert!(!hasher.verify(HERE, &longer, Some(&hash)).await.unwrap(), "byte 73 counts");
        let hash = hasher.hash(HERE, "before", &random).await.unwrap();
        assert!(!hasher.verify(HERE, "before\0after", Some(&hash)).await.unwrap(), "a NUL ends nothing");
        assert!(!hasher.verify(HERE, "before", None).await.unwrap(), "nobody has no password");
    }

    #[tokio::test]
    async fn a_storm_is_shed_with_a_time_to_come_back() {
        let (hasher, random) = (Hasher::new(8, 8), SystemRandomness::default());
        let storm = (0..200).map(|_| hasher.hash(HERE, "password", &random));
        let answers = futures_util::future::join_all(storm).await;
        let shed = answers
            .iter()
            .filter(|answer| matches!(answer, Err(Error::Refused { retry_after: Some(_), .. })));
        assert!(shed.count() > 0);
        assert!(answers.iter().any(Result::is_ok));
    }

    #[tokio::test]
    async fn a_wrong_password_takes_the_work_of_a_hash_of_our_own() {
        let hasher = Hasher::new(6, 8);
        let bcrypt = |cost| secret(&format!("$2a${cost:02}${}", ".".repeat(53)));
        let unreadable = secret("$2b$04$?");
        for hash in
            [None, Some(bcrypt(4)), Some(bcrypt(5)), Some(bcrypt(6)), Some(unreadable), Some(secret(""))]
        {
            let before = hasher.rounds();
            assert!(!hasher.verify(HERE, "a guess", hash.as_ref()).await.unwrap());
            assert_eq!(hasher.rounds() - before, 64, "{:?}", hash.map(|hash| hash.0));
        }
        let before = hasher.rounds();
        assert!(!hasher.verify(HERE, "a guess", Some(&bcrypt(7))).await.unwrap());
        assert_eq!(hasher.rounds() - before, 128);
        assert!(hasher.delay() > Duration::ZERO, "others are answered as late from now on");
    }

    #[test]
    fn another_systems_hash_is_filled_up_to_a_hash_of_our_own() {
        let argon = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        let check = |own_cost| Check { hash: Hash::read(argon), password: "a guess".to_owned(), own_cost };
        assert_eq!(check(8).make_up(Duration::ZERO), 256);
        assert_eq!(check(8).make_up(Duration::from_mins(1)), 16, "it took longer already");
        assert_eq!(check(5).make_up(Duration::ZERO), 32, "too little to divide");
    }

    #[test]
    fn guesses_count_as_what_they_cost() {
        let hasher = Hasher::new(6, 8);
        let guesses = |cost| hasher.guesses(Some(&secret(&format!("$2b${cost:02}${}", ".".repeat(53)))));
        assert_eq!([4, 6, 7, 8, 12].map(guesses), [1, 1, 1, 4, 4]);
        assert_eq!(hasher.guesses(None), 1);
    }
}
