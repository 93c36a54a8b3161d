//! Federated tracing: what a router learns of timings, and who does not.

use data_encoding::BASE64;
use serde_json::Value;

use crate::support::{Backend, World};

const HEADER: &str = "apollo-federation-include-trace";
const SECRET: &str = "0123456789abcdef0123456789abcdef";

#[tokio::test]
async fn in_production_only_the_router_learns_timings() {
    let flags = ["--mode", "production", "--router-secret", SECRET];
    let world = World::with(Backend::Sqlite, &flags).await;
    let stranger = world.anonymous().with_header(HEADER, "ftv1");
    let guesser = stranger.with_header("x-router-secret", "0123456789abcdef0123456789abcdeX");
    for client in [stranger.clone(), guesser, world.superadmin().await.with_header(HEADER, "ftv1")] {
        assert_eq!(client.run("{ __typename }").await.body["extensions"], Value::Null);
    }
    let router = stranger.with_header("x-router-secret", SECRET);
    let answer = router.run("{ here: me { userName } users { totalCount } }").await;
    let trace = answer.body["extensions"]["ftv1"].as_str().expect("a trace");
    let trace = BASE64.decode(trace.as_bytes()).expect("base64");
    let trace = String::from_utf8_lossy(&trace);
    for told in ["here", "me", "Query", "users", "<masked>"] {
        assert!(trace.contains(told), "{told} is not in {trace:?}");
    }
    assert!(!trace.contains("You may not"), "{trace:?}");
}

#[tokio::test]
async fn timings_are_told_on_request_and_where_they_are_switched_on() {
    let world = World::on(Backend::Sqlite).await;
    assert_eq!(world.anonymous().run("{ __typename }").await.body["extensions"], Value::Null);
    let other = world.anonymous().with_header(HEADER, "ftv2");
    assert_eq!(other.run("{ __typename }").await.body["extensions"], Value::Null);
    let asking = world.anonymous().with_header(HEADER, "ftv1");
    assert!(asking.run("{ __typename }").await.body["extensions"]["ftv1"].is_string());
    let silent = World::with(Backend::Sqlite, &["--federated-tracing", "off"]).await;
    let answer = silent.anonymous().with_header(HEADER, "ftv1").run("{ __typename }").await;
    assert_eq!(answer.body["extensions"], Value::Null);
}

/// A node of a trace, as Apollo's `reports.proto` has it.
#[derive(Debug, Default)]
struct Node {
    path: String,
    kind: String,
    began: u64,
    ended: u64,
    children: Vec<Node>,
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let (mut number, mut shift) = (0, 0);
    while let [byte, rest @ ..] = bytes {
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if *byte < 0x80 {
            break;
        }
    }
    number
}

/// The fields of a message: a number, or bytes.
fn message(mut bytes: &[u8]) -> Vec<(u64, u64, &[u8])> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let number = varint(&mut bytes);
        let length = if tag & 7 == 2 { usize::try_from(number).expect("a length") } else { 0 };
        let (content, rest) = bytes.split_at(length);
        bytes = rest;
        fields.push((tag >> 3, number, content));
    }
    fields
}

fn node(bytes: &[u8], above: &str) -> Node {
    let mut node = Node { path: above.to_owned(), ..Node::default() };
    let fields = message(bytes);
    for (field, number, content) in &fields {
        let text = || String::from_utf8_lossy(content).into_owned();
        match field {
            1 => node.path = format!("{above}/{}", text()),
            2 => node.path = format!("{above}/{number}"),
            3 => node.kind = text(),
            8 => node.began = *number,
            9 => node.ended = *number,
            _ => {}
        }
    }
    let children = fields.iter().filter(|(field, ..)| *field == 12);
    node.children = children.map(|(_, _, content)| self::node(content, &node.path)).collect();
    node
}

/// Each node as a line: its path and type, and whether its times are in order and within those of the field above.
fn lines(node: &Node, bounds: (u64, u64), found: &mut Vec<String>) {
    let is_field = !node.kind.is_empty();
    let within = if is_field {
        bounds.0 <= node.began && node.began <= node.ended && node.ended <= bounds.1
    } else {
        (node.began, node.ended) == (0, 0)
    };
    found.push(format!("{} {}{}", node.path, node.kind, if within { "" } else { " OUT OF TIME" }));
    let bounds = if is_field { (node.began, node.ended) } else { bounds };
    node.children.iter().for_each(|child| lines(child, bounds, found));
}

#[tokio::test]
async fn a_trace_has_each_path_once_and_items_of_lists_have_no_times() {
    let world = World::on(Backend::Sqlite).await;
    let admin = world.superadmin().await.with_header(HEADER, "ftv1");
    let answer = admin
        .run("{ me { id } me { userName } me { held: roles { code } held: roles { permissions } } }")
        .await;
    let trace = answer.body["extensions"]["ftv1"].as_str().expect("a trace");
    let trace = BASE64.decode(trace.as_bytes()).expect("base64");
    let fields = message(&trace);
    let root = fields.iter().find(|(field, ..)| *field == 14).expect("the root").2;
    let mut found = Vec::new();
    lines(&node(root, ""), (0, u64::MAX), &mut found);
    found.sort();
    assert_eq!(
        found,
        [
            " ",
            "/me User",
            "/me/held [Role!]",
            "/me/held/0 ",
            "/me/held/0/code String!",
            "/me/held/0/permissions [String!]!",
            "/me/id ID!",
            "/me/userName String!",
        ]
    );
}
