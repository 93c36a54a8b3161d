//! Audit: reading the event log.
//!
//! Owns no table: the room `events` writes, this one shows, to whoever may read events where they happened. Refuses to
//! tell an organisation's readers what did not happen within their organisation, even about their own members.

pub mod following;
pub mod loaders;
pub mod query;
pub mod service;
pub mod subscription;
pub mod types;
