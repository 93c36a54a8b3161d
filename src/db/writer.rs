//! The connections that write: where transactions begin, and where single statements go that need none.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use entity::Timestamp;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, SqliteTransactionMode,
    Statement, TransactionOptions, TransactionTrait,
};
use tokio::{sync::Mutex, time::timeout};

use super::{PATIENCE, health::Health, statements::Statements};
use crate::error::{Error, Result};

pub struct Writer {
    connection: DatabaseConnection,
    health: Arc<Health>,
    probe: Mutex<Option<Probe>>,
    /// How many probes have ended.
    probes: AtomicU64,
}

/// A write that was made only to see whether it is kept.
#[derive(Clone, Copy)]
struct Probe {
    at: Timestamp,
    kept: bool,
}

/// Readiness is asked by everybody, as often as they like: it does not write each time.
const PROBE_EVERY: std::time::Duration = std::time::Duration::from_secs(1);

impl Writer {
    pub fn new(connection: DatabaseConnection, health: Arc<Health>) -> Self {
        Self { connection, health, probe: Mutex::new(None), probes: AtomicU64::new(0) }
    }

    pub fn connection(&self) -> &DatabaseConnection {
        &self.connection
    }

    /// Begins in a task of its own. The driver takes a connection back as idle when a `BEGIN` is dropped halfway, though
    /// the server has begun: whoever used it next would write into a transaction that nobody ends. Here whoever asks may
    /// go; the transaction comes to be all the same, and is rolled back.
    pub async fn begin(&self) -> Result<Statements> {
        let (connection, health) = (self.connection.clone(), Arc::clone(&self.health));
        let begun = tokio::spawn(async move {
            let options = TransactionOptions {
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                ..TransactionOptions::default()
            };
            #[expect(clippy::disallowed_methods, reason = "the one place that begins")]
            match connection.begin_with_options(options).await {
                Ok(inner) => Ok(Statements::new(inner, health)),
                Err(error) => {
                    health.failed(connection.get_database_backend(), &error);
                    Err(error)
                }
            }
        });
        Ok(begun.await.map_err(Error::internal)??)
    }

    /// Whether writes are kept. One write at most in a second, however often it is asked.
    pub async fn check(&self, now: Timestamp) -> Result<()> {
        let ended = self.probes.load(Ordering::Relaxed);
        let mut probe = self.probe.lock().await;
        let known = probe.filter(|probe| {
            // Who waited for somebody else's probe takes its outcome: they do not probe one after the other.
            let waited = self.probes.load(Ordering::Relaxed) > ended;
            let recent = waited || (probe.at <= now && now.since(probe.at) < PROBE_EVERY);
            // What happened since then counts more.
            recent && probe.kept != self.health.is_failing()
        });
        let kept = if let Some(known) = known {
            known.kept
        } else {
            let kept = self.write_something().await;
            *probe = Some(Probe { at: now, kept });
            self.probes.fetch_add(1, Ordering::Relaxed);
            kept
        };
        if kept { Ok(()) } else { Err(Error::internal("the database keeps nothing that is written")) }
    }

    async fn write_something(&self) -> bool {
        const SQL: &str = "UPDATE installation SET id = id WHERE id = 1";
        let written = timeout(PATIENCE, self.execute_unprepared(SQL)).await;
        let kept = matches!(written, Ok(Ok(_)));
        if !kept {
            self.health.not_kept();
        }
        kept
    }

    fn note<T>(&self, done: std::result::Result<T, DbErr>) -> std::result::Result<T, DbErr> {
        match &done {
            Ok(_) => self.health.kept(),
            Err(error) => self.health.failed(self.get_database_backend(), error),
        }
        done
    }
}

/// Single statements, each kept by itself.
#[async_trait]
impl ConnectionTrait for Writer {
    fn get_database_backend(&self) -> DbBackend {
        self.connection.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> std::result::Result<ExecResult, DbErr> {
        self.note(self.connection.execute_raw(statement).await)
    }

    async fn execute_unprepared(&self, sql: &str) -> std::result::Result<ExecResult, DbErr> {
        self.note(self.connection.execute_unprepared(sql).await)
    }

    /// Reads to the end, though one row is wanted: a driver that stops before it would not learn that a write was not kept.
    async fn query_one_raw(&self, statement: Statement) -> std::result::Result<Option<QueryResult>, DbErr> {
        Ok(self.query_all_raw(statement).await?.into_iter().next())
    }

    async fn query_all_raw(&self, statement: Statement) -> std::result::Result<Vec<QueryResult>, DbErr> {
        self.note(self.connection.query_all_raw(statement).await)
    }
}
