//! The GraphQL endpoint: GET and POST, one operation or a batch, two media types; and three ways to stream.
//!
//! It follows the GraphQL-over-HTTP specification, and refuses what would be dangerous or dear before anything is
//! executed: mutations by GET, bodies that are no JSON by their own word (what a foreign page can send unasked), large
//! bodies, documents beyond the limits. It never reads a cookie. It knows no schema: what executes is an [`Engine`].
//!
//! Streams (server-sent events and multipart in [`stream`], sockets in [`socket`]) share [`prepare`] and [`fault`]
//! with the rest, so that none has a way round the limits.

use std::borrow::Cow;

use async_graphql::{Response as Executed, parser::types::OperationType};
use axum::{
    body::Body,
    extract::{Request, State},
    http::{Method, StatusCode, request::Parts},
    response::Response,
};
use futures_util::stream::BoxStream;

use crate::{
    graphql::{
        documents::Documents,
        limits::{Limit, Limits},
    },
    http::server::Hold,
};

pub mod fault;
mod json;
mod persisted;
pub mod prepare;
pub mod request;
pub mod respond;
mod run;
mod socket;
mod stream;
mod values;

use fault::Fault;
use prepare::{Known, Operations, prepare};
use request::{Call, Calls};
use respond::{Answer, Format};
use run::Kept;
use stream::{Live, Streaming};

/// What executes operations: the schema, with the tiers of its callers.
pub trait Engine: Clone + Send + Sync + 'static {
    /// Who is asking. It goes with each operation of a batch.
    type Caller: Clone + Send + Sync + 'static;

    /// What a socket or a stream holds on to as long as it lives: there is a bounded number of them.
    type Seat: Send + 'static;

    /// A place for one more socket or stream from where the request comes from.
    fn seat_at(&self, parts: &Parts) -> Result<Self::Seat, Refusal>;

    /// A place for one more of this caller.
    fn seat_for(&self, caller: &Self::Caller) -> Result<Self::Seat, Refusal>;

    /// Checks the credential, once a request. A refusal answers the whole request.
    fn admit(&self, parts: &Parts) -> impl Future<Output = Result<Self::Caller, Refusal>> + Send;

    /// The caller as they are now, if the credential still stands: asked again and again while a stream lives, and
    /// wherever time has passed since the last look.
    fn recheck(&self, caller: &Self::Caller) -> impl Future<Output = Result<Self::Caller, Refusal>> + Send;

    /// Whether a page of the origin that the request names may open a socket. CORS does not cover them.
    fn welcomes(&self, parts: &Parts) -> bool;

    /// The limits that this caller lives under.
    fn limits(&self, caller: &Self::Caller) -> &Limits;

    /// Documents that need not be sent, and those that alone may run.
    fn documents(&self) -> &Documents;

    /// Whether a list of trusted documents binds this caller.
    fn freedom(&self, caller: &Self::Caller) -> Freedom;

    /// Whether errors may tell this caller which names would have been right.
    fn suggests(&self, caller: &Self::Caller) -> bool;

    /// Executes one operation. The request carries its parsed document; it is not parsed again.
    fn execute(
        &self,
        caller: Self::Caller,
        request: async_graphql::Request,
        known: Known,
    ) -> impl Future<Output = Executed> + Send;

    /// Executes a subscription.
    fn follow(
        &self,
        caller: Self::Caller,
        request: async_graphql::Request,
        known: Known,
    ) -> BoxStream<'static, Executed>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freedom {
    /// Any document is taken, even where there is a list.
    Free,
    Bound,
}

/// Why a whole request is refused, before its body is read: a dead credential (401), a service that is shedding load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: StatusCode,
    pub code: &'static str,
    pub message: Cow<'static, str>,
    /// In seconds.
    pub retry_after: Option<u32>,
}

impl Refusal {
    /// Whether it is the credential that is refused. What is only unavailable comes back.
    pub fn is_final(&self) -> bool {
        self.status != StatusCode::SERVICE_UNAVAILABLE
    }
}

/// The handler of the endpoint, for every method: `any(handle::<Schema>)`.
pub async fn handle<E: Engine>(State(engine): State<E>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if socket::is_asked_for(&parts) {
        return socket::open(engine, parts).await;
    }
    let plain = respond::negotiate(&parts.headers);
    let wanted = Wanted { plain: plain.as_ref().ok().copied(), streaming: Streaming::wanted(&parts) };
    let format = match (plain, wanted.streaming) {
        (Ok(format), _) => format,
        (Err(_), Some(_)) => Format::Json,
        (Err(fault), None) => return Answer::refused(fault).into_response(Format::Json),
    };
    match serve(&engine, &parts, body, wanted).await {
        Ok(Answers::One(answer)) => answer.into_response(format),
        Ok(Answers::Batch(answers)) => respond::batch(answers, format),
        Ok(Answers::Stream(live)) => live.into_response(),
        Err(answer) => match wanted.streaming {
            // A client that reads only streams reads there what is wrong with its GraphQL.
            Some(streaming) if wanted.plain.is_none() && answer.is_about_graphql() => streaming.only(&answer),
            _ => answer.into_response(format),
        },
    }
}

/// What the client can read.
#[derive(Clone, Copy)]
struct Wanted {
    plain: Option<Format>,
    streaming: Option<Streaming>,
}

enum Answers<E: Engine> {
    One(Answer),
    Batch(Vec<Answer>),
    Stream(Box<Live<E>>),
}

async fn serve<E: Engine>(
    engine: &E,
    parts: &Parts,
    body: Body,
    wanted: Wanted,
) -> Result<Answers<E>, Answer> {
    let operations = match (&parts.method, wanted.streaming) {
        (&Method::POST, None) => Operations::QueriesAndMutations,
        (&Method::POST, Some(_)) => Operations::All,
        (&Method::GET, Some(_)) => Operations::StreamsByGet,
        (&Method::GET | &Method::HEAD, _) => Operations::QueriesByGet,
        _ => return Err(Answer::refused(Fault::method("GET, POST"))),
    };
    if parts.method == Method::POST {
        request::check_content_type(&parts.headers)?;
    }
    let caller = engine.admit(parts).await?;
    let limits = engine.limits(&caller);
    let calls = match parts.method {
        Method::POST => request::from_body(&parts.headers, body, limits).await?,
        _ => Calls::One(request::from_uri(&parts.uri, limits)?),
    };
    // A body takes as long to arrive as its sender likes, and who they were before it is not who they are now.
    let caller = engine.recheck(&caller).await?;
    match calls {
        Calls::One(call) => {
            let prepared = prepare(engine, &caller, call, operations)?;
            match wanted.streaming {
                Some(streaming) if prepared.kind == OperationType::Subscription || wanted.plain.is_none() => {
                    let seats = [engine.seat_at(parts)?, engine.seat_for(&caller)?];
                    let live = Live::new(engine.clone(), caller, prepared, streaming, parts, seats);
                    Ok(Answers::Stream(Box::new(live)))
                }
                _ => Ok(Answers::One(run::once(engine, &caller, prepared, || kept(parts)).await)),
            }
        }
        Calls::Batch(_) if wanted.plain.is_none() => {
            Err(Fault::bad_request("A batch is answered as JSON: accept it.").into())
        }
        Calls::Batch(calls) => {
            Box::pin(batch(engine, &caller, calls, operations.without_streams(), parts)).await
        }
    }
}

async fn batch<E: Engine>(
    engine: &E,
    caller: &E::Caller,
    calls: Vec<Call>,
    operations: Operations,
    parts: &Parts,
) -> Result<Answers<E>, Answer> {
    let limits = engine.limits(caller);
    Limit::Batch.check(limits.batch, calls.len()).map_err(Fault::from).map_err(Fault::malformed)?;
    let mut answers = Vec::with_capacity(calls.len());
    // One after the other: a batch is one caller's, and takes no more of the machine than one request.
    for call in calls {
        answers.push(match prepare(engine, caller, call, operations) {
            // The call before may have ended the session of this one.
            Ok(prepared) => match engine.recheck(caller).await {
                Ok(caller) => run::once(engine, &caller, prepared, || kept(parts)).await,
                Err(refusal) => refusal.into(),
            },
            Err(fault) => Answer::refused(fault),
        });
        // The time limit of the request can act only where somebody waits.
        tokio::task::yield_now().await;
    }
    Ok(Answers::Batch(answers))
}

/// What a mutation of this request keeps.
fn kept(parts: &Parts) -> Kept {
    Kept { hold: parts.extensions.get::<Hold>().cloned().unwrap_or_default(), operation: None }
}

#[cfg(test)]
mod tests;
