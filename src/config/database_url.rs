//! Where the database is. The address of a PostgreSQL may hold a password: it is taken apart here, once, and whoever
//! shows or logs it afterwards sees the host, the port and the name of the database.

use std::{env, fmt, net::IpAddr, path::PathBuf, str::FromStr};

use percent_encoding::percent_decode_str;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::Url;

use super::{Sensitive, address};

#[derive(Clone)]
pub enum DatabaseUrl {
    Sqlite(PathBuf),
    Postgres(PostgresUrl),
}

impl DatabaseUrl {
    pub const fn is_sqlite(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }
}

impl FromStr for DatabaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(text.parse()?));
        }
        let path = text.strip_prefix("sqlite://").or_else(|| text.strip_prefix("sqlite:"));
        let path = path.ok_or("it must begin with sqlite:// or postgres://")?;
        let path = path.split('?').next().unwrap_or_default();
        if path.is_empty() || path.contains(":memory:") {
            return Err(
                "a database in memory would be lost at the end: name a file, as sqlite://data/denizen.db"
                    .to_owned(),
            );
        }
        // Most likely the address of another database under the wrong name. A path is shown, and a password must not be.
        if path.contains('@') && path.split('/').next().is_some_and(|first| first.contains(':')) {
            return Err(
                "a file of SQLite has no user and no password: it is named as sqlite://data/denizen.db"
                    .to_owned(),
            );
        }
        Ok(Self::Sqlite(path.into()))
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::Postgres(url) => write!(f, "{url}"),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The address of a PostgreSQL that the driver understands.
#[derive(Clone)]
pub struct PostgresUrl {
    options: Box<PgConnectOptions>,
    password: Option<Sensitive>,
    caches: bool,
}

/// What may stand behind the question mark. The driver passes over others with a line in the log that quotes them.
const PARAMETERS: [&str; 18] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];

impl PostgresUrl {
    /// What the driver connects with. It prints its password: it never goes into a log or an error.
    pub fn options(&self) -> PgConnectOptions {
        (*self.options).clone()
    }

    pub fn password(&self) -> Option<&Sensitive> {
        self.password.as_ref()
    }

    /// Whether statements may stay prepared. Behind some poolers they may not.
    pub const fn caches_statements(&self) -> bool {
        self.caches
    }

    /// Whether the driver insists on TLS. With `prefer`, its default, whoever stands in between can talk it out of it.
    pub fn insists_on_tls(&self) -> bool {
        !matches!(self.options.get_ssl_mode(), PgSslMode::Disable | PgSslMode::Allow | PgSslMode::Prefer)
    }

    /// Whether the way there leaves this machine.
    pub fn is_remote(&self) -> bool {
        let host = self.options.get_host();
        self.options.get_socket().is_none() && !host.starts_with('/') && !address::is_loopback(host)
    }
}

impl FromStr for PostgresUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = address::parse(text, "postgres://user:password@host:5432/database")?;
        for (name, _) in url.query_pairs() {
            let known = PARAMETERS.contains(&&*name) || (name.starts_with("options[") && name.ends_with(']'));
            if !known {
                return Err(format!(
                    "one of the parameters behind the question mark is not known; there are {}",
                    PARAMETERS.join(", ")
                ));
            }
        }
        // The driver's own words may quote what it did not understand.
        let options = PgConnectOptions::from_str(text).map_err(|_| {
            "one of the parameters behind the question mark has a value that is not understood: sslmode is disable, \
             allow, prefer, require, verify-ca or verify-full, and port and statement-cache-capacity are numbers"
                .to_owned()
        })?;
        let caches = !url.query_pairs().any(|(name, _)| name == "statement-cache-capacity");
        Ok(Self { options: Box::new(options), password: password(&url)?, caches })
    }
}

/// The one thing that the driver does not tell. It may stand in a file as well (`.pgpass`): that one only the driver reads.
fn password(url: &Url) -> Result<Option<Sensitive>, String> {
    let named = url.query_pairs().filter(|(name, _)| name == "password").last();
    let found = match (named, url.password()) {
        (Some((_, password)), _) => Some(password.into_owned()),
        (None, Some(written)) => Some(
            percent_decode_str(written)
                .decode_utf8()
                .map_err(|_| "the password is not UTF-8 once it is decoded".to_owned())?
                .into_owned(),
        ),
        (None, None) => env::var("PGPASSWORD").ok(),
    };
    found.filter(|password| !password.is_empty()).map(|password| password.parse()).transpose()
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = &self.options;
        let database = options.get_database().unwrap_or_default();
        match options.get_socket() {
            Some(folder) => write!(f, "postgres:///{database}?host={}", folder.display()),
            None => {
                let host = options.get_host();
                let bare = host.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv6());
                let (open, close) = if bare { ("[", "]") } else { ("", "") };
                write!(f, "postgres://{open}{host}{close}:{}/{database}", options.get_port())
            }
        }
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<String, String> {
        text.parse::<DatabaseUrl>().map(|url| format!("{url:?} {url}"))
    }

    #[test]
    fn what_is_shown_of_an_address_holds_no_user_and_no_password() {
        for (text, shown) in [
            ("postgres://ada:hush@db.example/people", "postgres://db.example:5432/people"),
            ("postgresql://ada:hush@[::1]:6432/people?sslmode=require", "postgres://[::1]:6432/people"),
            ("postgres://localhost/people?user=ada&password=hush", "postgres://localhost:5432/people"),
            ("postgres://ada:hush@localhost/people?host=/run/pg", "postgres:///people?host=/run/pg"),
            ("sqlite://data/denizen.db", "sqlite://data/denizen.db"),
        ] {
            assert_eq!(parsed(text), Ok(format!("{shown} {shown}")), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_the_address() {
        for wrong in [
            "hush",
            "mysql://ada:hush@db/people",
            "postgres://ada:hush@db:port/people",
            "postgres://ada:hu/sh@db/people",
            "postgres://ada:12/hush@db/people",
            "postgres://ada:12?hush@db/people",
            "postgres://ada:12#hush@db/people",
            "postgres://ada:hush@db:99999/people",
            "postgres://ada:hush@[db/people",
            "postgres://ada:hush@/people",
            "postgres://ada:hush@db/people?sslmode=hush",
            "postgres://ada:hush@db/people?hush=hush",
            "postgres://ada:%FFhush@db/people",
            "sqlite://ada:hush@db/people",
            "sqlite://:memory:",
        ] {
            let said = parsed(wrong).unwrap_err();
            assert!(!said.contains("hush") && !said.contains("ada"), "{wrong}: {said}");
        }
    }

    #[test]
    fn the_way_to_the_database_is_known() {
        let url = |text: &str| text.parse::<PostgresUrl>().unwrap();
        for here in ["localhost", "127.0.0.1", "127.3.2.1", "[::1]", "db/x?host=/run/postgresql&user=u"] {
            let separator = if here.contains('?') { "" } else { "/x" };
            assert!(!url(&format!("postgres://u:p@{here}{separator}")).is_remote(), "{here}");
        }
        for there in ["db", "10.0.0.1", "localhost.example.org", "[2001:db8::1]"] {
            assert!(url(&format!("postgres://u:p@{there}/x")).is_remote(), "{there}");
        }
        assert!(!url("postgres://u:p@db/x").insists_on_tls());
        assert!(!url("postgres://u:p@db/x?sslmode=prefer").insists_on_tls());
        assert!(url("postgres://u:p@db/x?sslmode=verify-full").insists_on_tls());
        assert_eq!(url("postgres://u:p%40s@db/x").password().map(Sensitive::expose), Some("p@s"));
        assert_eq!(url("postgres://u:p@db/x?password=q").password().map(Sensitive::expose), Some("q"));
    }
}
