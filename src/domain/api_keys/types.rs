//! API keys as GraphQL shows them.

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use entity::api_key;
use uuid::Uuid;

use super::service;
use crate::{
    authz::Permission,
    graphql::{
        ContextExt,
        connection::{PageInfo, wants_total},
        resilient::Resilient,
        scalars::DateTime,
    },
    ids::{self, Kind},
    page::PageArgs,
};

#[derive(Clone)]
pub struct ApiKeyObject(api_key::Model);

pub type ApiKey = Resilient<ApiKeyObject>;

impl From<api_key::Model> for ApiKey {
    fn from(row: api_key::Model) -> Self {
        Self(ApiKeyObject(row))
    }
}

/// What a program shows in place of its user. It may do no more than its scopes and the user's grants allow, and
/// nothing that asks for the person.
#[Object(name = "ApiKey")]
impl ApiKeyObject {
    /// The global id.
    pub async fn id(&self) -> ID {
        ids::encode(Kind::ApiKey, self.0.id).into()
    }

    /// What its user calls it.
    fn name(&self) -> &str {
        &self.0.name
    }

    /// How it begins: enough to tell it from others.
    fn prefix(&self) -> &str {
        &self.0.prefix
    }

    /// The permissions that it was made for. What its user does not hold any more, it does not either.
    fn scopes(&self) -> Vec<&'static str> {
        service::scopes(&self.0).iter().map(Permission::code).collect()
    }

    /// When it was made.
    fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When it was last used, to the minute.
    fn last_used_at(&self) -> Option<DateTime> {
        self.0.last_used_at.map(DateTime)
    }

    /// When it runs out, if it does.
    fn expires_at(&self) -> Option<DateTime> {
        self.0.expires_at.map(DateTime)
    }
}

/// A page of API keys.
#[derive(SimpleObject)]
pub struct ApiKeyConnection {
    /// The keys of this page, each with its cursor.
    pub edges: Option<Vec<Option<ApiKeyEdge>>>,
    /// Where this page stands in the list.
    pub page_info: PageInfo,
    /// How many there are in all, on all pages.
    pub total_count: u64,
}

/// An API key in a list.
#[derive(SimpleObject)]
pub struct ApiKeyEdge {
    /// Says where to go on from here.
    pub cursor: String,
    /// The key.
    pub node: Option<ApiKey>,
}

impl ApiKeyConnection {
    /// The user's keys, the newest first. Refused to everybody else.
    pub async fn of_user(ctx: &Context<'_>, user: Uuid, page: PageArgs) -> Result<Self> {
        let page = service::list(ctx.ctx()?, user, &page).await?;
        let total_count = if wants_total(ctx) { service::count(ctx.ctx()?, user).await? } else { 0 };
        let page_info = PageInfo::of(&page);
        let edge = |(cursor, row): (String, api_key::Model)| ApiKeyEdge { cursor, node: Some(row.into()) };
        let edges = page.rows.into_iter().map(edge).map(Some).collect();
        Ok(Self { edges: Some(edges), page_info, total_count })
    }
}
