//! Turns a request into a context, once: who is asking, from where, under which limits.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use async_graphql::{Request, Response};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts};

use futures_util::{StreamExt as _, stream::BoxStream};

use super::{
    graphql::{Engine, Freedom, Refusal, prepare::Known},
    origins::Origins,
    seats::{Holder, Seat, Seats},
};
use crate::{
    app::App,
    authz::Actor,
    context::{Ctx, RequestInfo},
    domain::{
        api_keys::{self, secret},
        sessions::service as sessions,
    },
    error::Error,
    graphql::{documents::Documents, in_place::Unwatched, limits::Limits, tracing as federated},
    schema,
};

#[derive(Clone)]
pub struct Door {
    app: Arc<App>,
    origins: Origins,
    strangers: Arc<Limits>,
    router: Arc<Limits>,
    seats: Seats,
}

impl Door {
    pub fn new(app: Arc<App>, origins: Origins) -> Self {
        let (strangers, router) = (Arc::new(Limits::default()), Arc::new(Limits::router()));
        Self { app, origins, strangers, router, seats: Seats::default() }
    }
}

/// Who came in, and by which token.
#[derive(Clone)]
pub struct Guest {
    ctx: Ctx,
    trace: Trace,
    shown: Option<Arc<Shown>>,
}

/// Whether the answer tells how long its fields took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trace {
    Told,
    Untold,
}

struct Shown {
    token: String,
    /// When it was looked at last, in milliseconds of the house's clock.
    checked_at: AtomicI64,
}

/// A stream that delivers a thousand events a second does not verify a thousand signatures; that the session lives is
/// looked up for each.
const CHECK_AGAIN_AFTER: i64 = 100;

impl Engine for Door {
    type Caller = Guest;
    /// `None` where nobody counts.
    type Seat = Option<Seat>;

    fn seat_at(&self, parts: &Parts) -> Result<Self::Seat, Refusal> {
        let request = parts.extensions.get::<Arc<RequestInfo>>();
        // The router's streams are those of all its clients.
        let Some(ip) = request.filter(|request| !request.from_router).and_then(|request| request.ip) else {
            return Ok(None);
        };
        self.seats.take(Holder::address(ip), self.app.config.server.max_streams_per_address).map(Some)
    }

    fn seat_for(&self, caller: &Guest) -> Result<Self::Seat, Refusal> {
        let Some(user) = caller.ctx.actor.signed_in() else {
            return Ok(None);
        };
        let most = self.app.config.server.max_streams_per_user;
        self.seats.take(Holder::User(user.user_id), most).map(Some)
    }

    async fn admit(&self, parts: &Parts) -> Result<Guest, Refusal> {
        let request = parts.extensions.get::<Arc<RequestInfo>>().cloned().unwrap_or_default();
        let app = Arc::clone(&self.app);
        let trace = self.trace(&parts.headers, &request);
        let Some(token) = credential(&parts.headers)? else {
            return Ok(Guest { ctx: Ctx { app, actor: Actor::Anonymous, request }, trace, shown: None });
        };
        let checked_at = AtomicI64::new(app.clock.now().millis());
        let shown = Some(Arc::new(Shown { token: token.to_owned(), checked_at }));
        Ok(Guest { ctx: Ctx { actor: self.authenticate(token).await?, app, request }, trace, shown })
    }

    async fn recheck(&self, caller: &Guest) -> Result<Guest, Refusal> {
        let Some(shown) = &caller.shown else {
            return Ok(caller.clone());
        };
        let now = self.app.clock.now().millis();
        let since = now.saturating_sub(shown.checked_at.load(Ordering::Relaxed));
        let ctx = if (0..CHECK_AGAIN_AFTER).contains(&since) {
            let renewed = sessions::renewed(&caller.ctx).await.map_err(|error| failed(&error))?;
            renewed.ok_or_else(unauthenticated)?
        } else {
            let actor = self.authenticate(&shown.token).await?;
            shown.checked_at.store(now, Ordering::Relaxed);
            caller.ctx.acting_as(actor)
        };
        Ok(Guest { ctx, trace: caller.trace, shown: Some(Arc::clone(shown)) })
    }

    fn welcomes(&self, parts: &Parts) -> bool {
        self.origins.welcome(&parts.headers)
    }

    fn limits(&self, caller: &Guest) -> &Limits {
        if caller.ctx.request.from_router { &self.router } else { &self.strangers }
    }

    fn documents(&self) -> &Documents {
        &self.app.documents
    }

    /// The router asks for others, in its own words. It alone: a list of trusted documents is for the day when somebody
    /// holds a token that they should not, and an administrator's is the worst of them.
    fn freedom(&self, caller: &Guest) -> Freedom {
        if caller.ctx.request.from_router { Freedom::Free } else { Freedom::Bound }
    }

    fn suggests(&self, caller: &Guest) -> bool {
        schema::entities::may_introspect(&caller.ctx)
    }

    async fn execute(&self, caller: Guest, request: Request, known: Known) -> Response {
        let request = closed_to_strangers(&caller, request);
        let (schema, request) = match (&self.app.traced_schema, caller.trace) {
            (Some(traced), Trace::Told) => (traced, request),
            _ if known.valid => (&self.app.schema_without_rules, with_keys(unwatched(request, known))),
            _ => (&self.app.schema, unwatched(request, known)),
        };
        schema::execute(schema, caller.ctx, request).await
    }

    fn follow(&self, caller: Guest, request: Request, known: Known) -> BoxStream<'static, Response> {
        let request = unwatched(closed_to_strangers(&caller, request), known);
        schema::follow(&self.app.schema, caller.ctx, request).boxed()
    }
}

impl Door {
    /// Timings are for the router: they would tell a stranger in production what is there and what is not.
    fn trace(&self, headers: &HeaderMap, request: &RequestInfo) -> Trace {
        let asked = headers.get(federated::HEADER).is_some_and(|version| version == federated::VERSION);
        let may = request.from_router || !self.app.config.production();
        if asked && may { Trace::Told } else { Trace::Untold }
    }

    async fn authenticate(&self, token: &str) -> Result<Actor, Refusal> {
        match who(&self.app, token).await {
            Ok(Some(actor)) => Ok(actor),
            Ok(None) => Err(unauthenticated()),
            Err(error) => Err(failed(&error)),
        }
    }
}

/// For a schema that does not ask the rules.
fn with_keys(mut request: Request) -> Request {
    match schema::entities::ReadBefore::take_from(&mut request) {
        Some(keys) => request.data(keys),
        None => request,
    }
}

/// For a schema without an extension that would watch each field.
fn unwatched(request: Request, known: Known) -> Request {
    match Unwatched::of(known.places) {
        Some(unwatched) => request.data(unwatched),
        None => request,
    }
}

fn closed_to_strangers(caller: &Guest, request: Request) -> Request {
    if schema::entities::may_introspect(&caller.ctx) { request } else { request.disable_introspection() }
}

/// Who shows this access token or API key.
async fn who(app: &App, token: &str) -> crate::error::Result<Option<Actor>> {
    if secret::looks_like_one(token) {
        return Ok(Box::pin(api_keys::live::find(app, token)).await?.map(Actor::ApiKey));
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
