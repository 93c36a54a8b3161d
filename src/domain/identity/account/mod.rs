//! The account in its owner's hands: another verification mail, the profile, the address, the way out.
//!
//! Refuses to tell a stranger whether an account exists, and to change an address before its mailbox is proved.

mod email;
mod erase;
mod export;
pub mod mutation;
mod phone;
mod profile;
mod resend;
pub mod service;
