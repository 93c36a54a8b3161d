//! The commands that are more than a few lines: bringing users in, and taking them out again.

pub mod export;
pub mod import;
mod lines;
mod record;
