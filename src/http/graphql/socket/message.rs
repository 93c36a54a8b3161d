//! What a client says over a socket, read strictly: a message that is not of the protocol closes it.

use async_graphql::{Name, Value, indexmap::IndexMap};
use axum::http::{HeaderName, HeaderValue, header::AUTHORIZATION};

use super::Farewell;
use crate::{
    graphql::limits::Limits,
    http::graphql::request::{self, Call},
};

/// An id is the client's own; it comes back with every result.
const LONGEST_ID: usize = 256;

pub type Fields = IndexMap<Name, Value>;

pub enum Incoming {
    Init(Fields),
    Ping,
    Pong,
    Subscribe(String, Call),
    Complete(String),
}

impl Incoming {
    pub fn read(text: &[u8], limits: &Limits) -> Result<Self, Farewell> {
        let read = request::read_json("The message", text, limits);
        let Ok(Value::Object(mut fields)) = read else {
            return Err(Farewell::malformed("A message is a JSON object"));
        };
        let Some(Value::String(kind)) = fields.swap_remove("type") else {
            return Err(Farewell::malformed("A message has a type"));
        };
        match kind.as_str() {
            "connection_init" => Ok(Self::Init(payload(&mut fields)?.unwrap_or_default())),
            "ping" => payload(&mut fields).map(|_| Self::Ping),
            "pong" => payload(&mut fields).map(|_| Self::Pong),
            "subscribe" => {
                let id = id(&mut fields)?;
                let Some(payload) = payload(&mut fields)? else {
                    return Err(Farewell::malformed("A subscribe message has a payload"));
                };
                let call = request::call(payload)
                    .map_err(|fault| Farewell::malformed(fault.error.message.clone()))?;
                Ok(Self::Subscribe(id, call))
            }
            "complete" => Ok(Self::Complete(id(&mut fields)?)),
            _ => Err(Farewell::malformed("There is no such type of message")),
        }
    }
}

fn payload(fields: &mut Fields) -> Result<Option<Fields>, Farewell> {
    match fields.swap_remove("payload") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(payload)) => Ok(Some(payload)),
        Some(_) => Err(Farewell::malformed("A payload is a JSON object")),
    }
}

fn id(fields: &mut Fields) -> Result<String, Farewell> {
    match fields.swap_remove("id") {
        Some(Value::String(id)) if !id.is_empty() && id.len() <= LONGEST_ID => Ok(id),
        _ => Err(Farewell::malformed("The message needs an id")),
    }
}

/// A page cannot set headers on a WebSocket: its credential stands in the payload, under the header's name. It counts
/// before the header of the handshake, which a router may have sent for itself.
pub fn init_header(payload: &Fields) -> Result<Option<(HeaderName, HeaderValue)>, Farewell> {
    let mut named = payload.iter().filter(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    let value = match (named.next(), named.next()) {
        (None, _) | (Some((_, Value::Null)), None) => return Ok(None),
        (Some((_, Value::String(value))), None) => HeaderValue::from_str(value).ok(),
        _ => None,
    };
    match value {
        Some(value) => Ok(Some((AUTHORIZATION, value))),
        None => Err(Farewell::new(4403, "Forbidden")),
    }
}
