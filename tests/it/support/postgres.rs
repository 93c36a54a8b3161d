//! A private PostgreSQL for this run of the tests: started on first use, gone when the process ends.
//!
//! It owns the server and the names of its databases, and refuses to know what the tests put into them.
//! The server listens only on a socket in its own directory: no port to collide with, nothing for other people
//! on the machine to connect to. `DENIZEN_TEST_POSTGRES_URL` (of a role that may create databases) replaces it; there
//! the last databases of a run, all called `denizen_test_…`, stay until somebody drops them.

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};

use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DbErr};

const MISSING: &str = "PostgreSQL's server programs are missing: run `scripts/setup test`";

/// Runs beside the tests for as long as they live. Rust drops no statics, and nothing of ours runs after SIGKILL;
/// but the kernel closes our end of the pipe in every case, and the end of its input is what this script waits for.
const SUPERVISOR: &str = r#"
set -eu
trap '' HUP INT TERM
bin=$1
dir=$(mktemp -d "${TMPDIR:-/tmp}/denizen-postgres-XXXXXX")
as=
if [ "$(id -u)" = 0 ]; then
  # The server refuses to run as root.
  chown postgres: "$dir"
  as='setpriv --reuid=postgres --regid=postgres --clear-groups --'
fi
cd "$dir"
finish() {
  if [ -e data/postmaster.pid ]; then $as "$bin/pg_ctl" stop -D data -m immediate -t 30 || true; fi
  cd /
  rm -rf "$dir"
} >/dev/null 2>&1
trap finish EXIT
start() {
  $as "$bin/initdb" -D data -U postgres -A trust -E UTF8 --locale=C --no-sync --no-instructions &&
  # Speed instead of durability: nobody needs these rows after a power cut.
  $as tee -a data/postgresql.conf <<CONF &&
listen_addresses = ''
unix_socket_directories = '$dir'
max_connections = 200
shared_buffers = 64MB
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
timezone = 'UTC'
CONF
  $as "$bin/pg_ctl" start -w -D data -l server.log
}
if ! start </dev/null >setup.log 2>&1; then
  cat setup.log server.log 2>/dev/null || true
  exit 1
fi
echo "ready $dir"
while read -r _; do :; done
"#;

/// A PostgreSQL server the tests may create databases on.
pub struct Cluster {
    /// The database to connect to for creating others.
    admin_url: String,
    /// Databases whose tests are over; the next one created clears them away.
    discarded: Mutex<Vec<String>>,
    /// None for a server that was there before us.
    server: Option<Server>,
}

/// The one cluster of this process, started by whoever asks first.
pub fn cluster() -> &'static Cluster {
    // A failure is kept as well: every test that needs the server fails with the reason, not only the first.
    static CLUSTER: LazyLock<Result<Cluster, String>> =
        LazyLock::new(|| match env::var("DENIZEN_TEST_POSTGRES_URL") {
            Ok(url) => Ok(Cluster { admin_url: url, discarded: Mutex::default(), server: None }),
            Err(_) => Cluster::start(),
        });
    CLUSTER.as_ref().unwrap_or_else(|reason| panic!("{reason}"))
}

impl Cluster {
    /// A server of its own, for a test that needs to lose one: dropping it stops the server and waits for that.
    pub fn start() -> Result<Self, String> {
        let server = Server::start(&binaries().ok_or(MISSING)?)?;
        let admin_url = format!("postgres://postgres@localhost/postgres?host={}", server.directory);
        Ok(Self { admin_url, discarded: Mutex::default(), server: Some(server) })
    }

    /// The connection URL of a database that `create_database` made.
    pub fn url(&self, database: &str) -> String {
        with_database(&self.admin_url, &physical_name(database))
    }

    /// Creates an empty database, or a copy of another one, to which nobody may be connected at that moment.
    ///
    /// Names count within this process: two runs of the tests on one server do not meet.
    pub async fn create_database(&self, name: &str, template: Option<&str>) {
        let admin = self.admin().await.expect("the test PostgreSQL should accept a connection");
        for old in self.take_discarded() {
            let drop = format!("DROP DATABASE IF EXISTS \"{}\" WITH (FORCE)", physical_name(&old));
            admin.execute_unprepared(&drop).await.expect("a discarded database should be droppable");
        }
        let template = template.map_or("template0".to_owned(), physical_name);
        let create = format!("CREATE DATABASE \"{}\" TEMPLATE \"{template}\"", physical_name(name));
        admin.execute_unprepared(&create).await.expect("a test database should be creatable");
        admin.close().await.expect("an idle connection should close");
    }

    /// Says that a database is no longer needed. It goes when the next one is created, because this is called
    /// from `Drop`, where nothing can be awaited.
    pub fn discard(&self, name: &str) {
        self.discarded.lock().unwrap_or_else(PoisonError::into_inner).push(name.to_owned());
    }

    fn take_discarded(&self) -> Vec<String> {
        std::mem::take(&mut self.discarded.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A connection per call: every test has its own runtime, and a pool must not outlive the one it grew up in.
    async fn admin(&self) -> Result<DatabaseConnection, DbErr> {
        let mut options = ConnectOptions::new(&self.admin_url);
        options.max_connections(1).sqlx_logging(false);
        Database::connect(options).await
    }
}

/// The supervised server. The supervisor's input stays open exactly as long as this value, or the process.
struct Server {
    directory: String,
    supervisor: Child,
    lifeline: Option<ChildStdin>,
}

impl Server {
    fn start(binaries: &Path) -> Result<Self, String> {
        let mut supervisor = Command::new("sh")
            .args(["-c", SUPERVISOR, "denizen-test-postgres"])
            .arg(binaries)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Whoever reads the output of the tests to its end must not wait for the supervisor's end as well.
            .stderr(Stdio::null())
            // Ctrl-C goes to the whole process group of the terminal; the supervisor has to survive it to clean up.
            .process_group(0)
            .spawn()
            .expect("`sh` should be there");
        let lifeline = supervisor.stdin.take();
        let mut output = BufReader::new(supervisor.stdout.take().expect("the supervisor's output is a pipe"));
        let mut answer = String::new();
        output.read_line(&mut answer).expect("the supervisor should write text");
        let Some(directory) = answer.trim_end().strip_prefix("ready ").map(str::to_owned) else {
            output.read_to_string(&mut answer).expect("the supervisor should write text");
            supervisor.wait().expect("the supervisor is our child");
            return Err(format!("the test PostgreSQL did not start:\n{answer}"));
        };
        Ok(Self { directory, supervisor, lifeline })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        self.supervisor.wait().expect("the supervisor is our child");
    }
}

/// Debian keeps the server's programs out of the PATH, in a directory per version.
fn binaries() -> Option<PathBuf> {
    let version = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let debian = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| version(path).is_some() && path.join("bin/initdb").exists())
        .max_by_key(version)
        .map(|path| path.join("bin"));
    let path = env::var_os("PATH").unwrap_or_default();
    debian.or_else(|| env::split_paths(&path).find(|dir| dir.join("initdb").exists()))
}

fn physical_name(database: &str) -> String {
    format!("denizen_test_{}_{database}", std::process::id())
}

/// The same server, role and parameters, another database.
fn with_database(url: &str, database: &str) -> String {
    let (address, parameters) = url.split_once('?').map_or((url, None), |(a, p)| (a, Some(p)));
    let authority = address.find("://").map_or(0, |scheme| scheme + "://".len());
    let end = address[authority..].find('/').map_or(address.len(), |slash| authority + slash);
    let parameters = parameters.map(|p| format!("?{p}")).unwrap_or_default();
    format!("{}/{database}{parameters}", &address[..end])
}

#[tokio::test]
async fn a_copy_has_what_its_template_had() {
    let postgres = cluster();
    postgres.create_database("original", None).await;
    let original = Database::connect(postgres.url("original")).await.unwrap();
    original.execute_unprepared("CREATE TABLE rooms AS SELECT 'attic' AS name").await.unwrap();
    original.close().await.unwrap();

    postgres.create_database("copy", Some("original")).await;
    let copy = Database::connect(postgres.url("copy")).await.unwrap();
    let changed = copy.execute_unprepared("UPDATE rooms SET name = 'cellar'").await.unwrap();
    assert_eq!(changed.rows_affected(), 1);

    // A name is free again once its database was discarded, even when a connection to it is still open.
    postgres.discard("copy");
    postgres.create_database("next", None).await;
    postgres.create_database("copy", Some("original")).await;
    for name in ["original", "copy", "next"] {
        postgres.discard(name);
    }
}

#[test]
fn a_dropped_server_leaves_nothing_behind() {
    let own = Cluster::start().unwrap();
    let directory = PathBuf::from(own.server.as_ref().unwrap().directory.clone());
    assert!(directory.join("data/postmaster.pid").exists());
    drop(own);
    assert!(!directory.exists());
}

#[test]
fn urls_keep_everything_but_the_database() {
    assert_eq!(
        with_database("postgres://me:pw@db:5432/admin?sslmode=disable", "x"),
        "postgres://me:pw@db:5432/x?sslmode=disable"
    );
    assert_eq!(with_database("postgres://db", "x"), "postgres://db/x");
    assert_eq!(
        with_database("postgres://me@localhost/a?host=/tmp/s", "x"),
        "postgres://me@localhost/x?host=/tmp/s"
    );
}
