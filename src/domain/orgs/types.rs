//! Organisations as GraphQL shows them.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, OneofObject, Result, SimpleObject};
use entity::organization;

use super::{
    invitations::types::InvitationConnection,
    members::types::{MemberFilter, MembershipConnection},
    service,
};
use crate::{
    authz::{Permission, Scope},
    error::Error,
    graphql::{
        ContextExt,
        connection::PageInfo,
        guard::{Require, SignedIn},
        resilient::Resilient,
        scalars::DateTime,
    },
    ids::{self, Kind},
    page::{Page, PageArgs},
};

#[derive(Clone)]
pub struct OrganizationObject(Arc<organization::Model>);

pub type Organization = Resilient<OrganizationObject>;

impl From<Arc<organization::Model>> for Organization {
    fn from(row: Arc<organization::Model>) -> Self {
        Self(OrganizationObject(row))
    }
}

impl From<organization::Model> for Organization {
    fn from(row: organization::Model) -> Self {
        Self(OrganizationObject(Arc::new(row)))
    }
}

/// A group of users who work together, with members, invitations and roles of its own.
#[Object(name = "Organization")]
impl OrganizationObject {
    /// The global id.
    pub async fn id(&self) -> ID {
        ids::encode(Kind::Organization, self.0.id).into()
    }

    /// The short name by which the organisation is known, as `acme`.
    fn code(&self) -> &str {
        &self.0.code
    }

    /// The name as people say it.
    fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// What the organisation is about.
    fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// Whether the organisation is in use.
    fn active(&self) -> bool {
        self.0.active
    }

    /// Whether everybody may know that it exists.
    fn listed(&self) -> bool {
        self.0.listed
    }

    /// Whether one may join when registering, by its code.
    fn self_registration(&self) -> bool {
        self.0.self_registration
    }

    /// Who belongs to it, in the order of joining. For its members, and for those who read organisations or users there.
    #[graphql(guard = "SignedIn")]
    async fn members(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones; all when left out.")] filter: Option<MemberFilter>,
        #[graphql(desc = "How many from the start: 20 when left out, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 100 at most.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Option<MembershipConnection>> {
        let page = PageArgs { first, after, last, before };
        Ok(Some(Box::pin(MembershipConnection::of_organization(ctx, self.0.id, filter, page)).await?))
    }

    /// Who was invited, the newest first. For those who invite there.
    #[graphql(guard = "Require(Permission::OrgInvite)")]
    async fn invitations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the start: 20 when left out, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 100 at most.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Option<InvitationConnection>> {
        if !ctx.ctx()?.actor.may(Permission::OrgInvite, Scope::Org(self.0.id)) {
            return Err(Error::forbidden().into());
        }
        let page = PageArgs { first, after, last, before };
        Ok(Some(Box::pin(InvitationConnection::of_organization(ctx, self.0.id, page)).await?))
    }

    /// When it was made.
    fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When it was last changed.
    fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }
}

/// A page of organisations.
#[derive(SimpleObject)]
pub struct OrganizationConnection {
    /// The organisations of this page, each with its cursor.
    pub edges: Option<Vec<Option<OrganizationEdge>>>,
    /// Where this page stands in the list.
    pub page_info: PageInfo,
    /// How many there are in all, on all pages.
    pub total_count: u64,
}

/// An organisation in a list.
#[derive(SimpleObject)]
pub struct OrganizationEdge {
    /// Says where to go on from here.
    pub cursor: String,
    /// The organisation.
    pub node: Option<Organization>,
}

impl OrganizationConnection {
    pub fn new(page: Page<organization::Model>, total_count: u64) -> Self {
        let page_info = PageInfo::of(&page);
        let edge = |(cursor, row): (String, organization::Model)| OrganizationEdge {
            cursor,
            node: Some(row.into()),
        };
        Self { edges: Some(page.rows.into_iter().map(edge).map(Some).collect()), page_info, total_count }
    }
}

/// Names one organisation, in one of these ways.
#[derive(OneofObject)]
pub enum OrganizationBy {
    /// By its global id.
    Id(ID),
    /// By its code.
    Code(String),
}

impl OrganizationBy {
    /// `None` when it names nothing.
    pub fn into_service(self) -> Option<service::OrganizationBy> {
        match self {
            Self::Id(id) => ids::decode_as(Kind::Organization, &id).map(service::OrganizationBy::Id),
            Self::Code(code) => Some(service::OrganizationBy::Code(code)),
        }
    }
}

/// Which organisations to list; all conditions must hold.
#[derive(InputObject)]
pub struct OrganizationFilter {
    /// With one of these codes.
    pub codes: Option<Vec<String>>,
    /// Only active ones, or only inactive ones.
    pub active: Option<bool>,
    /// Whose code or name contains this, whatever the case.
    pub text: Option<String>,
}

impl From<OrganizationFilter> for service::OrganizationFilter {
    fn from(filter: OrganizationFilter) -> Self {
        let OrganizationFilter { codes, active, text } = filter;
        Self { codes, active, text }
    }
}
