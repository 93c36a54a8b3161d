//! Models: the product's language models, and which of them each person works with.
//!
//! Refuses two models of one pair of languages for one person. A model is known outside by the `uuid` that the product
//! gave it, and whoever is signed in may know of it; who works with which, those may know who see the person.

pub mod loaders;
pub mod mutation;
pub mod query;
pub mod service;
pub mod types;
mod upsert;
mod users;
