//! What happens to every request: it gets an id and a known origin; its answer is measured, logged and made safe.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    Router,
    extract::{ConnectInfo, MatchedPath, Request},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    middleware::{Next, from_fn},
    response::Response,
};

use crate::{app::App, config::Network, context::RequestInfo, crypto};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Names the application of requests whose input does not.
const APPLICATION: HeaderName = HeaderName::from_static("x-application-id");

/// Answers tell which of these routes they come from.
pub fn tell_routes(routes: Router) -> Router {
    routes.layer(from_fn(async |request: Request, next: Next| {
        let route = request.extensions().get::<MatchedPath>().cloned();
        let mut response = next.run(request).await;
        response.extensions_mut().insert(route);
        response
    }))
}

/// Watches over what answers a request. If no route is named, the answer tells it.
pub async fn watch<F>(
    app: &App,
    mut request: Request,
    route: Option<&str>,
    next: impl FnOnce(Request) -> F,
) -> Response
where
    F: Future<Output = Response>,
{
    let begun = app.clock.now();
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip());
    let info = Arc::new(origin(app, request.headers(), peer));
    let method = request.method().clone();
    request.extensions_mut().insert(Arc::clone(&info));
    let mut response = next(request).await;
    let told = response.extensions_mut().remove::<Option<MatchedPath>>().flatten();
    let route = route.or(told.as_ref().map(MatchedPath::as_str)).unwrap_or("none");
    let (status, took) = (response.status().as_u16(), app.clock.now().since(begun));
    app.metrics.answered(route, status, took);
    let request_id = info.id.as_deref().unwrap_or_default();
    tracing::info!(
        target: "denizen::http", %method, route, status, ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        request_id, ip = info.ip.map(tracing::field::display), "answered",
    );
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Our links carry tokens: no other site may learn where somebody came from.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Where the request comes from. What a client says of itself is believed only from a trusted proxy, or with the
/// router's proof.
fn origin(app: &App, headers: &HeaderMap, peer: Option<IpAddr>) -> RequestInfo {
    let proxies = &app.config.server.trusted_proxies;
    let secret = app.config.secrets.router_secret.as_ref();
    let shown = headers.get("x-router-secret").map(HeaderValue::as_bytes);
    let from_router =
        secret.zip(shown).is_some_and(|(secret, shown)| crypto::same(secret.expose().as_bytes(), shown));
    let believed = from_router || peer.is_some_and(|peer| trusted(proxies, peer));
    let named =
        headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).filter(|id| believed && is_request_id(id));
    let made = || app.new_id().simple().to_string();
    RequestInfo {
        id: Some(named.map_or_else(made, str::to_owned)),
        ip: if believed { forwarded_for(headers, proxies).or(peer) } else { peer }
            .map(|ip| ip.to_canonical()),
        user_agent: headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).map(shortened),
        application: application(headers),
        from_router,
    }
}

/// What stands in `X-Application-Id`; nothing there names none. What cannot be read, or stands there twice, is no
/// application's id, and not the same as naming none.
fn application(headers: &HeaderMap) -> Option<String> {
    let mut named = headers.get_all(APPLICATION).iter();
    let first = named.next()?;
    if named.next().is_some() {
        return Some(String::new());
    }
    let id = first.to_str().map_or("?", str::trim);
    (!id.is_empty()).then(|| id.to_owned())
}

fn trusted(proxies: &[Option<Network>], address: IpAddr) -> bool {
    proxies.iter().flatten().any(|network| network.contains(address))
}

/// The last address of `X-Forwarded-For` that is not a proxy of ours: what stands before it, anybody can have written.
fn forwarded_for(headers: &HeaderMap, proxies: &[Option<Network>]) -> Option<IpAddr> {
    let lines = headers.get_all("x-forwarded-for").into_iter().filter_map(|line| line.to_str().ok());
    let hops: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
    let mut nearest_first = hops.iter().rev().map(|hop| hop.parse::<IpAddr>());
    nearest_first.find(|hop| hop.as_ref().map_or(true, |ip| !trusted(proxies, *ip)))?.ok()
}

fn is_request_id(id: &str) -> bool {
    (8..=64).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

fn shortened(agent: &str) -> String {
    agent.chars().filter(|c| !c.is_control()).take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_our_own_proxies_wrote_counts() {
        let proxies: Vec<Option<Network>> = vec!["10.0.0.0/8".parse().ok()];
        let of = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-for", HeaderValue::from_static(value));
            forwarded_for(&headers, &proxies).map(|ip| ip.to_string())
        };
        assert_eq!(of("6.6.6.6, 203.0.113.9, 10.0.0.2").as_deref(), Some("203.0.113.9"));
        assert_eq!(of("203.0.113.9").as_deref(), Some("203.0.113.9"));
        assert_eq!(of("203.0.113.9, nonsense, 10.0.0.2"), None);
        assert_eq!(of("10.0.0.3"), None);
    }
}
