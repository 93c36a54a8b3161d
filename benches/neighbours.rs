//! Hashing beside neighbours that never rest, and reads beside more logins than fit.
//!
//!     cargo bench --bench neighbours
//!
//! It prints ratios of what was measured in turns, in one run. A neighbour is a process of normal priority that does nothing
//! but count, one for each core. On a machine where others work at the same time, all of them are neighbours.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "what cannot begin ends here, and what takes the machine's time is measured and shown"
)]

use std::{
    env,
    hint::black_box,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use axum::{body::Body, extract::ConnectInfo, http::Request};
use clap::{Args as _, FromArgMatches as _};
use denizen::{
    app::{App, Sources, Started},
    clock::SystemClock,
    config::Config,
    context::Source,
    crypto::SystemRandomness,
    http::Front,
};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

const ROUNDS: usize = 5;
const LONG: Duration = Duration::from_secs(4);
const READ: &str = "{ user(by: { userName: \"admin\" }) { id userName email roles { code } } }";
const PASSWORD: &str = "seven lanterns on a bridge";

fn main() {
    if env::args().any(|argument| argument == "--neighbour") {
        let mut count = 0_u64;
        loop {
            count = black_box(count.wrapping_add(1));
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    runtime.block_on(measure(folder.path()));
}

async fn measure(folder: &Path) {
    let app = service(folder).await;
    let front = Front::new(Arc::clone(&app));
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let (mut kept, mut slowest) = (Vec::new(), Duration::ZERO);
    let mut capacity = 0.0;
    hashes(&app, 4 * cores, LONG / 4).await;
    for _ in 0..ROUNDS {
        let alone = hashes(&app, 4 * cores, LONG).await;
        let neighbours = Neighbours::new(cores);
        let beside = hashes(&app, 4 * cores, LONG).await;
        slowest = slowest.max(logins(&front, 5).await);
        drop(neighbours);
        println!("hashes: {alone:.1}/s alone, {beside:.1}/s beside {cores} neighbours");
        kept.push(beside / alone);
        capacity = f64::max(capacity, alone);
    }
    tell("Hashing beside as many neighbours as cores: kept", &mut kept, "≥ 0.25");
    println!("The slowest login beside them, one at a time: {slowest:.1?} (≤ 2 s)");
    let token = log_in(&front).await;
    let (mut reads_kept, mut tails) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let alone = reads(&front, &token, 16 * cores).await;
        let stop = Arc::new(AtomicBool::new(false));
        let storm = tokio::spawn(storm(Arc::clone(&app), 3.0 * capacity, Arc::clone(&stop)));
        let under = reads(&front, &token, 16 * cores).await;
        stop.store(true, Ordering::Relaxed);
        let done = storm.await.expect("a storm");
        println!("reads: {:.0}/s alone, {:.0}/s under a storm of which {done} were done", alone.0, under.0);
        reads_kept.push(under.0 / alone.0);
        tails.push(under.1.as_secs_f64() / alone.1.as_secs_f64());
    }
    tell("Reads while three times as many hashes are asked for as fit: kept", &mut reads_kept, "≥ 0.8");
    tell("… 99th percentile against that without", &mut tails, "≤ 4");
}

fn tell(what: &str, ratios: &mut [f64], goal: &str) {
    ratios.sort_by(f64::total_cmp);
    if let [least, .., most] = &*ratios {
        println!("{what} {:.2} ({least:.2} to {most:.2}; {goal})", ratios[ratios.len() / 2]);
    }
}

/// Processes that want a core each, until they are dropped.
struct Neighbours(Vec<Child>);

impl Neighbours {
    fn new(count: usize) -> Self {
        let one = |_| {
            let mut command = Command::new(env::current_exe().expect("a program"));
            command.arg("--neighbour").stdin(Stdio::null()).spawn().expect("a neighbour")
        };
        let all = (0..count).map(one).collect();
        thread::sleep(Duration::from_millis(200));
        Self(all)
    }
}

impl Drop for Neighbours {
    fn drop(&mut self) {
        for neighbour in &mut self.0 {
            let _ = neighbour.kill();
            let _ = neighbour.wait();
        }
    }
}

fn somebody(number: u32) -> Source {
    Source::V4(Ipv4Addr::from_bits(0x0a00_0000 + number))
}

/// How many a second, with so many callers who each ask for the next as soon as they have one.
async fn hashes(app: &Arc<App>, callers: usize, long: Duration) -> f64 {
    let (begun, done) = (Instant::now(), Arc::new(AtomicU32::new(0)));
    let call = |number| {
        let (app, done) = (Arc::clone(app), Arc::clone(&done));
        tokio::spawn(async move {
            while begun.elapsed() < long {
                let hashed = app.hasher.verify(somebody(number), PASSWORD, None).await;
                if hashed.is_ok() && begun.elapsed() < long {
                    done.fetch_add(1, Ordering::Relaxed);
                }
            }
        })
    };
    let all: Vec<_> = (0..u32::try_from(callers).expect("a few")).map(call).collect();
    for caller in all {
        caller.await.expect("a caller");
    }
    f64::from(done.load(Ordering::Relaxed)) / long.as_secs_f64()
}

/// Asks for so many a second, however long they take, and tells how many were done.
async fn storm(app: Arc<App>, per_second: f64, stop: Arc<AtomicBool>) -> u32 {
    let (done, mut number) = (Arc::new(AtomicU32::new(0)), 0);
    let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / per_second));
    while !stop.load(Ordering::Relaxed) {
        ticks.tick().await;
        number += 1;
        let (app, done) = (Arc::clone(&app), Arc::clone(&done));
        tokio::spawn(async move {
            if app.hasher.verify(somebody(number), PASSWORD, None).await.is_ok() {
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    done.load(Ordering::Relaxed)
}

/// The longest of so many logins, one after the other.
async fn logins(front: &Front, count: usize) -> Duration {
    let mut longest = Duration::ZERO;
    for _ in 0..count {
        let begun = Instant::now();
        log_in(front).await;
        longest = longest.max(begun.elapsed());
    }
    longest
}

/// The access token.
async fn log_in(front: &Front) -> String {
    let document = format!(
        "mutation {{ login(input: {{ identifier: \"admin\", password: \"{PASSWORD}\" }}) {{ tokens {{ accessToken }} }} }}"
    );
    let answer: serde_json::Value = serde_json::from_str(&ask(front, None, &document).await).expect("JSON");
    answer["data"]["login"]["tokens"]["accessToken"].as_str().expect("a login").to_owned()
}

/// How many a second, and the 99th percentile.
async fn reads(front: &Front, token: &str, callers: usize) -> (f64, Duration) {
    let begun = Instant::now();
    let call = |_| {
        let (front, token) = (front.clone(), token.to_owned());
        tokio::spawn(async move {
            let mut times = Vec::new();
            while begun.elapsed() < LONG {
                let asked = Instant::now();
                let found = ask(&front, Some(&token), READ).await;
                assert!(found.contains("SUPERADMIN"), "{found}");
                times.push(asked.elapsed());
            }
            times
        })
    };
    let all: Vec<_> = (0..callers).map(call).collect();
    let mut times = Vec::new();
    for caller in all {
        times.extend(caller.await.expect("a caller"));
    }
    times.sort();
    let tail = times.get(times.len() * 99 / 100).copied().unwrap_or_default();
    (f64::from(u32::try_from(times.len()).expect("a few")) / LONG.as_secs_f64(), tail)
}

async fn ask(front: &Front, token: Option<&str>, document: &str) -> String {
    let body = serde_json::json!({ "query": document }).to_string();
    let mut request = Request::post("/graphql").header("content-type", "application/json");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let mut request = request.body(Body::from(body)).expect("a request");
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([203, 0, 113, 7], 40_000))));
    let response = front.clone().oneshot(request).await.expect("it never fails");
    let bytes = response.into_body().collect().await.expect("a body").to_bytes();
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn service(folder: &Path) -> Arc<App> {
    let database = format!("sqlite://{}", folder.join("bench.db").display());
    let flags = [
        "denizen",
        "--database-url",
        &database,
        "--secret",
        "dGhpcyBpcyB0aGUgc2VjcmV0IG9mIHRoZSBiZW5jaCAwMQ==",
        "--public-url",
        "http://denizen.test",
        "--bcrypt-cost",
        "10",
        "--admin-password",
        PASSWORD,
        "--rate-limits",
        "off",
    ];
    let command = Config::augment_args(clap::Command::new("denizen"));
    let matches = command.try_get_matches_from(flags).expect("settings");
    let config = Config::from_arg_matches(&matches).expect("settings");
    let sources = Sources { clock: Arc::new(SystemClock), random: Arc::new(SystemRandomness::default()) };
    let Started { app, .. } = App::start(config, sources).await.expect("a service");
    app
}
