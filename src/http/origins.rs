//! Which pages a browser may call the API from: our own, and those of `DENIZEN_ALLOWED_ORIGINS`.
//!
//! Nothing here proves who somebody is, and no cookie does either: a credential is a header that a page must have. This
//! keeps other sites' pages from reading answers (CORS) and from opening sockets (which CORS does not cover).

use std::sync::Arc;

use axum::{
    body::Body,
    extract::Request,
    http::{
        HeaderMap, HeaderValue, Method, StatusCode,
        header::{
            ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
            ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
            ACCESS_CONTROL_REQUEST_METHOD, HOST, ORIGIN, VARY,
        },
    },
    response::Response,
};

use crate::{app::App, config::Origin};

#[derive(Clone)]
pub struct Origins(Arc<Known>);

struct Known {
    allowed: Vec<Origin>,
    /// Whether a page counts as ours when it was loaded from the host that it calls. On one's own machine the service has
    /// several names; elsewhere an attacker's name could be made to lead here.
    host: HostCounts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HostCounts {
    Yes,
    No,
}

impl Origins {
    pub fn of(app: &App) -> Self {
        let own = std::iter::once(app.public_url.origin());
        let allowed = own.chain(app.config.server.allowed_origins.iter().flatten().cloned()).collect();
        let host = if app.config.production() { HostCounts::No } else { HostCounts::Yes };
        Self(Arc::new(Known { allowed, host }))
    }

    /// Whether the page, if it is one that asks, may. Programs other than browsers name no origin.
    pub fn welcome(&self, headers: &HeaderMap) -> bool {
        let mut named = headers.get_all(ORIGIN).iter();
        match (named.next(), named.next()) {
            (None, _) => true,
            (Some(origin), None) => self.knows(origin, headers),
            (Some(_), Some(_)) => false,
        }
    }

    fn knows(&self, origin: &HeaderValue, headers: &HeaderMap) -> bool {
        let known = self.0.allowed.iter().any(|allowed| origin.as_bytes() == allowed.as_str().as_bytes());
        known || self.0.host == HostCounts::Yes && is_from_host(origin, headers)
    }
}

fn is_from_host(origin: &HeaderValue, headers: &HeaderMap) -> bool {
    let authority = origin.to_str().ok().and_then(|origin| origin.strip_prefix("http://"));
    authority.zip(headers.get(HOST)).is_some_and(|(authority, host)| authority.as_bytes() == host.as_bytes())
}

/// Answers a browser that asks beforehand, and lets pages of known origins read what `next` answers.
pub async fn share<F>(origins: &Origins, request: Request, next: impl FnOnce(Request) -> F) -> Response
where
    F: Future<Output = Response>,
{
    let headers = request.headers();
    let origin = headers.get(ORIGIN).filter(|origin| origins.knows(origin, headers)).cloned();
    let asks = request.method() == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if asks {
        permit(origin.is_some().then(|| headers.get(ACCESS_CONTROL_REQUEST_HEADERS)).flatten())
    } else {
        next(request).await
    };
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(
            ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("x-request-id, retry-after, www-authenticate"),
        );
    } else if asks {
        headers.remove(ACCESS_CONTROL_ALLOW_METHODS);
    }
    response
}

/// Clients add headers of their own (their name, the operation's): whoever may call at all may send them.
fn permit(wanted: Option<&HeaderValue>) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    if let Some(wanted) = wanted {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    response
}
