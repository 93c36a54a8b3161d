//! Opening the pools: what each connection is set to, and which of them may be used again.

use std::{
    fs::{DirBuilder, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use sea_orm::{
    ConnectOptions, Database, DatabaseConnection,
    sqlx::{
        ConnectOptions as _, Connection as _, PgConnection, Row as _, SqliteConnection,
        pool::PoolConnectionMetadata,
        sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
    },
};

use super::{PATIENCE, STATEMENT_TIMEOUT, health::Health, reach::reach, shared_of};
use crate::{
    config::{self, DatabaseUrl, PostgresUrl},
    error::{Error, Result},
};

/// What has lain idle for so long is asked whether it lives.
const ASK_AFTER: Duration = Duration::from_secs(2);

/// One pool to read from and one to write with. On `PostgreSQL` they are the same.
pub async fn open(
    config: &config::Database,
    health: &Arc<Health>,
) -> Result<(DatabaseConnection, DatabaseConnection)> {
    match &config.database_url {
        DatabaseUrl::Postgres(url) => {
            reach(url).await?;
            let connections = config.database_connections - shared_of(config);
            let pool = connect(postgres(url, connections)).await?;
            Ok((pool.clone(), pool))
        }
        DatabaseUrl::Sqlite(path) => {
            create_private(path)
                .map_err(|error| Error::internal(format!("{} cannot be used: {error}", path.display())))?;
            // The path as it is, and not as a part of an address: there `%20` would be another name.
            let file = path.to_owned();
            let durable = move |options| durable(options).filename(&file);
            let writer = connect(sqlite_writer(durable.clone(), health)).await?;
            let mut readers = ConnectOptions::new("sqlite://denizen.db");
            readers.max_connections(config.database_connections).map_sqlx_sqlite_opts(durable);
            Ok((connect(readers).await?, writer))
        }
    }
}

async fn connect(mut options: ConnectOptions) -> Result<DatabaseConnection> {
    options.acquire_timeout(PATIENCE).connect_timeout(PATIENCE).sqlx_logging(false);
    Ok(Database::connect(options).await?)
}

fn postgres(url: &PostgresUrl, connections: u32) -> ConnectOptions {
    let limit = STATEMENT_TIMEOUT.as_millis().to_string();
    let limits = [("statement_timeout", limit.clone()), ("idle_in_transaction_session_timeout", limit)];
    let theirs = url.options().disable_statement_logging().options(limits);
    // The address itself stays with us: what is handed on is logged, and quoted in errors.
    let mut options = ConnectOptions::new("postgres://localhost");
    // A ping before each use costs more than a query.
    options
        .max_connections(connections)
        .test_before_acquire(false)
        .map_sqlx_postgres_opts(move |_| theirs.clone())
        .map_sqlx_postgres_before_acquire(|connection, metadata| {
            Box::pin(postgres_is_idle(connection, metadata))
        });
    options
}

/// Whether no transaction is open. The driver knows of those that it began; of any other the server tells, asked in place of
/// a ping.
async fn postgres_is_idle(
    connection: &mut PgConnection,
    metadata: PoolConnectionMetadata,
) -> std::result::Result<bool, sea_orm::SqlxError> {
    if connection.is_in_transaction() {
        return Ok(false);
    }
    if metadata.idle_for < ASK_AFTER {
        return Ok(true);
    }
    // They are the same in the first statement of a transaction only; and only where it is sent as one message.
    let first = sqlx::raw_sql("SELECT now() = statement_timestamp()").fetch_one(connection).await?;
    first.try_get(0)
}

fn sqlite_writer(
    durable: impl Fn(SqliteConnectOptions) -> SqliteConnectOptions + Send + Sync + 'static,
    health: &Arc<Health>,
) -> ConnectOptions {
    let health = Arc::clone(health);
    let mut writer = ConnectOptions::new("sqlite://denizen.db");
    writer
        .max_connections(1)
        .min_connections(1)
        .map_sqlx_sqlite_opts(move |options| durable(options).create_if_missing(true))
        .map_sqlx_sqlite_before_acquire(move |connection, _| {
            let suspect = health.take_suspicion();
            Box::pin(async move { Ok(!suspect && sqlite_is_idle(connection).await) })
        });
    writer
}

/// Whether no transaction is open: neither by the driver's count, nor by `SQLite`'s own, which begins none within another.
async fn sqlite_is_idle(connection: &mut SqliteConnection) -> bool {
    !connection.is_in_transaction() && sqlx::raw_sql("BEGIN; ROLLBACK").execute(connection).await.is_ok()
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

/// Makes the file, and the folder if it is missing, for the owner alone: everybody's data is in it. `SQLite` gives the
/// files beside it the same rights.
fn create_private(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        // What was written last stands in the files beside it.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => ["", "-wal", "-shm"]
            .iter()
            .map(|ending| beside(path, ending))
            .filter(|file| file.exists())
            .try_for_each(|file| close_to_others(&file)),
        Err(error) => Err(error),
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut file = path.as_os_str().to_owned();
    file.push(ending);
    file.into()
}

/// A file of an earlier version may be readable by everybody on the machine. The rights of a group stay: backups may use
/// them.
fn close_to_others(path: &Path) -> io::Result<()> {
    const OTHERS: u32 = 0o007;
    let mut permissions = path.metadata()?.permissions();
    if permissions.mode() & OTHERS == 0 {
        return Ok(());
    }
    permissions.set_mode(permissions.mode() & !OTHERS);
    match std::fs::set_permissions(path, permissions) {
        Ok(()) => {
            tracing::info!(path = %path.display(), "the database file is no longer readable by everybody");
        }
        // Somebody else's file: it is theirs to close.
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "everybody on this machine can read the database file");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn nobody_else_reads_the_file_or_those_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("denizen.db");
        create_private(&path).unwrap();
        assert_eq!(mode(&path), 0o600);
        for ending in ["", "-wal", "-shm"] {
            let file = beside(&path, ending);
            std::fs::write(&file, "").unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        }
        create_private(&path).unwrap();
        assert!(["", "-wal", "-shm"].iter().all(|ending| mode(&beside(&path, ending)) == 0o640));
    }
}
