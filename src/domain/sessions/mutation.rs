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
        afresh::Afresh,
        errors::{UserError, payload},
        guard::{InPerson, Public},
    },
    ids::{self, Kind},
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

    /// Gives new tokens for a refresh token. It works once; the answer brings the next one. A token that comes a second
    /// time was stolen, by one or the other: it ends the whole session. Only the token before the newest is, for a short
    /// while and from the same user agent, answered with that newest one again: the first answer may have been lost, or two
    /// tabs have asked at once.
    #[graphql(guard = "Public")]
    async fn refresh_tokens(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to refresh with.")] input: RefreshTokensInput,
    ) -> Result<Option<RefreshTokensPayload>> {
        let RefreshTokensInput { refresh_token } = input;
        let (tokens, errors) = payload(service::refresh(ctx.ctx()?, &refresh_token).await)?;
        Ok(Some(RefreshTokensPayload { tokens: tokens.map(Into::into), errors }))
    }

    /// Ends sessions of a user: your own, or with `session.end` those of users in its reach who hold no more than you.
    #[graphql(guard = "InPerson")]
    async fn end_sessions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose sessions, and which of them.")] input: EndSessionsInput,
    ) -> Result<Option<EndSessionsPayload>> {
        let EndSessionsInput { user_id, session_ids } = input;
        let user_id = ids::decode_as(Kind::User, &user_id);
        let session_ids: Option<Vec<_>> =
            session_ids.map(|ids| ids.iter().map(|id| ids::decode_as(Kind::Session, id)).collect());
        let outcome = service::end_sessions(ctx.ctx()?, user_id, session_ids.as_deref()).await;
        let (ended, errors) = payload(outcome)?;
        Ok(Some(EndSessionsPayload { ended_sessions: ended.unwrap_or_default(), errors }))
    }
}

/// Who logs in.
#[derive(InputObject)]
pub struct LoginInput {
    /// The user name, the proved address or the proved phone number, in any spelling.
    identifier: String,
    /// The whole password, byte for byte.
    password: String,
    /// The application that the user logs in to; when it is left out, the one that the header `x-application-id` names,
    /// or else the default one.
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
    /// Who is logged in, as they see themselves.
    user: Option<Afresh<User>>,
    /// The session that was opened.
    session: Option<Afresh<Session>>,
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
                let LoggedIn { ctx, user, session, tokens, device_token } = *logged_in;
                let session = Afresh::new(ctx.clone(), Session::from(session));
                let user = Afresh::new(ctx, User::in_full(user));
                (Some(user), Some(session), Some(tokens.into()), None, device_token)
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

/// What to refresh with.
#[derive(InputObject)]
pub struct RefreshTokensInput {
    /// The newest refresh token of the session.
    refresh_token: String,
}

/// What became of the refresh.
#[derive(SimpleObject)]
pub struct RefreshTokensPayload {
    /// The new tokens: the old refresh token is used up.
    tokens: Option<AuthTokens>,
    /// What to mend; empty on success.
    errors: Vec<UserError>,
}

/// Which sessions to end.
#[derive(InputObject)]
pub struct EndSessionsInput {
    /// Whose.
    user_id: ID,
    /// Which of them, 100 at most; all of them when it is left out.
    session_ids: Option<Vec<ID>>,
}

/// What was ended.
#[derive(SimpleObject)]
pub struct EndSessionsPayload {
    /// How many sessions; those that were over already do not count.
    ended_sessions: u64,
    /// What to mend; empty on success.
    errors: Vec<UserError>,
}
