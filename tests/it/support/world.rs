//! A world: the app on a fresh database, its clock, its mail.
//!
//! The database is a copy of a template that was migrated and seeded once: a file on SQLite, `CREATE DATABASE …
//! TEMPLATE` on PostgreSQL.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use clap::{Args as _, FromArgMatches as _};
use denizen::{
    app::{App, Sources, Started},
    clock::ManualClock,
    config::Config,
    context::Ctx,
    crypto::SystemRandomness,
    domain::notifications::channel::Delivered,
    http, worker,
};
use entity::Timestamp;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::{Client, postgres};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres,
}

pub struct World {
    pub app: Arc<App>,
    pub clock: Arc<ManualClock>,
    pub backend: Backend,
    pub front: http::Front,
    place: Place,
}

/// What a world is kept in, and what is cleared away with it.
struct Place {
    url: String,
    folder: Option<TempDir>,
    database: Option<String>,
}

/// 2026-01-01T00:00:00Z.
pub const START: Timestamp = Timestamp::from_millis(1_767_225_600_000);
pub const ADMIN_PASSWORD: &str = "seven lanterns on a bridge";
const SECRET: &str = "dGhpcyBpcyB0aGUgc2VjcmV0IG9mIHRoZSB0ZXN0cyAwMQ==";

impl World {
    /// A fresh world on each database: every claim is made on both.
    pub async fn each() -> Vec<Self> {
        vec![Self::on(Backend::Sqlite).await, Self::on(Backend::Postgres).await]
    }

    pub async fn on(backend: Backend) -> Self {
        Self::with(backend, &[]).await
    }

    /// A fresh world with settings of its own, as flags.
    pub async fn with(backend: Backend, flags: &[&str]) -> Self {
        // A failing test shows which database it was on.
        eprintln!("on {backend:?}");
        Self::in_place(Place::copied(backend).await, backend, flags).await
    }

    async fn in_place(place: Place, backend: Backend, flags: &[&str]) -> Self {
        let clock = Arc::new(ManualClock::starting_at(START));
        let sources =
            Sources { clock: Arc::clone(&clock) as _, random: Arc::new(SystemRandomness::default()) };
        let Started { app, .. } =
            App::start(config(&place.url, flags), sources).await.expect("the world should start");
        let front = http::Front::new(Arc::clone(&app));
        Self { app, clock, backend, front, place }
    }

    /// Another instance on the same database, as behind a load balancer. It shares the clock.
    pub async fn another_instance(&self) -> Client {
        let sources =
            Sources { clock: Arc::clone(&self.clock) as _, random: Arc::new(SystemRandomness::default()) };
        let app = App::start(config(&self.place.url, &[]), sources).await.expect("another instance").app;
        Client::new(http::Front::new(app))
    }

    pub fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    /// How many statements the work takes.
    pub async fn statements<T>(&self, work: impl Future<Output = T>) -> (T, u64) {
        let before = self.app.db.statements();
        let done = work.await;
        (done, self.app.db.statements() - before)
    }

    pub fn anonymous(&self) -> Client {
        Client::new(self.front.clone())
    }

    /// The service acting for itself.
    pub fn system(&self) -> Ctx {
        Ctx::system(&self.app)
    }

    /// Every mail so far, newest first, after all jobs are done.
    pub async fn mails(&self) -> Vec<Delivered> {
        worker::drain(&self.app).await.expect("the jobs should be done");
        self.app.mailer.mailbox().expect("a world without SMTP has a mailbox").all()
    }

    pub async fn mails_to(&self, address: &str) -> Vec<Delivered> {
        self.mails().await.into_iter().filter(|mail| mail.to == address).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(database) = self.place.database.take() {
            postgres::cluster().discard(&database);
        }
        self.place.folder.take();
    }
}

pub fn config(url: &str, flags: &[&str]) -> Config {
    let usual = [
        "--database-url",
        url,
        "--database-connections",
        "4",
        "--secret",
        SECRET,
        "--bcrypt-cost",
        "4",
        "--admin-password",
        ADMIN_PASSWORD,
        "--admin-email",
        "root@denizen.test",
        "--public-url",
        "http://denizen.test",
    ];
    let command = Config::augment_args(clap::Command::new("denizen")).args_override_self(true);
    let arguments = ["denizen"].into_iter().chain(usual).chain(flags.iter().copied());
    let matches = command.try_get_matches_from(arguments).expect("the flags of the test");
    Config::from_arg_matches(&matches).expect("the flags of the test")
}

impl Place {
    async fn copied(backend: Backend) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        match backend {
            Backend::Sqlite => {
                let folder = TempDir::new().expect("a temporary folder");
                let file = folder.path().join("denizen.db");
                fs::copy(sqlite_template().await, &file).expect("the template should copy");
                Self { url: format!("sqlite://{}", file.display()), folder: Some(folder), database: None }
            }
            Backend::Postgres => {
                postgres_template().await;
                let database = format!("world_{number}");
                postgres::cluster().create_database(&database, Some("template")).await;
                let url = postgres::cluster().url(&database);
                Self { url, folder: None, database: Some(database) }
            }
        }
    }
}

/// Migrates and seeds a database, and lets go of it.
async fn fill(url: &str) {
    let sources = Sources {
        clock: Arc::new(ManualClock::starting_at(START)),
        random: Arc::new(SystemRandomness::default()),
    };
    let Started { app, .. } = App::start(config(url, &[]), sources).await.expect("the template should start");
    app.db.close().await.expect("the template should close");
}

async fn sqlite_template() -> &'static PathBuf {
    static FOLDER: OnceCell<(TempDir, PathBuf)> = OnceCell::const_new();
    let (_, file) = FOLDER
        .get_or_init(|| async {
            let folder = TempDir::new().expect("a temporary folder");
            let file = folder.path().join("template.db");
            fill(&format!("sqlite://{}", file.display())).await;
            (folder, file)
        })
        .await;
    file
}

async fn postgres_template() {
    static FILLED: OnceCell<()> = OnceCell::const_new();
    FILLED
        .get_or_init(|| async {
            postgres::cluster().create_database("template", None).await;
            fill(&postgres::cluster().url("template")).await;
        })
        .await;
}
