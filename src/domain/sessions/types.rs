//! Sessions and tokens as GraphQL shows them.

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use entity::session;
use uuid::Uuid;

use super::{loaders::Sessions, tokens::TokenPair};
use crate::{
    domain::orgs::loaders::{CountOf, PageOf},
    error::Error,
    graphql::{
        ContextExt,
        connection::{PageInfo, wants_total},
        loader,
        resilient::Resilient,
        scalars::DateTime,
    },
    ids::{self, Kind},
    page::PageArgs,
};

#[derive(Clone)]
pub struct SessionObject(session::Model);

pub type Session = Resilient<SessionObject>;

impl From<session::Model> for Session {
    fn from(row: session::Model) -> Self {
        Self(SessionObject(row))
    }
}

/// One login on one device, until it is ended or runs out.
#[Object(name = "Session")]
impl SessionObject {
    /// The global id.
    pub async fn id(&self) -> ID {
        ids::encode(Kind::Session, self.0.id).into()
    }

    /// What the user calls the device.
    fn device(&self) -> Option<&str> {
        self.0.device.as_deref()
    }

    /// The address that the login came from.
    fn ip(&self) -> Option<&str> {
        self.0.ip.as_deref()
    }

    /// Whether this is the session that you are asking with.
    fn current(&self, ctx: &Context<'_>) -> Result<bool> {
        Ok(ctx.ctx()?.actor.in_person().is_some_and(|user| user.session_id == self.0.id))
    }

    /// When the user logged in.
    fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When the session was last used to get a token.
    fn last_used_at(&self) -> DateTime {
        DateTime(self.0.last_used_at)
    }

    /// When it runs out, used or not.
    fn expires_at(&self) -> DateTime {
        DateTime(self.0.expires_at)
    }

    /// When it was ended, if it was.
    fn ended_at(&self) -> Option<DateTime> {
        self.0.ended_at.map(DateTime)
    }
}

/// What a login hands out.
#[derive(SimpleObject)]
pub struct AuthTokens {
    /// To send with each request, as `Authorization: Bearer …`.
    access_token: String,
    /// Always `Bearer`.
    token_type: &'static str,
    /// When the access token runs out.
    expires_at: DateTime,
    /// To get new tokens with, once.
    refresh_token: String,
    /// When the refresh token runs out.
    refresh_expires_at: DateTime,
}

impl From<TokenPair> for AuthTokens {
    fn from(tokens: TokenPair) -> Self {
        let TokenPair { access_token, expires_at, refresh_token, refresh_expires_at } = tokens;
        Self {
            access_token,
            token_type: "Bearer",
            expires_at: DateTime(expires_at),
            refresh_token,
            refresh_expires_at: DateTime(refresh_expires_at),
        }
    }
}

/// A page of sessions.
#[derive(SimpleObject)]
pub struct SessionConnection {
    /// The sessions of this page, each with its cursor.
    pub edges: Option<Vec<Option<SessionEdge>>>,
    /// Where this page stands in the list.
    pub page_info: PageInfo,
    /// How many there are in all, on all pages.
    pub total_count: u64,
}

/// A session in a list.
#[derive(SimpleObject)]
pub struct SessionEdge {
    /// Says where to go on from here.
    pub cursor: String,
    /// The session.
    pub node: Option<Session>,
}

impl SessionConnection {
    /// The live sessions of the user, the newest first. Refused to those who may not see them.
    pub async fn of_user(ctx: &Context<'_>, user: Uuid, page: PageArgs) -> Result<Self> {
        let total = if wants_total(ctx) {
            loader::load(ctx, CountOf { parent: user, filter: Sessions }).await?
        } else {
            None
        };
        let found = loader::load(ctx, PageOf { parent: user, filter: Sessions, page }).await?;
        let page = found.ok_or_else(Error::forbidden)?;
        let page_info = PageInfo::of(&page);
        let edge = |(cursor, row): (String, session::Model)| SessionEdge { cursor, node: Some(row.into()) };
        let edges = page.rows.into_iter().map(edge).map(Some).collect();
        Ok(Self { edges: Some(edges), page_info, total_count: total.unwrap_or_default() })
    }
}
