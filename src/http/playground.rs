//! The playground, out of the binary itself: no other host is asked for anything.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use flate2::read::GzDecoder;

use crate::app::App;

/// One built file: its path below `/playground/`, its type, and its content, compressed.
pub struct Asset {
    pub path: &'static str,
    pub mime: &'static str,
    pub gzip: &'static [u8],
}

// `ASSETS: &[Asset]`, made by build.rs from playground/dist; empty when the playground was not built.
include!(concat!(env!("OUT_DIR"), "/playground.rs"));

/// Nothing from anywhere else; styles are inline because the editor makes them as it goes.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    font-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

const NOT_BUILT: &str = "The playground is not part of this build.\n\n\
    `make playground` builds it (Node 20 is needed); the next `cargo build` takes it in.\n\
    The API itself is at /graphql.\n";

pub async fn index(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    match find("index.html") {
        Some(asset) if app.config.production() => serve_behind_login(asset),
        Some(asset) => serve(asset, &headers, "no-cache"),
        None => (StatusCode::NOT_FOUND, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], NOT_BUILT)
            .into_response(),
    }
}

pub async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Response {
    match find(&path) {
        // The names of the assets hold a hash of their content.
        Some(asset) if path.starts_with("assets/") => {
            serve(asset, &headers, "public, max-age=31536000, immutable")
        }
        Some(asset) => serve(asset, &headers, "no-cache"),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn find(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

/// In production the page asks for a login before it asks for the schema.
fn serve_behind_login(asset: &'static Asset) -> Response {
    let about = [
        (header::CONTENT_TYPE, asset.mime),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
    ];
    match unpacked(asset).map(String::from_utf8) {
        Some(Ok(html)) => {
            let open = "name=\"denizen-introspection\" content=\"open\"";
            (about, html.replace(open, "name=\"denizen-introspection\" content=\"signed-in\""))
                .into_response()
        }
        _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn serve(asset: &'static Asset, headers: &HeaderMap, cache: &'static str) -> Response {
    let compressed = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    let compressed =
        compressed.is_some_and(|value| value.split([',', ';']).any(|coding| coding.trim() == "gzip"));
    let about = [
        (header::CONTENT_TYPE, asset.mime),
        (header::CACHE_CONTROL, cache),
        (header::VARY, "accept-encoding"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
    ];
    if compressed {
        return (about, [(header::CONTENT_ENCODING, "gzip")], asset.gzip).into_response();
    }
    match unpacked(asset) {
        Some(plain) => (about, plain).into_response(),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn unpacked(asset: &Asset) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    match std::io::copy(&mut GzDecoder::new(asset.gzip), &mut plain) {
        Ok(_) => Some(plain),
        Err(error) => {
            tracing::error!(%error, path = asset.path, "an asset of the playground is damaged");
            None
        }
    }
}
