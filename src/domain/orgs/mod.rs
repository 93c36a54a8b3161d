//! Organisations, who belongs to them, and who is invited.
//!
//! Refuses to let an organisation that is not listed be known outside of it, and to let one that has an owner lose the
//! last.

mod adding;
mod finders;
pub mod invitations;
mod joining;
mod leaving;
pub mod loaders;
pub mod members;
pub mod mutation;
pub mod query;
mod registering;
pub mod service;
mod text;
pub mod types;
mod upsert;
