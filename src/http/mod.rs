//! The HTTP door: every route on one screen, and what stands around them.
//!
//! Owns the making of a [`Ctx`](crate::context::Ctx) from a request, once, and refuses what is no request for us. No
//! rule about users or organisations stands here.

mod door;
pub mod graphql;
mod health;
mod middleware;
mod origins;
mod pages;
mod playground;
mod seats;
pub mod server;
mod well_known;

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    routing::{any, get},
};
use door::Door;

use crate::app::App;

/// All that the service answers.
pub fn router(app: Arc<App>) -> Router {
    let origins = origins::Origins::of(&app);
    let door = Door::new(Arc::clone(&app), origins.clone());
    let graphql = any(move |request| {
        let (origins, door) = (origins.clone(), door.clone());
        async move { origins::share(&origins, request, |request| graphql::handle(State(door), request)).await }
    });
    let mut routes = Router::new()
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/.well-known/jwks.json", get(well_known::jwks))
        .route("/.well-known/openid-configuration", get(well_known::openid_configuration))
        .route("/verify", get(pages::verify).post(pages::confirm_verify))
        .route("/reset", get(pages::reset).post(pages::confirm_reset))
        .route("/invitation", get(pages::invitation).post(pages::decline_invitation));
    if app.config.playground() {
        routes = routes
            .route("/playground", get(playground::index))
            .route("/playground/", get(playground::index))
            .route("/playground/{*path}", get(playground::asset));
    }
    if !app.config.production() {
        routes = routes.route("/dev/mailbox", get(health::mailbox));
    }
    middleware::around(routes.with_state(Arc::clone(&app)).route("/graphql", graphql), app)
}
