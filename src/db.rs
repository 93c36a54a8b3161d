//! The database: connections, and the transaction that every write goes through, unless it is a single statement.
//!
//! `SQLite` has one writer. All writes share one connection and begin as `IMMEDIATE`, so they queue here, in order,
//! instead of failing halfway with `SQLITE_BUSY`; reads go through a pool beside it. On `PostgreSQL` both are one pool.

mod health;
mod here;
mod pools;
mod reach;
mod recall;
mod row;
mod shared;
mod statements;
mod together;
mod txn;
mod writer;

use std::{
    fmt::Write as _,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use entity::Timestamp;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement, Value,
    sea_query::{Expr, SelectStatement, SimpleExpr},
};
use uuid::Uuid;

use here::Here;
use recall::Recall;
pub use recall::Shape;
pub use row::Row;
use shared::Shared;
use txn::Bells;
pub use txn::Txn;
pub use writer::Writer;

use crate::{
    config::{self, DatabaseUrl, PostgresUrl},
    error::{Error, Result},
};

pub struct Db {
    read: DatabaseConnection,
    writer: Writer,
    quick: OnceLock<Quick>,
    recall: Recall,
    bells: Arc<Bells>,
    heard: Arc<Heard>,
}

/// What was sent to the database: how many statements, and each of them for whoever listens.
#[derive(Default)]
struct Heard {
    statements: AtomicU64,
    listener: OnceLock<Listener>,
}

type Listener = Box<dyn Fn(&str) + Send + Sync>;

impl Heard {
    fn hear(&self, sql: &str) {
        self.statements.fetch_add(1, Ordering::Relaxed);
        if let Some(listener) = self.listener.get() {
            listener(sql);
        }
    }
}

/// How long a statement may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// An index answers it at once, however much there is: it may share a connection with others.
    Quick,
    /// It depends: nobody is to wait behind it.
    Unknown,
}

/// Where quick statements go first.
enum Quick {
    Shared(Shared),
    Here(Here),
}

/// How many of the connections are shared: one for each core, where there are enough. With more, each statement would again
/// be alone on its way, and wake somebody for itself.
fn shared_of(config: &config::Database) -> u32 {
    let DatabaseUrl::Postgres(url) = &config.database_url else { return 0 };
    if !shared::possible(url) {
        return 0;
    }
    u32::try_from(cores()).unwrap_or(u32::MAX).min(config.database_connections / 4)
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// A statement that takes longer is given up by the server: no request waits so long. No transaction waits so long for
/// its next statement either.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a request waits for a connection before it is told that the database is away.
const PATIENCE: Duration = Duration::from_secs(5);

impl Db {
    pub async fn connect(config: &config::Database) -> Result<Self> {
        let health = Arc::default();
        let (mut read, mut write) = pools::open(config, &health).await?;
        let heard = Arc::default();
        hear(&mut read, &heard);
        if config.database_url.is_sqlite() {
            hear(&mut write, &heard);
        } else {
            write = read.clone();
        }
        let writer = Writer::new(write, health);
        let (quick, recall, bells) = (OnceLock::new(), Recall::default(), Arc::default());
        Ok(Self { read, writer, quick, recall, bells, heard })
    }

    /// Opens the connections of quick statements, if there can be any: else the pool serves them like all others.
    pub async fn quicken(&self, config: &config::Database) {
        let quick = match &config.database_url {
            DatabaseUrl::Postgres(url) => self.try_to_share(url, shared_of(config)).await.map(Quick::Shared),
            DatabaseUrl::Sqlite(path) => {
                Here::open(path, cores()).map(Quick::Here).map_err(|error| error.to_string())
            }
        };
        match quick {
            Ok(quick) => drop(self.quick.set(quick)),
            Err(reason) => tracing::info!(reason, "quick statements have no connections of their own"),
        }
    }

    async fn try_to_share(&self, url: &PostgresUrl, connections: u32) -> std::result::Result<Shared, String> {
        const ENCRYPTED: &str = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        let encrypted = Statement::from_string(DbBackend::Postgres, ENCRYPTED);
        let row = self.read.query_one_raw(encrypted).await.map_err(|error| error.to_string())?;
        if row.and_then(|row| row.try_get_by_index::<Option<bool>>(0).ok()).flatten() != Some(false) {
            return Err("the way to the database is encrypted, and theirs would not be".into());
        }
        Shared::open(url, connections as usize, Arc::clone(&self.heard)).await
    }

    /// How many statements were sent so far.
    pub fn statements(&self) -> u64 {
        self.heard.statements.load(Ordering::Relaxed)
    }

    /// Hears every statement from now on; the first who asks is the only one.
    pub fn listen(&self, listener: impl Fn(&str) + Send + Sync + 'static) {
        let _ = self.heard.listener.set(Box::new(listener));
    }

    /// For reading outside a transaction.
    pub fn read(&self) -> &DatabaseConnection {
        &self.read
    }

    /// A statement that was put together by hand, as it is sent.
    pub fn statement(&self, select: &SelectStatement) -> Statement {
        with_its_limit(self.backend().build(select))
    }

    /// The statement of this shape with this value in it, put together only if none of the shape was before.
    pub fn recalled(
        &self,
        shape: Shape,
        value: &Value,
        build: impl FnOnce() -> SelectStatement,
    ) -> Statement {
        self.recall.statement(shape, value, || self.statement(&build()))
    }

    /// Hands each row of the answer on.
    pub async fn each_row(
        &self,
        statement: Statement,
        pace: Pace,
        mut each: impl FnMut(Row<'_>) -> std::result::Result<(), DbErr>,
    ) -> Result<()> {
        match self.quick.get().filter(|_| pace == Pace::Quick) {
            Some(Quick::Shared(shared)) => {
                if let Some(rows) = shared.rows(&statement).await {
                    return Ok(rows.iter().map(Row::Shared).try_for_each(each)?);
                }
            }
            Some(Quick::Here(here)) => {
                if let Some(done) = here.each_row(&statement, &mut each) {
                    self.heard.hear(&statement.sql);
                    return Ok(done?);
                }
            }
            None => {}
        }
        // Large, and where there are other connections, rare: a quick statement is not to carry its room.
        let rows = Box::pin(self.read.query_all_raw(statement)).await?;
        Ok(rows.iter().map(Row::Pooled).try_for_each(each)?)
    }

    /// Hands on each row that belongs to one of these different ids, which stand in the first column: quick, and for
    /// whoever asks for the same shape at the same time with one statement. It chooses the rows by [`Db::among`].
    pub async fn each_row_of(
        &self,
        ids: &[Uuid],
        shape: impl FnOnce(&'static str) -> Shape,
        build: impl Fn(&[Uuid]) -> SelectStatement,
        mut each: impl FnMut(Row<'_>) -> std::result::Result<(), DbErr>,
    ) -> Result<()> {
        let (statement, pace) = if let Some(Quick::Shared(shared)) = self.quick.get() {
            let template = || self.statement(&build(&[]));
            match self.recall.template(shape("ids"), &self.list(&[]), template) {
                Ok(template) => {
                    if let Some(found) = shared.found(&template, ids).await {
                        let rows = ids.iter().flat_map(|id| found.of(*id));
                        return Ok(rows.map(Row::Shared).try_for_each(each)?);
                    }
                    // The pool finds out what is wrong.
                    (template.with(&self.list(ids)), Pace::Unknown)
                }
                Err(_) => (self.statement(&build(ids)), Pace::Unknown),
            }
        } else {
            let (name, value) = match ids {
                [id] => ("id", (*id).into()),
                _ => ("ids", self.list(ids)),
            };
            (self.recall.statement(shape(name), &value, || self.statement(&build(ids))), Pace::Quick)
        };
        self.each_row(statement, pace, &mut each).await
    }

    /// These ids as one value, for [`Db::among`]. One statement, planned once, however many there are; and a list is read
    /// faster than parameters.
    fn list(&self, ids: &[Uuid]) -> Value {
        let (start, end) = if self.backend() == DbBackend::Postgres { ("{", "}") } else { ("[", "]") };
        let mut list = String::with_capacity(2 + 39 * ids.len());
        list.push_str(start);
        for id in ids {
            let comma = if list.len() > 1 { "," } else { "" };
            let _ = write!(list, "{comma}\"{}\"", id.simple());
        }
        list.push_str(end);
        list.into()
    }

    /// Whether the column holds one of these ids. If there is only one, it is no list: that is faster to read.
    pub fn among<C: ColumnTrait>(&self, column: C, ids: &[Uuid]) -> SimpleExpr {
        if let [id] = ids {
            return column.eq(*id);
        }
        let (column, list) = (Expr::col(column.as_column_ref()), self.list(ids));
        let among = match self.backend() {
            DbBackend::Postgres => "$1 = ANY($2::uuid[])",
            _ => "? IN (SELECT unhex(value) FROM json_each(?))",
        };
        Expr::cust_with_exprs(among, [column, Expr::val(list)])
    }

    /// The connection that may change the schema.
    pub fn owner(&self) -> &DatabaseConnection {
        self.writer.connection()
    }

    pub fn backend(&self) -> DbBackend {
        self.writer.get_database_backend()
    }

    /// A transaction that writes. What is not committed is rolled back when it is dropped.
    pub async fn begin(&self) -> Result<Txn> {
        Ok(Txn::new(self.writer.begin().await?, Arc::clone(&self.bells)))
    }

    /// For a write that is one statement and stands by itself: it needs no transaction around it.
    pub fn alone(&self) -> &Writer {
        &self.writer
    }

    /// Such a statement, put together by hand. Says how many rows it concerned.
    pub async fn execute(&self, sql: &str, values: impl IntoIterator<Item = Value>) -> Result<u64> {
        let statement = Statement::from_sql_and_values(self.backend(), sql, values);
        Ok(self.writer.execute_raw(statement).await?.rows_affected())
    }

    /// Until a transaction that has made jobs is committed.
    pub async fn enqueued(&self) {
        self.bells.enqueued.notified().await;
    }

    /// Until a transaction that has recorded events is committed.
    pub async fn recorded(&self) {
        self.bells.recorded.notified().await;
    }

    async fn ping(&self) -> Result<()> {
        tokio::time::timeout(PATIENCE, self.read.ping())
            .await
            .map_err(|_| Error::internal("the database does not answer"))?
            .map_err(Error::from)
    }

    /// Whether the database answers, and keeps what is written.
    pub async fn check(&self, now: Timestamp) -> Result<()> {
        self.ping().await?;
        self.writer.check(now).await
    }

    pub async fn close(&self) -> Result<()> {
        match self.quick.get() {
            Some(Quick::Shared(shared)) => shared.close(),
            Some(Quick::Here(here)) => here.close(),
            None => {}
        }
        self.read.close_by_ref().await?;
        self.owner().close_by_ref().await?;
        Ok(())
    }
}

/// `PostgreSQL` plans a statement anew each time while it does not know how many rows are wanted: the few limits that
/// there are stand in the text.
fn with_its_limit(mut statement: Statement) -> Statement {
    const LIMIT: &str = " LIMIT $";
    let limit = statement.sql.find(LIMIT).and_then(|at| {
        let number: String =
            statement.sql[at + LIMIT.len()..].chars().take_while(char::is_ascii_digit).collect();
        let value = statement.values.as_ref()?.0.get(number.parse::<usize>().ok()?.checked_sub(1)?)?;
        match value {
            Value::BigUnsigned(Some(rows)) => Some((format!("{LIMIT}{number}"), *rows)),
            _ => None,
        }
    });
    if let Some((parameter, rows)) = limit {
        // The value stays where it is, and nobody asks for it: so all the others keep their numbers.
        statement.sql = statement.sql.replacen(&parameter, &format!(" LIMIT {rows}"), 1);
    }
    statement
}

fn hear(connection: &mut DatabaseConnection, heard: &Arc<Heard>) {
    let heard = Arc::clone(heard);
    connection.set_metric_callback(move |info| heard.hear(&info.statement.sql));
}
