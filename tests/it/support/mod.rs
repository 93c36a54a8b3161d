//! What every test stands on: a world of its own, and people who act in it.

mod authenticator;
mod client;
mod following;
mod people;
pub mod postgres;
pub mod process;
pub mod smtp;
mod world;

pub use authenticator::Authenticator;
pub use client::{Answer, Client};
pub use following::Following;
pub use people::{PASSWORD, token_and_code};
pub use world::{ADMIN_PASSWORD, Backend, World, config};
