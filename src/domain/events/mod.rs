//! The event log and the jobs.
//!
//! Owns the one big idea of the house: whatever changes state records one event in the same transaction, and work
//! that follows from it (a mail, later a webhook) is a job in that transaction, too. Refuses secrets: a code or a
//! link never stands in an event.

pub mod jobs;
pub mod log;
pub mod tail;
