//! Connections to `SQLite` that are asked on the thread that needs the answer. The pool hands each statement to a thread of
//! its own and each row back, which takes longer than to answer what an index knows.
//!
//! The thread serves many requests and stands still meanwhile. So only quick statements go here, and nothing depends on it:
//! what cannot be served at once the pool serves. Here there are no transactions, and nothing is written. Both drivers
//! are linked with one `SQLite`: two in one process would not see each other's locks.

use std::{
    path::Path,
    sync::{Mutex, PoisonError, TryLockError},
    time::Duration,
};

use rusqlite::{
    Connection, Error, OpenFlags, Result, ToSql,
    config::DbConfig,
    types::{ToSqlOutput, ValueRef},
};
use sea_orm::{DbErr, Statement, Value};

use super::Row;

/// So many statements are remembered for each connection, by their text.
const PREPARED: usize = 200;

pub struct Here(Vec<Mutex<Option<Connection>>>);

impl Here {
    pub fn open(path: &Path, connections: usize) -> Result<Self> {
        let open = |_| connect(path).map(|connection| Mutex::new(Some(connection)));
        (0..connections).map(open).collect::<Result<_>>().map(Self)
    }

    /// Hands each row on. Nothing, and no row was handed on, if the pool is to be asked.
    pub fn each_row(
        &self,
        statement: &Statement,
        each: &mut impl FnMut(Row<'_>) -> Result<(), DbErr>,
    ) -> Option<Result<(), DbErr>> {
        let place = self.0.iter().find_map(|place| match place.try_lock() {
            Ok(place) => Some(place),
            Err(TryLockError::Poisoned(place)) => Some(place.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        })?;
        let mut prepared = place.as_ref()?.prepare_cached(&statement.sql).ok()?;
        for (place, value) in statement.values.iter().flat_map(|values| &values.0).enumerate() {
            prepared.raw_bind_parameter(place + 1, Parameter(value)).ok()?;
        }
        let mut rows = prepared.raw_query();
        let mut row = match rows.next() {
            Ok(row) => row,
            // Somebody holds the file for a moment, or whatever it is: the pool waits, and names it.
            Err(error) => {
                tracing::debug!(%error, "a statement was not answered here");
                return None;
            }
        };
        loop {
            match row.map(|row| each(Row::Here(row))) {
                None => return Some(Ok(())),
                Some(Err(error)) => return Some(Err(error)),
                Some(Ok(())) => {}
            }
            match rows.next() {
                Ok(next) => row = next,
                Err(error) => return Some(Err(DbErr::Custom(error.to_string()))),
            }
        }
    }

    pub fn close(&self) {
        for place in &self.0 {
            drop(place.lock().unwrap_or_else(PoisonError::into_inner).take());
        }
    }
}

fn connect(path: &Path) -> Result<Connection> {
    // Not `READ_ONLY`: who reads has to write into the index of the write-ahead log, too.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.busy_timeout(Duration::ZERO)?;
    connection.set_prepared_statement_cache_capacity(PREPARED);
    // Without this promise it plans a statement anew for every value that it is given.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

/// A parameter, as the pool's driver binds it.
struct Parameter<'a>(&'a Value);

impl ToSql for Parameter<'_> {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Bool(value) => value.map_or(ValueRef::Null, |value| ValueRef::Integer(value.into())),
            Value::Int(value) => value.map_or(ValueRef::Null, |value| ValueRef::Integer(value.into())),
            Value::BigInt(value) => value.map_or(ValueRef::Null, ValueRef::Integer),
            Value::BigUnsigned(value) => match value.map(i64::try_from).transpose() {
                Ok(value) => value.map_or(ValueRef::Null, ValueRef::Integer),
                Err(error) => return Err(Error::ToSqlConversionFailure(error.into())),
            },
            Value::String(text) => {
                text.as_ref().map_or(ValueRef::Null, |text| ValueRef::Text(text.as_bytes()))
            }
            Value::Uuid(id) => id.as_ref().map_or(ValueRef::Null, |id| ValueRef::Blob(id.as_bytes())),
            _ => return Err(Error::ToSqlConversionFailure("a value of this type is not known here".into())),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sea_orm::DbBackend;

    fn filled() -> (tempfile::TempDir, Here) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("people.db");
        let people = "PRAGMA journal_mode = WAL; CREATE TABLE people (id INTEGER, name TEXT); \
                      INSERT INTO people VALUES (1, 'Ada'), (2, NULL)";
        Connection::open(&path).unwrap().execute_batch(people).unwrap();
        let here = Here::open(&path, 1).unwrap();
        (folder, here)
    }

    type Names = Vec<Option<String>>;

    fn names(here: &Here, sql: &str, values: Vec<Value>) -> Option<Result<Names, DbErr>> {
        let mut names = Vec::new();
        let statement = Statement::from_sql_and_values(DbBackend::Sqlite, sql, values);
        let done = here.each_row(&statement, &mut |row| {
            names.push(row.get::<String>(0)?);
            Ok(())
        });
        done.map(|done| done.map(|()| names))
    }

    #[test]
    fn rows_come_in_order_with_what_is_null() {
        let (_folder, here) = filled();
        let all = names(&here, "SELECT name FROM people WHERE id > ? ORDER BY id", vec![0.into()]);
        assert_eq!(all.unwrap().unwrap(), [Some("Ada".to_owned()), None]);
        let nobody = names(&here, "SELECT name FROM people WHERE name = ?", vec![Value::String(None)]);
        assert_eq!(nobody.unwrap().unwrap(), [None::<String>; 0]);
    }

    #[test]
    fn values_are_those_of_the_pool() {
        let (_folder, here) = filled();
        let id = uuid::Uuid::from_u128(0xada);
        let values: [Value; 5] = [id.into(), true.into(), 7_i64.into(), 8_u64.into(), "é".into()];
        let told = "SELECT hex(?) || ' ' || ? || ' ' || ? || ' ' || ? || ' ' || ?";
        let told = names(&here, told, values.to_vec()).unwrap().unwrap();
        assert_eq!(told, [Some("00000000000000000000000000000ADA 1 7 8 é".to_owned())]);
    }

    #[test]
    fn what_is_not_quick_to_answer_is_left_to_the_pool() {
        let (folder, here) = filled();
        assert!(names(&here, "SELECT name FROM nowhere", vec![]).is_none(), "an error that the pool names");
        assert!(names(&here, "SELECT ?", vec![1.5.into()]).is_none(), "a value that is not known here");
        let write = "INSERT INTO people VALUES (3, 'Eve') RETURNING name";
        assert!(names(&here, write, vec![]).is_none(), "nothing is written here");
        let held = here.0[0].lock();
        assert!(names(&here, "SELECT name FROM people", vec![]).is_none(), "all are at work");
        drop(held);
        here.close();
        assert!(names(&here, "SELECT name FROM people", vec![]).is_none(), "all are closed");
        drop(folder);
    }

    #[test]
    fn what_was_written_is_seen_and_so_is_a_change_of_the_schema() {
        let (folder, here) = filled();
        let writer = Connection::open(folder.path().join("people.db")).unwrap();
        let first = "SELECT name FROM people WHERE id = ?";
        for name in ["Bob", "Cid"] {
            writer.execute("UPDATE people SET name = ? WHERE id = 1", [name]).unwrap();
            assert_eq!(names(&here, first, vec![1.into()]).unwrap().unwrap(), [Some(name.to_owned())]);
        }
        writer
            .execute_batch("ALTER TABLE people ADD COLUMN age INTEGER; CREATE INDEX a ON people (id)")
            .unwrap();
        assert_eq!(names(&here, first, vec![1.into()]).unwrap().unwrap(), [Some("Cid".to_owned())]);
    }

    #[test]
    fn what_a_reader_cannot_read_is_an_error_and_not_nothing() {
        let (_folder, here) = filled();
        let statement = Statement::from_string(DbBackend::Sqlite, "SELECT 'no number'");
        let read = here.each_row(&statement, &mut |row| row.get::<i64>(0).map(drop));
        assert!(matches!(read, Some(Err(DbErr::Type(_)))), "{read:?}");
    }
}
