//! Access tokens: signed, short-lived, and telling nothing secret. Refresh tokens: opaque, stored as a hash.

use std::time::Duration;

use entity::Timestamp;
use jsonwebtoken::{Header, Validation, decode, decode_header, encode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::keys;
use crate::{
    app::App,
    authz::{Permission, SignedIn},
    context::Ctx,
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
pub struct Verified {
    pub user_id: Uuid,
    pub session_id: Uuid,
    pub expires_at: Timestamp,
}

/// `None` for anything that is not a token of ours in force; the caller learns no more than that.
pub async fn verify(app: &App, token: &str) -> Result<Option<Verified>> {
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
    let now = seconds(app.clock.now());
    let leeway = i64::try_from(LEEWAY.as_secs()).unwrap_or_default();
    if claims.exp <= now || claims.nbf > now + leeway || claims.iat > now + leeway {
        return Ok(None);
    }
    let (user, session) =
        (ids::decode_as(Kind::User, &claims.sub), ids::decode_as(Kind::Session, &claims.sid));
    let expires_at = Timestamp::from_millis(claims.exp.saturating_mul(1_000));
    Ok(user.zip(session).map(|(user_id, session_id)| Verified { user_id, session_id, expires_at }))
}

/// Instances' clocks differ a little: a token may have been signed "in the future". Its end is taken strictly.
const LEEWAY: Duration = Duration::from_secs(5);

const fn seconds(at: Timestamp) -> i64 {
    at.millis().div_euclid(1_000)
}
