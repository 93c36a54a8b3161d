//! Identity: who people are, from registration to verification, and who may see them.
//!
//! Owns users, their names and addresses. Refuses to tell strangers whether an address is known, and keeps to one
//! identity per proved mailbox.

pub mod account;
mod acquaintance;
pub mod activation;
mod blank;
mod bootstrap;
mod confirmation;
mod discarding;
mod extension;
mod finders;
mod introduction;
mod looking;
pub mod mutation;
pub mod names;
pub mod onboarding;
pub mod query;
mod register;
mod register_many;
pub mod service;
pub mod text;
pub mod types;
pub mod updating;
mod verify;
mod vouched;
mod write;
