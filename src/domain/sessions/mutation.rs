//! Logging in and out, as GraphQL mutations.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};

use super::{
    entering::{Entered, LoggedIn},
    service::{self, Logout},
    types::{AuthTokens, Session},
};
use crate::{
    domain::{credentials::factors::types::LoginChallenge, identity::types::User},
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
        let (entered, errors) = payload(service::login(ctx.ctx()?, input.into()).await)?;
        Ok(Some(LoginPayload::new(entered, errors)))
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
    /// The `deviceToken` of an earlier login on this device: it keeps you in while somebody else guesses.
    device_token: Option<String>,
}

impl From<LoginInput> for service::Login {
    fn from(input: LoginInput) -> Self {
        let LoginInput { identifier, password, application_id, device, device_token } = input;
        let application_id = application_id.map(|id| id.0);
        Self { identifier, password, application_id, device, device_token }
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
    /// Instead of the tokens, when a second factor is in force: answer it with `completeLogin`.
    challenge: Option<LoginChallenge>,
    /// Keep it on this device, and show it at the next login here.
    device_token: Option<String>,
    /// What to mend; empty on success.
    errors: Vec<UserError>,
}

impl LoginPayload {
    /// For every mutation that ends at the one door.
    pub fn new(entered: Option<Entered>, errors: Vec<UserError>) -> Self {
        let (user, session, tokens, challenge, device_token) = match entered {
            None => (None, None, None, None, None),
            Some(Entered::Asked(asked)) => (None, None, None, Some((*asked).into()), None),
            Some(Entered::In(logged_in)) => {
                let LoggedIn { user, session, tokens, device_token } = *logged_in;
                let user = User::in_full(user);
                (Some(user), Some(session.into()), Some(tokens.into()), None, device_token)
            }
        };
        Self { user, session, tokens, challenge, device_token, errors }
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
