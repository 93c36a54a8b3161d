//! The rooms. Each owns its part of the rules: `types`, `query` and `mutation` translate for GraphQL, `service` decides.
//!
//! A room may call another room's `service`, never its `query` or `mutation`.

pub mod api_keys;
pub mod applications;
pub mod audit;
pub mod credentials;
pub mod events;
pub mod identity;
pub mod limits;
pub mod models;
pub mod notifications;
pub mod orgs;
pub mod roles;
pub mod sessions;
