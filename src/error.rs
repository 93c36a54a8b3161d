//! What can go wrong, said once for every transport: GraphQL, REST and the command line translate from here.
//!
//! Two sorts are kept apart. What the caller can mend is a list of [`Fault`]s, each with the path of the input that
//! is at fault; it travels as data. Everything else refuses the request or the field.

use std::{borrow::Cow, error::Error as StdError, fmt, time::Duration};

use sea_orm::{DbErr, RuntimeErr, SqlErr, SqlxError};

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Every code that a client can meet, in payloads, GraphQL errors and REST answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    // What the caller can mend:
    Invalid,
    Required,
    Taken,
    NotFound,
    NotAllowed,
    WeakPassword,
    BreachedPassword,
    WrongCredentials,
    WrongCode,
    Expired,
    AlreadyUsed,
    AlreadyVerified,
    NotVerified,
    Inactive,
    TooManyAttempts,
    TooManyItems,
    Conflict,
    LastOwner,
    InUse,
    Unsupported,
    UpstreamFailed,
    // What refuses a request or a field:
    Unauthenticated,
    Forbidden,
    BadUserInput,
    RateLimited,
    Overloaded,
    Unavailable,
    Internal,
}

impl ErrorCode {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "INVALID",
            Self::Required => "REQUIRED",
            Self::Taken => "TAKEN",
            Self::NotFound => "NOT_FOUND",
            Self::NotAllowed => "NOT_ALLOWED",
            Self::WeakPassword => "WEAK_PASSWORD",
            Self::BreachedPassword => "BREACHED_PASSWORD",
            Self::WrongCredentials => "WRONG_CREDENTIALS",
            Self::WrongCode => "WRONG_CODE",
            Self::Expired => "EXPIRED",
            Self::AlreadyUsed => "ALREADY_USED",
            Self::AlreadyVerified => "ALREADY_VERIFIED",
            Self::NotVerified => "NOT_VERIFIED",
            Self::Inactive => "INACTIVE",
            Self::TooManyAttempts => "TOO_MANY_ATTEMPTS",
            Self::TooManyItems => "TOO_MANY_ITEMS",
            Self::Conflict => "CONFLICT",
            Self::LastOwner => "LAST_OWNER",
            Self::InUse => "IN_USE",
            Self::Unsupported => "UNSUPPORTED",
            Self::UpstreamFailed => "UPSTREAM_FAILED",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden => "FORBIDDEN",
            Self::BadUserInput => "BAD_USER_INPUT",
            Self::RateLimited => "RATE_LIMITED",
            Self::Overloaded => "OVERLOADED",
            Self::Unavailable => "UNAVAILABLE",
            Self::Internal => "INTERNAL",
        }
    }
}

/// One thing that the caller can mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub code: ErrorCode,
    pub message: Cow<'static, str>,
    /// Leads to the input: `["users", "3", "email"]`. Empty when the whole is at fault.
    pub path: Vec<String>,
    pub retry_after: Option<Duration>,
}

impl Fault {
    pub fn new(code: ErrorCode, path: &[&str], message: impl Into<Cow<'static, str>>) -> Self {
        let path = path.iter().map(ToString::to_string).collect();
        Self { code, message: message.into(), path, retry_after: None }
    }

    pub fn invalid(field: &str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::Invalid, &[field], message)
    }

    pub fn required(field: &str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::Required, &[field], message)
    }

    /// The same fault of one item of a list: `["email"]` becomes `["users", "3", "email"]`.
    #[must_use]
    pub fn of_item(mut self, list: &str, index: usize) -> Self {
        self.path.splice(0..0, [list.to_owned(), index.to_string()]);
        self
    }
}

#[derive(Debug)]
pub enum Error {
    /// What the caller can mend: it goes into the payload.
    Faults(Vec<Fault>),
    /// The request, or the field, is refused.
    Refused { code: ErrorCode, message: Cow<'static, str>, retry_after: Option<Duration> },
    /// A unique key said no. Whoever expects it turns it into a fault with [`Error::on_conflict`].
    Conflict(UniqueKey),
    /// What the write refers to is not there any more: somebody deleted it at the same moment. Whoever knows what it was
    /// says so with [`Error::on_gone`].
    Gone,
    /// A bug, or a machine that fails. Logged once, at the door; the caller learns nothing of it.
    Internal(Box<dyn StdError + Send + Sync>),
}

/// The unique key that a write ran into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UniqueKey(String);

impl UniqueKey {
    /// `PostgreSQL` names the index (`uq__users__email_key`), `SQLite` the columns (`users.email_key`): the names of
    /// our indexes are made so that both say the same.
    fn parse(message: &str) -> Option<Self> {
        if let Some((_, rest)) = message.split_once("uq__") {
            let name: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            return Some(Self(name.replace("__", ".")));
        }
        let (_, columns) = message.split_once("UNIQUE constraint failed: ")?;
        let mut columns = columns.split(", ").map(str::trim);
        let mut name = columns.next()?.to_owned();
        for column in columns {
            let (_, column) = column.split_once('.')?;
            name.push('.');
            name.push_str(column);
        }
        Some(Self(name))
    }
}

impl Error {
    pub fn refused(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self::Refused { code, message: message.into(), retry_after: None }
    }

    pub fn forbidden() -> Self {
        Self::refused(ErrorCode::Forbidden, "You may not do this.")
    }

    pub fn bad_user_input(message: impl Into<Cow<'static, str>>) -> Self {
        Self::refused(ErrorCode::BadUserInput, message)
    }

    /// Too much from one place: nothing about the person is told.
    pub fn rate_limited(retry_after: Duration) -> Self {
        let message = "Too many attempts come from where you are: wait a while.".into();
        Self::Refused { code: ErrorCode::RateLimited, message, retry_after: Some(retry_after) }
    }

    pub fn overloaded(retry_after: Duration) -> Self {
        let message = "Too much is asked of the service at the moment.".into();
        Self::Refused { code: ErrorCode::Overloaded, message, retry_after: Some(retry_after) }
    }

    fn unavailable() -> Self {
        let message = "The service cannot reach its database at the moment.".into();
        Self::Refused { code: ErrorCode::Unavailable, message, retry_after: Some(Duration::from_secs(2)) }
    }

    pub fn internal(what: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Internal(what.into())
    }

    /// The same faults of one item of a list. What is no fault stays as it is.
    #[must_use]
    pub fn of_item(self, list: &str, index: usize) -> Self {
        match self {
            Self::Faults(faults) => {
                Self::Faults(faults.into_iter().map(|fault| fault.of_item(list, index)).collect())
            }
            other => other,
        }
    }

    /// Turns the violation of one unique key (`"users.user_name_key"`) into what the caller can mend.
    #[must_use]
    pub fn on_conflict(self, key: &str, fault: Fault) -> Self {
        match self {
            Self::Conflict(UniqueKey(found)) if found == key => Self::Faults(vec![fault]),
            other => other,
        }
    }
}

impl Error {
    /// Turns a reference to what has just been deleted into what the caller can mend.
    #[must_use]
    pub fn on_gone(self, fault: Fault) -> Self {
        match self {
            Self::Gone => Self::Faults(vec![fault]),
            other => other,
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Faults(vec![fault])
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(message)) => {
                return UniqueKey::parse(&message).map_or_else(|| Self::internal(error), Self::Conflict);
            }
            Some(SqlErr::ForeignKeyConstraintViolation(_)) => return Self::Gone,
            _ if matches!(error, DbErr::RecordNotUpdated) => return Self::Gone,
            _ => {}
        }
        match trouble(&error) {
            Trouble::Away => {
                tracing::warn!(%error, "the database cannot be reached");
                Self::unavailable()
            }
            Trouble::Entangled => {
                tracing::warn!(%error, "the database ended one of two transactions that were in each other's way");
                let message = "Somebody changed the same things at the same moment: try again.".into();
                let retry_after = Some(Duration::from_secs(1));
                Self::Refused { code: ErrorCode::Unavailable, message, retry_after }
            }
            Trouble::Address => Self::internal("the address of the database is not understood"),
            Trouble::Nul => Self::bad_user_input("Text may not contain the character U+0000."),
            Trouble::Other => Self::internal(error),
        }
    }
}

enum Trouble {
    /// It does not answer, or not now: what is asked later may succeed.
    Away,
    /// Of two transactions that waited for each other, or saw what the other changed, it ended one.
    Entangled,
    /// The driver does not understand where to connect, and says so by quoting the address, with the password in it.
    Address,
    /// `PostgreSQL` takes no NUL in any text. Services judge their inputs; this is the net below them.
    Nul,
    Other,
}

/// What the driver said, if it was the driver.
pub fn driver_error(error: &DbErr) -> Option<&SqlxError> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(driver))
        | DbErr::Exec(RuntimeErr::SqlxError(driver))
        | DbErr::Query(RuntimeErr::SqlxError(driver)) => Some(driver),
        _ => None,
    }
}

fn trouble(error: &DbErr) -> Trouble {
    let Some(driver) = driver_error(error) else {
        return match error {
            DbErr::Conn(RuntimeErr::Internal(_)) => Trouble::Address,
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => Trouble::Away,
            _ => Trouble::Other,
        };
    };
    match driver {
        SqlxError::Configuration(_) => Trouble::Address,
        SqlxError::Database(said) => match said.code().as_deref() {
            Some("22021") => Trouble::Nul,
            Some("40001" | "40P01") => Trouble::Entangled,
            Some(code) if passes(code) => Trouble::Away,
            _ => Trouble::Other,
        },
        SqlxError::Io(_) | SqlxError::PoolTimedOut | SqlxError::PoolClosed | SqlxError::WorkerCrashed => {
            Trouble::Away
        }
        _ if matches!(error, DbErr::Conn(_)) => Trouble::Away,
        _ => Trouble::Other,
    }
}

/// Whether what the database said may be otherwise in a moment.
fn passes(code: &str) -> bool {
    // PostgreSQL: connection, transaction rollback (serialisation, deadlock), resources, intervention (shutdown,
    // timeout), errors of its system; a replica that takes no writes, and a transaction that was idle for too long.
    let classes = ["08", "40", "53", "57", "58"];
    let states = ["25006", "25P03"];
    let postgres =
        code.len() == 5 && (classes.iter().any(|class| code.starts_with(class)) || states.contains(&code));
    // SQLite's primary codes stand in the lowest byte: BUSY, LOCKED, NOMEM, READONLY, IOERR, FULL, CANTOPEN.
    let sqlite = code.len() < 5
        && code.parse::<u32>().is_ok_and(|code| [5, 6, 7, 8, 10, 13, 14].contains(&(code & 0xff)));
    postgres || sqlite
}

/// Said where nobody knows better what it was.
pub const GONE: &str = "Something that this refers to was deleted at the same moment: look again.";

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Faults(faults) => {
                let said: Vec<_> = faults.iter().map(|fault| fault.message.as_ref()).collect();
                f.write_str(&said.join(" "))
            }
            Self::Refused { message, .. } => f.write_str(message),
            Self::Conflict(UniqueKey(key)) => write!(f, "the unique key {key} was violated"),
            Self::Gone => f.write_str(GONE),
            Self::Internal(source) => write!(f, "{source}"),
        }
    }
}

impl StdError for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_driver_quotes_of_an_address_goes_no_further() {
        let quoted = "The connection string 'postgres://ada:hush@db:port/x' has no supporting driver.";
        for error in [
            DbErr::Conn(RuntimeErr::Internal(quoted.into())),
            DbErr::Conn(RuntimeErr::SqlxError(SqlxError::Configuration(quoted.into()).into())),
        ] {
            let error = Error::from(error);
            assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
        }
    }

    #[test]
    fn both_databases_name_the_same_key() {
        let postgres = "duplicate key value violates unique constraint \"uq__users__email_key\"";
        let sqlite = "error returned from database: (code: 2067) UNIQUE constraint failed: users.email_key";
        assert_eq!(UniqueKey::parse(postgres), UniqueKey::parse(sqlite));
        let postgres = "... \"uq__memberships__organization_id__user_id\"";
        let sqlite = "UNIQUE constraint failed: memberships.organization_id, memberships.user_id";
        assert_eq!(UniqueKey::parse(postgres), UniqueKey::parse(sqlite));
    }
}
