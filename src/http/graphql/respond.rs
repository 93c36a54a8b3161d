//! Writing an answer: which media type, which status, which headers.

use std::collections::BTreeMap;

use async_graphql::{Response as Executed, ServerError, Value};
use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, VARY, WWW_AUTHENTICATE},
    },
    response::Response,
};
use serde::Serialize;

use super::{
    Refusal,
    fault::{self, Fault, Standing},
    request::is_utf8,
};
use crate::graphql::written;

/// What an answer is written as, when it is one. (Streams are written by [`super::stream`].)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Json,
    GraphqlResponse,
}

impl Format {
    const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::GraphqlResponse => "application/graphql-response+json",
        }
    }

    const fn content_type(self) -> HeaderValue {
        match self {
            Self::Json => HeaderValue::from_static("application/json; charset=utf-8"),
            Self::GraphqlResponse => {
                HeaderValue::from_static("application/graphql-response+json; charset=utf-8")
            }
        }
    }

    fn status(self, standing: Standing) -> StatusCode {
        match (standing, self) {
            (Standing::Status(status), _) => status,
            (Standing::BadGraphql, Self::GraphqlResponse) => StatusCode::BAD_REQUEST,
            (Standing::Executed, _) | (Standing::BadGraphql, Self::Json) => StatusCode::OK,
        }
    }
}

/// How much a client wants a media type: the weight that it gives, then how closely it names it.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
struct Wish {
    quality: f32,
    closeness: Closeness,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Closeness {
    Anything,
    Kind,
    Exact,
}

/// Chooses the format that the client's `Accept` asks for. Who asks for none, or for anything, gets the older
/// `application/json`: every client understands it.
pub fn negotiate(headers: &HeaderMap) -> Result<Format, Fault> {
    let ranges =
        || headers.get_all(ACCEPT).iter().flat_map(|value| value.to_str().unwrap_or_default().split(','));
    if ranges().all(|range| range.trim().is_empty()) {
        return Ok(Format::Json);
    }
    let wish = |format: Format| {
        let wishes = ranges().filter_map(|range| read_range(range, format.media_type()));
        // The closest range decides, so that `*/*, application/json;q=0` has a meaning.
        let wish = wishes.max_by(|a, b| a.closeness.cmp(&b.closeness).then(a.quality.total_cmp(&b.quality)));
        wish.filter(|wish| wish.quality > 0.0)
    };
    match (wish(Format::GraphqlResponse), wish(Format::Json)) {
        (None, None) => Err(Fault::status(
            StatusCode::NOT_ACCEPTABLE,
            "Accept application/graphql-response+json or application/json, or for a stream text/event-stream or \
             multipart/mixed;subscriptionSpec=1.0.",
        )),
        (Some(_), None) => Ok(Format::GraphqlResponse),
        (Some(modern), Some(old)) if modern > old => Ok(Format::GraphqlResponse),
        (Some(modern), Some(old)) if modern == old && modern.closeness == Closeness::Exact => {
            Ok(Format::GraphqlResponse)
        }
        _ => Ok(Format::Json),
    }
}

/// Reads one media range, if the type is in it.
fn read_range(range: &str, media_type: &str) -> Option<Wish> {
    let mut parts = range.split(';').map(str::trim);
    let name = parts.next()?;
    let closeness = match name {
        "*/*" => Closeness::Anything,
        "application/*" => Closeness::Kind,
        _ if name.eq_ignore_ascii_case(media_type) => Closeness::Exact,
        _ => return None,
    };
    let mut quality = 1.0;
    for parameter in parts {
        let Some((name, value)) = parameter.split_once('=') else {
            continue;
        };
        let name = name.trim();
        if name.eq_ignore_ascii_case("charset") && !is_utf8(value) {
            return None;
        }
        if name.eq_ignore_ascii_case("q") {
            quality = value.trim().parse().ok().filter(|quality| (0.0..=1.0).contains(quality))?;
        }
    }
    Some(Wish { quality, closeness })
}

/// So long that most answers need not move while they are written, beside what is written already.
const USUAL_LENGTH: usize = 1024;

/// What goes back for one operation.
#[derive(Debug)]
pub struct Answer {
    standing: Standing,
    headers: HeaderMap,
    written: Written,
}

#[derive(Debug, Default, Serialize)]
struct Written {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<ServerError>,
    /// Absent when nothing was executed, which is not the same as `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    extensions: BTreeMap<String, Value>,
}

impl Written {
    fn room(&self) -> usize {
        USUAL_LENGTH + self.data.as_ref().map_or(0, written::length)
    }
}

impl Answer {
    pub fn refused(fault: Fault) -> Self {
        let Fault { standing, allow, retry_after, error } = fault;
        let mut headers = HeaderMap::new();
        if let Some(allow) = allow {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        if let Some(seconds) = retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if standing == Standing::Status(StatusCode::UNAUTHORIZED) {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        Self { standing, headers, written: Written { errors: vec![*error], ..Written::default() } }
    }

    pub fn executed(executed: Executed) -> Self {
        let is_request_error = fault::is_request_error(&executed);
        let Executed { errors, data, extensions, http_headers: mut headers, .. } = executed;
        if let Some(seconds) = errors.iter().filter_map(retry_after).max() {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        let standing = if is_request_error { Standing::BadGraphql } else { Standing::Executed };
        let data = (!is_request_error).then_some(data);
        Self { standing, headers, written: Written { errors, data, extensions } }
    }

    /// For an operation that ended in a panic. It had begun, so there is `data`, of which nothing is known.
    pub fn failed(error: ServerError) -> Self {
        let written = Written { errors: vec![error], data: Some(Value::Null), ..Written::default() };
        Self { standing: Standing::Executed, headers: HeaderMap::new(), written }
    }

    /// Whether HTTP and JSON are in order, and only the GraphQL in them is not.
    pub fn is_about_graphql(&self) -> bool {
        self.standing == Standing::BadGraphql
    }

    /// Whether nothing was executed.
    pub fn was_refused(&self) -> bool {
        self.standing != Standing::Executed
    }

    pub fn errors(&self) -> &[ServerError] {
        &self.written.errors
    }

    /// What stands in the body, as a part of a stream carries it.
    pub fn body(&self) -> &impl Serialize {
        &self.written
    }

    pub fn into_response(self, format: Format) -> Response {
        write(format.status(self.standing), self.headers, &self.written, self.written.room(), format)
    }
}

impl From<Fault> for Answer {
    fn from(fault: Fault) -> Self {
        Self::refused(fault)
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Self::refused(refusal.into())
    }
}

/// A batch is answered with 200, whatever its operations came to: there is one status for all.
pub fn batch(answers: Vec<Answer>, format: Format) -> Response {
    let mut headers = HeaderMap::new();
    let mut written = Vec::with_capacity(answers.len());
    let mut longest_wait = None;
    for answer in answers {
        let wait = answer.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        longest_wait = longest_wait.max(wait);
        headers.extend(answer.headers);
        written.push(answer.written);
    }
    if let Some(seconds) = longest_wait {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    headers.remove(ALLOW);
    write(StatusCode::OK, headers, &written, written.iter().map(Written::room).sum(), format)
}

fn retry_after(error: &ServerError) -> Option<u64> {
    match error.extensions.as_ref()?.get("retryAfterSeconds")? {
        Value::Number(seconds) => seconds.as_u64(),
        _ => None,
    }
}

fn write(
    status: StatusCode,
    headers: HeaderMap,
    answers: &impl Serialize,
    room: usize,
    format: Format,
) -> Response {
    let (status, body) = match written::to_vec(answers, room) {
        Ok(body) => (status, body),
        Err(error) => {
            tracing::error!(%error, "an answer could not be written");
            (StatusCode::INTERNAL_SERVER_ERROR, br#"{"errors":[{"message":"Something went wrong on our side.","extensions":{"code":"INTERNAL"}}]}"#.to_vec())
        }
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, format.content_type());
    // What one caller may see is in no cache's hands.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.append(VARY, HeaderValue::from_static("Accept"));
    response
}
