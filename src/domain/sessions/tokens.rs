//! Access tokens: signed, short-lived, and telling nothing secret. Refresh tokens: opaque, stored as a hash.

use std::time::Duration;

use entity::{Secret, Timestamp};
use jsonwebtoken::{Header, Validation, decode, decode_header, encode};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::keys;
use crate::{
    app::App,
    authz::{Permission, SignedIn},
    context::Ctx,
    crypto,
    error::{Error, Result},
    ids::{self, Kind},
};

/// The type that RFC 9068 gives to access tokens: no other signed text of ours can pass for one.
const TYPE: &str = "at+jwt";

/// What a login hands out.
pub struct TokenPair {
    pub access_token: String,
    pub expires_at: Timestamp,
    pub refresh_token: String,
    pub refresh_expires_at: Timestamp,
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    /// The session.
    sid: String,
    /// The application.
    client_id: String,
    jti: String,
    scope: String,
    iat: i64,
    nbf: i64,
    exp: i64,
}

/// Signs an access token for the session.
pub fn issue(ctx: &Ctx, user: &SignedIn) -> Result<(String, Timestamp)> {
    let now = ctx.now();
    let expires_at = now.plus(ctx.app.config.tokens.access_token_ttl);
    let issuer = ctx.app.public_url.as_str().to_owned();
    let scope: Vec<_> = user.grants.union().iter().map(Permission::code).collect();
    let claims = Claims {
        iss: issuer.clone(),
        aud: issuer,
        sub: ids::encode(Kind::User, user.user_id),
        sid: ids::encode(Kind::Session, user.session_id),
        client_id: ids::encode(Kind::Application, user.application_id),
        jti: keys::unique(ctx),
        scope: scope.join(" "),
        iat: seconds(now),
        nbf: seconds(now),
        exp: seconds(expires_at),
    };
    let key = ctx.app.keyring.signing(now)?;
    let mut header = Header::new(key.algorithm);
    header.typ = Some(TYPE.to_owned());
    header.kid = Some(key.kid.clone());
    let token = encode(&header, &claims, &key.encoding).map_err(Error::internal)?;
    Ok((token, expires_at))
}

/// What a token that we signed, and that is in force, says.
#[derive(Clone)]
pub struct Verified {
    pub user_id: Uuid,
    pub session_id: Uuid,
    pub expires_at: Timestamp,
}

/// Tokens whose signature was found to be right, by their hash. A signature does not change; what does (the time, the
/// keys, the session) is looked at each time.
pub struct RightTokens(Cache<Vec<u8>, Right>);

#[derive(Clone)]
struct Right {
    kid: String,
    verified: Verified,
    /// When it is in force, in seconds.
    from: i64,
    until: i64,
}

impl Default for RightTokens {
    fn default() -> Self {
        Self(Cache::new(10_000))
    }
}

/// `None` for anything that is not a token of ours in force; the caller learns no more than that.
pub async fn verify(app: &App, token: &str) -> Result<Option<Verified>> {
    let Secret(hash) = crypto::token_hash(token);
    let right = if let Some(right) = app.right_tokens.0.get(&hash) {
        keys::find(app, &right.kid).await?.map(|_| right)
    } else {
        let right = Box::pin(read(app, token)).await?;
        if let Some(right) = &right {
            app.right_tokens.0.insert(hash, right.clone());
        }
        right
    };
    let now = seconds(app.clock.now());
    let leeway = i64::try_from(LEEWAY.as_secs()).unwrap_or_default();
    let in_force = |right: &Right| right.until > now && right.from <= now + leeway;
    Ok(right.filter(in_force).map(|right| right.verified))
}

/// What stands in a token that one of our keys has signed.
async fn read(app: &App, token: &str) -> Result<Option<Right>> {
    let Ok(header) = decode_header(token) else {
        return Ok(None);
    };
    let typed = header.typ.as_deref().is_some_and(|typ| typ.eq_ignore_ascii_case(TYPE));
    let Some(kid) = header.kid.filter(|_| typed && header.crit.is_none()) else {
        return Ok(None);
    };
    let Some(key) = keys::find(app, &kid).await? else {
        return Ok(None);
    };
    // The algorithm is the key's, whatever the header says; and the time is the clock's of the house.
    let mut validation = Validation::new(key.algorithm);
    validation.validate_exp = false;
    validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
    validation.set_issuer(&[app.public_url.as_str()]);
    validation.set_audience(&[app.public_url.as_str()]);
    let Ok(decoded) = decode::<Claims>(token, &key.decoding, &validation) else {
        return Ok(None);
    };
    let claims = decoded.claims;
    let (user, session) =
        (ids::decode_as(Kind::User, &claims.sub), ids::decode_as(Kind::Session, &claims.sid));
    let expires_at = Timestamp::from_millis(claims.exp.saturating_mul(1_000));
    let (from, until) = (claims.nbf.max(claims.iat), claims.exp);
    Ok(user.zip(session).map(|(user_id, session_id)| {
        let verified = Verified { user_id, session_id, expires_at };
        Right { kid, verified, from, until }
    }))
}

/// Instances' clocks differ a little: a token may have been signed "in the future". Its end is taken strictly.
const LEEWAY: Duration = Duration::from_secs(5);

const fn seconds(at: Timestamp) -> i64 {
    at.millis().div_euclid(1_000)
}
