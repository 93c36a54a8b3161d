//! Credentials: what people prove themselves with.
//!
//! Owns password hashes, their policy and the pool in which they are computed, the one-time codes, and the ways to a new
//! password. Refuses to cut a password to the length that its hash can read, to hash outside the pool, and to tell a
//! stranger whether there is somebody to send a code to.

pub mod codes;
mod common;
pub mod factors;
pub mod failures;
pub mod foreign;
pub mod guessing;
pub mod hashing;
pub mod imported;
mod lane;
mod level;
pub mod mutation;
pub mod otp;
pub mod passwords;
pub mod policy;
mod pool;
mod priority;
pub mod proofs;
pub mod refusals;
pub mod reset;
mod tries;
