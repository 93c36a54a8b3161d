//! The statements of one transaction, and whether all of them succeeded.
//!
//! After an error `PostgreSQL` ignores what follows and answers COMMIT with a rollback, without an error; `SQLite` may
//! have ended the transaction, and keeps each later statement by itself. A statement whose future was dropped may have
//! failed unseen. In all three cases nothing more is sent, and nothing is committed.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, Statement};

use super::health::Health;

pub struct Statements {
    inner: DatabaseTransaction,
    health: Arc<Health>,
    failed: AtomicBool,
    /// How many have begun and not ended: under way, or dropped.
    unfinished: AtomicUsize,
}

impl Statements {
    pub fn new(inner: DatabaseTransaction, health: Arc<Health>) -> Self {
        Self { inner, health, failed: AtomicBool::new(false), unfinished: AtomicUsize::new(0) }
    }

    async fn run<T>(&self, statement: impl Future<Output = Result<T, DbErr>> + Send) -> Result<T, DbErr> {
        if self.failed.load(Ordering::Relaxed) {
            return Err(over());
        }
        self.unfinished.fetch_add(1, Ordering::Relaxed);
        let done = statement.await;
        self.unfinished.fetch_sub(1, Ordering::Relaxed);
        if let Err(error) = &done {
            self.failed.store(true, Ordering::Relaxed);
            self.health.failed(self.get_database_backend(), error);
        }
        done
    }

    /// Commits, if nothing failed. Without an error, all of it is kept.
    pub async fn commit(self) -> Result<(), DbErr> {
        let Self { inner, health, failed, unfinished } = self;
        if failed.into_inner() || unfinished.into_inner() > 0 {
            return Err(over());
        }
        let committed = inner.commit().await;
        match &committed {
            Ok(()) => health.kept(),
            Err(_) => health.not_kept(),
        }
        committed
    }
}

fn over() -> DbErr {
    DbErr::Custom(
        "a statement of this transaction failed or was broken off: nothing of it is kept".to_owned(),
    )
}

#[async_trait]
impl ConnectionTrait for Statements {
    fn get_database_backend(&self) -> DbBackend {
        self.inner.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.run(self.inner.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.run(self.inner.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.run(self.inner.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.run(self.inner.query_all_raw(statement)).await
    }
}
