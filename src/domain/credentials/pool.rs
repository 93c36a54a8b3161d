//! A pool: how much work is done at once, and a bounded queue before it in which every source gets its share.
//!
//! Nothing that is free is kept back: a source that is alone may use every thread and every place. As soon as another one
//! comes, the next free thread is for whoever has the fewest, and where no place is left, the newest request of whoever has
//! the most is turned away. Blocks are compared first, and then the sources of one block: whoever holds a whole block has
//! many sources, and one share.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::oneshot, time::timeout};

use crate::context::{Block, Source};

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
    /// It takes a thread for several times as long: one block has no more than half of the threads with it.
    Long,
}

/// How many of the threads one block may have with what takes long.
pub fn long_of_one_block(threads: usize) -> usize {
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
    /// The blocks that these are of, likewise.
    block_turns: VecDeque<Block>,
}

#[derive(Default)]
struct Line {
    running: usize,
    long: usize,
    waiting: VecDeque<Ticket>,
}

/// What the sources of one block have together.
#[derive(Default)]
struct Together {
    running: usize,
    long: usize,
    /// Running and waiting.
    len: usize,
    /// How many blocks were served longer ago.
    turn: usize,
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
    pub fn new(size: &Size) -> Self {
        let &Size { threads, places, memory_kib, longest_wait } = size;
        let state = State {
            threads,
            places,
            free_threads: threads,
            free_memory: memory_kib,
            waiting: 0,
            tickets: 0,
            lines: HashMap::new(),
            turns: VecDeque::new(),
            block_turns: VecDeque::new(),
        };
        Self { state: Arc::new(Mutex::new(state)), longest_wait }
    }

    /// Whether a request of this source would be let in now.
    pub fn has_room(&self, source: Source) -> bool {
        let state = lock(&self.state);
        state.free_threads > 0 || state.waiting < state.places || state.gives_way_to(source)
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
            if !state.block_turns.contains(&source.block()) {
                state.block_turns.push_back(source.block());
            }
            id
        };
        serve(&self.state);
        lock(&self.state).make_room();
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
        // Whoever waits on is last in turn.
        put_last(&mut state.turns, &source);
        put_last(&mut state.block_turns, &source.block());
        drop(state);
        // Who hung up at this moment gives it back by dropping it.
        let _ = granted.send(Permit { state: Arc::clone(shared), source, load });
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn put_last<T: PartialEq>(turns: &mut VecDeque<T>, who: &T) {
    let at = turns.iter().position(|other| other == who);
    if let Some(who) = at.and_then(|at| turns.remove(at)) {
        turns.push_back(who);
    }
}

impl Line {
    fn len(&self) -> usize {
        self.running + self.waiting.len()
    }
}

impl State {
    fn blocks(&self) -> HashMap<Block, Together> {
        let mut blocks: HashMap<Block, Together> = HashMap::new();
        for (source, line) in &self.lines {
            let together = blocks.entry(source.block()).or_default();
            together.running += line.running;
            together.long += line.long;
            together.len += line.len();
        }
        for (turn, block) in self.block_turns.iter().enumerate() {
            blocks.entry(*block).or_default().turn = turn;
        }
        blocks
    }

    /// Whose turn it is: of those who have the fewest threads, who was served longest ago; first of the blocks, then in the
    /// block. What waits for memory keeps what comes after it from taking memory, so that small requests do not pass a large
    /// one for ever.
    fn next(&self) -> Option<(Source, usize)> {
        if self.free_threads == 0 {
            return None;
        }
        let blocks = self.blocks();
        let of = |source: &Source| Some((*source, self.lines.get(source)?, blocks.get(&source.block())?));
        let mut order: Vec<_> = self.turns.iter().filter_map(of).collect();
        order.sort_by_key(|(_, line, together)| (together.running, together.turn, line.running));
        let mut memory = self.free_memory;
        for (source, line, together) in order {
            let may_be_long = together.long < long_of_one_block(self.threads);
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

    /// Takes a ticket out of its line. Whoever waits on keeps their turn.
    fn take(&mut self, source: Source, at: usize) -> Option<Ticket> {
        let line = self.lines.get_mut(&source)?;
        let ticket = line.waiting.remove(at)?;
        self.waiting -= 1;
        if line.waiting.is_empty() {
            self.turns.retain(|other| *other != source);
            let block = source.block();
            if !self.turns.iter().any(|other| other.block() == block) {
                self.block_turns.retain(|other| *other != block);
            }
        }
        self.forget_if_over(source);
        Some(ticket)
    }

    fn forget_if_over(&mut self, source: Source) {
        if self.lines.get(&source).is_some_and(|line| line.len() == 0) {
            self.lines.remove(&source);
        }
    }

    /// Whether one of another source would be turned away for one more of this source.
    fn gives_way_to(&self, newcomer: Source) -> bool {
        let blocks = self.blocks();
        let len = |block: Block| {
            let before = blocks.get(&block).map_or(0, |together| together.len);
            before + usize::from(block == newcomer.block())
        };
        let own = (len(newcomer.block()), self.lines.get(&newcomer).map_or(0, Line::len) + 1);
        let has_more = |(source, line): (&Source, &Line)| {
            *source != newcomer && !line.waiting.is_empty() && (len(source.block()), line.len()) > own
        };
        self.lines.iter().any(has_more)
    }

    /// Where too many wait, the newest of whoever has the most is turned away: of the fullest block, and there of the source
    /// that has the most. Of several that have as much, it is the newest of all.
    fn make_room(&mut self) {
        while self.waiting > self.places {
            let blocks = self.blocks();
            let rank = |(source, line): (&Source, &Line)| {
                let newest = line.waiting.back()?.id;
                let len = blocks.get(&source.block())?.len;
                Some(((len, line.len(), newest), *source, line.waiting.len() - 1))
            };
            let Some((_, source, at)) = self.lines.iter().filter_map(rank).max_by_key(|(rank, ..)| *rank)
            else {
                return;
            };
            self.take(source, at);
        }
    }
}

#[cfg(test)]
mod tests;
