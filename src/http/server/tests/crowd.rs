//! More connections than there are places, and connections that come when the service is about to stop.

use std::net::{IpAddr, Ipv4Addr};

use axum::http::StatusCode;
use tokio::net::TcpSocket;

use super::*;

/// No clock runs out in these tests.
fn patient(connections: Bounds) -> Pace {
    let long = Duration::from_mins(5);
    Pace {
        connections,
        first_head: long,
        last_head: long,
        idle: long,
        request: long,
        write_pause: long,
        ..quick()
    }
}

const HELLO: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const STUCK: &str = "GET /stuck HTTP/1.1\r\nHost: x\r\n\r\n";

impl Server {
    /// A connection from another address of this machine.
    async fn connect_from(&self, last: u8) -> TcpStream {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0))).expect("an address");
        socket.connect(self.address).await.expect("a connection")
    }

    /// A connection with a request that is never answered, once the request is under way.
    async fn busy_from(&self, last: u8) -> TcpStream {
        let mut stream = self.connect_from(last).await;
        stream.write_all(STUCK.as_bytes()).await.expect("written");
        self.settle().await;
        stream
    }

    /// Until the server has seen everything that was sent so far.
    async fn settle(&self) {
        sleep(millis(150)).await;
    }
}

async fn ask(stream: &mut TcpStream, text: &str) -> String {
    stream.write_all(text.as_bytes()).await.expect("written");
    read_one(stream).await
}

/// Whether the server has closed it.
async fn is_closed(stream: &mut TcpStream) -> bool {
    matches!(timeout(millis(500), stream.read(&mut [0; 64])).await, Ok(Ok(0) | Err(_)))
}

#[tokio::test]
async fn a_silent_connection_makes_room_for_one_that_asks() {
    let server = start(patient(bounds(2))).await;
    let mut first = server.connect().await;
    server.settle().await;
    let mut second = server.connect().await;
    server.settle().await;
    assert!(server.get("/").await.ends_with("hello"));
    assert!(is_closed(&mut first).await, "the longest silent one leaves");
    assert!(ask(&mut second, HELLO).await.ends_with("hello"), "and no other");
}

#[tokio::test]
async fn the_longest_idle_leaves_and_not_the_oldest() {
    let server = start(patient(bounds(2))).await;
    let mut old = server.connect().await;
    assert!(ask(&mut old, HELLO).await.ends_with("hello"));
    let mut idle = server.connect().await;
    assert!(ask(&mut idle, HELLO).await.ends_with("hello"));
    assert!(ask(&mut old, HELLO).await.ends_with("hello"));
    server.settle().await;
    assert!(server.get("/").await.ends_with("hello"));
    assert!(is_closed(&mut idle).await);
    assert!(ask(&mut old, HELLO).await.ends_with("hello"));
}

#[tokio::test]
async fn a_thousand_silent_connections_keep_nobody_out() {
    let server = start(patient(bounds(100))).await;
    let mut silent = Vec::new();
    for number in 0..1_000 {
        silent.push(server.connect().await);
        if number % 100 == 99 {
            assert!(server.get("/").await.ends_with("hello"));
            assert!(server.get("/health/live").await.ends_with("alive"));
        }
    }
}

#[tokio::test]
async fn a_request_under_way_is_not_closed_for_others() {
    let server = start(patient(bounds(1))).await;
    let mut busy = server.connect().await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("written");
    server.settle().await;
    let others: Vec<_> = [server.connect().await, server.connect().await].into();
    assert!(read_one(&mut busy).await.ends_with("slow"));
    drop(others);
}

#[tokio::test]
async fn health_is_told_though_every_place_is_busy_and_others_are_told_when_to_come_back() {
    let server = start(patient(bounds(2))).await;
    let busy = [server.busy_from(1).await, server.busy_from(2).await];
    // Silent ones have the spare places, too; and more of them than there are.
    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(server.connect_from(3).await);
    }
    let health = server.get("/health/live").await;
    assert!(health.starts_with("HTTP/1.1 200") && health.ends_with("alive"), "{health}");
    assert!(health.contains("connection: close"), "{health}");
    let other = server.get("/").await;
    assert!(other.starts_with("HTTP/1.1 503") && other.contains("retry-after: 2"), "{other}");
    assert!(other.contains(r#""code":"OVERLOADED""#), "{other}");
    drop(busy);
    server.settle().await;
    assert!(server.get("/").await.ends_with("hello"));
}

#[tokio::test]
async fn one_address_holds_no_more_than_its_share() {
    let share = Bounds { all: 100, per_address: 2, proxies: vec!["127.0.0.9".parse().expect("a network")] };
    let server = start(patient(share)).await;
    let busy = [server.busy_from(2).await, server.busy_from(2).await];
    let refused = ask(&mut server.connect_from(2).await, HELLO).await;
    assert!(refused.starts_with("HTTP/1.1 429") && refused.contains("retry-after: 2"), "{refused}");
    assert!(ask(&mut server.connect_from(3).await, HELLO).await.ends_with("hello"), "others have theirs");
    let proxied = [server.busy_from(9).await, server.busy_from(9).await, server.busy_from(9).await];
    assert!(
        ask(&mut server.connect_from(9).await, HELLO).await.ends_with("hello"),
        "a proxy brings everybody"
    );
    drop((busy, proxied));
}

#[tokio::test]
async fn an_address_at_its_bound_closes_its_own_idle_connections_first() {
    let server = start(patient(Bounds { per_address: 2, ..bounds(100) })).await;
    let mut other = server.connect_from(3).await;
    assert!(ask(&mut other, HELLO).await.ends_with("hello"));
    let mut silent = [server.connect_from(2).await, server.connect_from(2).await];
    server.settle().await;
    assert!(ask(&mut server.connect_from(2).await, HELLO).await.ends_with("hello"));
    assert!(is_closed(&mut silent[0]).await);
    assert!(ask(&mut other, HELLO).await.ends_with("hello"), "nobody else's");
}

#[test]
fn places_are_free_again_when_they_are_left_and_nobody_is_remembered() {
    let ip = IpAddr::from([192, 0, 2, 1]);
    let places = Places::new(Bounds { per_address: 2, ..bounds(3) });
    let socket = Arc::new(places.take(ip).expect("a place"));
    let talking = Busy::with(&socket);
    let second = Arc::new(places.take(ip).expect("a place"));
    let asked = Busy::with(&second);
    assert_eq!(places.take(ip).expect("a spare place").kind(), Kind::Spare(Shortage::Address));
    drop(asked);
    let third = places.take(ip).expect("the place of the idle one");
    assert_eq!(third.kind(), Kind::Regular);
    assert!(socket.is_busy(), "where something is under way, the place is kept");
    let more = Busy::with(&socket);
    drop(talking);
    assert!(socket.is_busy(), "until all of it has ended");
    drop(more);
    assert!(!socket.is_busy());
    drop((socket, second, third));
    for _ in 0..100 {
        assert_eq!(places.take(ip).expect("a place").kind(), Kind::Regular);
    }
    let places = Places::new(Bounds { all: 0, ..bounds(1) });
    let spare: Vec<_> = (0..100).map(|_| places.take(ip)).collect();
    assert!(spare.iter().flatten().all(|place| place.kind() == Kind::Spare(Shortage::All)));
}

#[tokio::test]
async fn who_has_connected_before_the_stop_is_answered() {
    let server = start(patient(bounds(1_000))).await;
    server.settle().await;
    // The server runs on this very thread: nothing of this is accepted before the stop.
    let mut waiting: Vec<_> = (0..100)
        .map(|_| {
            let mut stream = std::net::TcpStream::connect(server.address).expect("a connection");
            io::Write::write_all(&mut stream, HELLO.as_bytes()).expect("written");
            stream.set_nonblocking(true).expect("a mode");
            TcpStream::from_std(stream).expect("a stream")
        })
        .collect();
    server.stop.cancel();
    for stream in &mut waiting {
        let answer = read_to_end(stream).await;
        assert!(answer.ends_with("hello") && answer.contains("connection: close"), "{answer:?}");
    }
    timeout(Duration::from_secs(5), server.task).await.expect("it returns").expect("in order");
}

#[tokio::test]
async fn a_request_that_is_on_its_way_at_the_stop_is_answered() {
    let server = start(Pace { last_head: Duration::from_secs(2), ..patient(bounds(10)) }).await;
    let mut late = server.connect().await;
    let silent = server.connect().await;
    server.settle().await;
    server.stop.cancel();
    server.settle().await;
    let answer = ask(&mut late, HELLO).await;
    assert!(answer.ends_with("hello") && answer.contains("connection: close"), "{answer:?}");
    timeout(Duration::from_secs(5), server.task).await.expect("it returns").expect("in order");
    drop(silent);
}

#[tokio::test]
async fn refusals_have_the_form_of_every_other_error() {
    for (shortage, status) in
        [(Shortage::All, StatusCode::SERVICE_UNAVAILABLE), (Shortage::Address, StatusCode::TOO_MANY_REQUESTS)]
    {
        let response = turned_away(shortage);
        assert_eq!(response.status(), status);
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert!(body["errors"][0]["extensions"]["code"].is_string(), "{body}");
    }
}
