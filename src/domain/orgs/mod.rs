//! Organisations, and who belongs to them.
//!
//! Refuses to let an organisation that is not listed be known outside of it.

pub mod loaders;
pub mod query;
pub mod service;
pub mod types;
