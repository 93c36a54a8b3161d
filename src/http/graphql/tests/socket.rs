//! The endpoint behind the server: what depends on how bytes arrive.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::http::server::{Pace, serve};

async fn start() -> SocketAddr {
    let app = Router::new().route("/graphql", any(handle::<Small>)).with_state(Small::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let pace = Pace { body_pause: Duration::from_millis(300), ..Pace::default() };
    tokio::spawn(serve(listener, app, pace, CancellationToken::new()));
    address
}

async fn exchange(address: SocketAddr, parts: &[&[u8]]) -> String {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    for part in parts {
        stream.write_all(part).await.expect("written");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut answer = Vec::new();
    let read = timeout(Duration::from_secs(10), stream.read_to_end(&mut answer));
    read.await.expect("in time").expect("read");
    String::from_utf8_lossy(&answer).into_owned()
}

fn head(more: &str) -> String {
    format!(
        "POST /graphql HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n{more}\r\n\r\n"
    )
}

#[tokio::test]
async fn a_body_in_pieces_is_read() {
    let address = start().await;
    let chunked = head("Transfer-Encoding: chunked");
    let answer = exchange(
        address,
        &[chunked.as_bytes(), b"8\r\n{\"query\"\r\n", b"a\r\n:\"{hello}\"\r\n1\r\n}\r\n0\r\n\r\n"],
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("world"), "{answer}");
}

#[tokio::test]
async fn a_body_that_stops_is_408() {
    let address = start().await;
    let answer = exchange(address, &[head("Content-Length: 50").as_bytes(), b"{\"query\""]).await;
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("BAD_REQUEST"), "{answer}");
}

#[tokio::test]
async fn a_body_that_is_too_long_is_413_and_the_client_sees_it() {
    let address = start().await;
    let body = vec![b' '; 4 * request::MAX_BODY];
    let announced = head(&format!("Content-Length: {}", body.len()));
    let answer = exchange(address, &[announced.as_bytes(), &body]).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let answer = exchange(address, &[head("Content-Length: 99999999999").as_bytes()]).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let answer =
        exchange(address, &[head("Content-Length: 2000000\r\nExpect: 100-continue").as_bytes()]).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test]
async fn a_get_as_long_as_a_document_is_read_and_a_longer_one_is_refused() {
    let address = start().await;
    let get = |length: usize| {
        let document = format!("%7Bhello%7D{}", ",".repeat(length));
        format!("GET /graphql?query={document} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    };
    let answer = exchange(address, &[get(40_000).as_bytes()]).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer:.200}");
    let answer = exchange(address, &[get(70_000).as_bytes()]).await;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer:.200}");
}
