//! Questions that several requests ask at the same time, for other ids each: they go together, as one.
//!
//! While answers are under way, whoever asks waits until one of them is there, and then all who wait set out together. So
//! nobody waits for company, and the more there are, the less each of them costs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use uuid::Uuid;

/// So many ids go together, unless one request alone asks for more. The more there are, the more often two of them stand on one
/// page of an index; and the longer waits whoever comes behind them.
const MOST_IDS: usize = 2_000;
/// So many wait before the next one is better off alone.
const LONGEST_QUEUE: usize = 512;

/// Those who ask the same of other ids, and get an answer of the kind `A`.
pub struct Together<A>(Arc<Mutex<Queue<A>>>);

struct Queue<A> {
    under_way: usize,
    waiting: Vec<Asker<A>>,
}

struct Asker<A> {
    ids: Vec<Uuid>,
    answer: oneshot::Sender<A>,
}

impl<A> Default for Together<A> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Queue { under_way: 0, waiting: Vec::new() })))
    }
}

impl<A: Clone + Send + 'static> Together<A> {
    /// What `fetch` finds for these ids, and for those of others with them; nothing where it finds nothing, or too many
    /// wait. So many are under way `at_once`.
    pub async fn ask<F: Future<Output = Option<A>> + Send + 'static>(
        &self,
        ids: &[Uuid],
        at_once: usize,
        fetch: impl Fn(Vec<Uuid>) -> F + Send + 'static,
    ) -> Option<A> {
        let (answer, told) = oneshot::channel();
        if self.join(Asker { ids: ids.to_vec(), answer }, at_once)? {
            // In a task of its own: whoever asked may stop waiting, and the others would with them.
            let way = OnTheWay { queue: Arc::clone(&self.0), back: false };
            tokio::spawn(run(way, fetch));
        }
        told.await.ok()
    }

    /// Whether somebody else has to set out for those who wait; nothing if there are too many.
    fn join(&self, asker: Asker<A>, at_once: usize) -> Option<bool> {
        let mut queue = locked(&self.0);
        if queue.waiting.len() >= LONGEST_QUEUE {
            return None;
        }
        queue.waiting.push(asker);
        let sets_out = queue.under_way < at_once;
        queue.under_way += usize::from(sets_out);
        Some(sets_out)
    }
}

async fn run<A: Clone, F: Future<Output = Option<A>>>(mut way: OnTheWay<A>, fetch: impl Fn(Vec<Uuid>) -> F) {
    while let Some(askers) = way.next() {
        let ids = askers.iter().flat_map(|asker| asker.ids.iter().copied()).collect();
        let Some(found) = fetch(ids).await else {
            let mut queue = locked(&way.queue);
            // Where nobody else is under way, who knows whether those who wait would be served here: let them ask elsewhere.
            if queue.under_way == 1 {
                queue.waiting.clear();
            }
            continue;
        };
        for asker in askers {
            let _ = asker.answer.send(found.clone());
        }
    }
}

/// Somebody who asks for others, until they are back.
struct OnTheWay<A> {
    queue: Arc<Mutex<Queue<A>>>,
    back: bool,
}

impl<A> OnTheWay<A> {
    /// Those who go next, or the end of the way.
    fn next(&mut self) -> Option<Vec<Asker<A>>> {
        let mut queue = locked(&self.queue);
        queue.waiting.retain(|asker| !asker.answer.is_closed());
        if queue.waiting.is_empty() {
            queue.under_way -= 1;
            self.back = true;
            return None;
        }
        let mut ids = 0;
        let fit = queue.waiting.iter().take_while(|asker| {
            ids += asker.ids.len();
            ids <= MOST_IDS
        });
        let going = fit.count().max(1);
        Some(queue.waiting.drain(..going).collect())
    }
}

impl<A> Drop for OnTheWay<A> {
    /// Whoever did not come back left nobody behind who would wait for them.
    fn drop(&mut self) {
        if !self.back {
            let mut queue = locked(&self.queue);
            queue.under_way -= 1;
            queue.waiting.clear();
        }
    }
}

fn locked<A>(queue: &Mutex<Queue<A>>) -> MutexGuard<'_, Queue<A>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::join_all;
    use tokio::{sync::Semaphore, task::yield_now};

    /// Answers with the ids that went together, as often as the gate is opened; and not at all for the nil id.
    struct World {
        together: Together<Vec<Uuid>>,
        gate: Arc<Semaphore>,
    }

    impl World {
        fn new() -> Self {
            Self { together: Together::default(), gate: Arc::new(Semaphore::new(0)) }
        }

        async fn ask(&self, ids: &[u128]) -> Option<Vec<u128>> {
            let gate = Arc::clone(&self.gate);
            let fetch = move |ids: Vec<Uuid>| {
                let gate = Arc::clone(&gate);
                async move {
                    gate.acquire().await.expect("it stays").forget();
                    assert!(!ids.contains(&Uuid::max()), "this one is a bug");
                    (!ids.contains(&Uuid::nil())).then_some(ids)
                }
            };
            let ids: Vec<_> = ids.iter().copied().map(Uuid::from_u128).collect();
            let found = self.together.ask(&ids, 1, fetch).await;
            found.map(|ids| ids.iter().map(Uuid::as_u128).collect())
        }

        /// So many answers arrive once everybody has asked.
        async fn open(&self, answers: usize) -> Option<Vec<u128>> {
            for _ in 0..100 {
                yield_now().await;
            }
            self.gate.add_permits(answers);
            None
        }
    }

    #[tokio::test]
    async fn who_asks_while_an_answer_is_under_way_goes_with_the_next() {
        let world = World::new();
        let first = async {
            let asks = world.ask(&[1]);
            let others = async {
                yield_now().await;
                join_all([world.ask(&[2, 3]), world.ask(&[4])]).await
            };
            futures_util::join!(asks, others, world.open(2))
        };
        let (first, others, _) = first.await;
        assert_eq!(first, Some(vec![1]), "nobody waits for company");
        assert_eq!(others, [Some(vec![2, 3, 4]), Some(vec![2, 3, 4])]);
        assert_eq!(locked(&world.together.0).under_way, 0);
    }

    #[tokio::test]
    async fn no_more_go_together_than_one_statement_takes() {
        let world = World::new();
        let many: Vec<_> = (1..=u128::try_from(MOST_IDS).expect("few") + 1).collect();
        let asks = [world.ask(&[1]), world.ask(&[2]), world.ask(&many), world.ask(&[3])];
        let (found, _) = futures_util::join!(join_all(asks), world.open(9));
        let lengths: Vec<_> = found.iter().flatten().map(Vec::len).collect();
        assert_eq!(lengths, [2, 2, MOST_IDS + 1, 1]);
    }

    #[tokio::test]
    async fn who_cannot_be_answered_is_told_so_and_so_are_those_behind() {
        let world = World::new();
        let behind = async {
            yield_now().await;
            world.ask(&[2]).await
        };
        let (first, behind, _) = futures_util::join!(world.ask(&[0]), behind, world.open(9));
        assert_eq!((first, behind), (None, None));
        assert_eq!(world.ask(&[3]).await, Some(vec![3]), "whoever comes later tries again");
    }

    #[tokio::test]
    async fn a_bug_ends_one_way_and_not_all() {
        let world = World::new();
        let (found, _) = futures_util::join!(world.ask(&[u128::MAX]), world.open(9));
        assert_eq!(found, None);
        assert_eq!(world.ask(&[3]).await, Some(vec![3]));
    }

    #[tokio::test]
    async fn who_gives_up_leaves_the_queue() {
        let world = World::new();
        let mut gives_up = Box::pin(world.ask(&[2]));
        let first = async {
            let asks = world.ask(&[1]);
            let others = async {
                yield_now().await;
                assert!(futures_util::poll!(&mut gives_up).is_pending());
                drop(gives_up);
                world.ask(&[3]).await
            };
            futures_util::join!(asks, others, world.open(9))
        };
        let (first, other, _) = first.await;
        assert_eq!((first, other), (Some(vec![1]), Some(vec![3])));
    }
}
