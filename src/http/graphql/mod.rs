//! The GraphQL endpoint over plain HTTP: GET and POST, one operation or a batch, two media types.
//!
//! It follows the GraphQL-over-HTTP specification, and refuses what would be dangerous or dear before anything is
//! executed: mutations by GET, bodies that are no JSON by their own word (what a foreign page can send unasked), large
//! bodies, documents beyond the limits. It never reads a cookie. It knows no schema: what executes is an [`Engine`].
//!
//! Streams (server-sent events, multipart, WebSocket) come as further formats beside [`respond::Format`]; they share
//! [`prepare`] and [`fault`].

use std::{borrow::Cow, panic::AssertUnwindSafe};

use async_graphql::Response as Executed;
use axum::{
    body::Body,
    extract::{Request, State},
    http::{Method, StatusCode, request::Parts},
    response::Response,
};
use futures_util::FutureExt;

use crate::graphql::limits::{Limit, Limits};

pub mod fault;
mod json;
pub mod prepare;
pub mod request;
pub mod respond;

use fault::{Code, Fault};
use prepare::{Operations, prepare};
use request::{Call, Calls};
use respond::{Answer, Format};

/// What executes operations: the schema, with the tiers of its callers.
pub trait Engine: Clone + Send + Sync + 'static {
    /// Who is asking. It goes with each operation of a batch.
    type Caller: Clone + Send + Sync;

    /// Checks the credential, once a request. A refusal answers the whole request.
    fn admit(&self, parts: &Parts) -> impl Future<Output = Result<Self::Caller, Refusal>> + Send;

    /// The limits that this caller lives under.
    fn limits(&self, caller: &Self::Caller) -> &Limits;

    /// Whether errors may tell this caller which names would have been right.
    fn suggests(&self, caller: &Self::Caller) -> bool;

    /// Executes one operation. The request carries its parsed document; it is not parsed again.
    fn execute(
        &self,
        caller: Self::Caller,
        request: async_graphql::Request,
    ) -> impl Future<Output = Executed> + Send;
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

/// The handler of the endpoint, for every method: `any(handle::<Schema>)`.
pub async fn handle<E: Engine>(State(engine): State<E>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let format = match respond::negotiate(&parts.headers) {
        Ok(format) => format,
        Err(fault) => return Answer::refused(fault).into_response(Format::Json),
    };
    let answers = match serve(&engine, &parts, body).await {
        Ok(answers) => answers,
        Err(answer) => return answer.into_response(format),
    };
    match answers {
        Answers::One(answer) => answer.into_response(format),
        Answers::Batch(answers) => respond::batch(answers, format),
    }
}

enum Answers {
    One(Answer),
    Batch(Vec<Answer>),
}

async fn serve<E: Engine>(engine: &E, parts: &Parts, body: Body) -> Result<Answers, Answer> {
    let operations = match parts.method {
        Method::POST => Operations::QueriesAndMutations,
        Method::GET | Method::HEAD => Operations::QueriesByGet,
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
    match calls {
        Calls::One(call) => Ok(Answers::One(answer(engine, &caller, call, operations).await)),
        Calls::Batch(calls) => {
            Limit::Batch.check(limits.batch, calls.len()).map_err(Fault::from).map_err(Fault::malformed)?;
            let mut answers = Vec::with_capacity(calls.len());
            // One after the other: a batch is one caller's, and takes no more of the machine than one request.
            for call in calls {
                answers.push(answer(engine, &caller, call, operations).await);
                // The time limit of the request can act only where somebody waits.
                tokio::task::yield_now().await;
            }
            Ok(Answers::Batch(answers))
        }
    }
}

async fn answer<E: Engine>(engine: &E, caller: &E::Caller, call: Call, operations: Operations) -> Answer {
    let has_variables = !call.variables.is_empty();
    let request = match prepare(call, operations, engine.limits(caller)) {
        Ok(request) => request,
        Err(fault) => return Answer::refused(fault),
    };
    let execution = AssertUnwindSafe(engine.execute(caller.clone(), request));
    // A panic is a bug of ours and no reason to drop the connection, or the rest of a batch.
    let Ok(mut executed) = execution.catch_unwind().await else {
        tracing::error!("an operation panicked");
        return Answer::failed(fault::internal());
    };
    let request_errors = if has_variables { Code::BadUserInput } else { Code::ValidationFailed };
    fault::tidy(&mut executed, request_errors);
    if !engine.suggests(caller) {
        fault::strip_suggestions(&mut executed);
    }
    Answer::executed(executed)
}

#[cfg(test)]
mod tests;
