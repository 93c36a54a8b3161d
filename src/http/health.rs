//! For whoever runs the service: is it alive, is it ready, how is it doing; and, in development, its mailbox.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};
use serde_json::json;

use crate::{app::App, domain::events::jobs};

/// The process answers.
pub async fn live() -> impl IntoResponse {
    Json(json!({ "status": "ok" }))
}

/// The database answers, too, and keeps what is written: requests can be sent here.
pub async fn ready(State(app): State<Arc<App>>) -> impl IntoResponse {
    match app.db.check(app.clock.now()).await {
        Ok(()) => (StatusCode::OK, Json(json!({ "status": "ok" }))),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "unavailable" })))
        }
    }
}

pub async fn metrics(State(app): State<Arc<App>>) -> impl IntoResponse {
    // Without the database the other figures are still worth having.
    if let Ok((queued, dead)) = jobs::counts(&app).await {
        app.metrics.set_jobs(queued, dead);
    }
    (
        [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")],
        app.metrics.print(),
    )
}

/// The mails and text messages of development mode, newest first.
pub async fn mailbox(State(app): State<Arc<App>>) -> impl IntoResponse {
    Json(app.texter.mailbox().map(|mailbox| mailbox.all()).unwrap_or_default())
}
