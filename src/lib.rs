//! Denizen, the identity subgraph: users, organisations, roles and models as one federated GraphQL API.
//!
//! The way through the house: [`http`] takes a request and makes a [`context::Ctx`] of it; [`schema`] leads it to the
//! rooms in [`domain`], whose services decide and write through [`db`]; [`worker`] does what follows. [`authz`] is the
//! one policy, [`graphql`] the kit that the rooms build their types from. ARCHITECTURE.md tells more.

pub mod app;
pub mod authz;
pub mod bulk;
pub mod change;
pub mod clock;
pub mod columns;
pub mod config;
pub mod context;
pub mod crypto;
pub mod db;
pub mod domain;
pub mod error;
pub mod graphql;
pub mod housekeeping;
pub mod http;
pub mod ids;
pub mod page;
pub mod schema;
pub mod telemetry;
pub mod worker;
