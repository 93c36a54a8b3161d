//! Streams as a client sees them: over a WebSocket, as events, in parts.

use std::net::SocketAddr;

use futures_util::SinkExt;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::http::server::{Bounds, Pace, serve};

struct Served {
    address: SocketAddr,
    engine: Small,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

async fn start(pace: Pace) -> Served {
    let engine = Small::new();
    let app = Router::new().route("/graphql", any(handle::<Small>)).with_state(engine.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let stop = CancellationToken::new();
    let task = tokio::spawn(serve(listener, app, pace, stop.clone()));
    Served { address, engine, stop, task }
}

struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Served {
    async fn try_socket(&self, headers: &[(&'static str, &'static str)]) -> Result<Socket, u16> {
        let mut request = format!("ws://{}/graphql", self.address).into_client_request().expect("a request");
        for (name, value) in headers {
            request.headers_mut().insert(*name, axum::http::HeaderValue::from_static(value));
        }
        match connect_async(request).await {
            Ok((socket, _)) => Ok(Socket(socket)),
            Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    async fn socket(&self) -> Socket {
        self.try_socket(&[("sec-websocket-protocol", "graphql-transport-ws")]).await.expect("a socket")
    }

    async fn begun(&self, token: &str) -> Socket {
        let mut socket = self.socket().await;
        socket.say(&json!({ "type": "connection_init", "payload": { "Authorization": token } })).await;
        assert_eq!(socket.hear().await, Ok(json!({ "type": "connection_ack" })));
        socket
    }
}

impl Socket {
    async fn say(&mut self, message: &Json) {
        self.0.send(Message::text(message.to_string())).await.expect("sent");
    }

    async fn subscribe(&mut self, id: &str, query: &str) {
        self.say(&json!({ "type": "subscribe", "id": id, "payload": { "query": query } })).await;
    }

    /// The next message, or the number that the socket was closed with.
    async fn hear(&mut self) -> Result<Json, u16> {
        loop {
            let next = timeout(Duration::from_secs(5), self.0.next()).await.expect("in time");
            match next {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).expect("JSON")),
                Some(Ok(Message::Close(Some(frame)))) => return Err(frame.code.into()),
                Some(Ok(Message::Close(None)) | Err(_)) | None => return Err(0),
                Some(Ok(_)) => {}
            }
        }
    }
}

#[tokio::test]
async fn one_socket_carries_many_operations() {
    let served = start(Pace::default()).await;
    let mut socket = served.begun("Bearer good").await;
    socket.subscribe("a", "subscription { count(to: 2) }").await;
    socket.subscribe("b", "{ caller }").await;
    socket.subscribe("c", "mutation { bump }").await;
    let mut heard = Vec::new();
    while heard.len() < 7 {
        heard.push(socket.hear().await.expect("a message"));
    }
    let of = |id: &str| heard.iter().filter(|it| it["id"] == id).cloned().collect::<Vec<_>>();
    let next = |id: &str, data: Json| json!({ "type": "next", "id": id, "payload": { "data": data } });
    let end = |id: &str| json!({ "type": "complete", "id": id });
    assert_eq!(of("a"), [next("a", json!({ "count": 1 })), next("a", json!({ "count": 2 })), end("a")]);
    assert_eq!(of("b"), [next("b", json!({ "caller": "somebody" })), end("b")]);
    assert_eq!(of("c"), [next("c", json!({ "bump": 1 })), end("c")]);
}

#[tokio::test]
async fn what_cannot_begin_or_breaks_is_an_error_and_harms_nothing_else() {
    let served = start(Pace::default()).await;
    let mut socket = served.begun("Bearer good").await;
    let deep = format!("subscription {{ {} }}", "{".repeat(100));
    for (query, code) in [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ nope }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { closed }", "FORBIDDEN"),
        ("subscription { __typename }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { count(to: 1) silence }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { ... { silence } }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { silence @skip(if: true) }", "GRAPHQL_VALIDATION_FAILED"),
        (deep.as_str(), "LIMIT_EXCEEDED"),
    ] {
        socket.subscribe("x", query).await;
        let heard = socket.hear().await.expect("a message");
        assert_eq!((&heard["type"], &heard["id"]), (&json!("error"), &json!("x")), "{query}");
        assert_eq!(heard["payload"][0]["extensions"]["code"], code, "{heard}");
    }
    socket.subscribe("x", "subscription { breaks }").await;
    assert_eq!(socket.hear().await.expect("a message")["payload"]["data"], json!({ "breaks": 1 }));
    let heard = socket.hear().await.expect("a message");
    assert_eq!(
        (&heard["type"], &heard["payload"][0]["extensions"]["code"]),
        (&json!("error"), &json!("INTERNAL"))
    );
    socket.subscribe("x", "{ hello }").await;
    assert_eq!(socket.hear().await.expect("a message")["payload"]["data"], json!({ "hello": "world" }));
}

#[tokio::test]
async fn a_dead_token_opens_nothing_and_one_that_dies_closes_everything() {
    let served = start(Pace::default()).await;
    for dead in ["Bearer old", "good", "\n"] {
        let mut socket = served.socket().await;
        socket.say(&json!({ "type": "connection_init", "payload": { "authorization": dead } })).await;
        assert_eq!(socket.hear().await, Err(4403), "{dead:?}");
    }
    let (mut quiet, mut stranger) = (served.begun("Bearer good").await, served.socket().await);
    stranger.say(&json!({ "type": "connection_init" })).await;
    assert_eq!(stranger.hear().await, Ok(json!({ "type": "connection_ack" })));
    quiet.subscribe("x", "subscription { silence }").await;
    served.engine.ended.store(true, Ordering::SeqCst);
    assert_eq!(quiet.hear().await, Err(4403));
    stranger.subscribe("x", "{ caller }").await;
    assert_eq!(stranger.hear().await.expect("a message")["payload"]["data"], json!({ "caller": "nobody" }));
}

#[tokio::test]
async fn sockets_are_opened_for_our_pages_and_our_protocol_only() {
    let served = start(Pace::default()).await;
    let protocol = ("sec-websocket-protocol", "graphql-transport-ws");
    assert_eq!(served.try_socket(&[protocol, ("origin", "https://evil.example")]).await.err(), Some(403));
    assert_eq!(served.try_socket(&[protocol, ("origin", "null")]).await.err(), Some(403));
    assert!(served.try_socket(&[protocol, ("origin", "https://ours.example")]).await.is_ok());
    for other in ["graphql-ws", "nope"] {
        assert_eq!(served.try_socket(&[("sec-websocket-protocol", other)]).await.err(), Some(400));
    }
    assert_eq!(served.try_socket(&[]).await.err(), Some(400));
}

#[tokio::test]
async fn one_socket_holds_only_so_much() {
    let served = start(Pace::default()).await;
    let mut socket = served.begun("Bearer good").await;
    for n in 0..50 {
        socket.subscribe(&n.to_string(), "subscription { silence }").await;
    }
    socket.subscribe("more", "subscription { silence }").await;
    let heard = socket.hear().await.expect("a message");
    assert_eq!(
        (&heard["id"], &heard["payload"][0]["extensions"]["code"]),
        (&json!("more"), &json!("LIMIT_EXCEEDED"))
    );
    socket.say(&json!({ "type": "complete", "id": "7" })).await;
    socket.subscribe("more", "{ hello }").await;
    assert_eq!(socket.hear().await.expect("a message")["type"], "next");
    for nonsense in [
        json!([]),
        json!({ "type": "subscribe", "id": 7, "payload": { "query": "{hello}" } }),
        json!({ "type": "subscribe", "id": "x", "payload": { "query": 7 } }),
        json!({ "type": "subscribe", "id": "x".repeat(1000), "payload": { "query": "{hello}" } }),
        json!({ "type": "ping", "payload": 7 }),
        json!({ "type": "connection_ack" }),
    ] {
        let mut socket = served.begun("Bearer good").await;
        socket.say(&nonsense).await;
        assert_eq!(socket.hear().await, Err(4400), "{nonsense}");
    }
    let mut socket = served.begun("Bearer good").await;
    let _ = socket.0.send(Message::text("x".repeat(2 * 1024 * 1024))).await;
    assert!(socket.hear().await.is_err());
}

#[tokio::test]
async fn stopping_closes_every_stream_and_waits_for_none() {
    let pace =
        Pace { first_head: Duration::from_millis(300), idle: Duration::from_millis(300), ..Pace::default() };
    let served = start(pace).await;
    let mut socket = served.begun("Bearer good").await;
    socket.subscribe("x", "subscription { silence }").await;
    let url = format!("http://{}/graphql", served.address);
    let events = tokio::spawn(read_all(url.clone(), "text/event-stream"));
    let parts = tokio::spawn(read_all(url, "multipart/mixed;subscriptionSpec=1.0"));
    // Longer than any clock of an ordinary request: none of them cuts a stream.
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert!(!served.task.is_finished() && !events.is_finished() && !parts.is_finished());
    served.stop.cancel();
    assert_eq!(socket.hear().await, Err(1001));
    let (events, parts) = (events.await.expect("events"), parts.await.expect("parts"));
    assert!(events.contains("UNAVAILABLE") && events.contains("event: complete"), "{events}");
    assert!(parts.contains("\"payload\":null") && parts.contains("--graphql--"), "{parts}");
    drop(socket);
    timeout(Duration::from_secs(4), served.task).await.expect("it returns").expect("in order");
}

#[tokio::test]
async fn a_socket_keeps_its_place_among_the_connections() {
    let one = Bounds { all: 1, per_address: 1, proxies: Vec::new() };
    let served = start(Pace { connections: one, ..Pace::default() }).await;
    let socket = served.begun("Bearer good").await;
    let full = ask(&served.address.to_string()).await;
    assert!(
        full.starts_with("HTTP/1.1 429") || full.starts_with("HTTP/1.1 503"),
        "the place is taken: {full}"
    );
    drop(socket);
    let free = async { while !ask(&served.address.to_string()).await.starts_with("HTTP/1.1 200") {} };
    timeout(Duration::from_secs(5), free).await.expect("the place is free again");
}

/// Asks for nothing much, on a connection of its own.
async fn ask(address: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let head = "GET /graphql?query=%7B__typename%7D HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("written");
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    answer
}

/// Follows silence, and reads what comes until the end.
async fn read_all(url: String, accept: &'static str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let address = url.trim_start_matches("http://").trim_end_matches("/graphql");
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let body = json!({ "query": "subscription { silence }" }).to_string();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("read");
    answer
}

async fn body_of(accept: &str, query: &str) -> (u16, String, String) {
    let headers = [("content-type", "application/json"), ("accept", accept)];
    let app = Router::new().route("/graphql", any(handle::<Small>)).with_state(Small::new());
    let request = request("POST", "/graphql", &headers, json!({ "query": query }).to_string());
    let response = app.oneshot(request).await.expect("an answer");
    let kind = response.headers()["content-type"].to_str().expect("text").to_owned();
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
    (status, kind, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn events_come_one_by_one_and_end_with_complete() {
    let (status, kind, body) = body_of("text/event-stream", "subscription { count(to: 2) }").await;
    assert_eq!((status, kind.as_str()), (200, "text/event-stream; charset=utf-8"));
    let next = |n| format!("event: next\ndata: {{\"data\":{{\"count\":{n}}}}}\n\n");
    assert_eq!(body, format!(":\n\n{}{}event: complete\ndata:\n\n", next(1), next(2)));
    let (_, _, body) = body_of("text/event-stream", "subscription { breaks }").await;
    assert!(body.contains("INTERNAL") && body.ends_with("event: complete\ndata:\n\n"), "{body}");
    let (status, _, body) = body_of("text/event-stream", "{ nope }").await;
    assert_eq!(status, 200);
    assert!(body.contains("GRAPHQL_VALIDATION_FAILED") && body.contains("event: complete"), "{body}");
    // Who reads JSON, too, gets it where nothing streams.
    let (_, kind, _) = body_of("text/event-stream, application/json", "{ hello }").await;
    assert_eq!(kind, "application/json; charset=utf-8");
}

#[tokio::test]
async fn parts_come_as_apollo_s_protocol_has_them() {
    let accept = "multipart/mixed;boundary=\"graphql\";subscriptionSpec=1.0,application/json";
    let (status, kind, body) = body_of(accept, "subscription { count(to: 1) }").await;
    assert_eq!((status, kind.as_str()), (200, "multipart/mixed;boundary=\"graphql\";subscriptionSpec=1.0"));
    let part = |json: &str| format!("\r\ncontent-type: application/json\r\n\r\n{json}\r\n--graphql");
    let payload = part("{\"payload\":{\"data\":{\"count\":1}}}");
    assert_eq!(body, format!("\r\n--graphql{}{payload}--\r\n", part("{}")));
    let (_, kind, body) = body_of(accept, "subscription { nope }").await;
    assert!(body.contains("GRAPHQL_VALIDATION_FAILED"), "{kind} {body}");
    // Other multipart answers are none of ours.
    let (status, ..) = body_of("multipart/mixed;deferSpec=20220824", "{ hello }").await;
    assert_eq!(status, 406);
}
