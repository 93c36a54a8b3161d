//! The first connection to PostgreSQL: whether there is one, and if not, why. The pool would only say that it waited.

use std::io::ErrorKind;

use sea_orm::{
    SqlxError,
    sqlx::{ConnectOptions as _, Connection as _},
};
use tokio::time::{sleep, timeout};

use super::PATIENCE;
use crate::{
    config::PostgresUrl,
    error::{Error, Result},
};

/// Between two attempts at a database that may just be starting.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(250);

/// Connects once, and again for a while where the database may just be starting. The error names the host, the setting and
/// the reason, in our own words: the driver's and the server's may quote the user and the password.
pub async fn reach(url: &PostgresUrl) -> Result<()> {
    let mut last = Failure::Passing("it does not answer");
    let attempts = async {
        loop {
            match url.options().disable_statement_logging().connect().await {
                Ok(connection) => {
                    // It said enough by being there.
                    let _ = connection.close().await;
                    return Ok(());
                }
                Err(error) => last = Failure::of(&error),
            }
            match last {
                Failure::Lasting(why) => return Err(why),
                Failure::Passing(_) => sleep(PAUSE).await,
            }
        }
    };
    let why = match timeout(PATIENCE, attempts).await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(why)) => why,
        Err(_) => last.why(),
    };
    Err(Error::internal(format!("the database at {url} (DENIZEN_DATABASE_URL) cannot be used: {why}")))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    /// It may be otherwise in a moment.
    Passing(&'static str),
    Lasting(&'static str),
}

impl Failure {
    const fn why(self) -> &'static str {
        match self {
            Self::Passing(why) | Self::Lasting(why) => why,
        }
    }

    fn of(error: &SqlxError) -> Self {
        match error {
            SqlxError::Io(error) => match error.kind() {
                ErrorKind::ConnectionRefused => {
                    Self::Passing("nothing listens there; is it started, and is this its port?")
                }
                ErrorKind::NotFound => Self::Lasting("there is no socket in that folder"),
                ErrorKind::PermissionDenied => {
                    Self::Lasting("this user of the machine may not open the socket")
                }
                ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
                    Self::Passing("there is no way to that network")
                }
                ErrorKind::TimedOut => Self::Passing("it does not answer"),
                // A proxy in front of it accepts before it can pass anything on, as Docker's does.
                ErrorKind::ConnectionReset
                | ErrorKind::ConnectionAborted
                | ErrorKind::BrokenPipe
                | ErrorKind::UnexpectedEof => {
                    Self::Passing("the connection was closed; does a PostgreSQL listen there?")
                }
                // What a resolver says has no kind of its own, and soon after the machine's start it says "try again".
                _ => Self::Passing("the host is not known or cannot be reached; is its name right?"),
            },
            SqlxError::Database(said) => Self::of_code(said.code().as_deref().unwrap_or_default()),
            SqlxError::Tls(_) => Self::Lasting(
                "it offers no TLS, or its certificate is not accepted; sslmode says which is wanted",
            ),
            SqlxError::Configuration(_) => {
                Self::Lasting("a certificate or a key that the address names cannot be used")
            }
            // Or it was closed in the middle of the first answer.
            SqlxError::Protocol(_) => Self::Passing("what listens there does not speak as a PostgreSQL does"),
            _ => Self::Lasting("what listens there does not speak as a PostgreSQL does"),
        }
    }

    /// By the code, which is the same in every language of the server.
    fn of_code(code: &str) -> Self {
        match code {
            "28P01" => Self::Lasting("it does not take this password"),
            "28000" => Self::Lasting("it does not let this user in from here; see its pg_hba.conf"),
            "3D000" => Self::Lasting("there is no database of this name; `createdb` makes one"),
            "42501" => Self::Lasting("this user may not connect to this database"),
            "53300" => Self::Passing("it has no connection left; its max_connections is too low"),
            "57P03" => Self::Passing("it is starting up or shutting down"),
            _ => Self::Lasting("it refuses the connection; its own log says why"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_waited_for_and_nothing_is_quoted() {
        let refused = SqlxError::Io(std::io::Error::new(ErrorKind::ConnectionRefused, "hush"));
        assert!(matches!(Failure::of(&refused), Failure::Passing(_)));
        let unknown = SqlxError::Io(std::io::Error::other("hush"));
        assert!(matches!(Failure::of(&unknown), Failure::Passing(why) if !why.contains("hush")));
        for closed in [ErrorKind::ConnectionReset, ErrorKind::UnexpectedEof, ErrorKind::NetworkUnreachable] {
            let closed = SqlxError::Io(std::io::Error::new(closed, "hush"));
            assert!(matches!(Failure::of(&closed), Failure::Passing(why) if !why.contains("hush")));
        }
        let no_socket = SqlxError::Io(std::io::Error::new(ErrorKind::NotFound, "hush"));
        assert!(matches!(Failure::of(&no_socket), Failure::Lasting(_)));
        let broken = SqlxError::Configuration("hush".into());
        assert!(!Failure::of(&broken).why().contains("hush"));
        assert!(matches!(Failure::of_code("57P03"), Failure::Passing(_)));
        assert!(matches!(Failure::of_code("28P01"), Failure::Lasting(_)));
    }
}
