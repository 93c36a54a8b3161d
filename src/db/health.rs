//! What is known of the connections that write: whether the last writes were kept, and whether a connection may be
//! used again.
//!
//! After a full disk, an input/output error or a failed allocation `SQLite` ends a transaction by itself, but the driver
//! still counts it as open. What it begins next on this connection is a savepoint, and what it "commits" is released
//! into a transaction that nobody ends: acknowledged, and lost. So such a connection is never used again.

use std::sync::atomic::{AtomicBool, Ordering};

use sea_orm::{DbBackend, DbErr, SqlxError};

use crate::error::driver_error;

#[derive(Debug, Default)]
pub struct Health {
    /// The connection that writes to `SQLite` is to be closed before the next write.
    suspect: AtomicBool,
    /// The last write that was tried was not kept, and for no reason of its own.
    failing: AtomicBool,
}

/// Codes of `SQLite` that say something about the statement, and nothing about the connection or its disk: ERROR, BUSY,
/// LOCKED, SCHEMA, TOOBIG, CONSTRAINT, MISMATCH, RANGE.
const ABOUT_THE_STATEMENT: [u32; 8] = [1, 5, 6, 17, 18, 19, 20, 25];

impl Health {
    pub fn kept(&self) {
        self.failing.store(false, Ordering::Relaxed);
    }

    /// A statement failed.
    pub fn failed(&self, backend: DbBackend, error: &DbErr) {
        if matches!(error, DbErr::ConnectionAcquire(_)) {
            // None was to be had, or none could be opened: that says nothing about the one that there is.
            self.failing.store(true, Ordering::Relaxed);
            return;
        }
        let trouble = match driver_error(error) {
            Some(SqlxError::Database(said)) => {
                let code = said.code().unwrap_or_default();
                if backend == DbBackend::Sqlite {
                    sqlite_gave_up(&code)
                } else {
                    postgres_keeps_nothing(&code)
                }
            }
            // Whatever is not an answer of the database is about the way to it.
            Some(_) => true,
            None => matches!(error, DbErr::Conn(_)),
        };
        if trouble {
            self.not_kept();
        }
    }

    /// Something that should have been kept was not, or nobody knows.
    pub fn not_kept(&self) {
        self.suspect.store(true, Ordering::Relaxed);
        self.failing.store(true, Ordering::Relaxed);
    }

    pub fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// Whether the connection that is about to be used is to be closed instead. Says so once.
    pub fn take_suspicion(&self) -> bool {
        self.suspect.swap(false, Ordering::Relaxed)
    }
}

/// Whether the transaction, or the file, may be in another state than the driver believes.
fn sqlite_gave_up(code: &str) -> bool {
    // The primary code stands in the lowest byte.
    !code.parse::<u32>().is_ok_and(|code| ABOUT_THE_STATEMENT.contains(&(code & 0xff)))
}

/// Insufficient resources (a full disk among them), an error of the system, a damaged database, or a server that takes no
/// writes.
fn postgres_keeps_nothing(code: &str) -> bool {
    ["53", "58", "XX"].iter().any(|class| code.starts_with(class)) || code == "25006"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violated_key_says_nothing_about_the_disk() {
        // SQLITE_CONSTRAINT_UNIQUE and SQLITE_BUSY_SNAPSHOT.
        assert!(!sqlite_gave_up("2067") && !sqlite_gave_up("517"));
        // FULL, IOERR_WRITE, NOMEM, CORRUPT, READONLY_DBMOVED, and what is no number.
        assert!(["13", "778", "7", "11", "1032", ""].iter().all(|code| sqlite_gave_up(code)));
    }
}
