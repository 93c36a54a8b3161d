//! Turns a request into a context, once: who is asking, from where, under which limits.

use std::sync::Arc;

use async_graphql::{Request, Response};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts};

use super::graphql::{Engine, Refusal};
use crate::{
    app::App,
    authz::Actor,
    context::{Ctx, RequestInfo},
    domain::{
        api_keys::{self, secret},
        sessions::service as sessions,
    },
    error::Error,
    graphql::limits::Limits,
    schema,
};

#[derive(Clone)]
pub struct Door {
    app: Arc<App>,
    strangers: Arc<Limits>,
    router: Arc<Limits>,
}

impl Door {
    pub fn new(app: Arc<App>) -> Self {
        Self { app, strangers: Arc::new(Limits::default()), router: Arc::new(Limits::router()) }
    }
}

impl Engine for Door {
    type Caller = Ctx;

    async fn admit(&self, parts: &Parts) -> Result<Ctx, Refusal> {
        let info = parts.extensions.get::<Arc<RequestInfo>>().cloned().unwrap_or_default();
        let actor = match credential(&parts.headers)? {
            None => Actor::Anonymous,
            Some(token) => match who(&self.app, token).await {
                Ok(Some(actor)) => actor,
                Ok(None) => return Err(unauthenticated()),
                Err(error) => return Err(failed(&error)),
            },
        };
        Ok(Ctx { app: Arc::clone(&self.app), actor, request: info })
    }

    fn limits(&self, caller: &Ctx) -> &Limits {
        if caller.request.from_router { &self.router } else { &self.strangers }
    }

    fn suggests(&self, caller: &Ctx) -> bool {
        schema::entities::may_introspect(caller)
    }

    async fn execute(&self, caller: Ctx, request: Request) -> Response {
        let request =
            if schema::entities::may_introspect(&caller) { request } else { request.disable_introspection() };
        schema::execute(&self.app.schema, caller, request).await
    }
}

/// Who shows this access token or API key.
async fn who(app: &App, token: &str) -> crate::error::Result<Option<Actor>> {
    if secret::looks_like_one(token) {
        return Ok(api_keys::live::find(app, token).await?.map(Actor::ApiKey));
    }
    Ok(sessions::authenticate(app, token).await?.map(Actor::User))
}

/// The token of the request, if it shows one. A header that cannot be understood is refused: whoever sends one means
/// to be somebody.
fn credential(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let mut shown = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = shown.next() else {
        return Ok(None);
    };
    if shown.next().is_some() {
        return Err(unauthenticated());
    }
    let text = HeaderValue::to_str(value).map_err(|_| unauthenticated())?;
    let (scheme, token) = text.trim().split_once(' ').ok_or_else(unauthenticated)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(Some(token.trim())) } else { Err(unauthenticated()) }
}

fn unauthenticated() -> Refusal {
    Refusal {
        status: StatusCode::UNAUTHORIZED,
        code: "UNAUTHENTICATED",
        message: "The access token or API key is not valid, or its session has ended.".into(),
        retry_after: None,
    }
}

fn failed(error: &Error) -> Refusal {
    tracing::error!(%error, "a credential could not be checked");
    Refusal {
        status: StatusCode::SERVICE_UNAVAILABLE,
        code: "UNAVAILABLE",
        message: "The service cannot check the access token at the moment.".into(),
        retry_after: Some(2),
    }
}
