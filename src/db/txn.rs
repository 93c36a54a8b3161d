//! The transaction that every write goes through, unless it is a single statement (`Db::alone`).

use std::{
    collections::BTreeSet,
    ops::Deref,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use sea_orm::{ConnectionTrait, DbBackend};
use tokio::sync::Notify;

use super::statements::Statements;
use crate::{
    crypto,
    error::{Error, Result},
};

/// One bell wakes one sleeper.
#[derive(Default)]
pub struct Bells {
    /// There is work for the worker.
    pub enqueued: Notify,
    /// There is news for whoever reads the tail of the log.
    pub recorded: Notify,
}

/// What is to be forgotten.
type Forget = Box<dyn FnOnce() + Send>;

/// A transaction that writes.
pub struct Txn {
    inner: Statements,
    bells: Arc<Bells>,
    enqueued: AtomicBool,
    recorded: AtomicBool,
    forget: Mutex<Vec<Forget>>,
}

impl Txn {
    pub fn new(inner: Statements, bells: Arc<Bells>) -> Self {
        let (enqueued, recorded) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { inner, bells, enqueued, recorded, forget: Mutex::default() }
    }

    /// Jobs were made in here: the worker is called when they can be seen.
    pub fn has_enqueued(&self) {
        self.enqueued.store(true, Ordering::Relaxed);
    }

    /// Events were recorded in here: whoever follows the log is called when they can be seen.
    pub fn has_recorded(&self) {
        self.recorded.store(true, Ordering::Relaxed);
    }

    /// What memory holds of that which is changed in here: it is forgotten when the change can be seen, and not before,
    /// or it would be read again as it was.
    pub fn forget(&self, forget: impl FnOnce() + Send + 'static) {
        self.forget.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(forget));
    }

    /// Of all who name one of these words, one works at a time, until its transaction ends: for what is counted before it
    /// is added to. (`SQLite` has one writer anyway.)
    pub async fn queue_for(&self, words: &[&str]) -> Result<()> {
        if self.inner.get_database_backend() != DbBackend::Postgres {
            return Ok(());
        }
        // In one order, so that two who name the same words never wait for each other.
        let numbers: BTreeSet<i64> = words.iter().map(|word| crypto::number_of(word)).collect();
        let list: Vec<_> = numbers.iter().map(ToString::to_string).collect();
        let list = list.join(",");
        let statement = format!("SELECT pg_advisory_xact_lock(n) FROM unnest('{{{list}}}'::bigint[]) AS n");
        self.inner.execute_unprepared(&statement).await?;
        Ok(())
    }

    /// Commits in a task of its own: whoever asks may go, and what follows from the commit is done all the same.
    pub async fn commit(self) -> Result<()> {
        tokio::spawn(self.finish()).await.map_err(Error::internal)?
    }

    async fn finish(self) -> Result<()> {
        let committed = self.inner.commit().await;
        // After a commit that failed, too: it may have been done, and only the answer was lost.
        for forget in self.forget.into_inner().unwrap_or_else(PoisonError::into_inner) {
            forget();
        }
        committed?;
        if self.enqueued.into_inner() {
            self.bells.enqueued.notify_one();
        }
        if self.recorded.into_inner() {
            self.bells.recorded.notify_one();
        }
        Ok(())
    }
}

impl Deref for Txn {
    type Target = Statements;

    fn deref(&self) -> &Statements {
        &self.inner
    }
}
