//! Logging in and out, as GraphQL mutations.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};

use super::{
    service::{self, LoggedIn, Logout},
    types::{AuthTokens, Session},
};
use crate::{
    domain::identity::types::User,
    graphql::{
        ContextExt,
        errors::{UserError, payload},
        guard::Public,
    },
};

#[derive(Default)]
pub struct SessionsMutation;

#[Object(guard = "crate::graphql::guard::Closed")]
impl SessionsMutation {
    /// Logs in with a password. Unknown, wrong and unverified are one answer: `WRONG_CREDENTIALS`.
    #[graphql(guard = "Public")]
    async fn login(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who, and with which password.")] input: LoginInput,
    ) -> Result<Option<LoginPayload>> {
        let (logged_in, errors) = payload(service::login(ctx.ctx()?, input.into()).await)?;
        Ok(Some(LoginPayload::new(logged_in, errors)))
    }

    /// Ends your session, or all of them. The tokens are good for nothing from then on.
    #[graphql(guard = "Public")]
    async fn logout(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to end; your own session when it is left out.")] input: Option<LogoutInput>,
    ) -> Result<Option<LogoutPayload>> {
        let LogoutInput { everywhere, refresh_token } = input.unwrap_or_default();
        let extent = if everywhere.unwrap_or_default() { Logout::Everywhere } else { Logout::This };
        let outcome = service::logout(ctx.ctx()?, extent, refresh_token.as_deref()).await;
        let (ended, errors) = payload(outcome)?;
        Ok(Some(LogoutPayload { ended_sessions: ended.unwrap_or_default(), errors }))
    }
}

/// Who logs in.
#[derive(InputObject)]
pub struct LoginInput {
    /// The user name, the proved address or the proved phone number, in any spelling.
    identifier: String,
    /// The whole password, byte for byte.
    password: String,
    /// The application that the user logs in to; the default one when it is left out.
    application_id: Option<ID>,
    /// What the user calls the device: shown in the list of sessions.
    device: Option<String>,
}

impl From<LoginInput> for service::Login {
    fn from(input: LoginInput) -> Self {
        let LoginInput { identifier, password, application_id, device } = input;
        Self { identifier, password, application_id: application_id.map(|id| id.0), device }
    }
}

/// What became of the login.
#[derive(SimpleObject)]
pub struct LoginPayload {
    /// Who is logged in.
    user: Option<User>,
    /// The session that was opened.
    session: Option<Session>,
    /// The tokens.
    tokens: Option<AuthTokens>,
    /// What to mend; empty on success.
    errors: Vec<UserError>,
}

impl LoginPayload {
    fn new(logged_in: Option<LoggedIn>, errors: Vec<UserError>) -> Self {
        match logged_in {
            None => Self { user: None, session: None, tokens: None, errors },
            Some(LoggedIn { user, session, tokens }) => Self {
                user: Some(User::in_full(user)),
                session: Some(session.into()),
                tokens: Some(tokens.into()),
                errors,
            },
        }
    }
}

/// What to end.
#[derive(InputObject, Default)]
pub struct LogoutInput {
    /// All of your sessions, not only this one.
    everywhere: Option<bool>,
    /// The refresh token of the session, when the access token has run out.
    refresh_token: Option<String>,
}

/// What was ended.
#[derive(SimpleObject)]
pub struct LogoutPayload {
    /// How many sessions.
    ended_sessions: u64,
    /// What to mend; empty on success.
    errors: Vec<UserError>,
}
