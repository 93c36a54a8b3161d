//! Roles: named sets of permissions, kept as rows, and who was granted which.
//!
//! Owns the built-in roles and grants. Refuses to let a row differ from the policy table where a role is built in.

pub mod authority;
pub mod loaders;
pub mod owners;
pub mod query;
pub mod service;
pub mod types;
