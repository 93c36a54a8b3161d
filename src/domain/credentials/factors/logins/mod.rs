//! Logging in with factors, for the API: the second step of a login, and the passkey that needs no first.

pub mod mutation;
