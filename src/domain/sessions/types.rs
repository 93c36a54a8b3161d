//! Sessions and tokens as GraphQL shows them.

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use entity::session;

use super::tokens::TokenPair;
use crate::{
    graphql::{ContextExt, resilient::Resilient, scalars::DateTime},
    ids::{self, Kind},
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
        Ok(ctx.ctx()?.actor.signed_in().is_some_and(|user| user.session_id == self.0.id))
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
