//! Invitations as GraphQL shows them.

use async_graphql::{Context, Enum, ID, Object, Result, SimpleObject};
use entity::invitation;
use uuid::Uuid;

use super::loaders::{CountWaitingFor, Invitations, RoleOf, WaitingFor};
use crate::{
    domain::{
        identity::types::User,
        orgs::{
            invitations,
            loaders::{CountOf, OrganizationOf, PageOf, PersonOf},
            types::Organization,
        },
        roles::types::Role,
    },
    error::Error,
    graphql::{
        ContextExt,
        connection::{PageInfo, wants_total},
        loader,
        resilient::Resilient,
        scalars::{DateTime, EmailAddress},
    },
    ids::{self, Kind},
    page::{Page, PageArgs},
};

/// What became of an invitation.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvitationStatus {
    /// It waits for an answer.
    Pending,
    /// The invited one is a member.
    Accepted,
    /// The invited one does not want to be a member.
    Declined,
    /// It was taken back.
    Revoked,
    /// Nobody answered in time. It can be sent again.
    Expired,
}

#[derive(Clone)]
pub struct InvitationObject(invitation::Model);

pub type Invitation = Resilient<InvitationObject>;

impl From<invitation::Model> for Invitation {
    fn from(row: invitation::Model) -> Self {
        Self(InvitationObject(row))
    }
}

/// An address is asked to join an organisation.
#[Object(name = "Invitation")]
impl InvitationObject {
    /// The global id.
    pub async fn id(&self) -> ID {
        ids::encode(Kind::Invitation, self.0.id).into()
    }

    /// Where to.
    async fn organization(&self, ctx: &Context<'_>) -> Result<Organization> {
        let found = loader::load(ctx, OrganizationOf(self.0.organization_id)).await?;
        Ok(found.ok_or_else(|| Error::internal("an invitation without an organisation"))?.into())
    }

    /// The address that it was sent to, and that alone may accept it.
    fn email(&self) -> EmailAddress {
        EmailAddress(self.0.email.clone())
    }

    /// The roles that come with it.
    async fn roles(&self, ctx: &Context<'_>) -> Result<Vec<Role>> {
        let ids: Vec<Uuid> = serde_json::from_value(self.0.role_ids.clone()).map_err(Error::internal)?;
        let roles = loader::load_all(ctx, ids.into_iter().map(RoleOf)).await?;
        Ok(roles.into_iter().map(Role::from).collect())
    }

    /// What became of it.
    fn status(&self, ctx: &Context<'_>) -> Result<InvitationStatus> {
        Ok(match invitations::status(ctx.ctx()?, &self.0) {
            Some(entity::InvitationStatus::Pending) => InvitationStatus::Pending,
            Some(entity::InvitationStatus::Accepted) => InvitationStatus::Accepted,
            Some(entity::InvitationStatus::Declined) => InvitationStatus::Declined,
            Some(entity::InvitationStatus::Revoked) => InvitationStatus::Revoked,
            None => InvitationStatus::Expired,
        })
    }

    /// Who sent it last.
    async fn invited_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        let Some(id) = self.0.invited_by else {
            return Ok(None);
        };
        Ok(loader::load(ctx, PersonOf(id)).await?.map(|(row, extent)| User::seen(row, extent)))
    }

    /// Until when it can be accepted.
    fn expires_at(&self) -> DateTime {
        DateTime(self.0.expires_at)
    }

    /// When the address was first invited.
    fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }
}

/// A page of invitations.
#[derive(SimpleObject)]
pub struct InvitationConnection {
    /// The invitations of this page, each with its cursor.
    pub edges: Option<Vec<Option<InvitationEdge>>>,
    /// Where this page stands in the list.
    pub page_info: PageInfo,
    /// How many there are in all, on all pages.
    pub total_count: u64,
}

/// An invitation in a list.
#[derive(SimpleObject)]
pub struct InvitationEdge {
    /// Says where to go on from here.
    pub cursor: String,
    /// The invitation.
    pub node: Option<Invitation>,
}

impl InvitationConnection {
    fn new(page: Page<invitation::Model>, total_count: u64) -> Self {
        let page_info = PageInfo::of(&page);
        let edge =
            |(cursor, row): (String, invitation::Model)| InvitationEdge { cursor, node: Some(row.into()) };
        Self { edges: Some(page.rows.into_iter().map(edge).map(Some).collect()), page_info, total_count }
    }

    /// The organisation's invitations, where the caller invites.
    pub async fn of_organization(ctx: &Context<'_>, organization: Uuid, page: PageArgs) -> Result<Self> {
        let filter = Invitations;
        let total = if wants_total(ctx) {
            loader::load(ctx, CountOf { parent: organization, filter }).await?
        } else {
            None
        };
        let empty = Page::empty(&page);
        let found = loader::load(ctx, PageOf { parent: organization, filter, page }).await?;
        Ok(Self::new(found.unwrap_or(empty), total.unwrap_or_default()))
    }

    /// What waits for the answer of this proved address, as far as the caller may see it.
    pub async fn waiting_for(ctx: &Context<'_>, email_key: Option<String>, page: PageArgs) -> Result<Self> {
        let empty = Page::empty(&page);
        let Some(email_key) = email_key else {
            return Ok(Self::new(empty, 0));
        };
        let total = if wants_total(ctx) {
            loader::load(ctx, CountWaitingFor(email_key.clone())).await?
        } else {
            None
        };
        let found = loader::load(ctx, WaitingFor { email_key, page }).await?;
        Ok(Self::new(found.unwrap_or(empty), total.unwrap_or_default()))
    }
}
