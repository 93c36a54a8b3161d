//! Who may do what: permissions, the built-in roles that bundle them, and the actor who holds them.
//!
//! Owns the one policy. It refuses by default: an actor may do what a grant says, in the scope that the grant names,
//! and nothing else. It knows neither GraphQL nor the database.

mod actor;
mod permission;
mod policy;

pub use self::{
    actor::{Actor, Grants, Reach, Scope, SignedIn},
    permission::{Permission, PermissionSet},
    policy::{BUILT_IN_ROLES, BuiltInRole, RoleScope},
};
