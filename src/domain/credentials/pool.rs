//! A pool: how much work is done at once, and a bounded queue before it in which every source gets its share.
//!
//! Nothing that is free is kept back: a source that is alone may use every thread and every place. As soon as another one
//! comes, the next free thread is for whoever has the fewest, and where no place is left, the newest request of whoever has
//! the most is turned away.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::oneshot, time::timeout};

use crate::context::Source;

pub struct Pool {
    state: Arc<Mutex<State>>,
    longest_wait: Duration,
}

/// How much the pool holds.
pub struct Size {
    pub threads: usize,
    /// How many may wait, all sources together.
    pub places: usize,
    pub memory_kib: u32,
    pub longest_wait: Duration,
}

/// What one request asks for, beside a thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct Load {
    pub memory_kib: u32,
    pub length: Length,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Length {
    #[default]
    Usual,
    /// It takes a thread for several times as long: one source has no more than half of the threads with it.
    Long,
}

/// How many of the threads one source may have with what takes long.
pub fn long_of_one_source(threads: usize) -> usize {
    (threads / 2).max(1)
}

/// There is no room, or it did not become free in time.
#[derive(Debug)]
pub struct Full;

struct State {
    threads: usize,
    places: usize,
    free_threads: usize,
    free_memory: u32,
    waiting: usize,
    tickets: u64,
    lines: HashMap<Source, Line>,
    /// The sources that wait; who was served last is last.
    turns: VecDeque<Source>,
}

#[derive(Default)]
struct Line {
    running: usize,
    long: usize,
    waiting: VecDeque<Ticket>,
}

struct Ticket {
    id: u64,
    load: Load,
    granted: oneshot::Sender<Permit>,
}

/// A thread, and the memory that was asked for. Dropping it makes room for the next one.
pub struct Permit {
    state: Arc<Mutex<State>>,
    source: Source,
    load: Load,
}

impl Pool {
    pub fn new(size: Size) -> Self {
        let Size { threads, places, memory_kib, longest_wait } = size;
        let state = State {
            threads,
            places,
            free_threads: threads,
            free_memory: memory_kib,
            waiting: 0,
            tickets: 0,
            lines: HashMap::new(),
            turns: VecDeque::new(),
        };
        Self { state: Arc::new(Mutex::new(state)), longest_wait }
    }

    /// Whether a request of this source would be let in now.
    pub fn has_room(&self, source: Source) -> bool {
        let state = lock(&self.state);
        let own = state.lines.get(&source).map_or(0, Line::len);
        state.free_threads > 0 || state.waiting < state.places || own + 1 < state.longest()
    }

    /// Waits for a turn.
    pub async fn enter(&self, source: Source, load: Load) -> Result<Permit, Full> {
        let mut place = self.queue(source, load);
        match timeout(self.longest_wait, &mut place.granted).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(Full),
        }
    }

    fn queue(&self, source: Source, load: Load) -> Place {
        let (granted, receiver) = oneshot::channel();
        let id = {
            let mut state = lock(&self.state);
            state.tickets += 1;
            state.waiting += 1;
            let id = state.tickets;
            let line = state.lines.entry(source).or_default();
            line.waiting.push_back(Ticket { id, load, granted });
            if line.waiting.len() == 1 {
                state.turns.push_back(source);
            }
            id
        };
        serve(&self.state);
        lock(&self.state).make_room(source);
        Place { state: Arc::clone(&self.state), source, id, granted: receiver }
    }
}

/// A place in the queue, which is given back by whoever hangs up.
struct Place {
    state: Arc<Mutex<State>>,
    source: Source,
    id: u64,
    granted: oneshot::Receiver<Permit>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        let line = state.lines.get(&self.source);
        let at = line.and_then(|line| line.waiting.iter().position(|ticket| ticket.id == self.id));
        if let Some(at) = at {
            state.take(self.source, at);
            drop(state);
            // It may have been the one that kept others from the memory.
            serve(&self.state);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        {
            let mut state = lock(&self.state);
            state.free_threads += 1;
            state.free_memory += self.load.memory_kib;
            if let Some(line) = state.lines.get_mut(&self.source) {
                line.running -= 1;
                line.long -= usize::from(self.load.length == Length::Long);
            }
            state.forget_if_over(self.source);
        }
        serve(&self.state);
    }
}

/// Gives out what is free. What is sent is sent without the lock: a permit that nobody takes any more locks it itself.
fn serve(shared: &Arc<Mutex<State>>) {
    loop {
        let mut state = lock(shared);
        let Some((source, at)) = state.next() else {
            return;
        };
        let Some(Ticket { load, granted, .. }) = state.take(source, at) else {
            return;
        };
        state.free_threads -= 1;
        state.free_memory -= load.memory_kib;
        let line = state.lines.entry(source).or_default();
        line.running += 1;
        line.long += usize::from(load.length == Length::Long);
        drop(state);
        // Who hung up at this moment gives it back by dropping it.
        let _ = granted.send(Permit { state: Arc::clone(shared), source, load });
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Line {
    fn len(&self) -> usize {
        self.running + self.waiting.len()
    }
}

impl State {
    /// Whose turn it is: of those who have the fewest threads, who was served longest ago. What waits for memory keeps what
    /// comes after it from taking memory, so that small requests do not pass a large one for ever.
    fn next(&self) -> Option<(Source, usize)> {
        if self.free_threads == 0 {
            return None;
        }
        let mut order: Vec<_> =
            self.turns.iter().filter_map(|source| Some((*source, self.lines.get(source)?))).collect();
        order.sort_by_key(|(_, line)| line.running);
        let mut memory = self.free_memory;
        for (source, line) in order {
            let may_be_long = line.long < long_of_one_source(self.threads);
            let fits = |ticket: &Ticket| may_be_long || ticket.load.length == Length::Usual;
            let Some(at) = line.waiting.iter().position(fits) else {
                continue;
            };
            match line.waiting.get(at) {
                Some(ticket) if ticket.load.memory_kib <= memory => return Some((source, at)),
                _ => memory = 0,
            }
        }
        None
    }

    /// Takes a ticket out of its line. The source is last in turn, or waits no more.
    fn take(&mut self, source: Source, at: usize) -> Option<Ticket> {
        let line = self.lines.get_mut(&source)?;
        let ticket = line.waiting.remove(at)?;
        let waits = !line.waiting.is_empty();
        self.waiting -= 1;
        self.turns.retain(|other| *other != source);
        if waits {
            self.turns.push_back(source);
        }
        self.forget_if_over(source);
        Some(ticket)
    }

    fn forget_if_over(&mut self, source: Source) {
        if self.lines.get(&source).is_some_and(|line| line.len() == 0) {
            self.lines.remove(&source);
        }
    }

    fn longest(&self) -> usize {
        self.lines.values().map(Line::len).max().unwrap_or(0)
    }

    /// Where too many wait, the newest of whoever has the most is turned away; the newcomer, if nobody has more.
    fn make_room(&mut self, newcomer: Source) {
        while self.waiting > self.places {
            let waits = self.lines.iter().filter(|(_, line)| !line.waiting.is_empty());
            let most = waits.max_by_key(|(source, line)| (line.len(), **source == newcomer));
            let Some((source, at)) = most.map(|(source, line)| (*source, line.waiting.len() - 1)) else {
                return;
            };
            let turn = self.turns.iter().position(|other| *other == source);
            self.take(source, at);
            // It was not served: its turn stays where it was.
            if let Some(turn) = turn
                && self.turns.back() == Some(&source)
            {
                self.turns.pop_back();
                self.turns.insert(turn, source);
            }
        }
    }
}

#[cfg(test)]
mod tests;
