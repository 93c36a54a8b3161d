//! Memberships: who sees them, and how they are shown.
//!
//! Refuses to tell one tenant of another's, and one member of what is private to another.

mod finders;
pub mod types;

pub use self::finders::{
    MemberFilter, by_ids, count_of_organizations, count_of_users, of_organizations, of_users, open_to,
    roles_of,
};
