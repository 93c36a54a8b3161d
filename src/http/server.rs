//! The accept loop: connections, the clocks that run on each, and the way out.
//!
//! A client that is slow, silent or gone costs a place in a bounded number of connections, for a bounded time, and
//! nothing else: there is a clock on the head of a request, on its body, on its answer, and on silence in between.

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
        header::{CONTENT_TYPE, RETRY_AFTER},
    },
    response::Response,
};
use futures_util::FutureExt;
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::{Service, ServiceExt as _};

mod hold;
mod pace;

pub use hold::Hold;
use pace::{PacedBody, PacedStream};

/// How long anything may take, and how much of it there may be.
#[derive(Clone, Debug)]
pub struct Pace {
    /// Connections beyond this wait in the kernel's backlog.
    pub connections: usize,
    /// From the connection to the end of its first request's head.
    pub first_head: Duration,
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
            connections: 4_096,
            first_head: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            body_pause: Duration::from_secs(5),
            body: Duration::from_secs(20),
            request: Duration::from_secs(30),
            write_pause: Duration::from_secs(20),
            shutdown: Duration::from_secs(8),
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

/// Serves until the token is cancelled. Then it accepts no more, lets requests in flight finish, and returns when they
/// have, or when their time is up.
pub async fn serve<S: Answers>(listener: TcpListener, service: S, pace: Pace, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(pace.connections));
    let connections = TaskTracker::new();
    let cut = CancellationToken::new();
    let pace = Arc::new(pace);
    while let Some((place, stream, peer)) = next_connection(&listener, &places, &stop).await {
        let hold = Hold {
            stop: stop.clone(),
            cut: cut.clone(),
            place: Some(Arc::new(place)),
            tracked: Some(connections.token()),
        };
        let connection = Connection { peer, service: service.clone(), pace: Arc::clone(&pace), hold };
        let cut = cut.clone();
        tokio::spawn(async move {
            cut.run_until_cancelled(connection.serve(stream)).await;
        });
    }
    drop(listener);
    connections.close();
    if timeout(pace.shutdown, connections.wait()).await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            "requests were cut: they took longer than the shutdown may"
        );
        cut.cancel();
        connections.wait().await;
    }
}

async fn next_connection(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
    stop: &CancellationToken,
) -> Option<(OwnedSemaphorePermit, TcpStream, SocketAddr)> {
    let next = async {
        let place = Arc::clone(places).acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => return Some((place, stream, peer)),
                Err(error) => wait_after(&error).await,
            }
        }
    };
    stop.run_until_cancelled(next).await.flatten()
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
        // An answer is written in one piece: waiting for more of it would only delay it.
        let _ = stream.set_nodelay(true);
        let asked = AtomicBool::new(false);
        keep_an_eye_on(&stream);
        let service = service_fn(|mut request: Request<Incoming>| {
            asked.store(true, Ordering::Relaxed);
            request.extensions_mut().insert(self.hold.clone());
            answer(self.service.clone(), self.peer, Arc::clone(&self.pace), request)
        });
        let stream = PacedStream::new(stream, self.pace.write_pause);
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.pace.idle)
            .max_buf_size(self.pace.head_bytes)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut connection = pin!(connection);
        let mut first_head = pin!(sleep(self.pace.first_head));
        let mut waits_for_head = true;
        let mut stopping = false;
        loop {
            tokio::select! {
                ended = &mut connection => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, peer = %self.peer, "a connection ended early");
                    }
                    return;
                }
                () = &mut first_head, if waits_for_head => {
                    if !asked.load(Ordering::Relaxed) {
                        return;
                    }
                    waits_for_head = false;
                }
                () = self.hold.stop.cancelled(), if !stopping => {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
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
    pace: Arc<Pace>,
    request: Request<Incoming>,
) -> Result<Response, Infallible> {
    let mut request = request.map(|body| Body::new(PacedBody::new(body, pace.body_pause, pace.body)));
    request.extensions_mut().insert(ConnectInfo(peer));
    // A panic is a bug of ours; it takes nobody else's request with it, and this one gets its answer.
    let answered = timeout(pace.request, AssertUnwindSafe(service.oneshot(request)).catch_unwind()).await;
    Ok(match answered {
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
    })
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
