//! Organisations of many users, and members of many organisations, at once.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use async_graphql::dataloader::Loader;
use entity::{membership, organization, role, user};
use uuid::Uuid;

use super::{members::MemberFilter, service};
use crate::{
    domain::identity::service::{self as identity, Seen},
    graphql::loader::{Loads, SharedError},
    page::{Page, PageArgs},
};

/// The primary organisation of this user.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PrimaryOf(pub Uuid);

impl Loader<PrimaryOf> for Loads {
    type Value = Arc<organization::Model>;
    type Error = SharedError;

    async fn load(&self, keys: &[PrimaryOf]) -> Result<HashMap<PrimaryOf, Self::Value>, SharedError> {
        let ids: Vec<_> = keys.iter().map(|PrimaryOf(id)| *id).collect();
        let found = service::primary_of_users(&self.0, &ids).await?;
        Ok(found.into_iter().map(|(id, org)| (PrimaryOf(id), Arc::new(org))).collect())
    }
}

/// The organisation of something that the caller may see.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct OrganizationOf(pub Uuid);

impl Loader<OrganizationOf> for Loads {
    type Value = organization::Model;
    type Error = SharedError;

    async fn load(
        &self,
        keys: &[OrganizationOf],
    ) -> Result<HashMap<OrganizationOf, Self::Value>, SharedError> {
        let found = service::seen_through(&self.0, keys.iter().map(|OrganizationOf(id)| *id)).await?;
        Ok(found.into_iter().map(|(id, org)| (OrganizationOf(id), org)).collect())
    }
}

/// The user of something that the caller may see, and how much of them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PersonOf(pub Uuid);

impl Loader<PersonOf> for Loads {
    type Value = (user::Model, Seen);
    type Error = SharedError;

    async fn load(&self, keys: &[PersonOf]) -> Result<HashMap<PersonOf, Self::Value>, SharedError> {
        let ids: Vec<_> = keys.iter().map(|PersonOf(id)| *id).collect();
        let found = identity::seen_through(&self.0, &ids).await?;
        Ok(found.into_iter().map(|(id, person)| (PersonOf(id), person)).collect())
    }
}

/// The roles of this user in this organisation that the caller may know of.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RolesIn {
    pub organization_id: Uuid,
    pub user_id: Uuid,
}

impl Loader<RolesIn> for Loads {
    type Value = Vec<role::Model>;
    type Error = SharedError;

    async fn load(&self, keys: &[RolesIn]) -> Result<HashMap<RolesIn, Self::Value>, SharedError> {
        let members: Vec<_> = keys.iter().map(|key| (key.organization_id, key.user_id)).collect();
        let found = service::members::roles_of(&self.0, &members).await?;
        let key = |(organization_id, user_id)| RolesIn { organization_id, user_id };
        Ok(found.into_iter().map(|(member, roles)| (key(member), roles)).collect())
    }
}

/// Whether the caller sees the members of this organisation.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct OpenTo(pub Uuid);

impl Loader<OpenTo> for Loads {
    type Value = ();
    type Error = SharedError;

    async fn load(&self, keys: &[OpenTo]) -> Result<HashMap<OpenTo, ()>, SharedError> {
        let ids: Vec<_> = keys.iter().map(|OpenTo(id)| *id).collect();
        let open = service::members::open_to(&self.0, &ids).await?;
        Ok(open.into_iter().map(|id| (OpenTo(id), ())).collect())
    }
}

/// A page of one parent's list. Parents that ask for the same page share a statement.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PageOf<F> {
    pub parent: Uuid,
    pub filter: F,
    pub page: PageArgs,
}

/// How long one parent's list is.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CountOf<F> {
    pub parent: Uuid,
    pub filter: F,
}

/// In `PageOf` and `CountOf`: the memberships of a user.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct OfUser;

/// The parents of the keys that want the same.
pub fn alike<K, S: Eq + Hash>(keys: &[K], parts: impl Fn(&K) -> (Uuid, S)) -> HashMap<S, Vec<Uuid>> {
    let mut groups: HashMap<S, Vec<Uuid>> = HashMap::new();
    for (parent, same) in keys.iter().map(parts) {
        groups.entry(same).or_default().push(parent);
    }
    groups
}

impl Loader<PageOf<MemberFilter>> for Loads {
    type Value = Page<membership::Model>;
    type Error = SharedError;

    async fn load(
        &self,
        keys: &[PageOf<MemberFilter>],
    ) -> Result<HashMap<PageOf<MemberFilter>, Self::Value>, SharedError> {
        let mut pages = HashMap::new();
        let groups = alike(keys, |key| (key.parent, (key.filter.clone(), key.page.clone())));
        for ((filter, page), ids) in groups {
            let found = service::members::of_organizations(&self.0, &ids, &filter, &page).await?;
            let key = |parent| PageOf { parent, filter: filter.clone(), page: page.clone() };
            pages.extend(found.into_iter().map(|(parent, rows)| (key(parent), rows)));
        }
        Ok(pages)
    }
}

impl Loader<CountOf<MemberFilter>> for Loads {
    type Value = u64;
    type Error = SharedError;

    async fn load(
        &self,
        keys: &[CountOf<MemberFilter>],
    ) -> Result<HashMap<CountOf<MemberFilter>, u64>, SharedError> {
        let mut counts = HashMap::new();
        for (filter, ids) in alike(keys, |key| (key.parent, key.filter.clone())) {
            let found = service::members::count_of_organizations(&self.0, &ids, &filter).await?;
            let key = |parent| CountOf { parent, filter: filter.clone() };
            counts.extend(found.into_iter().map(|(parent, count)| (key(parent), count)));
        }
        Ok(counts)
    }
}

impl Loader<PageOf<OfUser>> for Loads {
    type Value = Page<membership::Model>;
    type Error = SharedError;

    async fn load(
        &self,
        keys: &[PageOf<OfUser>],
    ) -> Result<HashMap<PageOf<OfUser>, Self::Value>, SharedError> {
        let mut pages = HashMap::new();
        for (page, ids) in alike(keys, |key| (key.parent, key.page.clone())) {
            let found = service::members::of_users(&self.0, &ids, &page).await?;
            let key = |parent| PageOf { parent, filter: OfUser, page: page.clone() };
            pages.extend(found.into_iter().map(|(parent, rows)| (key(parent), rows)));
        }
        Ok(pages)
    }
}

impl Loader<CountOf<OfUser>> for Loads {
    type Value = u64;
    type Error = SharedError;

    async fn load(&self, keys: &[CountOf<OfUser>]) -> Result<HashMap<CountOf<OfUser>, u64>, SharedError> {
        let ids: Vec<_> = keys.iter().map(|key| key.parent).collect();
        let found = service::members::count_of_users(&self.0, &ids).await?;
        Ok(found.into_iter().map(|(parent, count)| (CountOf { parent, filter: OfUser }, count)).collect())
    }
}
