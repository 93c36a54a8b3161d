//! Whatever comes through the door: nothing makes a 5xx, and what is hostile disturbs nobody else.

use std::time::{Duration, Instant};

use axum::{
    body::Body,
    http::{Request, header},
};
use futures_util::future::join_all;
use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::{Value, json};

use crate::support::{Backend, Client, World};

/// What is promised is a fifth of a second; a build without optimisation on a busy machine gets five times that.
const AT_ONCE: Duration = Duration::from_millis(if cfg!(debug_assertions) { 1_000 } else { 200 });

fn repeated(count: usize, piece: impl Fn(usize) -> String) -> String {
    (0..count).map(piece).collect()
}

fn deep(open: &str, close: &str) -> String {
    format!("{}1{}", open.repeat(10_000), close.repeat(10_000))
}

fn hostile() -> Vec<(&'static str, String)> {
    let query = |document: String| json!({ "query": document }).to_string();
    let spreads = repeated(31, |n| format!("fragment f{n} on Query{{...f{0} ...f{0}}}", n + 1));
    let fragments = repeated(500, |n| format!("fragment f{n} on Query{{...f{0} ...f{0}}}", n + 1));
    let variables = |value: &str| format!("{{\"query\":\"{{__typename}}\",\"variables\":{{\"v\":{value}}}}}");
    vec![
        ("exponential fragments", query(format!("{{...f0}}{spreads}fragment f31 on Query{{__typename}}"))),
        ("many exponential fragments", query(format!("{{...f0}}{fragments}fragment f500 on Query{{a}}"))),
        ("a fragment in itself", query("{...f}fragment f on Query{...f}".to_owned())),
        ("deep selections", query(format!("{}a{}", "{a".repeat(10_000), "}".repeat(10_000)))),
        ("deep lists", query(format!("{{node(id:{}){{id}}}}", deep("[", "]")))),
        ("deep objects", query(format!("{{node(id:{}){{id}}}}", deep("{a:", "}")))),
        ("deep types", query(format!("query($a:{}){{me{{id}}}}", deep("[", "]").replace('1', "Int")))),
        ("aliases", query(format!("{{{}}}", repeated(10_000, |n| format!("a{n}:__typename "))))),
        ("directives", query(format!("{{__typename {}}}", "@skip(if:false)".repeat(10_000)))),
        ("a long string", query(format!("{{node(id:\"{}\"){{id}}}}", "x".repeat(900_000)))),
        ("a long block string", query(format!("{{node(id:\"\"\"{}\"\"\"){{id}}}}", "x ".repeat(450_000)))),
        ("block strings without an end", query(format!("{{a(b:[{}", "\"x\\\\\"\"\"\"".repeat(6_000)))),
        ("words that are values", query(format!("{{node(id:[{}]){{id}}}}", "null".repeat(15_000)))),
        ("deep variables", variables(&deep("[", "]"))),
        ("deep variables of objects", variables(&deep("{\"a\":", "}"))),
        ("many variables", variables(&format!("[{}0]", "0,".repeat(450_000)))),
        ("a long batch", format!("[{}{{}}]", "{\"query\":\"{__typename}\"},".repeat(30_000))),
        ("deep nonsense", "[".repeat(1_000_000)),
    ]
}

async fn send(client: &Client, body: String) -> (u16, Duration) {
    let request = Request::post("/graphql")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/graphql-response+json");
    let begun = Instant::now();
    let answer = client.send(request.body(Body::from(body)).expect("a request")).await;
    (answer.status.as_u16(), begun.elapsed())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_documents_are_refused_at_once_while_others_go_on() {
    let world = World::on(Backend::Sqlite).await;
    let client = world.anonymous();
    let root = world.superadmin().await;
    for (what, body) in hostile() {
        let (status, took) = send(&client, body).await;
        assert!((400..500).contains(&status), "{what}: {status}");
        assert!(took < AT_ONCE, "{what} took {took:?}");
        println!("{what}: {status} after {took:?}");
    }
    let attack = join_all(hostile().into_iter().map(|(_, body)| {
        let client = client.clone();
        tokio::spawn(async move { send(&client, body).await })
    }));
    let others = async {
        let mut slowest = Duration::ZERO;
        for _ in 0..20 {
            let begun = Instant::now();
            assert_eq!(root.run("{ me { userName } }").await.ok("/me/userName"), "admin");
            slowest = slowest.max(begun.elapsed());
        }
        slowest
    };
    let (_, slowest) = tokio::join!(attack, others);
    assert!(slowest < AT_ONCE, "somebody waited for {slowest:?}");
    println!("others: {slowest:?} at most");
}

/// Any JSON, with the names that mean something in the likelier places.
fn values() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        "\\PC{0,20}".prop_map(Value::from),
        Just(json!("{ me { id } }")),
        Just(json!("query ($v: [ID!]!) { nodes(ids: $v) { id } }")),
        Just(json!("user_01h455vb4pex5vsknk084sn02q")),
        Just(json!("a\u{0}b")),
    ];
    let name = prop_oneof![
        Just("query".to_owned()),
        Just("variables".to_owned()),
        Just("operationName".to_owned()),
        Just("extensions".to_owned()),
        Just("persistedQuery".to_owned()),
        Just("sha256Hash".to_owned()),
        Just("documentId".to_owned()),
        Just("version".to_owned()),
        Just("v".to_owned()),
        "[a-z]{1,4}",
    ];
    leaf.prop_recursive(4, 24, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
    .boxed()
}

fn bodies() -> BoxedStrategy<Vec<u8>> {
    let written = || values().prop_map(|value| value.to_string().into_bytes());
    let cut = (written(), any::<prop::sample::Index>())
        .prop_map(|(body, at)| body[..at.index(body.len().max(1)).min(body.len())].to_vec());
    let soup = prop::collection::vec(
        prop::sample::select(vec![
            "{",
            "}",
            "(",
            ")",
            "[",
            "]",
            "...",
            "on",
            "fragment",
            "A",
            "me",
            "query",
            "mutation",
            " ",
            "\n",
            "#",
            "\\\"",
            "@",
            ":",
            "$",
            "!",
            "1",
            "-",
            "null",
            "true",
            "users",
            "logout",
            "id",
            "_entities",
            "__schema",
        ]),
        0..30,
    )
    .prop_map(|parts| format!("{{\"query\":\"{}\"}}", parts.concat()).into_bytes());
    prop_oneof![written(), cut, soup, prop::collection::vec(any::<u8>(), 0..60)].boxed()
}

#[tokio::test]
async fn no_body_and_no_query_string_makes_a_5xx() {
    for world in World::each().await {
        let client = world.superadmin().await;
        // The same bodies each time: what fails here can be looked into.
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        let kinds =
            ["application/json", "application/json; charset=utf-8", "text/plain", "nonsense", "a/b;;=\"", ""];
        let accepted =
            ["application/graphql-response+json", "text/event-stream", "*/*;q=x", "multipart/mixed", ""];
        for number in 0..600 {
            let body = bodies().new_tree(&mut runner).expect("a body").current();
            // Mostly the kind that is read.
            let kind = if number % 5 == 0 { kinds[number / 5 % kinds.len()] } else { kinds[0] };
            let request = Request::post("/graphql")
                .header(header::CONTENT_TYPE, kind)
                .header(header::ACCEPT, accepted[number % accepted.len()]);
            let answer = client.send(request.body(Body::from(body.clone())).expect("a request")).await;
            let shown = String::from_utf8_lossy(&body);
            assert!(answer.status.as_u16() < 500, "{shown}: {} {}", answer.status, answer.text);
            assert!(!answer.codes().contains(&"INTERNAL".to_owned()), "{shown}: {}", answer.text);
            let encoded =
                body.iter().take(500).fold(String::new(), |all, byte| all + &format!("%{byte:02x}"));
            let name = ["query", "variables", "extensions", "documentId"][number % 4];
            let answer = client.get(&format!("/graphql?query=%7Bme%7Bid%7D%7D&{name}={encoded}")).await;
            assert!(answer.status.as_u16() < 500, "{name}={shown}: {} {}", answer.status, answer.text);
        }
    }
}
