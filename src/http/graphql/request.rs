//! Reading a request: content type, body, JSON or query string, and the four parameters in it.

use std::error::Error as StdError;

use async_graphql::{Extensions, Name, Value, Variables, indexmap::IndexMap};
use axum::{
    body::{Body, HttpBody as _},
    extract::{Query, Request},
    http::{
        HeaderMap, StatusCode, Uri,
        header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT},
    },
};
use http_body_util::BodyExt;

use super::{
    fault::Fault,
    json::{self, Unread},
};
use crate::graphql::limits::{Exceeded, Limit, Limits};

/// No body is longer. Documents have a limit of their own; this leaves room for the variables.
pub const MAX_BODY: usize = 1024 * 1024;

/// So much of a body that is too long is taken all the same.
const MOST_DISCARDED: usize = 8 * MAX_BODY;
/// A length that is only announced reserves no more than this.
const FIRST_BUFFER: usize = 16 * 1024;

/// What a caller wants executed, as it was sent.
#[derive(Debug, Default)]
pub struct Call {
    pub query: Option<String>,
    /// Names a document that need not be sent.
    pub document_id: Option<String>,
    pub operation_name: Option<String>,
    pub variables: Variables,
    pub extensions: Extensions,
}

#[derive(Debug)]
pub enum Calls {
    One(Call),
    Batch(Vec<Call>),
}

/// Only `application/json` in UTF-8. A browser sends it to a foreign origin only after asking, which is what keeps
/// other sites' pages from sending mutations; so there is no exception.
pub fn check_content_type(headers: &HeaderMap) -> Result<(), Fault> {
    let refused = |message| Err(Fault::status(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (types.next(), types.next()) else {
        return refused("Send application/json, and say so in Content-Type.");
    };
    let mut parts = value.to_str().unwrap_or_default().split(';');
    let kind = parts.next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return refused("Send application/json, and say so in Content-Type.");
    }
    for parameter in parts {
        if let Some((name, value)) = parameter.split_once('=')
            && name.trim().eq_ignore_ascii_case("charset")
            && !is_utf8(value)
        {
            return refused("Send UTF-8.");
        }
    }
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    if encodings.any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return refused("Send the body as it is, without a Content-Encoding.");
    }
    Ok(())
}

pub(super) fn is_utf8(charset: &str) -> bool {
    let charset = charset.trim().trim_matches('"');
    charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("utf8")
}

/// Reads the body of a POST.
pub async fn from_body(headers: &HeaderMap, body: Body, limits: &Limits) -> Result<Calls, Fault> {
    let body = read_body(headers, body).await?;
    match read_json("The body", &body, limits)? {
        Value::Object(fields) => call(fields).map(Calls::One),
        Value::List(items) if items.is_empty() => Err(Fault::bad_request("The batch is empty.")),
        Value::List(items) => {
            let calls = items.into_iter().map(|item| match item {
                Value::Object(fields) => call(fields),
                _ => Err(Fault::bad_request("Each operation of a batch is a JSON object.")),
            });
            Ok(Calls::Batch(calls.collect::<Result<_, _>>()?))
        }
        _ => Err(Fault::bad_request("The body must be a JSON object, or a list of them.")),
    }
}

/// Reads the query string of a GET.
pub fn from_uri(uri: &Uri, limits: &Limits) -> Result<Call, Fault> {
    let Ok(Query(pairs)) = Query::<Vec<(String, String)>>::try_from_uri(uri) else {
        return Err(Fault::bad_request("The query string cannot be read."));
    };
    let mut fields = IndexMap::new();
    for (name, value) in pairs {
        let value = match name.as_str() {
            "query" | "documentId" | "operationName" => Value::String(value),
            "variables" | "extensions" if value.is_empty() => Value::Null,
            "variables" | "extensions" => read_json(&format!("\"{name}\""), value.as_bytes(), limits)?,
            _ => continue,
        };
        if fields.insert(Name::new(&name), value).is_some() {
            return Err(Fault::bad_request(format!("\"{name}\" stands twice in the query string.")));
        }
    }
    call(fields)
}

/// The request with its body read to the end, for routes that take forms: nothing of it is kept beyond the limit.
pub async fn with_whole_body(request: Request) -> Result<Request, Fault> {
    if request.body().is_end_stream() {
        return Ok(request);
    }
    let (parts, body) = request.into_parts();
    let body = read_body(&parts.headers, body).await?;
    Ok(Request::from_parts(parts, Body::from(body)))
}

/// Reads a body to its end. What is too long is read on for a while and thrown away: a connection that is closed while
/// its client still sends is reset, and the client never sees why.
async fn read_body(headers: &HeaderMap, mut body: Body) -> Result<Vec<u8>, Fault> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    // Who asks first has sent nothing yet.
    let most = if headers.contains_key(EXPECT) { MAX_BODY } else { MOST_DISCARDED };
    if announced.is_some_and(|length| length > most) {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(announced.unwrap_or(0).min(FIRST_BUFFER));
    let mut length = 0_usize;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| unread(&error))?.into_data() else {
            continue;
        };
        length = length.saturating_add(data.len());
        if length > MOST_DISCARDED {
            break;
        }
        if length <= MAX_BODY {
            bytes.extend_from_slice(&data);
        } else {
            bytes = Vec::new();
        }
    }
    if length > MAX_BODY { Err(too_large()) } else { Ok(bytes) }
}

pub(super) fn read_json(what: &str, text: &[u8], limits: &Limits) -> Result<Value, Fault> {
    json::read(text, limits.values).map_err(|unread| match unread {
        Unread::Json(error) => {
            Fault::bad_request(format!("{what} is not the JSON that is taken here: {error}."))
        }
        Unread::TooManyValues => {
            let exceeded = Exceeded {
                limit: Limit::Values,
                allowed: limits.values,
                found: limits.values.saturating_add(1),
            };
            Fault::from(exceeded).malformed()
        }
    })
}

pub(super) fn call(mut fields: IndexMap<Name, Value>) -> Result<Call, Fault> {
    let mut take = |name: &str| fields.swap_remove(name).filter(|value| *value != Value::Null);
    Ok(Call {
        query: take("query").map(|value| string("query", value)).transpose()?,
        document_id: take("documentId").map(|value| string("documentId", value)).transpose()?,
        operation_name: take("operationName")
            .map(|value| string("operationName", value))
            .transpose()?
            // Several tools send an empty name for none.
            .filter(|name| !name.is_empty()),
        variables: take("variables")
            .map(|value| object("variables", value))
            .transpose()?
            .map_or_else(Variables::default, |variables| Variables::from_value(Value::Object(variables))),
        extensions: take("extensions").map(|value| object("extensions", value)).transpose()?.map_or_else(
            Extensions::default,
            |extensions| {
                Extensions(extensions.into_iter().map(|(name, value)| (name.to_string(), value)).collect())
            },
        ),
    })
}

fn string(name: &str, value: Value) -> Result<String, Fault> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(Fault::bad_request(format!("\"{name}\" must be text."))),
    }
}

fn object(name: &str, value: Value) -> Result<IndexMap<Name, Value>, Fault> {
    match value {
        Value::Object(fields) => Ok(fields),
        _ => Err(Fault::bad_request(format!("\"{name}\" must be a JSON object."))),
    }
}

fn too_large() -> Fault {
    Fault::status(StatusCode::PAYLOAD_TOO_LARGE, "The body is larger than 1 MiB.")
}

/// Why a body could not be read to its end.
fn unread(error: &(dyn StdError + 'static)) -> Fault {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<std::io::Error>().is_some_and(|it| it.kind() == std::io::ErrorKind::TimedOut)
        {
            return Fault::status(StatusCode::REQUEST_TIMEOUT, "The body took too long.");
        }
        cause = error.source();
    }
    Fault::bad_request("The body could not be read.")
}
