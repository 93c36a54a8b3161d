//! What operators see: logs and metrics. Neither ever holds a password, a token, a code or a hash.

use std::{io::IsTerminal as _, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter, Layer as _, filter::filter_fn, fmt, layer::SubscriberExt as _, registry,
    util::SubscriberInitExt as _,
};

use crate::config::{Config, LogFormat};

/// Starts logging: one JSON object a line in production, readable lines in development. The error is a sentence.
pub fn init(config: &Config) -> Result<(), String> {
    let filter = EnvFilter::try_new(config.logs.log.directives())
        .map_err(|error| format!("DENIZEN_LOG is not understood: {error}"))?;
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colours = !plain && std::io::stderr().is_terminal();
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(colours);
    let lines = match config.log_format() {
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).boxed(),
        LogFormat::Text => lines.boxed(),
    };
    let logging = registry().with(filter).with(filter_fn(tells_no_secrets)).with(lines);
    logging.try_init().map_err(|error| format!("logging cannot start: {error}"))
}

/// Whether it is ours, or important. What we build on tells everything that passes below `info`: drivers of databases the
/// values of statements, with hashes and codes in them, `WebSockets` the messages, with tokens and passwords.
fn tells_no_secrets(metadata: &Metadata<'_>) -> bool {
    let origin = metadata.target().split("::").next();
    *metadata.level() <= Level::INFO || origin == Some("denizen")
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct State {
    state: &'static str,
}

/// The figures of one instance, in the format of Prometheus.
pub struct Metrics {
    registry: Registry,
    answers: Family<Answer, Counter>,
    durations: Family<Route, Histogram>,
    jobs: Family<State, Gauge>,
    followers: Counter,
}

/// Seconds.
const BOUNDS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    pub fn new() -> Self {
        let answers = Family::default();
        let durations = Family::new_with_constructor((|| Histogram::new(BOUNDS)) as fn() -> Histogram);
        let jobs = Family::default();
        let followers = Counter::default();
        let mut registry = Registry::with_prefix("denizen");
        registry.register("http_requests", "Requests answered", Family::clone(&answers));
        let help = "How long requests took";
        registry.register_with_unit("http_request_duration", help, Unit::Seconds, Family::clone(&durations));
        registry.register("jobs", "Jobs that wait, and jobs that failed for good", Family::clone(&jobs));
        registry.register(
            "event_followers",
            "Subscriptions to the log that began",
            Counter::clone(&followers),
        );
        Self { registry, answers, durations, jobs, followers }
    }

    /// `route` is the pattern of the route, never the path: strangers must not be able to make new series.
    pub fn answered(&self, route: &str, status: u16, took: Duration) {
        self.answers.get_or_create(&Answer { route: route.to_owned(), status }).inc();
        self.durations.get_or_create(&Route { route: route.to_owned() }).observe(took.as_secs_f64());
    }

    pub fn followed(&self) {
        self.followers.inc();
    }

    pub fn set_jobs(&self, queued: u64, dead: u64) {
        for (state, count) in [("queued", queued), ("dead", dead)] {
            self.jobs.get_or_create(&State { state }).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    pub fn print(&self) -> String {
        let mut text = String::new();
        // Writing into a string does not fail.
        let _ = text::encode(&mut text, &self.registry);
        text
    }
}
