//! What administrators change of other people: name, address, organisation, roles, models.
//!
//! Refuses to touch who holds more than the caller or belongs to where the caller's grants do not reach, to change one's
//! own address without the proof that `changeEmail` asks for, and to leave an organisation without an owner.

mod fields;
mod moves;
pub mod mutation;
pub mod service;
