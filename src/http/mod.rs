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

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    Router,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::get,
};
use door::Door;
use origins::Origins;
use server::Hold;
use tower::{Service, ServiceExt as _};

use crate::app::App;

const GRAPHQL: &str = "/graphql";

/// All that the service answers.
#[derive(Clone)]
pub struct Front(Arc<Behind>);

struct Behind {
    app: Arc<App>,
    origins: Origins,
    door: Door,
    routes: Router,
}

impl Front {
    pub fn new(app: Arc<App>) -> Self {
        let origins = Origins::of(&app);
        let door = Door::new(Arc::clone(&app), origins.clone());
        let routes = routes(&app);
        Self(Arc::new(Behind { app, origins, door, routes }))
    }

    async fn answer(self, request: Request) -> Response {
        let Behind { app, origins, door, routes } = &*self.0;
        // Nearly everything comes here: it does not look for its way first.
        if request.uri().path() == GRAPHQL {
            let answer = |request| {
                origins::share(origins, request, |request| graphql::handle(State(door.clone()), request))
            };
            return middleware::watch(app, request, Some(GRAPHQL), answer).await;
        }
        let answer = |request| async {
            match graphql::request::with_whole_body(request).await {
                Ok(request) => route(routes.clone(), request).await,
                Err(fault) => fault.plainly(),
            }
        };
        middleware::watch(app, request, None, answer).await
    }
}

/// What may write is not broken off where its client hangs up.
async fn route(routes: Router, request: Request) -> Response {
    if request.method().is_safe() {
        let Ok(response) = routes.oneshot(request).await;
        return response;
    }
    let hold = request.extensions().get::<Hold>().cloned().unwrap_or_default();
    let apart = tokio::spawn(async move {
        let answered = hold.cut.run_until_cancelled(routes.oneshot(request)).await;
        // All of it is held until then: the place among the connections, too.
        drop(hold);
        answered
    });
    match apart.await {
        Ok(Some(Ok(response))) => response,
        Ok(None) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Err(error) => match error.try_into_panic() {
            // The server answers it, and logs it.
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        },
    }
}

impl Service<Request> for Front {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let front = self.clone();
        Box::pin(async move { Ok(front.answer(request).await) })
    }
}

/// Everything but the API.
fn routes(app: &Arc<App>) -> Router {
    let mut routes = Router::new()
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/.well-known/jwks.json", get(well_known::jwks))
        .route("/.well-known/openid-configuration", get(well_known::openid_configuration))
        .route("/.well-known/oauth-authorization-server", get(well_known::oauth_authorization_server))
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
    middleware::tell_routes(routes.with_state(Arc::clone(app)))
}
