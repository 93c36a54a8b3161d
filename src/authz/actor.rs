//! Who is asking, with what grants, in which scope.

use std::{collections::BTreeMap, sync::Arc};

use entity::Timestamp;
use uuid::Uuid;

use super::permission::{Permission, PermissionSet};
use crate::error::{Error, Result};

/// Where a permission must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Platform,
    Org(Uuid),
}

/// What somebody was granted: on the whole platform, and within single organisations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    platform: PermissionSet,
    orgs: BTreeMap<Uuid, PermissionSet>,
}

impl Grants {
    /// Adds what a role gives, in the organisation or (without one) on the platform.
    pub fn add(&mut self, permissions: PermissionSet, organization: Option<Uuid>) {
        match organization {
            None => self.platform = self.platform.union(permissions),
            Some(id) => {
                let held = self.orgs.entry(id).or_default();
                *held = held.union(permissions);
            }
        }
    }

    /// A platform grant reaches into every organisation; an organisation's grant reaches nowhere else.
    pub fn allow(&self, permission: Permission, scope: Scope) -> bool {
        self.platform.contains(permission)
            || match scope {
                Scope::Platform => false,
                Scope::Org(id) => self.orgs.get(&id).is_some_and(|held| held.contains(permission)),
            }
    }

    /// Whether the permission is held in any scope at all: what a guard asks before the resource is known.
    pub fn allow_somewhere(&self, permission: Permission) -> bool {
        self.platform.contains(permission) || self.orgs.values().any(|held| held.contains(permission))
    }

    /// The organisations in which the permission is held by a grant of their own.
    pub fn orgs_with(&self, permission: Permission) -> Vec<Uuid> {
        self.orgs.iter().filter(|(_, held)| held.contains(permission)).map(|(id, _)| *id).collect()
    }

    /// Whether whoever holds this holds all of that, wherever it is held: nobody touches an account that holds more.
    pub fn cover(&self, other: &Self) -> bool {
        let within = |scope: Scope, wanted: PermissionSet| {
            wanted.iter().all(|permission| self.allow(permission, scope))
        };
        within(Scope::Platform, other.platform)
            && other.orgs.iter().all(|(id, wanted)| within(Scope::Org(*id), *wanted))
    }

    /// Everything held in the organisation, by its own grants or by the platform's.
    pub fn within(&self, organization: Uuid) -> PermissionSet {
        self.orgs.get(&organization).map_or(self.platform, |held| held.union(self.platform))
    }

    /// No more than these permissions, wherever they are held.
    #[must_use]
    pub fn limited_to(&self, permissions: PermissionSet) -> Self {
        let orgs = self.orgs.iter().map(|(id, held)| (*id, held.intersection(permissions)));
        Self { platform: self.platform.intersection(permissions), orgs: orgs.collect() }
    }

    /// Everything held anywhere: the `scope` of an access token.
    pub fn union(&self) -> PermissionSet {
        self.orgs.values().fold(self.platform, |all, held| all.union(*held))
    }
}

/// A user behind a live session.
#[derive(Clone, Debug)]
pub struct SignedIn {
    pub user_id: Uuid,
    pub user_name: String,
    pub session_id: Uuid,
    pub application_id: Uuid,
    /// When they last proved who they are.
    pub authenticated_at: Timestamp,
    pub grants: Grants,
}

#[derive(Clone, Debug)]
pub enum Actor {
    /// Nobody said who they are.
    Anonymous,
    /// The service itself: jobs, the command line, the first start.
    System,
    User(Arc<SignedIn>),
    /// A program that shows a key of its user: no more than its scopes and the user's grants allow, and nothing that
    /// asks for the person. The session's id is the key's.
    ApiKey(Arc<SignedIn>),
}

impl Actor {
    pub fn signed_in(&self) -> Option<&SignedIn> {
        match self {
            Self::User(user) | Self::ApiKey(user) => Some(user),
            Self::Anonymous | Self::System => None,
        }
    }

    /// The user, if it is the person who asks, in a session: what takes an account away, or opens it to others, asks
    /// for this.
    pub fn in_person(&self) -> Option<&SignedIn> {
        match self {
            Self::User(user) => Some(user),
            Self::ApiKey(_) | Self::Anonymous | Self::System => None,
        }
    }

    pub fn user_id(&self) -> Option<Uuid> {
        self.signed_in().map(|user| user.user_id)
    }

    pub fn may(&self, permission: Permission, scope: Scope) -> bool {
        match self {
            Self::Anonymous => false,
            Self::System => true,
            Self::User(user) | Self::ApiKey(user) => user.grants.allow(permission, scope),
        }
    }

    pub fn may_somewhere(&self, permission: Permission) -> bool {
        match self {
            Self::Anonymous => false,
            Self::System => true,
            Self::User(user) | Self::ApiKey(user) => user.grants.allow_somewhere(permission),
        }
    }

    pub fn require(&self, permission: Permission, scope: Scope) -> Result<()> {
        if self.may(permission, scope) { Ok(()) } else { Err(Error::forbidden()) }
    }

    /// Whether the caller holds everything that is held there.
    pub fn covers(&self, grants: &Grants) -> bool {
        match self {
            Self::Anonymous => grants.union() == PermissionSet::default(),
            Self::System => true,
            Self::User(user) | Self::ApiKey(user) => user.grants.cover(grants),
        }
    }

    /// How far the permission reaches.
    pub fn reach(&self, permission: Permission) -> Reach {
        if self.may(permission, Scope::Platform) {
            return Reach::Everywhere;
        }
        let orgs = self.signed_in().map(|user| user.grants.orgs_with(permission)).unwrap_or_default();
        Reach::Orgs(orgs)
    }
}

/// The extent of a permission: what a list may be filled from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    Everywhere,
    /// Only these organisations; none at all when empty.
    Orgs(Vec<Uuid>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_in_one_organisation_reaches_no_other() {
        let (mine, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mut grants = Grants::default();
        grants.add(PermissionSet::of(&[Permission::UserRead]), Some(mine));
        assert!(grants.allow(Permission::UserRead, Scope::Org(mine)));
        assert!(grants.allow_somewhere(Permission::UserRead));
        assert!(!grants.allow(Permission::UserRead, Scope::Org(other)));
        assert!(!grants.allow(Permission::UserRead, Scope::Platform));
        assert!(!grants.allow(Permission::UserUpdate, Scope::Org(mine)));
        assert_eq!(grants.orgs_with(Permission::UserRead), [mine]);
    }

    #[test]
    fn more_covers_less_and_never_the_other_way() {
        let (mine, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let of = |organization| {
            let mut grants = Grants::default();
            grants.add(PermissionSet::of(&[Permission::UserRead]), organization);
            grants
        };
        assert!(of(None).cover(&of(Some(mine))) && of(None).cover(&of(None)));
        assert!(of(Some(mine)).cover(&of(Some(mine))) && of(Some(mine)).cover(&Grants::default()));
        assert!(!of(Some(mine)).cover(&of(None)) && !of(Some(mine)).cover(&of(Some(other))));
    }

    #[test]
    fn a_platform_grant_reaches_everywhere() {
        let mut grants = Grants::default();
        grants.add(PermissionSet::of(&[Permission::UserRead]), None);
        assert!(grants.allow(Permission::UserRead, Scope::Org(Uuid::from_u128(9))));
        assert!(!grants.allow_somewhere(Permission::UserDelete));
    }
}
