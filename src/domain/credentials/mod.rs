//! Credentials: what people prove themselves with.
//!
//! Owns password hashes, their policy and the pool in which they are computed, and the one-time codes. Refuses to cut
//! a password to the length that its hash can read, and to hash outside the pool.

pub mod codes;
pub mod factors;
pub mod hashing;
pub mod passwords;
pub mod policy;
pub mod proofs;
