//! What routers and resource servers need to verify our tokens.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::{app::App, domain::sessions::keys};

/// Short enough that a new key is known long before the first token that it signs runs out.
const CACHE: [(HeaderName, &str); 1] = [(header::CACHE_CONTROL, "public, max-age=60")];

pub async fn jwks(State(app): State<Arc<App>>) -> Response {
    match keys::published(&app).await {
        Ok(keys) => (CACHE, Json(json!({ "keys": keys }))).into_response(),
        Err(error) => {
            tracing::warn!(%error, "the keys cannot be read");
            (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "2")]).into_response()
        }
    }
}

/// For routers and resource servers that look here for the keys. There is no `OpenID` provider: libraries that log people in
/// by it find no endpoint, and refuse.
pub async fn openid_configuration(
    State(app): State<Arc<App>>,
) -> ([(HeaderName, &'static str); 1], Json<Value>) {
    let issuer = app.public_url.as_str();
    let configuration = json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/.well-known/jwks.json") });
    (CACHE, Json(configuration))
}

/// What there is of OAuth, by RFC 8414: who signs the access tokens (RFC 9068), and with which keys. Nobody gets one by a
/// grant of OAuth. That has to be said: a list that is left out means that codes are granted.
pub async fn oauth_authorization_server(
    State(app): State<Arc<App>>,
) -> ([(HeaderName, &'static str); 1], Json<Value>) {
    let issuer = app.public_url.as_str();
    let metadata = json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
        "response_types_supported": [],
        "grant_types_supported": [],
    });
    (CACHE, Json(metadata))
}
