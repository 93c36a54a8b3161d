//! The HTTP door as a whole. Its parts are tested beside them, in `src/http` and `src/graphql`.

use axum::{
    body::Body,
    http::{Request, header},
};
use serde_json::json;

use crate::support::{Answer, Backend, Client, World};

async fn post(client: &Client, content_type: &str, body: &'static str) -> Answer {
    let request = Request::post("/graphql")
        .header(header::CONTENT_TYPE, content_type)
        .header(header::ACCEPT, "application/graphql-response+json");
    client.send(request.body(Body::from(body)).expect("a request")).await
}

#[tokio::test]
async fn bad_requests_are_refused_by_their_kind() {
    let world = World::on(Backend::Sqlite).await;
    let client = world.anonymous();
    let json = "application/json";
    for (content_type, body, status, code) in [
        (json, "{", 400, "BAD_REQUEST"),
        (json, "{\"query\":7}", 400, "BAD_REQUEST"),
        (json, "{}", 400, "BAD_REQUEST"),
        (json, "{\"query\":\"{\"}", 400, "GRAPHQL_PARSE_FAILED"),
        ("text/plain", "{\"query\":\"{ __typename }\"}", 415, "BAD_REQUEST"),
        ("application/x-www-form-urlencoded", "query={__typename}", 415, "BAD_REQUEST"),
    ] {
        let answer = post(&client, content_type, body).await;
        assert_eq!(
            (answer.status.as_u16(), answer.codes()),
            (status, vec![code.to_owned()]),
            "{body}: {}",
            answer.text
        );
    }
    let invalid = client.run("{ nothing }").await;
    assert_eq!(
        (invalid.status.as_u16(), invalid.codes()),
        (400, vec!["GRAPHQL_VALIDATION_FAILED".to_owned()])
    );
    let missing = client.run("query ($id: ID!) { node(id: $id) { id } }").await;
    assert_eq!(
        (missing.status.as_u16(), missing.codes()),
        (400, vec!["BAD_USER_INPUT".to_owned()]),
        "{}",
        missing.text
    );
}

#[tokio::test]
async fn queries_come_by_get_and_mutations_do_not() {
    let world = World::on(Backend::Sqlite).await;
    let client = world.anonymous();
    assert_eq!(client.get("/graphql?query=%7B__typename%7D").await.ok("/__typename"), "Query");
    let mutation = client.get("/graphql?query=mutation%7Blogout%7BendedSessions%7D%7D").await;
    assert_eq!(mutation.status, 405);
}

#[tokio::test]
#[allow(clippy::format_collect, reason = "a document of a test is short of speed, not of clarity")]
async fn hostile_documents_are_refused_and_cost_nothing() {
    let world = World::on(Backend::Sqlite).await;
    let client = world.anonymous();
    let spreads: String =
        (0..31).map(|n| format!("fragment f{n} on Query {{ ...f{0} ...f{0} }} ", n + 1)).collect();
    let hostile = [
        format!("{{ ...f0 }} {spreads} fragment f31 on Query {{ __typename }}"),
        format!("{}__typename{}", "{ a ".repeat(10_000), "}".repeat(10_000)),
        format!("{{ node(id: {}1{}) {{ id }} }}", "[".repeat(10_000), "]".repeat(10_000)),
        format!("{{ {} }}", (0..10_000).map(|n| format!("a{n}: __typename ")).collect::<String>()),
        format!("{{ __typename {} }}", "@skip(if: false) ".repeat(10_000)),
        format!("{{ node(id: \"{}\") {{ id }} }}", "x".repeat(900_000)),
        "{ ...f } fragment f on Query { ...f }".to_owned(),
    ];
    for document in hostile {
        let begun = std::time::Instant::now();
        let answer = client.run(&document).await;
        let shown: String = document.chars().take(60).collect();
        assert_eq!(answer.status.as_u16(), 400, "{shown}: {}", answer.text);
        assert!(begun.elapsed().as_millis() < 1_000, "{shown} took {:?}", begun.elapsed());
    }
    let large = client
        .post(&json!({ "query": "{ __typename }", "extensions": { "x": "y".repeat(1_100_000) } }))
        .await;
    assert_eq!(large.status, 413);
}

#[tokio::test]
async fn clients_cannot_say_where_they_come_from() {
    use entity::event;
    use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
    let ip_of_refusal = async |world: &World| {
        let refused = event::Entity::find().filter(event::Column::Kind.eq("session.refused"));
        refused.one(world.app.db.read()).await.expect("events").expect("an event").ip
    };
    let world = World::on(Backend::Sqlite).await;
    let liar = world
        .anonymous()
        .with_header("x-forwarded-for", "6.6.6.6")
        .with_header("x-request-id", "chosen-by-client");
    let answer = liar
        .run("mutation { login(input: { identifier: \"x\", password: \"y\" }) { errors { code } } }")
        .await;
    assert_ne!(answer.headers["x-request-id"], "chosen-by-client");
    assert_eq!(ip_of_refusal(&world).await.as_deref(), Some("203.0.113.7"));

    let world = World::with(Backend::Sqlite, &["--trusted-proxies", "203.0.113.0/24"]).await;
    let proxied = world
        .anonymous()
        .with_header("x-forwarded-for", "6.6.6.6, 198.51.100.4")
        .with_header("x-request-id", "from-our-proxy");
    let answer = proxied
        .run("mutation { login(input: { identifier: \"x\", password: \"y\" }) { errors { code } } }")
        .await;
    assert_eq!(answer.headers["x-request-id"], "from-our-proxy");
    assert_eq!(ip_of_refusal(&world).await.as_deref(), Some("198.51.100.4"));
}

#[tokio::test]
async fn unknown_paths_are_not_found_and_add_nothing_to_the_metrics() {
    let world = World::on(Backend::Sqlite).await;
    assert_eq!(world.anonymous().get("/nothing/here").await.status, 404);
    let metrics = world.anonymous().get("/metrics").await;
    assert!(
        metrics.text.contains("denizen_http_requests_total{route=\"none\",status=\"404\"} 1"),
        "{}",
        metrics.text
    );
    assert!(!metrics.text.contains("nothing/here"));
}
