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
