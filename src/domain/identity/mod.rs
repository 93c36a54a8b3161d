//! Identity: who people are, from registration to verification, and who may see them.
//!
//! Owns users, their names and addresses. Refuses to tell strangers whether an address is known, and keeps to one
//! identity per proved mailbox.

mod acquaintance;
mod bootstrap;
mod finders;
pub mod mutation;
pub mod names;
pub mod query;
mod register;
pub mod service;
pub mod types;
mod verify;
