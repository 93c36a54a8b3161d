//! Applications: the tenants that share this service. Sessions, tokens and mails name theirs; there is a default one
//! for whoever names none.
//!
//! Owns the applications, their secrets, and whom their extensions have brought in. Refuses to show a secret twice, and to
//! let anybody in for an application that is not active.

mod changing;
pub mod id_tokens;
mod links;
pub mod mutation;
pub mod query;
mod redirects;
mod secrets;
pub mod service;
pub mod types;
