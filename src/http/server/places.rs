//! The places for connections: how many there are, how many of them one address may hold, and who leaves when there are
//! no more.
//!
//! A connection that nobody has asked anything on, or not for a while, costs its owner nothing, so it is the first to be
//! closed: whoever holds thousands of them keeps nobody out. Where every connection is being answered, newcomers get a spare
//! place for one request: a health check is answered, anything else is told when to come back.

use std::{
    collections::HashMap,
    fmt,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::{config::Network, http::seats::Holder};

/// How many connections there may be.
#[derive(Clone, Debug)]
pub struct Bounds {
    pub all: usize,
    /// For one address, and for one network /64 of IPv6.
    pub per_address: usize,
    /// Proxies bring everybody's connections, and may hold all of them.
    pub proxies: Vec<Network>,
}

/// For one request each, beyond the others.
const SPARE: usize = 32;
/// Of those, the ones that addresses may take which hold too many already. The rest is for others, and their health checks.
const SPARE_FOR_THE_CROWDED: usize = SPARE / 2;
/// When places run out, this part of the longest idle connections is closed at once: looking for them takes time, and a flood
/// would otherwise make us look for each of its connections.
const CLOSED_AT_ONCE: usize = 64;

#[derive(Clone)]
pub(super) struct Places(Arc<Shared>);

struct Shared {
    bounds: Bounds,
    /// Counts what becomes idle, so that the lowest number is the longest idle.
    ticks: AtomicU64,
    taken: Mutex<Taken>,
    crowded: AtomicBool,
}

#[derive(Default)]
struct Taken {
    next: u64,
    entries: HashMap<u64, Arc<Entry>>,
    /// Places of each kind; spare ones count for no address.
    regular: usize,
    held: HashMap<Holder, usize>,
    spare: usize,
    spare_for_the_crowded: usize,
}

struct Entry {
    holder: Holder,
    kind: Kind,
    /// How many requests and mutations of it are under way; from `FIRST_TICK` on, since when it is idle; or `LEAVING`.
    state: AtomicU64,
    leave: CancellationToken,
}

const FIRST_TICK: u64 = 1 << 32;
const LEAVING: u64 = u64::MAX;

const fn is_idle(state: u64) -> bool {
    FIRST_TICK <= state && state < LEAVING
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Regular,
    /// For one request, because of this.
    Spare(Shortage),
}

/// Why a newcomer gets no regular place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shortage {
    /// Its own address holds as many as it may, and all of them are being answered.
    Address,
    /// All places are taken, and all are being answered.
    All,
}

/// Taken until it is dropped, or until somebody else needs it more.
pub struct Place {
    places: Places,
    id: u64,
    entry: Arc<Entry>,
}

impl Places {
    pub fn new(bounds: Bounds) -> Self {
        let ticks = AtomicU64::new(FIRST_TICK);
        Self(Arc::new(Shared { bounds, ticks, taken: Mutex::default(), crowded: AtomicBool::new(false) }))
    }

    /// A place for a connection from this address; nothing where not even a spare one is left.
    pub fn take(&self, ip: IpAddr) -> Option<Place> {
        let (bounds, holder) = (&self.0.bounds, Holder::address(ip));
        let mut taken = self.taken();
        let held = taken.held.get(&holder).copied().unwrap_or_default();
        let bounded = !bounds.proxies.iter().any(|network| network.contains(ip));
        let kind = if bounded
            && held >= bounds.per_address
            && !taken.close_idle(bounds.per_address, |it| it.kind == Kind::Regular && it.holder == holder)
        {
            Kind::Spare(Shortage::Address)
        } else if taken.regular >= bounds.all && !taken.close_idle(bounds.all, |it| it.kind == Kind::Regular)
        {
            Kind::Spare(Shortage::All)
        } else {
            Kind::Regular
        };
        self.tell(kind);
        if let Kind::Spare(shortage) = kind {
            let (used, most) = match shortage {
                Shortage::Address => (taken.spare_for_the_crowded, SPARE_FOR_THE_CROWDED),
                Shortage::All => (taken.spare, SPARE),
            };
            if used >= most && !taken.close_idle(1, |it| it.kind == kind) {
                return None;
            }
        }
        let state = AtomicU64::new(self.tick());
        let entry = Arc::new(Entry { holder, kind, state, leave: CancellationToken::new() });
        let id = taken.add(Arc::clone(&entry));
        Some(Place { places: self.clone(), id, entry })
    }

    /// Says once when newcomers begin to be turned away, and not for each of them.
    fn tell(&self, kind: Kind) {
        let short = kind != Kind::Regular;
        if self.0.crowded.swap(short, Ordering::Relaxed) != short && short {
            tracing::warn!(?kind, "connections are turned away: all places are taken by requests under way");
        }
    }

    fn tick(&self) -> u64 {
        self.0.ticks.fetch_add(1, Ordering::Relaxed)
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn add(&mut self, entry: Arc<Entry>) -> u64 {
        self.next += 1;
        self.put(self.next, entry);
        self.next
    }

    fn put(&mut self, id: u64, entry: Arc<Entry>) {
        match entry.kind {
            Kind::Regular => {
                self.regular += 1;
                *self.held.entry(entry.holder).or_default() += 1;
            }
            Kind::Spare(shortage) => {
                self.spare += 1;
                self.spare_for_the_crowded += usize::from(shortage == Shortage::Address);
            }
        }
        self.entries.insert(id, entry);
    }

    fn remove(&mut self, id: u64) {
        let Some(entry) = self.entries.remove(&id) else { return };
        match entry.kind {
            Kind::Regular => {
                self.regular = self.regular.saturating_sub(1);
                if let Some(held) = self.held.get_mut(&entry.holder) {
                    *held = held.saturating_sub(1);
                    if *held == 0 {
                        self.held.remove(&entry.holder);
                    }
                }
            }
            Kind::Spare(shortage) => {
                self.spare = self.spare.saturating_sub(1);
                let crowded = usize::from(shortage == Shortage::Address);
                self.spare_for_the_crowded = self.spare_for_the_crowded.saturating_sub(crowded);
            }
        }
    }

    /// Closes the longest idle of these connections, a part of so many. Says whether there was one.
    fn close_idle(&mut self, bound: usize, among: impl Fn(&Entry) -> bool) -> bool {
        let candidates = self.entries.iter().filter(|(_, entry)| among(entry));
        let mut idle: Vec<_> = candidates
            .map(|(id, entry)| (entry.state.load(Ordering::Relaxed), *id))
            .filter(|(since, _)| is_idle(*since))
            .collect();
        let most = bound.div_ceil(CLOSED_AT_ONCE).max(1);
        if idle.len() > most {
            idle.select_nth_unstable(most - 1);
            idle.truncate(most);
        }
        let mut closed = false;
        for (since, id) in idle {
            let Some(entry) = self.entries.get(&id) else { continue };
            // A request may have come at this very moment: it stays.
            if entry.state.compare_exchange(since, LEAVING, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                entry.leave.cancel();
                self.remove(id);
                closed = true;
            }
        }
        closed
    }
}

impl Place {
    pub(super) fn kind(&self) -> Kind {
        self.entry.kind
    }

    /// Until somebody else needs the place more.
    pub(super) fn lost(&self) -> WaitForCancellationFutureOwned {
        self.entry.leave.clone().cancelled_owned()
    }

    pub(super) fn is_busy(&self) -> bool {
        self.entry.state.load(Ordering::Acquire) < FIRST_TICK
    }

    /// Something was sent: it is not this one that has been idle for long.
    pub(super) fn touch(&self) {
        let since = self.entry.state.load(Ordering::Relaxed);
        if is_idle(since) {
            let now = self.places.tick();
            let _ = self.entry.state.compare_exchange(since, now, Ordering::AcqRel, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").field("id", &self.id).field("kind", &self.entry.kind).finish_non_exhaustive()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken().remove(self.id);
    }
}

/// Something that is under way on a connection, until it is dropped: nobody takes its place meanwhile.
pub struct Busy(Arc<Place>);

impl Busy {
    pub(super) fn with(place: &Arc<Place>) -> Self {
        let more = |state| Some(if state < FIRST_TICK { state + 1 } else { 1 });
        let before = place.entry.state.fetch_update(Ordering::AcqRel, Ordering::Relaxed, more);
        if before == Ok(LEAVING) {
            // It was closed at this very moment, and is answered all the same: so it counts again.
            place.places.taken().put(place.id, Arc::clone(&place.entry));
        }
        Self(Arc::clone(place))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let now = self.0.places.tick();
        let less = |state| Some(if state > 1 { state - 1 } else { now });
        let _ = self.0.entry.state.fetch_update(Ordering::AcqRel, Ordering::Relaxed, less);
    }
}
