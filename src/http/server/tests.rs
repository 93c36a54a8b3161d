//! The server over a real socket, with clocks that run fast.

use axum::{
    Router,
    extract::Request as AxumRequest,
    response::IntoResponse,
    routing::{any, get},
};
use http_body_util::BodyExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::JoinHandle,
};

use super::*;

mod crowd;

struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn bounds(all: usize) -> Bounds {
    Bounds { all, per_address: all, proxies: Vec::new() }
}

/// Short enough for a test, long enough for a busy machine.
fn quick() -> Pace {
    Pace {
        connections: bounds(100),
        first_head: millis(500),
        last_head: millis(500),
        idle: millis(1_500),
        body_pause: millis(500),
        body: millis(1_200),
        request: millis(2_500),
        write_pause: millis(400),
        shutdown: millis(1_500),
        head_bytes: 64 * 1024,
    }
}

async fn slow() -> &'static str {
    sleep(millis(500)).await;
    "slow"
}

async fn stuck() -> &'static str {
    sleep(Duration::from_mins(1)).await;
    "never"
}

async fn bang() -> &'static str {
    panic!("a bug")
}

async fn read(request: AxumRequest) -> Response {
    match request.into_body().collect().await {
        Ok(body) => body.to_bytes().len().to_string().into_response(),
        Err(error) => (StatusCode::REQUEST_TIMEOUT, error.to_string()).into_response(),
    }
}

async fn peer(ConnectInfo(peer): ConnectInfo<SocketAddr>) -> String {
    peer.ip().to_string()
}

async fn start(pace: Pace) -> Server {
    let router = Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/peer", get(peer))
        .route("/health/live", get(|| async { "alive" }))
        .route("/slow", get(slow))
        .route("/stuck", get(stuck))
        .route("/bang", get(bang))
        .route("/read", any(read))
        .route("/large", get(|| async { vec![b'x'; 50_000_000] }));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let stop = CancellationToken::new();
    let task = tokio::spawn(serve(listener, router, pace, stop.clone()));
    Server { address, stop, task }
}

impl Server {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("a connection")
    }

    /// Sends, and reads until the server closes.
    async fn exchange(&self, text: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(text.as_bytes()).await.expect("written");
        read_to_end(&mut stream).await
    }

    async fn get(&self, path: &str) -> String {
        self.exchange(&format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).await
    }
}

async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let ended = timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
    assert!(ended.is_ok(), "the server keeps the connection open");
    String::from_utf8_lossy(&answer).into_owned()
}

/// Reads one answer with a short body and leaves the connection open.
async fn read_one(stream: &mut TcpStream) -> String {
    let mut buffer = [0; 4096];
    let count = stream.read(&mut buffer).await.expect("an answer");
    String::from_utf8_lossy(&buffer[..count]).into_owned()
}

#[tokio::test]
async fn it_serves_and_names_the_peer() {
    let server = start(quick()).await;
    assert!(server.get("/").await.ends_with("hello"));
    assert!(server.get("/peer").await.ends_with("127.0.0.1"));
    assert!(server.get("/none").await.starts_with("HTTP/1.1 404"));
}

#[tokio::test]
async fn a_connection_is_kept_for_the_next_request_but_not_for_ever() {
    let server = start(quick()).await;
    let mut stream = server.connect().await;
    for _ in 0..3 {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("written");
        assert!(read_one(&mut stream).await.ends_with("hello"));
        // Longer than the first head may take: the clock of a request is not that of a connection.
        sleep(millis(400)).await;
    }
    let rest = timeout(millis(5_500), stream.read(&mut [0; 64])).await;
    assert!(matches!(rest, Ok(Ok(0))), "{rest:?}");
}

#[tokio::test]
async fn a_head_that_does_not_come_costs_a_moment() {
    let server = start(quick()).await;
    assert_eq!(server.exchange("").await, "");
    assert_eq!(server.exchange("GET / HTTP/1.1\r\nX-Slow: ").await, "");
    let mut stream = server.connect().await;
    // One byte at a time.
    for byte in "GET / HTTP/1.1\r\nHost: example\r\n".bytes() {
        if stream.write_all(&[byte]).await.is_err() {
            return;
        }
        sleep(millis(50)).await;
    }
    assert!(!matches!(stream.read(&mut [0; 64]).await, Ok(count) if count > 0));
}

#[tokio::test]
async fn a_body_that_trickles_is_cut() {
    let server = start(quick()).await;
    let head = "POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n";
    let mut stream = server.connect().await;
    stream.write_all(head.as_bytes()).await.expect("written");
    let (mut from, mut to) = stream.split();
    let trickle = async {
        while to.write_all(b"x").await.is_ok() {
            sleep(millis(100)).await;
        }
    };
    let mut answer = String::new();
    let answered = async {
        let _ = from.read_to_string(&mut answer).await;
    };
    let ended = timeout(Duration::from_secs(5), async {
        tokio::select! { () = trickle => {}, () = answered => {} }
    });
    assert!(ended.await.is_ok());
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn a_body_that_stops_is_cut_and_one_that_comes_is_read() {
    let server = start(quick()).await;
    let answer = server.exchange("POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc").await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    let body = "POST /read HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc";
    assert!(server.exchange(body).await.ends_with("\r\n\r\n3"));
}

#[tokio::test]
async fn a_client_that_takes_no_answer_loses_its_connection() {
    let server = start(quick()).await;
    let mut greedy = server.connect().await;
    greedy.write_all(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("written");
    // It does not read for longer than it may: what the kernel took for it is all that it gets.
    sleep(millis(1_500)).await;
    assert!(read_to_end(&mut greedy).await.len() < 50_000_000);
}

#[tokio::test]
async fn what_takes_too_long_or_panics_is_answered() {
    let server = start(quick()).await;
    let answer = server.get("/stuck").await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("retry-after: 1"), "{answer}");
    assert!(answer.contains(r#""code":"UNAVAILABLE""#), "{answer}");
    let answer = server.get("/bang").await;
    assert!(answer.starts_with("HTTP/1.1 500") && answer.contains(r#""code":"INTERNAL""#), "{answer}");
    assert!(server.get("/").await.ends_with("hello"));
}

#[tokio::test]
async fn nonsense_and_long_heads_are_refused() {
    let server = start(quick()).await;
    for text in [
        "\0\0\0\0\r\n\r\n",
        "GET\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let answer = server.exchange(text).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(70_000));
    let answer = server.exchange(&long).await;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(1_000));
    assert!(server.exchange(&many).await.starts_with("HTTP/1.1 431"));
}

#[tokio::test]
async fn stopping_lets_requests_finish_and_takes_no_more() {
    let server = start(quick()).await;
    let mut idle = server.connect().await;
    idle.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("written");
    assert!(read_one(&mut idle).await.ends_with("hello"));
    let mut busy = server.connect().await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("written");
    let fresh = server.connect().await;
    sleep(millis(100)).await;
    server.stop.cancel();
    let answer = read_to_end(&mut busy).await;
    assert!(answer.ends_with("slow") && answer.contains("connection: close"), "{answer}");
    timeout(millis(1_400), server.task).await.expect("it returns").expect("in order");
    assert!(TcpStream::connect(server.address).await.is_err());
    assert_eq!(read_to_end(&mut idle).await, "");
    drop(fresh);
}

#[tokio::test]
async fn stopping_does_not_wait_for_ever() {
    let server = start(Pace { request: Duration::from_mins(1), ..quick() }).await;
    let mut stuck = server.connect().await;
    stuck.write_all(b"GET /stuck HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("written");
    sleep(millis(100)).await;
    server.stop.cancel();
    timeout(millis(3_500), server.task).await.expect("it returns").expect("in order");
    assert_eq!(read_to_end(&mut stuck).await, "");
}
