//! Roles: named sets of permissions, kept as rows, and who was granted which.
//!
//! Owns the roles, built in or made at run time, and the grants. Refuses to let a row differ from the policy table where
//! a role is built in, to let anybody give what they do not hold, and to leave an organisation or the platform without
//! an owner.

pub mod authority;
mod grants;
pub mod loaders;
pub mod mutation;
pub mod owners;
pub mod query;
pub mod service;
pub mod types;
mod upsert;
