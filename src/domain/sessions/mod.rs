//! Sessions: logging in, being known by a token, logging out.
//!
//! Owns sessions, access and refresh tokens, and the keys that sign them. Refuses to say why a login failed, and to
//! believe a token whose session has ended.

pub mod entering;
pub mod keys;
pub mod live;
pub mod mutation;
pub mod service;
pub mod tokens;
pub mod types;
