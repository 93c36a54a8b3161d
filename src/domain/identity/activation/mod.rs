//! Activation: administrators close accounts and open them again.
//!
//! Refuses to act on who holds more than the caller, on oneself, on an address that is not proved yet, and to leave an
//! organisation or the platform without an owner. What was open when an account was closed stays closed for good.

pub mod mutation;
pub mod service;
