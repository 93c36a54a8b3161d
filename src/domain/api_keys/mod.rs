//! API keys: what programs show in place of their users.
//!
//! Owns the keys, and the memory of which of them are in force. Refuses to give a key more than its maker holds, at any
//! moment, and to take it for the person: what asks for the person, no key does.

pub mod live;
pub mod mutation;
pub mod secret;
pub mod service;
pub mod types;
