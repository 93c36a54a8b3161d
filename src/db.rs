//! The database: connections, and the transaction that every write goes through.
//!
//! `SQLite` has one writer. All writes share one connection and begin as `IMMEDIATE`, so they queue here, in order,
//! instead of failing halfway with `SQLITE_BUSY`; reads go through a pool beside it. On `PostgreSQL` both are one pool.

use std::{
    collections::BTreeSet,
    ops::Deref,
    os::unix::fs::DirBuilderExt as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
    sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use tokio::sync::Notify;

use crate::{
    config::{self, DatabaseUrl},
    crypto,
    error::{Error, Result},
};

pub struct Db {
    read: DatabaseConnection,
    write: DatabaseConnection,
    /// Rung after each commit: there may be work for the worker.
    pub committed: Arc<Notify>,
    /// The same for whoever reads the tail of the log: one bell wakes one sleeper.
    pub recorded: Arc<Notify>,
    statements: Arc<AtomicU64>,
}

/// A statement that takes longer is given up by the server: no request waits so long.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a request waits for a connection before it is told that the database is away.
const PATIENCE: Duration = Duration::from_secs(5);

impl Db {
    pub async fn connect(config: &config::Database) -> Result<Self> {
        let (mut read, mut write) = match &config.database_url {
            DatabaseUrl::Postgres(url) => {
                let mut options = ConnectOptions::new(url.expose());
                // A ping before each use costs more than a query: only what has lain idle is asked whether it lives.
                options
                    .max_connections(config.database_connections)
                    .test_before_acquire(false)
                    .test_before_acquire_if_idle_for(Duration::from_secs(2))
                    .statement_timeout(STATEMENT_TIMEOUT);
                let pool = connect(options).await?;
                (pool.clone(), pool)
            }
            DatabaseUrl::Sqlite(path) => {
                if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(
                        |error| Error::internal(format!("{} cannot be made: {error}", folder.display())),
                    )?;
                }
                let url = format!("sqlite://{}", path.display());
                let mut writer = ConnectOptions::new(&url);
                writer
                    .max_connections(1)
                    .min_connections(1)
                    .map_sqlx_sqlite_opts(|o| durable(o).create_if_missing(true));
                let write = connect(writer).await?;
                let mut readers = ConnectOptions::new(&url);
                readers.max_connections(config.database_connections).map_sqlx_sqlite_opts(durable);
                (connect(readers).await?, write)
            }
        };
        let statements = Arc::new(AtomicU64::new(0));
        count(&mut read, &statements);
        if config.database_url.is_sqlite() {
            count(&mut write, &statements);
        } else {
            write = read.clone();
        }
        Ok(Self { read, write, committed: Arc::default(), recorded: Arc::default(), statements })
    }

    /// How many statements were sent so far.
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// For reading outside a transaction.
    pub fn read(&self) -> &DatabaseConnection {
        &self.read
    }

    /// The connection that may change the schema.
    pub fn owner(&self) -> &DatabaseConnection {
        &self.write
    }

    pub fn backend(&self) -> DbBackend {
        self.write.get_database_backend()
    }

    /// A transaction that writes. What is not committed is rolled back when it is dropped.
    pub async fn begin(&self) -> Result<Txn> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let inner = self.write.begin_with_options(options).await?;
        let bells = [&self.committed, &self.recorded].map(Arc::clone);
        Ok(Txn { inner, bells })
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        tokio::time::timeout(PATIENCE, self.read.ping())
            .await
            .map_err(|_| Error::internal("the database does not answer"))?
            .map_err(Error::from)
    }

    pub async fn close(&self) -> Result<()> {
        self.read.close_by_ref().await?;
        self.write.close_by_ref().await?;
        Ok(())
    }
}

async fn connect(mut options: ConnectOptions) -> Result<DatabaseConnection> {
    options.acquire_timeout(PATIENCE).connect_timeout(PATIENCE).sqlx_logging(false);
    Ok(Database::connect(options).await?)
}

fn count(connection: &mut DatabaseConnection, statements: &Arc<AtomicU64>) {
    let statements = Arc::clone(statements);
    connection.set_metric_callback(move |_| {
        statements.fetch_add(1, Ordering::Relaxed);
    });
}

fn durable(options: SqliteConnectOptions) -> SqliteConnectOptions {
    // FULL: an acknowledged write survives a power cut, too, not only a crash of the process.
    options
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        // What is erased is overwritten in the file.
        .pragma("secure_delete", "ON")
        .busy_timeout(PATIENCE)
}

/// A transaction that writes.
pub struct Txn {
    inner: DatabaseTransaction,
    bells: [Arc<Notify>; 2],
}

impl Txn {
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

    pub async fn commit(self) -> Result<()> {
        self.inner.commit().await?;
        for bell in self.bells {
            bell.notify_one();
        }
        Ok(())
    }
}

impl Deref for Txn {
    type Target = DatabaseTransaction;

    fn deref(&self) -> &DatabaseTransaction {
        &self.inner
    }
}
