//! Web sockets, as the protocol `graphql-transport-ws` has them: queries, mutations and subscriptions over one connection.
//!
//! One task is one socket. It holds no results back: what it writes, the client takes, or waits for in the kernel; so a
//! client that reads nothing stops its own subscriptions, and after a while loses its connection (`server::pace`).

use std::{borrow::Cow, collections::HashMap, pin::pin, sync::Arc, time::Duration};

use axum::{
    extract::{
        FromRequestParts,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade},
    },
    http::{Method, StatusCode, header::UPGRADE, request::Parts},
    response::Response,
};
use futures_util::{
    StreamExt,
    stream::{self, AbortHandle, BoxStream, SelectAll},
};
use serde::Serialize;
use tokio::{
    sync::Semaphore,
    time::{Instant, Interval, Sleep, sleep, timeout},
};

use super::{
    Engine, Refusal,
    fault::{Code, Fault},
    prepare::{Operations, prepare},
    request::{Call, MAX_BODY},
    respond::{Answer, Format},
    run::{self, Kept, Piece},
    stream::{RECHECK_EVERY, every},
};
use crate::{graphql::written, http::server::Hold};

mod message;

use message::{Incoming, init_header};

const PROTOCOL: &str = "graphql-transport-ws";
/// From the handshake to `connection_init`.
const INIT_WITHIN: Duration = Duration::from_secs(10);
/// Operations at once on one socket.
const MOST_OPERATIONS: usize = 50;
/// After so much silence the client is asked whether it is there …
const PING_AFTER: Duration = Duration::from_secs(25);
/// … and after so much it is not.
const GONE_AFTER: Duration = Duration::from_mins(1);
/// How long the client has to take its leave.
const FAREWELL: Duration = Duration::from_secs(2);

/// Whether the request asks to become a socket.
pub(super) fn is_asked_for(parts: &Parts) -> bool {
    let asks = |value: &axum::http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"websocket");
    parts.method == Method::GET && parts.headers.get_all(UPGRADE).iter().any(asks)
}

pub(super) async fn open<E: Engine>(engine: E, mut parts: Parts) -> Response {
    let refuse = |status, message: &'static str| {
        Answer::refused(Fault::status(status, message)).into_response(Format::Json)
    };
    if !engine.welcomes(&parts) {
        return refuse(StatusCode::FORBIDDEN, "Pages of this origin may not call this service.");
    }
    let Ok(upgrade) = WebSocketUpgrade::from_request_parts(&mut parts, &()).await else {
        return refuse(StatusCode::BAD_REQUEST, "This is not the handshake of a WebSocket.");
    };
    let upgrade = upgrade.protocols([PROTOCOL]).max_message_size(MAX_BODY).max_frame_size(MAX_BODY);
    if upgrade.selected_protocol().is_none() {
        return refuse(
            StatusCode::BAD_REQUEST,
            "The subprotocol that is spoken here is graphql-transport-ws.",
        );
    }
    match engine.seat_at(&parts) {
        Ok(seat) => upgrade.on_upgrade(move |socket| Session::new(engine, parts, seat).run(socket)),
        Err(refusal) => Answer::from(refusal).into_response(Format::Json),
    }
}

/// Why a socket is closed, with the number that the protocol has for it.
#[derive(Debug)]
struct Farewell {
    code: u16,
    reason: Cow<'static, str>,
}

impl Farewell {
    fn new(code: u16, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { code, reason: reason.into() }
    }

    fn malformed(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(4400, reason)
    }
}

impl From<Refusal> for Farewell {
    fn from(refusal: Refusal) -> Self {
        if refusal.status == StatusCode::TOO_MANY_REQUESTS {
            return Self::new(1013, "Too many sockets are open: close some");
        }
        // Clients come again after 4403, and show a token that was renewed in between.
        if refusal.is_final() { Self::new(4403, "Forbidden") } else { Self::new(1013, "Try again later") }
    }
}

/// How the conversation goes on.
enum Turn {
    Listen,
    Send(String),
}

type Turned = Result<Turn, Farewell>;
/// Pieces of an operation, each with the operation's id; `None` is its end.
type Tagged = BoxStream<'static, (String, Option<Piece>)>;

struct Session<E: Engine> {
    engine: E,
    /// The handshake, with the credential of `connection_init` in its headers: each operation is admitted as a request
    /// of its own would be.
    parts: Parts,
    /// Who is asking, once they have said so.
    caller: Option<E::Caller>,
    /// One for where it comes from, and with the caller one for them.
    seats: Vec<E::Seat>,
    operations: HashMap<String, AbortHandle>,
    places: Arc<Semaphore>,
    results: SelectAll<Tagged>,
    rechecks: Interval,
    hold: Hold,
}

impl<E: Engine> Session<E> {
    fn new(engine: E, parts: Parts, seat: E::Seat) -> Self {
        let hold = parts.extensions.get::<Hold>().cloned().unwrap_or_default();
        Self {
            engine,
            parts,
            caller: None,
            seats: vec![seat],
            operations: HashMap::new(),
            places: Arc::new(Semaphore::new(MOST_OPERATIONS)),
            results: SelectAll::new(),
            rechecks: every(RECHECK_EVERY),
            hold,
        }
    }

    async fn run(mut self, mut socket: WebSocket) {
        let cut = self.hold.cut.clone();
        let talk = async {
            if let Some(farewell) = self.talk(&mut socket).await {
                // What still runs ends before the client hears of it.
                self.results = SelectAll::new();
                close(&mut socket, farewell).await;
            }
        };
        cut.run_until_cancelled(talk).await;
    }

    /// Returns why the socket is to be closed, or `None` when it is closed already.
    async fn talk(&mut self, socket: &mut WebSocket) -> Option<Farewell> {
        let stop = self.hold.stop.clone();
        let mut init = pin!(sleep(INIT_WITHIN));
        let mut silence = pin!(sleep(PING_AFTER));
        let mut gone = pin!(sleep(GONE_AFTER));
        let mut lost = pin!(self.hold.lost());
        loop {
            // A socket on which nothing is under way costs its owner nothing, and makes room for others.
            if self.operations.is_empty() {
                self.hold.rest();
            } else {
                self.hold.work();
            }
            let turned = tokio::select! {
                () = &mut lost, if self.operations.is_empty() => {
                    Err(Farewell::new(1013, "Too many connections: try again later"))
                }
                () = stop.cancelled() => Err(Farewell::new(1001, "The service is stopping")),
                () = &mut init, if self.caller.is_none() => {
                    Err(Farewell::new(4408, "Connection initialisation timeout"))
                }
                () = &mut gone => return None,
                () = &mut silence => {
                    put_off(silence.as_mut(), PING_AFTER);
                    socket.send(Message::Ping(Vec::new().into())).await.ok()?;
                    Ok(Turn::Listen)
                }
                _ = self.rechecks.tick() => self.recheck().await,
                Some((id, piece)) = self.results.next() => self.tell(&id, piece),
                received = socket.recv() => {
                    put_off(silence.as_mut(), PING_AFTER);
                    put_off(gone.as_mut(), GONE_AFTER);
                    match received? {
                        Ok(message) => self.hear(message).await,
                        Err(error) => Err(unreadable(&error)),
                    }
                }
            };
            match turned {
                Ok(Turn::Listen) => {}
                Ok(Turn::Send(text)) => socket.send(Message::Text(text.into())).await.ok()?,
                Err(farewell) => return Some(farewell),
            }
        }
    }

    async fn recheck(&mut self) -> Turned {
        if let Some(caller) = &self.caller
            && let Err(refusal) = self.engine.recheck(caller).await
            && refusal.is_final()
        {
            return Err(refusal.into());
        }
        Ok(Turn::Listen)
    }

    /// Passes on what an operation brought forth.
    fn tell(&mut self, id: &str, piece: Option<Piece>) -> Turned {
        #[derive(Serialize)]
        struct Told<'a, T> {
            #[serde(rename = "type")]
            kind: &'static str,
            id: &'a str,
            payload: T,
        }
        let text = match piece {
            Some(Piece::Result(answer)) => text_of(&Told { kind: "next", id, payload: answer.body() }),
            Some(Piece::Failed(answer)) => {
                self.forget(id);
                text_of(&Told { kind: "error", id, payload: answer.errors() })
            }
            Some(Piece::Refused(refusal)) => return Err(refusal.into()),
            None => {
                self.forget(id);
                text_of(&serde_json::json!({ "type": "complete", "id": id }))
            }
        };
        Ok(Turn::Send(text))
    }

    fn forget(&mut self, id: &str) {
        if let Some(operation) = self.operations.remove(id) {
            operation.abort();
        }
    }

    async fn hear(&mut self, message: Message) -> Turned {
        let text = match message {
            Message::Text(text) => text,
            Message::Binary(_) => return Err(Farewell::malformed("Messages are text")),
            // The library answers pings; the loop learns of a close by the end of the stream.
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => return Ok(Turn::Listen),
        };
        let limits = self.caller.as_ref().map(|caller| self.engine.limits(caller).clone());
        match Incoming::read(text.as_bytes(), &limits.unwrap_or_default())? {
            Incoming::Init(payload) => self.begin(&payload).await,
            Incoming::Ping => Ok(Turn::Send(r#"{"type":"pong"}"#.to_owned())),
            Incoming::Pong => Ok(Turn::Listen),
            Incoming::Complete(id) => {
                self.forget(&id);
                Ok(Turn::Listen)
            }
            Incoming::Subscribe(id, call) => self.subscribe(id, call).await,
        }
    }

    async fn begin(&mut self, payload: &message::Fields) -> Turned {
        if self.caller.is_some() {
            return Err(Farewell::new(4429, "Too many initialisation requests"));
        }
        if let Some((name, value)) = init_header(payload)? {
            self.parts.headers.insert(name, value);
        }
        let caller = self.engine.admit(&self.parts).await?;
        self.seats.push(self.engine.seat_for(&caller)?);
        self.caller = Some(caller);
        Ok(Turn::Send(r#"{"type":"connection_ack"}"#.to_owned()))
    }

    async fn subscribe(&mut self, id: String, call: Call) -> Turned {
        if self.caller.is_none() {
            return Err(Farewell::new(4401, "Unauthorized"));
        }
        if self.operations.contains_key(&id) {
            return Err(Farewell::new(4409, clipped(format!("Subscriber for {id} already exists"))));
        }
        // A mutation goes on after the client has cancelled it, and counts until it has ended.
        let place = Arc::clone(&self.places).try_acquire_owned().ok();
        if self.operations.len() >= MOST_OPERATIONS || place.is_none() {
            let message = format!("At most {MOST_OPERATIONS} operations at once on one connection.");
            let fault = Fault::graphql(Code::LimitExceeded, message);
            return self.tell(&id, Some(Piece::Failed(Answer::refused(fault))));
        }
        // As they are now: what they may do can have changed since the socket was opened.
        let caller = self.engine.admit(&self.parts).await?;
        let pieces = match prepare(&self.engine, &caller, call, Operations::All) {
            Ok(prepared) => {
                let kept = Kept { hold: self.hold.clone(), operation: place };
                run::pieces(self.engine.clone(), caller, prepared, kept)
            }
            Err(fault) => stream::iter([Piece::Failed(Answer::refused(fault))]).boxed(),
        };
        let tag = id.clone();
        let end = (id.clone(), None);
        let tagged = pieces.map(move |piece| (tag.clone(), Some(piece))).chain(stream::iter([end]));
        let (tagged, handle) = stream::abortable(tagged);
        self.results.push(tagged.boxed());
        self.operations.insert(id, handle);
        Ok(Turn::Listen)
    }
}

fn put_off(alarm: std::pin::Pin<&mut Sleep>, by: Duration) {
    #[expect(clippy::disallowed_methods, reason = "an alarm of the runtime, which counts by its own clock")]
    let from = Instant::now();
    alarm.reset(from + by);
}

fn text_of(message: &impl Serialize) -> String {
    let json = written::to_vec(message, 0).map_err(|error| error.to_string());
    let text = json.and_then(|json| String::from_utf8(json).map_err(|error| error.to_string()));
    text.unwrap_or_else(|error| {
        tracing::error!(error, "a message could not be written");
        r#"{"type":"ping"}"#.to_owned()
    })
}

/// A frame that the library refuses: too long, or against the protocol.
fn unreadable(error: &axum::Error) -> Farewell {
    tracing::debug!(%error, "a WebSocket message could not be read");
    Farewell::new(1009, "The message is too large, or none")
}

/// The reason in a close frame has 123 bytes at most.
fn clipped(mut reason: String) -> String {
    reason.truncate(reason.floor_char_boundary(120));
    reason
}

async fn close(socket: &mut WebSocket, farewell: Farewell) {
    let Farewell { code, reason } = farewell;
    let frame = CloseFrame { code, reason: clipped(reason.into_owned()).into() };
    let parting = async {
        if socket.send(Message::Close(Some(frame))).await.is_ok() {
            // A connection that is cut while the client still sends is reset, and the client never learns why.
            while let Some(Ok(_)) = socket.recv().await {}
        }
    };
    let _ = timeout(FAREWELL, parting).await;
}
