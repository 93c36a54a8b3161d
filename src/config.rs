//! Every setting, one struct per section; the comment on a setting is its manual (`denizen serve --help`).
//!
//! A setting has one name in three places: the flag `--public-url`, the variable `DENIZEN_PUBLIC_URL` and the key
//! `public_url` in `denizen.toml` (in the working directory, or where `DENIZEN_CONFIG` says). The flag wins over the
//! variable, the variable over the file. All three go through one parser, so a wrong value is refused in the same words.

mod address;
mod database_url;
mod file;
mod list;
mod quote;
mod safety;
mod secret;
mod smtp_url;
mod usage;
mod values;

use std::{net::SocketAddr, path::PathBuf, str::FromStr as _, time::Duration};

use clap::{Args, ValueEnum, builder::EnumValueParser};

pub use self::{
    database_url::{DatabaseUrl, PostgresUrl},
    file::{misspelt_variables, with_file},
    safety::Exemption,
    secret::{SecretKey, Sensitive},
    smtp_url::{Sender, SmtpUrl},
    usage::{WrongUsage, wrong_usage},
    values::{LogFilter, Network, Origin, PublicUrl, parse_duration},
};
use self::{
    list::{Listed, Trimmed},
    values::{parse_listen, parse_number, parse_path},
};

#[derive(Args, Clone, Debug)]
pub struct Config {
    #[command(flatten)]
    pub server: Server,
    #[command(flatten)]
    pub documents: Documents,
    #[command(flatten)]
    pub database: Database,
    #[command(flatten)]
    pub secrets: Secrets,
    #[command(flatten)]
    pub tokens: Tokens,
    #[command(flatten)]
    pub passwords: Passwords,
    #[command(flatten)]
    pub mail: Mail,
    #[command(flatten)]
    pub admin: Admin,
    #[command(flatten)]
    pub logs: Logs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Everything open and easy: for one's own machine.
    Development,
    /// Unsafe settings refuse to start; no playground, no introspection for strangers.
    Production,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    On,
    Off,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Server")]
pub struct Server {
    /// How careful to be
    #[arg(long, env = "DENIZEN_MODE", default_value = "development")]
    pub mode: Mode,
    /// What production refuses and is wanted all the same, as `rate-limits,trace`; each refusal says its name
    #[arg(long = "unsafe", id = "unsafe", env = "DENIZEN_UNSAFE", value_delimiter = ',', value_parser = Listed(EnumValueParser::<Exemption>::new()))]
    pub exemptions: Vec<Option<Exemption>>,
    /// The address and port to listen on
    #[arg(long, env = "DENIZEN_LISTEN", default_value = "127.0.0.1:8080", value_parser = parse_listen)]
    pub listen: SocketAddr,
    /// Where users reach the service: stands in mailed links and as the issuer of tokens.
    /// Without it: `localhost` and the port of `listen`
    #[arg(long, env = "DENIZEN_PUBLIC_URL")]
    pub public_url: Option<PublicUrl>,
    /// Serve the playground at /playground; without it: on in development, off in production and with trusted documents
    #[arg(long, env = "DENIZEN_PLAYGROUND")]
    pub playground: Option<Switch>,
    /// Networks of reverse proxies whose `X-Forwarded-For` is believed, as `10.0.0.0/8,::1`
    #[arg(long, env = "DENIZEN_TRUSTED_PROXIES", value_delimiter = ',', value_parser = Listed(Network::from_str))]
    pub trusted_proxies: Vec<Option<Network>>,
    /// Bound how often passwords and codes can be guessed and mails asked for. Off only where something else does
    #[arg(long, env = "DENIZEN_RATE_LIMITS", default_value = "on")]
    pub rate_limits: Switch,
    /// Tell the router, in the subgraph's schema, which fields ask for a sign-in or a permission. Off for gateways
    /// that know neither `@authenticated` nor `@requiresScopes`
    #[arg(long, env = "DENIZEN_SUBGRAPH_SECURITY", default_value = "on")]
    pub subgraph_security: Switch,
    /// Tell a router that asks for it (ftv1) how long each field took; in production, only one that shows the secret
    #[arg(long, env = "DENIZEN_FEDERATED_TRACING", default_value = "on")]
    pub federated_tracing: Switch,
    /// Origins of front ends that browsers may call the API and use passkeys from, beside the service's own, as
    /// `https://app.example.org,http://localhost:5173`
    #[arg(long, env = "DENIZEN_ALLOWED_ORIGINS", value_delimiter = ',', value_parser = Listed(Origin::from_str))]
    pub allowed_origins: Vec<Option<Origin>>,
    /// How many connections may be open at once
    #[arg(long, env = "DENIZEN_MAX_CONNECTIONS", default_value_t = 4096, value_parser = |text: &str| parse_number(text, &(1..=1_000_000_usize)))]
    pub max_connections: usize,
    /// How many of them one address may hold, and one network /64 of IPv6; a trusted proxy may hold all
    #[arg(long, env = "DENIZEN_MAX_CONNECTIONS_PER_ADDRESS", default_value_t = 1024, value_parser = |text: &str| parse_number(text, &(1..=1_000_000_usize)))]
    pub max_connections_per_address: usize,
    /// How many web sockets and streams one user may keep open at once
    #[arg(long, env = "DENIZEN_MAX_STREAMS_PER_USER", default_value_t = 32, value_parser = |text: &str| parse_number(text, &(0..=1_000_000_usize)))]
    pub max_streams_per_user: usize,
    /// How many of them one address may keep open; the router may keep any number
    #[arg(long, env = "DENIZEN_MAX_STREAMS_PER_ADDRESS", default_value_t = 256, value_parser = |text: &str| parse_number(text, &(0..=1_000_000_usize)))]
    pub max_streams_per_address: usize,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Documents")]
pub struct Documents {
    /// Let clients send the hash of a document that they have sent before (automatic persisted queries)
    #[arg(long, env = "DENIZEN_PERSISTED_QUERIES", default_value = "on")]
    pub persisted_queries: Switch,
    /// Execute only the documents in this file, or in the `.json` files of this folder: Apollo's persisted query
    /// manifest, or an object of ids and documents. The supergraph router alone may still send others
    #[arg(long, env = "DENIZEN_TRUSTED_DOCUMENTS", value_parser = parse_path)]
    pub trusted_documents: Option<PathBuf>,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Database")]
pub struct Database {
    /// `sqlite://path/to/file.db` (made when it is missing) or `postgres://user:password@host/database`
    #[arg(
        long,
        env = "DENIZEN_DATABASE_URL",
        hide_env_values = true,
        default_value = "sqlite://data/denizen.db"
    )]
    pub database_url: DatabaseUrl,
    /// How many connections to the database the service keeps at most. On PostgreSQL, quick reads share some of them, unless
    /// the way there is encrypted
    #[arg(long, env = "DENIZEN_DATABASE_CONNECTIONS", default_value_t = 16, value_parser = |text: &str| parse_number(text, &(1..=10_000_u32)))]
    pub database_connections: u32,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Secrets")]
pub struct Secrets {
    /// 32 bytes or more, in base64 (`openssl rand -base64 32`): seals what the database holds. Required in
    /// production; in development one is made and kept beside the data
    #[arg(long, env = "DENIZEN_SECRET", hide_env_values = true)]
    pub secret: Option<SecretKey>,
    /// Where the made-up secret of development mode is kept
    #[arg(long, env = "DENIZEN_DEVELOPMENT_SECRET_FILE", default_value = "data/development-secret", value_parser = parse_path)]
    pub development_secret_file: PathBuf,
    /// What the supergraph router sends in `x-router-secret` to prove itself
    #[arg(long, env = "DENIZEN_ROUTER_SECRET", hide_env_values = true)]
    pub router_secret: Option<Sensitive>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TokenAlgorithm {
    #[value(name = "ES256")]
    Es256,
    #[value(name = "EdDSA")]
    EdDsa,
    #[value(name = "RS256")]
    Rs256,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Tokens and sessions")]
pub struct Tokens {
    /// How long an access token is good for
    #[arg(long, env = "DENIZEN_ACCESS_TOKEN_TTL", default_value = "15m", value_parser = parse_duration)]
    pub access_token_ttl: Duration,
    /// How access tokens are signed: every router verifies ES256
    #[arg(long, env = "DENIZEN_TOKEN_ALG", default_value = "ES256")]
    pub token_alg: TokenAlgorithm,
    /// A session that is not used for so long is over
    #[arg(long, env = "DENIZEN_SESSION_IDLE_TTL", default_value = "14d", value_parser = parse_duration)]
    pub session_idle_ttl: Duration,
    /// A session is over after so long, used or not
    #[arg(long, env = "DENIZEN_SESSION_TTL", default_value = "90d", value_parser = parse_duration)]
    pub session_ttl: Duration,
    /// A refresh token that was just used is taken once more for so long, while its successor is unused: an answer may
    /// have been lost, or two have asked at once
    #[arg(long, env = "DENIZEN_REFRESH_GRACE", default_value = "10s", value_parser = parse_duration)]
    pub refresh_grace: Duration,
    /// How long a key signs access tokens before another one takes over
    #[arg(long, env = "DENIZEN_KEY_ROTATION", default_value = "90d", value_parser = parse_duration)]
    pub key_rotation: Duration,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Passwords")]
pub struct Passwords {
    /// How hard a password hash is to compute; production refuses less than 10
    #[arg(long, env = "DENIZEN_BCRYPT_COST", default_value_t = 12, value_parser = |text: &str| parse_number(text, &(4..=16_u32)))]
    pub bcrypt_cost: u32,
    /// How many characters a new password needs: 15 are recommended where it is the only factor
    #[arg(long, env = "DENIZEN_PASSWORD_MIN_LENGTH", default_value_t = 8, value_parser = |text: &str| parse_number(text, &(8..=64_u8)))]
    pub password_min_length: u8,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Mail")]
pub struct Mail {
    /// `smtps://user:password@host:465`, or `smtp://host:587?tls=required`; without it, development writes mails to
    /// the console and to /dev/mailbox
    #[arg(long, env = "DENIZEN_SMTP_URL", hide_env_values = true)]
    pub smtp_url: Option<SmtpUrl>,
    /// The sender of every mail
    #[arg(long, env = "DENIZEN_MAIL_FROM", default_value = "Denizen <no-reply@localhost>")]
    pub mail_from: Sender,
    /// Which notices are mailed, as `welcome,new-device`; `none` for none. What carries a code or a link is always sent
    #[arg(
        long,
        env = "DENIZEN_NOTICES",
        value_delimiter = ',',
        value_parser = Trimmed(EnumValueParser::<NoticeKind>::new()),
        default_value = "welcome,new-device,password-changed,email-changed,factor-changed"
    )]
    pub notices: Vec<NoticeKind>,
}

/// What people are told without having asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NoticeKind {
    /// The registration is complete
    Welcome,
    /// Somebody logged in from a device that was not seen before
    NewDevice,
    /// The password was changed or reset
    PasswordChanged,
    /// The address was changed: told at the old one
    EmailChanged,
    /// A second factor or the phone number was changed
    FactorChanged,
    /// No notice at all
    None,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "First start")]
pub struct Admin {
    /// The address of the super-administrator `admin` that the first start makes
    #[arg(long, env = "DENIZEN_ADMIN_EMAIL")]
    pub admin_email: Option<String>,
    /// Its password; without it, development makes one up and prints it once
    #[arg(long, env = "DENIZEN_ADMIN_PASSWORD", hide_env_values = true)]
    pub admin_password: Option<Sensitive>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One readable line each
    Text,
    /// One JSON object a line
    Json,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Logs")]
pub struct Logs {
    /// What to log, as `info` or `denizen=debug,sea_orm=warn`
    #[arg(long, env = "DENIZEN_LOG", default_value = "info")]
    pub log: LogFilter,
    /// Without it: text in development, json in production
    #[arg(long, env = "DENIZEN_LOG_FORMAT")]
    pub log_format: Option<LogFormat>,
}

impl Config {
    pub fn production(&self) -> bool {
        self.server.mode == Mode::Production
    }

    pub fn public_url(&self) -> PublicUrl {
        let local = || PublicUrl::local(self.server.listen.port());
        self.server.public_url.clone().unwrap_or_else(local)
    }

    pub fn playground(&self) -> bool {
        // Where only known documents run, there is nothing to play with.
        let usual = !self.production() && self.documents.trusted_documents.is_none();
        self.server.playground.map_or(usual, |switch| switch == Switch::On)
    }

    pub fn log_format(&self) -> LogFormat {
        let usual = if self.production() { LogFormat::Json } else { LogFormat::Text };
        self.logs.log_format.unwrap_or(usual)
    }
}
