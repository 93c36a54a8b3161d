//! Limits: how often something may be tried.
//!
//! Owns the counters of attempts: in the database, so that restarts and other instances count, and raised before the
//! attempt is made, by one conditional statement, so that of forty at once only so many go on. Refuses to know what an
//! attempt is about: whoever tries something names its rule and its subject. Owns the budgets of messages as well: how many
//! reach one address or number, and who used them up.

pub mod budget;
mod network;
pub mod rules;
pub mod service;

pub use network::{Block, Network};
