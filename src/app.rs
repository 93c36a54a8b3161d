//! The app: everything that lives as long as the process, built once.

use std::{path::Path, sync::Arc};

use entity::installation;
use sea_orm::{EntityTrait, Set, sea_query::OnConflict};
use uuid::Uuid;

use crate::{
    clock::{Clock, SystemClock},
    config::{Config, PublicUrl, SecretKey, Switch},
    context::Ctx,
    crypto::{self, Purpose, Random, SystemRandomness, Vault},
    db::Db,
    domain::{
        api_keys::live::LiveKeys,
        applications,
        credentials::hashing::Hasher,
        events::tail::Tail,
        identity,
        notifications::{channel::Mailer, sms::Texter},
        roles,
        sessions::{
            keys::{self, Keyring},
            live::LiveSessions,
            tokens::RightTokens,
        },
    },
    error::{Error, Result},
    graphql::documents::{Documents, Keeping},
    ids,
    schema::{self, Schema, Suggestions},
    telemetry::Metrics,
};

pub struct App {
    pub config: Config,
    pub public_url: PublicUrl,
    pub db: Db,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub ids: ids::Sequence,
    pub vault: Vault,
    pub hasher: Hasher,
    pub keyring: Keyring,
    pub live_sessions: LiveSessions,
    pub right_tokens: RightTokens,
    /// Every event shortly after its commit, for subscriptions.
    pub tail: Tail,
    pub live_keys: LiveKeys,
    pub mailer: Mailer,
    pub texter: Texter,
    pub metrics: Metrics,
    pub schema: Schema,
    /// Answers where the rules of the schema are known to find nothing.
    pub schema_without_rules: Schema,
    /// Answers a router that asks how long its fields took; it is slower, so it is another.
    pub traced_schema: Option<Schema>,
    pub documents: Documents,
    pub default_application: Uuid,
    /// Tells this process from the others that work on the same database.
    pub instance: String,
}

/// What a test replaces.
pub struct Sources {
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
}

impl Default for Sources {
    fn default() -> Self {
        Self { clock: Arc::new(SystemClock), random: Arc::new(SystemRandomness::default()) }
    }
}

/// A started app, and what its starter must be told once.
pub struct Started {
    pub app: Arc<App>,
    /// The password of the super-administrator that was just made, when it was made up.
    pub admin_password: Option<String>,
}

impl App {
    /// Connects, brings the schema up to date, and makes what must be there: roles, a signing key, an administrator.
    pub async fn start(config: Config, sources: Sources) -> Result<Started> {
        let app = Self::prepare(config, sources).await?;
        app.db.quicken(&app.config.database).await;
        let admin_password = identity::service::ensure_super_admin(&Ctx::system(&app)).await?;
        Ok(Started { app, admin_password })
    }

    /// As [`App::start`], but without an administrator.
    pub async fn prepare(config: Config, sources: Sources) -> Result<Arc<Self>> {
        let app = Self::open(config, sources).await?;
        let ctx = Ctx::system(&app);
        roles::service::seed(&ctx).await?;
        keys::ensure(&ctx).await?;
        Ok(app)
    }

    /// Connects and brings the schema up to date, and makes nothing else.
    pub async fn open(config: Config, sources: Sources) -> Result<Arc<Self>> {
        let secret = secret_of(&config, sources.random.as_ref())?;
        let db = Db::connect(&config.database).await?;
        migration::run(db.owner()).await?;
        let ids = ids::Sequence::default();
        let instance = ids.next(sources.clock.now(), sources.random.as_ref()).simple().to_string();
        let mailer = Mailer::new(&config.mail)?;
        let suggestions = if config.production() { Suggestions::Withheld } else { Suggestions::Given };
        let traces = config.server.federated_tracing == Switch::On;
        let app = Self {
            public_url: config.public_url(),
            vault: Vault::new(secret.as_bytes()),
            hasher: Hasher::new(config.passwords.bcrypt_cost, config.passwords.password_min_length),
            keyring: Keyring::default(),
            live_sessions: LiveSessions::default(),
            right_tokens: RightTokens::default(),
            tail: Tail::default(),
            live_keys: LiveKeys::default(),
            texter: Texter::new(&config, &mailer),
            mailer,
            metrics: Metrics::new(),
            schema: schema::build(suggestions),
            schema_without_rules: schema::build_without_rules(),
            traced_schema: traces.then(|| schema::build_traced(suggestions)),
            documents: documents(&config)?,
            default_application: applications::service::default_application(&db).await?,
            clock: sources.clock,
            random: sources.random,
            ids,
            instance,
            db,
            config,
        };
        app.check_secret().await?;
        Ok(Arc::new(app))
    }

    pub fn new_id(&self) -> Uuid {
        self.ids.next(self.clock.now(), self.random.as_ref())
    }

    /// The database remembers with which secret it was sealed: a changed one is noticed now, not at the first login.
    async fn check_secret(&self) -> Result<()> {
        let known = installation::Entity::find_by_id(1).one(self.db.read()).await?;
        let known = match known {
            Some(row) => Some(row),
            None => self.remember_secret().await?,
        };
        match known.and_then(|row| self.vault.open(Purpose::SecretCheck, &row.secret_check)) {
            Some(_) => Ok(()),
            None => Err(Error::internal(
                "DENIZEN_SECRET is not the one that this database was made with: set the old one again.",
            )),
        }
    }

    /// Of several instances that start at once on an empty database, one writes; all read what it wrote.
    async fn remember_secret(&self) -> Result<Option<installation::Model>> {
        let row = installation::ActiveModel {
            id: Set(1),
            created_at: Set(self.clock.now()),
            secret_check: Set(self.vault.seal(Purpose::SecretCheck, b"denizen", self.random.as_ref())?),
        };
        let txn = self.db.begin().await?;
        let first = OnConflict::column(installation::Column::Id).do_nothing().to_owned();
        installation::Entity::insert(row).on_conflict(first).exec_without_returning(&*txn).await?;
        txn.commit().await?;
        Ok(installation::Entity::find_by_id(1).one(self.db.read()).await?)
    }
}

fn documents(config: &Config) -> Result<Documents> {
    let keeping = if config.documents.persisted_queries == Switch::On { Keeping::On } else { Keeping::Off };
    let documents = Documents::new(keeping);
    match &config.documents.trusted_documents {
        Some(path) => documents.trusting(path).map_err(|why| {
            Error::internal(format!(
                "DENIZEN_TRUSTED_DOCUMENTS: {why}; it names a .json file, or a folder of them"
            ))
        }),
        None => Ok(documents),
    }
}

fn secret_of(config: &Config, random: &dyn Random) -> Result<SecretKey> {
    match &config.secrets.secret {
        Some(secret) => Ok(secret.clone()),
        None => development_secret(&config.secrets.development_secret_file, random),
    }
}

/// The made-up secret of development mode: kept in a file, so that the next start can open what this one sealed.
fn development_secret(path: &Path, random: &dyn Random) -> Result<SecretKey> {
    let problem =
        |error: std::io::Error| Error::internal(format!("{} cannot be used: {error}", path.display()));
    if path.exists() {
        return written(path);
    }
    let secret = crypto::new_token(random);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(problem)?;
    }
    if let Err(error) = write_private(path, &secret) {
        // Another instance that starts at the same moment was first.
        return match error.kind() {
            std::io::ErrorKind::AlreadyExists => written(path),
            _ => Err(problem(error)),
        };
    }
    secret.parse().map_err(|why: String| Error::internal(why))
}

fn written(path: &Path) -> Result<SecretKey> {
    let problem = |why: String| Error::internal(format!("{} cannot be used: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| problem(error.to_string()))?;
    text.trim().parse().map_err(problem)
}

/// Whole or not at all: whoever finds the file finds the secret in it.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};
    let draft = path.with_extension(std::process::id().to_string());
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    let linked = std::fs::hard_link(&draft, path);
    std::fs::remove_file(&draft)?;
    linked
}
