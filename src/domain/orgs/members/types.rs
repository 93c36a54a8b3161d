//! Memberships as GraphQL shows them.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use entity::membership;
use uuid::Uuid;

use crate::{
    domain::{
        identity::types::User,
        orgs::{
            loaders::{CountOf, OfUser, OpenTo, OrganizationOf, PageOf, PersonOf, RolesIn},
            members,
            types::Organization,
        },
        roles::types::Role,
    },
    error::Error,
    graphql::{
        connection::{PageInfo, wants_total},
        loader,
        resilient::Resilient,
        scalars::DateTime,
    },
    ids::{self, Kind},
    page::{Page, PageArgs},
};

#[derive(Clone)]
pub struct MembershipObject(membership::Model);

pub type Membership = Resilient<MembershipObject>;

impl From<membership::Model> for Membership {
    fn from(row: membership::Model) -> Self {
        Self(MembershipObject(row))
    }
}

/// A user belongs to an organisation.
#[Object(name = "Membership")]
impl MembershipObject {
    /// The global id.
    pub async fn id(&self) -> ID {
        ids::encode(Kind::Membership, self.0.id).into()
    }

    /// Who belongs to it. Fellow members see of each other what is shown to everybody.
    async fn user(&self, ctx: &Context<'_>) -> Result<User> {
        let found = loader::load(ctx, PersonOf(self.0.user_id)).await?;
        let (row, seen) = found.ok_or_else(|| Error::internal("a membership without a user"))?;
        Ok(User::seen(row, seen))
    }

    /// To what.
    async fn organization(&self, ctx: &Context<'_>) -> Result<Organization> {
        let found = loader::load(ctx, OrganizationOf(self.0.organization_id)).await?;
        Ok(found.ok_or_else(|| Error::internal("a membership without an organisation"))?.into())
    }

    /// The roles that the user holds there, as far as you may know of them: your own, and everybody's where you read
    /// users or organisations.
    async fn roles(&self, ctx: &Context<'_>) -> Result<Vec<Role>> {
        let key = RolesIn { organization_id: self.0.organization_id, user_id: self.0.user_id };
        let roles = loader::load(ctx, key).await?.unwrap_or_default();
        Ok(roles.into_iter().map(Role::from).collect())
    }

    /// Since when.
    fn joined_at(&self) -> DateTime {
        DateTime(self.0.joined_at)
    }
}

/// A page of memberships.
#[derive(SimpleObject)]
pub struct MembershipConnection {
    /// The memberships of this page, each with its cursor.
    pub edges: Option<Vec<Option<MembershipEdge>>>,
    /// Where this page stands in the list.
    pub page_info: PageInfo,
    /// How many there are in all, on all pages.
    pub total_count: u64,
}

/// A membership in a list.
#[derive(SimpleObject)]
pub struct MembershipEdge {
    /// Says where to go on from here.
    pub cursor: String,
    /// The membership.
    pub node: Option<Membership>,
}

impl MembershipConnection {
    fn new(page: Page<membership::Model>, total_count: u64) -> Self {
        let page_info = PageInfo::of(&page);
        let edge =
            |(cursor, row): (String, membership::Model)| MembershipEdge { cursor, node: Some(row.into()) };
        Self { edges: Some(page.rows.into_iter().map(edge).map(Some).collect()), page_info, total_count }
    }

    /// The members of the organisation. Refused to those who do not see them.
    pub async fn of_organization(
        ctx: &Context<'_>,
        organization: Uuid,
        filter: Option<MemberFilter>,
        page: PageArgs,
    ) -> Result<Self> {
        if loader::load(ctx, OpenTo(organization)).await?.is_none() {
            return Err(Error::forbidden().into());
        }
        let filter = filter.map(members::MemberFilter::from).unwrap_or_default();
        let total = if wants_total(ctx) {
            loader::load(ctx, CountOf { parent: organization, filter: filter.clone() }).await?
        } else {
            None
        };
        let empty = Page::empty(&page);
        let found = loader::load(ctx, PageOf { parent: organization, filter, page }).await?;
        Ok(Self::new(found.unwrap_or(empty), total.unwrap_or_default()))
    }

    /// The memberships of the user that the caller may see.
    pub async fn of_user(ctx: &Context<'_>, user: Uuid, page: PageArgs) -> Result<Self> {
        let total = if wants_total(ctx) {
            loader::load(ctx, CountOf { parent: user, filter: OfUser }).await?
        } else {
            None
        };
        let empty = Page::empty(&page);
        let found = loader::load(ctx, PageOf { parent: user, filter: OfUser, page }).await?;
        Ok(Self::new(found.unwrap_or(empty), total.unwrap_or_default()))
    }
}

/// Which members to list; all conditions must hold.
#[derive(InputObject)]
pub struct MemberFilter {
    /// Holding one of these roles in the organisation, as far as you may know of it.
    pub role_codes: Option<Vec<String>>,
    /// Whose user name or name contains this, whatever the case.
    pub text: Option<String>,
}

impl From<MemberFilter> for members::MemberFilter {
    fn from(filter: MemberFilter) -> Self {
        let MemberFilter { role_codes, text } = filter;
        Self { role_codes, text }
    }
}
