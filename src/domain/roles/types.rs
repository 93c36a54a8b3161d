//! Roles as GraphQL shows them.

use std::sync::Arc;

use async_graphql::{Enum, ID, Object};
use entity::role;

use super::service;
use crate::{
    authz,
    graphql::resilient::Resilient,
    ids::{self, Kind},
};

/// Where a role can be granted.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "authz::RoleScope")]
pub enum RoleScope {
    /// For the whole platform.
    Platform,
    /// Within one organisation: there it reaches only that organisation's users, members and invitations.
    Organization,
}

#[derive(Clone)]
pub struct RoleObject(Arc<role::Model>);

pub type Role = Resilient<RoleObject>;

impl From<Arc<role::Model>> for Role {
    fn from(row: Arc<role::Model>) -> Self {
        Self(RoleObject(row))
    }
}

impl From<role::Model> for Role {
    fn from(row: role::Model) -> Self {
        Self(RoleObject(Arc::new(row)))
    }
}

/// A named set of permissions. Who is granted a role may do what its permissions say, where it was granted.
#[Object(name = "Role")]
impl RoleObject {
    /// The global id.
    pub async fn id(&self) -> ID {
        ids::encode(Kind::Role, self.0.id).into()
    }

    /// The short name by which roles are asked for and granted, as `ADMIN`.
    fn code(&self) -> &str {
        &self.0.code
    }

    /// What the role is for.
    fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// Whether the role gives anything: the grants of an inactive role are kept, and rest.
    fn active(&self) -> bool {
        self.0.active
    }

    /// Whether the role is built in and cannot be changed.
    fn system(&self) -> bool {
        self.0.system
    }

    /// Whether one may ask for the role when registering.
    fn self_assignable(&self) -> bool {
        self.0.self_assignable
    }

    /// Where the role can be granted.
    fn scopes(&self) -> Vec<RoleScope> {
        service::scopes(&self.0).into_iter().map(RoleScope::from).collect()
    }

    /// What its holders may do, as `user.read`.
    fn permissions(&self) -> Vec<String> {
        service::permissions(&self.0)
    }
}
