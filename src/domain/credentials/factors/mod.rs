//! Second factors: what somebody shows beside their password, or instead of it.
//!
//! Owns authenticator apps (TOTP), recovery codes, passkeys, and the challenges that wait for one of them. Refuses to
//! accept anything twice, and one factor in the place of two.

mod answering;
pub mod asking;
pub mod challenges;
mod decoys;
pub mod loaders;
pub mod logins;
pub mod mutation;
mod otp;
pub mod passkeys;
mod recovery;
pub mod service;
mod signing_in;
mod standing;
mod telling;
mod totp;
pub mod types;
pub mod undoing;
mod webauthn;
