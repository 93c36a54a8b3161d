//! The one test binary: the house is built once, in memory, and every claim is made through its doors.
//!
//! A folder or file for each room; `support` builds a fresh world for each test, on SQLite and on PostgreSQL.

#![recursion_limit = "256"]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test that is surprised fails; and the time that the real binary takes is the machine's"
)]

mod account;
mod activation;
mod api_keys;
mod applications;
mod audit;
mod authz_matrix;
mod bootstrap;
mod broken_off;
mod budgets;
mod bulk_statements;
mod canaries;
mod change_email;
mod codes_property;
mod common_passwords;
mod confirmation;
mod deleted_meanwhile;
mod disk_faults;
mod documents;
mod ended_meanwhile;
mod ending;
mod erasure;
mod factors;
mod forged;
mod full_disk;
mod grants_property;
mod guards;
mod guessing;
mod hashing;
mod housekeeping;
mod id_tokens;
mod identity;
mod import;
mod imported_hashes;
mod job_lanes;
mod key_rotation;
mod known_documents;
mod known_names;
mod legacy_tokens;
mod limits;
mod locked_out;
mod mail;
mod mailboxes;
mod models;
mod nonsense;
mod numbers;
mod onboarding;
mod orgs;
mod otp;
mod owners;
mod pages;
mod passwords;
mod phones;
mod playground;
mod process;
mod production;
mod refreshing;
mod roles;
mod schema;
mod schema_drift;
mod sessions;
mod sessions_property;
mod shared_connections;
mod statements;
mod strangers_words;
mod streams;
mod subscriptions;
mod support;
mod text;
mod themselves;
mod tidy;
mod too_late;
mod tracing;
mod tries;
mod update_users;
mod vouched;
mod vouched_elsewhere;
mod wire;
