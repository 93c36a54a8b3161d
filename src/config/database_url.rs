//! Where the database is. The address of a PostgreSQL may hold a password: it is taken apart here, once, and whoever
//! shows or logs it afterwards sees the host, the port and the name of the database.

use std::{borrow::Cow, env, fmt, net::IpAddr, path::PathBuf, str::FromStr};

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

    /// The parameters in the address that make no difference.
    pub fn passed_over(&self) -> &[&'static str] {
        match self {
            Self::Sqlite(_) => &[],
            Self::Postgres(url) => url.passed_over(),
        }
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
    passed_over: Vec<&'static str>,
}

/// What may stand behind the question mark.
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

/// What libpq knows as well, and what makes no difference to the driver: addresses that providers hand out hold some of it.
/// Others of libpq's are refused, because without them the way there is another one (`service`) or less of it is checked
/// (`requirepeer`, `sslcrl`).
const PASSED_OVER: [&str; 23] = [
    "channel_binding",
    "client_encoding",
    "connect_timeout",
    "fallback_application_name",
    "gssdelegation",
    "gssencmode",
    "gsslib",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "krbsrvname",
    "load_balance_hosts",
    "max_protocol_version",
    "min_protocol_version",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslcertmode",
    "sslcompression",
    "sslnegotiation",
    "sslsni",
    "target_session_attrs",
    "tcp_user_timeout",
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

    /// The parameters in the address that make no difference.
    pub fn passed_over(&self) -> &[&'static str] {
        &self.passed_over
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
        const EXAMPLE: &str = "postgres://user:password@host:5432/database";
        let whole = with_a_host(text);
        let mut url = address::parse(&whole, EXAMPLE)?;
        let named = |(name, value): (Cow<'_, str>, Cow<'_, str>)| is_host(&name) && !value.is_empty();
        if matches!(whole, Cow::Owned(_)) && !url.query_pairs().any(named) {
            return Err(format!(
                "it names no host: it must look like {EXAMPLE}, or end in ?host=/run/postgresql"
            ));
        }
        let passed_over = without_what_is_passed_over(&mut url)?;
        // The driver's own words may quote what it did not understand.
        let options = PgConnectOptions::from_str(url.as_str()).map_err(|_| {
            "one of the parameters behind the question mark has a value that is not understood: sslmode is disable, \
             allow, prefer, require, verify-ca or verify-full, and port and statement-cache-capacity are numbers"
                .to_owned()
        })?;
        let caches = !url.query_pairs().any(|(name, _)| name == "statement-cache-capacity");
        Ok(Self { options: Box::new(options), password: password(&url)?, caches, passed_over })
    }
}

fn is_host(name: &str) -> bool {
    matches!(name, "host" | "hostaddr")
}

/// libpq lets the host stand behind the question mark alone, beside a user or a port in front of it; the parser of addresses
/// wants one in its place. Whatever stands behind the question mark wins.
fn with_a_host(text: &str) -> Cow<'_, str> {
    let Some(start) = text.find("://").map(|at| at + "://".len()) else { return text.into() };
    let end = text[start..].find(['/', '?', '#']).map_or(text.len(), |at| start + at);
    let authority = &text[start..end];
    let host = authority.rfind('@').map_or(0, |at| at + 1);
    let missing = authority[host..].is_empty() || authority[host..].starts_with(':');
    if authority.is_empty() || !missing {
        return text.into();
    }
    let (before, behind) = text.split_at(start + host);
    format!("{before}localhost{behind}").into()
}

/// Takes out of the address what the driver would pass over with a line in the log that quotes it, and says what that was.
fn without_what_is_passed_over(url: &mut Url) -> Result<Vec<&'static str>, String> {
    let (mut kept, mut passed_over) = (Vec::new(), Vec::new());
    for (name, value) in url.query_pairs().into_owned() {
        let options = name.starts_with("options[") && name.ends_with(']');
        if options || PARAMETERS.contains(&&*name) {
            kept.push((name, value));
        } else if let Some(known) = PASSED_OVER.into_iter().find(|known| *known == name) {
            passed_over.push(known);
        } else {
            return Err(format!(
                "one of the parameters behind the question mark is not known; there are {}",
                PARAMETERS.join(", ")
            ));
        }
    }
    if !passed_over.is_empty() {
        url.set_query(None);
        if !kept.is_empty() {
            url.query_pairs_mut().extend_pairs(kept);
        }
    }
    Ok(passed_over)
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
        if let Some(folder) = options.get_socket() {
            return write!(f, "postgres:///{database}?host={}", folder.display());
        }
        let host = options.get_host();
        let bare = host.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv6());
        let (open, close) = if bare { ("[", "]") } else { ("", "") };
        write!(f, "postgres://{open}{host}{close}:{}/{database}", options.get_port())
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
            ("postgres://ada:hush@/people?host=/run/pg", "postgres:///people?host=/run/pg"),
            ("postgres://ada:hush@:6432/people?host=/run/pg", "postgres:///people?host=/run/pg"),
            ("postgres://ada:hush@/people?host=db.example&port=6432", "postgres://db.example:6432/people"),
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
            "postgres://ada:hush@/people?host=",
            "postgres://ada:12@/hush@db/people?host=/run/pg",
            "postgres://ada:hush@/people?host=/run/pg&service=hush",
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
    fn what_providers_and_libpq_write_is_taken_without_a_difference() {
        let plain: PostgresUrl =
            "postgres://u:p%40s+w@db.example/x?sslmode=require&application_name=a%20b".parse().unwrap();
        let written = "postgres://u:p%40s+w@db.example/x?connect_timeout=10&sslmode=require&channel_binding=require\
                       &application_name=a%20b&target_session_attrs=read-write&keepalives_idle=30&gssencmode=disable";
        let url: PostgresUrl = written.parse().unwrap();
        assert_eq!(format!("{:?}", url.options()), format!("{:?}", plain.options()));
        assert_eq!(url.password().map(Sensitive::expose), Some("p@s+w"));
        assert!(url.insists_on_tls() && url.caches_statements() && plain.passed_over().is_empty());
        assert_eq!(
            url.passed_over(),
            ["connect_timeout", "channel_binding", "target_session_attrs", "keepalives_idle", "gssencmode"]
        );
        let alone: PostgresUrl = "postgres://u@localhost/x?connect_timeout=10".parse().unwrap();
        assert_eq!(alone.options().get_database(), Some("x"));
    }

    #[test]
    fn the_way_to_the_database_is_known() {
        let url = |text: &str| text.parse::<PostgresUrl>().unwrap();
        for here in
            ["localhost", "127.0.0.1", "127.3.2.1", "[::1]", "/x?host=/run/pg", "db/x?host=/run/pg&user=u"]
        {
            let separator = if here.contains('?') { "" } else { "/x" };
            assert!(!url(&format!("postgres://u:p@{here}{separator}")).is_remote(), "{here}");
        }
        assert!(url("postgres://u:p@/x?host=db").is_remote());
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
