//! What the pool grants, to whom, and in which order.

use std::net::Ipv4Addr;

use futures_util::{FutureExt as _, future::BoxFuture};

use super::*;

fn pool(threads: usize, places: usize) -> Pool {
    Pool::new(&Size { threads, places, memory_kib: 256, longest_wait: Duration::from_mins(1) })
}

fn source(number: u8) -> Source {
    Source::V4(Ipv4Addr::new(198, 51, 100, number))
}

/// One of the 65,536 sources of a block.
fn of_block(number: u16) -> Source {
    Source::V6(0x2001_0db8_0001_0000 + u64::from(number))
}

fn enters(pool: &Pool, number: u8, load: Load) -> BoxFuture<'_, Result<Permit, Full>> {
    comes(pool, source(number), load)
}

/// Enters, and waits if need be.
fn comes(pool: &Pool, source: Source, load: Load) -> BoxFuture<'_, Result<Permit, Full>> {
    let mut entering = pool.enter(source, load).boxed();
    match entering.as_mut().now_or_never() {
        Some(done) => std::future::ready(done).boxed(),
        None => entering,
    }
}

fn usual(pool: &Pool, number: u8) -> BoxFuture<'_, Result<Permit, Full>> {
    enters(pool, number, Load::default())
}

fn is_in(entering: &mut BoxFuture<'_, Result<Permit, Full>>) -> Option<Permit> {
    entering.as_mut().now_or_never().map(|entered| entered.unwrap())
}

fn is_full(entering: &mut BoxFuture<'_, Result<Permit, Full>>) -> bool {
    entering.as_mut().now_or_never().is_some_and(|entered| entered.is_err())
}

#[tokio::test]
async fn a_source_that_is_alone_uses_every_thread_and_every_place() {
    let pool = pool(2, 3);
    let mut all: Vec<_> = (0..6).map(|_| usual(&pool, 1)).collect();
    let running: Vec<_> = all.iter_mut().take(2).filter_map(is_in).collect();
    assert_eq!(running.len(), 2);
    assert!(is_full(&mut all[5]), "two run, three wait");
    assert!(!pool.has_room(source(1)) && pool.has_room(source(2)));
}

#[tokio::test]
async fn whoever_comes_gets_the_next_thread_and_a_place_of_whoever_has_the_most() {
    let pool = pool(2, 3);
    let mut first: Vec<_> = (0..5).map(|_| usual(&pool, 1)).collect();
    let mut running: Vec<_> = first.drain(..2).map(|mut one| is_in(&mut one).unwrap()).collect();
    let mut second = usual(&pool, 2);
    assert!(is_full(&mut first[2]), "its newest one gives way");
    running.pop();
    let second = is_in(&mut second).expect("the next free thread");
    assert!(is_in(&mut first[0]).is_none());
    running.pop();
    assert!(is_in(&mut first[0]).is_some());
    drop(second);
    assert!(is_in(&mut first[1]).is_some());
}

#[tokio::test]
async fn a_block_with_forty_sources_keeps_no_other_source_out() {
    let pool = pool(2, 16);
    let mut crowd: Vec<_> = (0..40).map(|number| comes(&pool, of_block(number), Load::default())).collect();
    let mut running: Vec<_> = crowd.iter_mut().take(2).filter_map(is_in).collect();
    assert!(crowd[18..].iter_mut().all(is_full), "two run, sixteen wait");
    assert!(!pool.has_room(of_block(99)) && pool.has_room(source(1)));
    let mut other = usual(&pool, 1);
    assert!(is_full(&mut crowd[17]), "the newest of the block gives way");
    assert!(crowd[2..17].iter_mut().all(|one| is_in(one).is_none()) && is_in(&mut other).is_none());
    running.pop();
    assert!(is_in(&mut other).is_some(), "the next free thread");
}

#[tokio::test]
async fn blocks_take_turns_however_many_sources_they_have() {
    let pool = pool(1, 40);
    let running = is_in(&mut comes(&pool, of_block(0), Load::default()));
    let mut crowd: Vec<_> = (1..=30).map(|number| comes(&pool, of_block(number), Load::default())).collect();
    let mut other = usual(&pool, 1);
    drop(running);
    let next = is_in(&mut crowd[0]);
    assert!(next.is_some() && is_in(&mut other).is_none());
    drop(next);
    assert!(is_in(&mut other).is_some());
    assert!(is_in(&mut crowd[1]).is_some(), "and on it goes in the block");
}

#[tokio::test]
async fn sources_take_turns() {
    let pool = pool(1, 9);
    let running = is_in(&mut usual(&pool, 9));
    let mut waiting: Vec<_> =
        [1, 1, 1, 2, 2, 3].into_iter().map(|number| (number, usual(&pool, number))).collect();
    drop(running);
    let mut served = Vec::new();
    while served.len() < 6 {
        for (number, one) in &mut waiting {
            if served.len() < 6
                && let Some(Ok(permit)) = one.as_mut().now_or_never()
            {
                served.push(*number);
                *one = std::future::pending().boxed();
                drop(permit);
            }
        }
    }
    assert_eq!(served, [1, 2, 3, 1, 2, 1]);
}

#[tokio::test]
async fn what_takes_long_leaves_half_of_the_threads_to_others_of_its_source() {
    let pool = pool(2, 9);
    let long = Load { length: Length::Long, ..Load::default() };
    let mut all = [enters(&pool, 1, long), enters(&pool, 1, long), usual(&pool, 1)];
    let first = is_in(&mut all[0]);
    assert!(first.is_some() && is_in(&mut all[1]).is_none());
    assert!(is_in(&mut all[2]).is_some());
    drop(first);
    assert!(is_in(&mut all[1]).is_some());
}

#[tokio::test]
async fn what_takes_long_leaves_half_of_the_threads_to_others_than_its_block() {
    let pool = pool(2, 9);
    let long = Load { length: Length::Long, ..Load::default() };
    let mut block = [0, 1].map(|number| comes(&pool, of_block(number), long));
    let first = is_in(&mut block[0]);
    assert!(first.is_some() && is_in(&mut block[1]).is_none());
    assert!(is_in(&mut enters(&pool, 1, long)).is_some());
}

#[tokio::test]
async fn memory_is_weighed_and_what_needs_none_goes_on() {
    let pool = pool(4, 9);
    let of = |memory_kib| Load { memory_kib, ..Load::default() };
    let half = is_in(&mut enters(&pool, 1, of(128)));
    let mut large = enters(&pool, 2, of(256));
    assert!(is_in(&mut large).is_none());
    let mut small = enters(&pool, 3, of(64));
    assert!(is_in(&mut small).is_none(), "a small one does not pass a large one");
    assert!(is_in(&mut usual(&pool, 4)).is_some());
    drop(half);
    let large = is_in(&mut large);
    assert!(large.is_some() && is_in(&mut small).is_none());
    drop(large);
    assert!(is_in(&mut small).is_some());
}

#[tokio::test]
async fn whoever_hangs_up_gives_the_place_back() {
    let pool = pool(1, 1);
    let running = is_in(&mut usual(&pool, 1));
    let waiting = usual(&pool, 1);
    assert!(!pool.has_room(source(1)));
    drop(waiting);
    assert!(pool.has_room(source(1)));
    let granted = usual(&pool, 2);
    drop(running);
    drop(granted);
    assert!(is_in(&mut usual(&pool, 3)).is_some(), "a permit that nobody took is free again");
}

#[tokio::test]
async fn who_waits_too_long_is_turned_away() {
    let pool = Pool { longest_wait: Duration::ZERO, ..pool(1, 1) };
    let _running = is_in(&mut usual(&pool, 1));
    assert!(usual(&pool, 1).await.is_err());
}
