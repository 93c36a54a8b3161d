//! Notifications: what is said to people outside the API.
//!
//! Owns the channels, the templates and the delivery. A message is sealed in the transaction that causes it and wiped
//! once it is delivered, for it may carry a code or a link. Refuses to send anywhere but to the stored
//! address, and to write there what strangers chose.

pub mod channel;
pub mod foreign_text;
pub mod service;
pub mod sms;
pub mod template;
