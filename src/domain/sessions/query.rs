//! Asking about tokens, as a GraphQL query.

use async_graphql::{Context, Enum, Object, Result, SimpleObject};

use super::token_info::{self, Live};
use crate::{
    domain::identity::types::User,
    graphql::{ContextExt, guard::Public, scalars::DateTime},
};

#[derive(Default)]
pub struct SessionsQuery;

#[Object(guard = "crate::graphql::guard::Closed")]
impl SessionsQuery {
    /// What a token is good for, and whose it is. Asking uses nothing up. Anything that is not in force is
    /// `{ active: false }`.
    #[graphql(guard = "Public")]
    async fn token_info(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "An access token, an API key, or the token of a reset link.")] token: String,
    ) -> Result<Option<TokenInfo>> {
        Ok(Some(token_info::find(ctx.ctx()?, &token).await?.into()))
    }
}

/// What a token is.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "token_info::TokenKind")]
pub enum TokenKind {
    /// An access token.
    Access,
    /// An API key.
    ApiKey,
    /// The token of a link that sets a new password.
    PasswordReset,
}

/// What a token is good for.
#[derive(SimpleObject)]
pub struct TokenInfo {
    /// Whether it is in force.
    active: bool,
    /// What it is.
    kind: Option<TokenKind>,
    /// When it runs out, if it does.
    expires_at: Option<DateTime>,
    /// The permissions that it carries at this moment.
    scopes: Vec<&'static str>,
    /// Whose it is.
    user: Option<User>,
}

impl From<Option<Live>> for TokenInfo {
    fn from(live: Option<Live>) -> Self {
        match live {
            None => Self { active: false, kind: None, expires_at: None, scopes: Vec::new(), user: None },
            Some(Live { kind, expires_at, scopes, user: (row, seen) }) => Self {
                active: true,
                kind: Some(kind.into()),
                expires_at: expires_at.map(DateTime),
                scopes,
                user: Some(User::seen(row, seen)),
            },
        }
    }
}
