//! How many sockets and streams one caller may keep open.

use std::net::SocketAddr;

use denizen::http::server::{Pace, serve};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest as _},
};
use tokio_util::sync::CancellationToken;

use crate::support::{Backend, Client, Following, World};

const EVENTS: &str = "subscription { events { id } }";

async fn follow(client: &Client) -> Following {
    client.follow(EVENTS, json!({})).await
}

#[tokio::test]
async fn one_user_and_one_address_keep_a_bounded_number_of_streams() {
    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    let bounds = ["--max-streams-per-user", "2", "--max-streams-per-address", "3"];
    let places = ["--trusted-proxies", "203.0.113.0/24", "--router-secret", SECRET];
    let world = World::with(Backend::Sqlite, &[&bounds[..], &places[..]].concat()).await;
    let root = world.superadmin().await;
    let anonymous = world.anonymous();
    let (first, second) = (follow(&root).await, follow(&root).await);
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (200, 200));
    // Wherever they come from, they are one user.
    let elsewhere = root.with_header("x-forwarded-for", "198.51.100.4");
    assert_eq!(follow(&elsewhere).await.status, 429);
    let third = follow(&anonymous).await;
    assert_eq!(third.status, 200);
    assert_eq!(follow(&anonymous).await.status, 429);
    assert_eq!(follow(&anonymous.with_header("x-forwarded-for", "198.51.100.4")).await.status, 200);
    let router = anonymous.with_header("x-router-secret", SECRET);
    let many = [follow(&router).await, follow(&router).await, follow(&router).await, follow(&router).await];
    assert!(many.iter().all(|it| it.status == 200));
    // What is asked and answered at once is no stream.
    assert_eq!(root.run("{ __typename }").await.ok("/__typename"), "Query");
    drop(first);
    let again = follow(&root).await;
    assert_eq!(again.status, 200);
    drop((second, third, again));
}

type Socket = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

async fn open(address: SocketAddr) -> Result<Socket, Error> {
    let mut request = format!("ws://{address}/graphql").into_client_request().expect("a request");
    let protocol = "graphql-transport-ws".parse().expect("a header");
    request.headers_mut().insert("sec-websocket-protocol", protocol);
    connect_async(request).await.map(|(socket, _)| socket)
}

async fn begin(address: SocketAddr, token: &str) -> (Socket, Message) {
    let mut socket = open(address).await.expect("a socket");
    let init =
        json!({ "type": "connection_init", "payload": { "authorization": format!("Bearer {token}") } });
    socket.send(Message::text(init.to_string())).await.expect("sent");
    let answer = socket.next().await.expect("an answer").expect("a message");
    (socket, answer)
}

#[tokio::test]
async fn a_socket_carries_the_answer_that_a_request_gets() {
    let world = World::on(Backend::Sqlite).await;
    let ada = world.user("ada").await;
    let query = "{ me { userName roles { code permissions } memberships { edges { node { joinedAt } } } } }";
    let plain = ada.run(query).await;
    assert_eq!(plain.ok("/me/userName"), "ada");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let stop = CancellationToken::new();
    let front = denizen::http::Front::new(std::sync::Arc::clone(&world.app));
    let server = tokio::spawn(serve(listener, front, Pace::default(), stop.clone()));
    let (mut socket, _) = begin(address, ada.token.as_deref().expect("a token")).await;
    let subscribe = json!({ "type": "subscribe", "id": "1", "payload": { "query": query } });
    socket.send(Message::text(subscribe.to_string())).await.expect("sent");
    let answer = socket.next().await.expect("an answer").expect("a message");
    let expected = format!("{{\"type\":\"next\",\"id\":\"1\",\"payload\":{}}}", plain.text);
    assert_eq!(answer.into_text().expect("text"), expected);
    stop.cancel();
    server.abort();
}

#[tokio::test]
async fn sockets_beyond_the_bound_are_closed_with_a_code_that_says_later() {
    let flags = ["--max-streams-per-user", "1", "--max-streams-per-address", "2"];
    let world = World::with(Backend::Sqlite, &flags).await;
    let root = world.superadmin().await;
    let token = root.token.clone().expect("a token");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let stop = CancellationToken::new();
    let front = denizen::http::Front::new(std::sync::Arc::clone(&world.app));
    let server = tokio::spawn(serve(listener, front, Pace::default(), stop.clone()));

    let (first, acknowledged) = begin(address, &token).await;
    assert!(acknowledged.to_string().contains("connection_ack"), "{acknowledged}");
    let (second, refused) = begin(address, &token).await;
    let Message::Close(Some(frame)) = refused else { panic!("no close: {refused}") };
    assert_eq!(u16::from(frame.code), 1013);
    drop(second);
    let _idle = loop {
        // The seat of the second is left as soon as the server has noticed.
        match open(address).await {
            Ok(idle) => break idle,
            Err(Error::Http(answer)) => assert_eq!(answer.status(), 429),
            Err(other) => panic!("{other}"),
        }
    };
    let Err(Error::Http(answer)) = open(address).await else { panic!("a third from one address") };
    assert_eq!(answer.status(), 429);
    assert_eq!(answer.headers()["retry-after"], "10");
    drop(first);
    stop.cancel();
    server.abort();
}
