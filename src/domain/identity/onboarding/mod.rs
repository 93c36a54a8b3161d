//! Onboarding: accounts that administrators make, or that come from another system. They are verified and active at
//! once, for who makes them vouches for the address.
//!
//! Refuses to give what the caller does not hold, to reach beyond the caller's organisations, to take an address or a
//! name that is somebody's, and hashes whose verification would be an attack. What leaves by export comes in again here.

pub mod export;
mod judge;
pub mod mutation;
pub mod service;
mod survey;
