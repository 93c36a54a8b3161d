//! The commands that are more than a few lines: bringing users in and taking them out again, and the signing keys.

pub mod export;
pub mod import;
pub mod keys;
mod lines;
mod record;
