//! Streams as the answer of an HTTP request: server-sent events ("distinct connections" of the GraphQL-over-SSE protocol)
//! and multipart (Apollo's protocol for subscriptions over HTTP).

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    http::{
        HeaderName, HeaderValue, Method,
        header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, VARY},
        request::Parts,
    },
    response::Response,
};
use futures_util::{StreamExt, stream};
use serde::Serialize;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::{
    Engine, Refusal,
    fault::Fault,
    prepare::Prepared,
    respond::Answer,
    run::{self, Piece, Pieces},
};
use crate::{graphql::written, http::server::Hold};

/// How often the caller's credential is looked at again when nothing happens.
pub(super) const RECHECK_EVERY: Duration = Duration::from_secs(1);

/// How a stream is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Streaming {
    Events,
    Multipart,
}

impl Streaming {
    /// The stream that the client asks for by name, the first of them. Whoever accepts anything does not mean one.
    pub fn wanted(parts: &Parts) -> Option<Self> {
        if !matches!(parts.method, Method::GET | Method::POST) {
            return None;
        }
        let lines = parts.headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok());
        lines.flat_map(|line| line.split(',')).find_map(Self::named)
    }

    fn named(range: &str) -> Option<Self> {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next()?;
        let parameters: Vec<_> = parts.filter_map(|parameter| parameter.split_once('=')).collect();
        let is = |name: &str, value: &str| {
            parameters
                .iter()
                .any(|(n, v)| n.trim().eq_ignore_ascii_case(name) && v.trim().trim_matches('"') == value)
        };
        if is("q", "0") {
            None
        } else if kind.eq_ignore_ascii_case("text/event-stream") {
            Some(Self::Events)
        } else if kind.eq_ignore_ascii_case("multipart/mixed") && is("subscriptionSpec", "1.0") {
            Some(Self::Multipart)
        } else {
            None
        }
    }

    const fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Events => "text/event-stream; charset=utf-8",
            Self::Multipart => "multipart/mixed;boundary=\"graphql\";subscriptionSpec=1.0",
        })
    }

    /// A client, and every proxy between, gives up on a connection that is silent.
    const fn heartbeat_every(self) -> Duration {
        match self {
            Self::Events => Duration::from_secs(12),
            // What Apollo's protocol says.
            Self::Multipart => Duration::from_secs(5),
        }
    }

    /// Sent at once, so that the client knows that it is connected.
    fn opening(self) -> Vec<u8> {
        match self {
            Self::Events => b":\n\n".to_vec(),
            Self::Multipart => [b"\r\n--graphql".as_slice(), &part(b"{}")].concat(),
        }
    }

    fn heartbeat(self) -> Vec<u8> {
        match self {
            Self::Events => b":\n\n".to_vec(),
            Self::Multipart => part(b"{}"),
        }
    }

    fn result(self, answer: &Answer) -> Vec<u8> {
        #[derive(Serialize)]
        struct Payload<T> {
            payload: T,
        }
        match self {
            Self::Events => event(&json(answer.body())),
            Self::Multipart => part(&json(&Payload { payload: answer.body() })),
        }
    }

    /// What ends the stream from outside of the operation.
    fn ended(self, answer: &Answer) -> Vec<u8> {
        match self {
            Self::Events => event(&json(answer.body())),
            Self::Multipart => {
                part(&json(&serde_json::json!({ "payload": null, "errors": answer.errors() })))
            }
        }
    }

    fn close(self) -> Vec<u8> {
        match self {
            Self::Events => b"event: complete\ndata:\n\n".to_vec(),
            Self::Multipart => b"--\r\n".to_vec(),
        }
    }

    /// A stream with nothing but this in it.
    pub fn only(self, answer: &Answer) -> Response {
        self.respond(Body::from([self.opening(), self.result(answer), self.close()].concat()))
    }

    fn respond(self, body: Body) -> Response {
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, self.content_type());
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.append(VARY, HeaderValue::from_static("Accept"));
        // nginx would collect the events until its buffer is full.
        headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
        response
    }
}

fn json(whole: &impl Serialize) -> Vec<u8> {
    written::to_vec(whole, 0).unwrap_or_else(|error| {
        tracing::error!(%error, "a part of a stream could not be written");
        br#"{"errors":[{"message":"Something went wrong on our side.","extensions":{"code":"INTERNAL"}}]}"#
            .to_vec()
    })
}

/// The JSON is on one line: line ends within it are escaped.
fn event(json: &[u8]) -> Vec<u8> {
    [b"event: next\ndata: ".as_slice(), json, b"\n\n"].concat()
}

/// The boundary follows at once: it tells the client that the part is whole.
fn part(json: &[u8]) -> Vec<u8> {
    [b"\r\ncontent-type: application/json\r\n\r\n".as_slice(), json, b"\r\n--graphql"].concat()
}

/// A stream on its way.
pub struct Live<E: Engine> {
    engine: E,
    caller: E::Caller,
    pieces: Pieces,
    streaming: Streaming,
    hold: Hold,
    /// Left when the stream is.
    _seats: [E::Seat; 2],
    rechecks: Interval,
    heartbeats: Interval,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Opening,
    Open,
    Over,
}

impl<E: Engine> Live<E> {
    pub fn new(
        engine: E,
        caller: E::Caller,
        prepared: Prepared,
        streaming: Streaming,
        parts: &Parts,
        seats: [E::Seat; 2],
    ) -> Self {
        let kept = super::kept(parts);
        Self {
            _seats: seats,
            hold: kept.hold.clone(),
            pieces: run::pieces(engine.clone(), caller.clone(), prepared, kept),
            engine,
            caller,
            streaming,
            rechecks: every(RECHECK_EVERY),
            heartbeats: every(streaming.heartbeat_every()),
            state: State::Opening,
        }
    }

    pub fn into_response(self: Box<Self>) -> Response {
        let streaming = self.streaming;
        let chunks = stream::unfold(self, |mut live| async {
            let chunk = live.next().await?;
            Some((Ok::<_, std::convert::Infallible>(Bytes::from(chunk)), live))
        });
        streaming.respond(Body::from_stream(chunks))
    }

    async fn next(&mut self) -> Option<Vec<u8>> {
        let streaming = self.streaming;
        match self.state {
            State::Over => return None,
            State::Opening => {
                self.state = State::Open;
                return Some(streaming.opening());
            }
            State::Open => {}
        }
        loop {
            tokio::select! {
                () = self.hold.stop.cancelled() => return Some(self.end(stopping())),
                piece = self.pieces.next() => return Some(match piece {
                    Some(Piece::Result(answer)) => streaming.result(&answer),
                    Some(Piece::Failed(answer)) => {
                        self.state = State::Over;
                        [streaming.result(&answer), streaming.close()].concat()
                    }
                    Some(Piece::Refused(refusal)) => self.end(refusal),
                    None => {
                        self.state = State::Over;
                        streaming.close()
                    }
                }),
                _ = self.rechecks.tick() => {
                    if let Err(refusal) = self.engine.recheck(&self.caller).await
                        && refusal.is_final()
                    {
                        return Some(self.end(refusal));
                    }
                }
                _ = self.heartbeats.tick() => return Some(streaming.heartbeat()),
            }
        }
    }

    fn end(&mut self, refusal: Refusal) -> Vec<u8> {
        self.state = State::Over;
        let answer = Answer::refused(Fault::from(refusal));
        [self.streaming.ended(&answer), self.streaming.close()].concat()
    }
}

/// Counts from now on, and does not hurry after a wait.
pub(super) fn every(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.reset();
    ticks
}

fn stopping() -> Refusal {
    Refusal {
        status: axum::http::StatusCode::SERVICE_UNAVAILABLE,
        code: "UNAVAILABLE",
        message: "The service is stopping: subscribe again.".into(),
        retry_after: Some(1),
    }
}
