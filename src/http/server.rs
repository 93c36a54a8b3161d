//! The accept loop: connections, the clocks that run on each, and the way out.
//!
//! A client that is slow, silent or gone costs a place in a bounded number of connections, for a bounded time, and
//! nothing else: there is a clock on the head of a request, on its body, on its answer, and on silence in between; and where
//! places run out, silence ends at once (ADR 0069).

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{
        HeaderValue, StatusCode,
        header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER},
    },
    response::Response,
};
use futures_util::FutureExt;
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::{Service, ServiceExt as _};

mod answer;
mod hold;
mod pace;
mod places;

use answer::Answer;
pub use hold::Hold;
use pace::{PacedBody, PacedStream};
pub use places::Bounds;
use places::{Busy, Kind, Place, Places, Shortage};

/// How long anything may take, and how much of it there may be.
#[derive(Clone, Debug)]
pub struct Pace {
    pub connections: Bounds,
    /// From the connection to the end of its first request's head.
    pub first_head: Duration,
    /// The same where the connection has a spare place, or came when the service was already stopping.
    pub last_head: Duration,
    /// From one answer to the end of the next request's head. Longer than the 60 s for which the usual load balancers
    /// keep a silent connection, or they send requests into connections that are closing.
    pub idle: Duration,
    /// Between two pieces of a body.
    pub body_pause: Duration,
    /// From the head to the end of the body.
    pub body: Duration,
    /// From the head to the beginning of the answer.
    pub request: Duration,
    /// How long a client may take nothing of an answer.
    pub write_pause: Duration,
    /// From the signal to stop until what still runs is cut. Under the 10 s that orchestrators grant, by a margin for
    /// what is put away afterwards.
    pub shutdown: Duration,
    /// Bytes of a request's head.
    pub head_bytes: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            connections: Bounds { all: 4_096, per_address: 1_024, proxies: Vec::new() },
            first_head: Duration::from_secs(10),
            last_head: Duration::from_secs(1),
            idle: Duration::from_secs(75),
            body_pause: Duration::from_secs(5),
            body: Duration::from_secs(20),
            request: Duration::from_secs(30),
            write_pause: Duration::from_secs(20),
            shutdown: Duration::from_millis(6_500),
            head_bytes: 64 * 1024,
        }
    }
}

/// Whatever answers every request.
pub trait Answers:
    Service<Request<Body>, Response = Response, Error = Infallible, Future: Send> + Clone + Send + Sync + 'static
{
}

impl<S> Answers for S where
    S: Service<Request<Body>, Response = Response, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// How long the kernel's backlog must be empty before nobody is expected there any more.
const BACKLOG_PAUSE: Duration = Duration::from_millis(50);
/// How long what was cut may take to end.
const CUT: Duration = Duration::from_millis(500);
/// How long connections are taken after the signal to stop, however many there are.
const BACKLOG: Duration = Duration::from_secs(1);

/// Serves until the token is cancelled. Then it answers who has connected before, lets requests in flight finish, and returns
/// when they have, or when their time is up.
pub async fn serve<S: Answers>(listener: TcpListener, service: S, pace: Pace, stop: CancellationToken) {
    let connections = TaskTracker::new();
    let cut = CancellationToken::new();
    let places = Places::new(pace.connections.clone());
    let pace = Arc::new(pace);
    let begin = |(stream, peer): (TcpStream, SocketAddr)| {
        let Some(taken) = places.take(peer.ip()) else { return };
        let hold = Hold {
            stop: stop.clone(),
            cut: cut.clone(),
            place: Some(Arc::new(taken)),
            busy: None,
            tracked: Some(connections.token()),
        };
        let connection = Connection { peer, service: service.clone(), pace: Arc::clone(&pace), hold };
        let cut = cut.clone();
        tokio::spawn(async move {
            cut.run_until_cancelled(connection.serve(stream)).await;
        });
    };
    while let Some(connection) = stop.run_until_cancelled(next_connection(&listener)).await {
        begin(connection);
    }
    // Their clients have connected, and sent perhaps: to close the listener now would answer them with a reset.
    let _ = timeout(BACKLOG, async {
        while let Ok(connection) = timeout(BACKLOG_PAUSE, next_connection(&listener)).await {
            begin(connection);
        }
    })
    .await;
    drop(listener);
    connections.close();
    if timeout(pace.shutdown, connections.wait()).await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            "requests were cut: they took longer than the shutdown may"
        );
        cut.cancel();
        // What is cut ends at its next wait.
        let _ = timeout(CUT, connections.wait()).await;
    }
}

async fn next_connection(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(connection) => return connection,
            Err(error) => wait_after(&error).await,
        }
    }
}

/// Without file descriptors every attempt to accept fails at once: a pause leaves time for others to be closed.
async fn wait_after(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        tracing::error!(%error, "no connection could be accepted");
        sleep(Duration::from_millis(100)).await;
    }
}

struct Connection<S> {
    peer: SocketAddr,
    service: S,
    pace: Arc<Pace>,
    hold: Hold,
}

impl<S: Answers> Connection<S> {
    async fn serve(self, stream: TcpStream) {
        let Some(place) = self.hold.place.clone() else { return };
        // An answer is written in one piece: waiting for more of it would only delay it.
        let _ = stream.set_nodelay(true);
        let asked = AtomicBool::new(false);
        keep_an_eye_on(&stream);
        let service = service_fn(|request: Request<Incoming>| {
            asked.store(true, Ordering::Relaxed);
            self.answer(Arc::new(Busy::with(&place)), request)
        });
        let stream = PacedStream::new(stream, self.pace.write_pause, Arc::clone(&place));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.pace.idle)
            .max_buf_size(self.pace.head_bytes)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut connection = pin!(connection);
        let regular = place.kind() == Kind::Regular;
        let mut first_head = pin!(sleep(if regular { self.pace.first_head } else { self.pace.last_head }));
        let mut waits_for_head = true;
        let (mut stopping, mut leaving) = (false, false);
        loop {
            tokio::select! {
                // First: what a client has sent by now, it gets an answer to.
                biased;
                ended = &mut connection => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, peer = %self.peer, "a connection ended early");
                    }
                    return;
                }
                () = place.lost(), if !leaving => {
                    if !place.is_busy() {
                        return;
                    }
                    leaving = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = &mut first_head, if waits_for_head => {
                    if !asked.load(Ordering::Relaxed) {
                        return;
                    }
                    waits_for_head = false;
                }
                () = self.hold.stop.cancelled(), if !stopping => {
                    stopping = true;
                    if asked.load(Ordering::Relaxed) {
                        connection.as_mut().graceful_shutdown();
                    } else if regular {
                        // Its request may be on its way, and gets an answer that says goodbye.
                        first_head.set(sleep(self.pace.last_head));
                    }
                }
            }
        }
    }

    async fn answer(
        &self,
        busy: Arc<Busy>,
        mut request: Request<Incoming>,
    ) -> Result<Response<Answer>, Infallible> {
        let shortage = match self.hold.place.as_ref().map(|place| place.kind()) {
            Some(Kind::Spare(shortage)) if !is_health_check(&request) => Some(shortage),
            _ => None,
        };
        let spare = self.hold.place.as_ref().is_some_and(|place| place.kind() != Kind::Regular);
        let mut response = if let Some(shortage) = shortage {
            turned_away(shortage)
        } else {
            request.extensions_mut().insert(Hold { busy: Some(Arc::clone(&busy)), ..self.hold.clone() });
            answer(self.service.clone(), self.peer, &self.pace, request).await
        };
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            // What it goes on as holds it for itself.
            return Ok(response.map(|body| Answer::new(body, None)));
        }
        if spare || self.hold.stop.is_cancelled() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response.map(|body| Answer::new(body, Some(busy))))
    }
}

/// What an orchestrator asks, and restarts the service without an answer.
fn is_health_check(request: &Request<Incoming>) -> bool {
    request.uri().path().starts_with("/health/")
}

fn turned_away(shortage: Shortage) -> Response {
    let (status, code, message) = match shortage {
        Shortage::All => {
            (StatusCode::SERVICE_UNAVAILABLE, "OVERLOADED", "Too much is asked of the service at the moment.")
        }
        Shortage::Address => (
            StatusCode::TOO_MANY_REQUESTS,
            "RATE_LIMITED",
            "Too many connections are open from where you are: close some.",
        ),
    };
    let mut response = plain_error(status, code, message);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("2"));
    response
}

/// What a peer that is gone was sent, it never acknowledges. An event now and then would take hours to fill the buffer that
/// the clock on writing watches; the kernel gives up on the connection after this time.
#[cfg(target_os = "linux")]
fn keep_an_eye_on(stream: &TcpStream) {
    let _ = socket2::SockRef::from(stream).set_tcp_user_timeout(Some(Duration::from_mins(1)));
}

#[cfg(not(target_os = "linux"))]
fn keep_an_eye_on(_: &TcpStream) {}

async fn answer(
    service: impl Answers,
    peer: SocketAddr,
    pace: &Pace,
    request: Request<Incoming>,
) -> Response {
    let mut request = request.map(|body| Body::new(PacedBody::new(body, pace.body_pause, pace.body)));
    request.extensions_mut().insert(ConnectInfo(peer));
    // A panic is a bug of ours; it takes nobody else's request with it, and this one gets its answer.
    let answered = timeout(pace.request, AssertUnwindSafe(service.oneshot(request)).catch_unwind()).await;
    match answered {
        Ok(Ok(Ok(response))) => response,
        Ok(Err(_)) => {
            tracing::error!("a request panicked");
            plain_error(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "Something went wrong on our side.")
        }
        Err(_) => {
            tracing::warn!("a request took too long");
            let mut response = plain_error(
                StatusCode::SERVICE_UNAVAILABLE,
                "UNAVAILABLE",
                "This takes too long at the moment.",
            );
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            response
        }
    }
}

fn plain_error(status: StatusCode, code: &str, message: &str) -> Response {
    let body = format!(r#"{{"errors":[{{"message":"{message}","extensions":{{"code":"{code}"}}}}]}}"#);
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests;
