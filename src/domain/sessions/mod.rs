//! Sessions: logging in, being known by a token, logging out.
//!
//! Owns sessions, access and refresh tokens, and the keys that sign them. Refuses to say why a login failed, and to
//! believe a token whose session has ended.

pub mod devices;
pub mod ending;
pub mod entering;
mod finders;
pub mod keys;
mod legacy_token;
pub mod live;
pub mod loaders;
pub mod mutation;
pub mod query;
mod refresh_token;
pub mod refreshing;
pub mod rotation;
pub mod service;
pub mod token_info;
pub mod tokens;
pub mod types;
