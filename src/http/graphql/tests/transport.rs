//! Methods, media types, statuses and headers.

use super::*;

#[tokio::test]
async fn defaults_of_variables_decide_what_is_included() {
    let seen = ask("query ($yes: Boolean = true) { hello @include(if: $yes) }").await;
    assert_eq!(seen.json["data"].as_object().map(serde_json::Map::len), Some(1), "{}", seen.json);
}

#[tokio::test]
async fn a_query_is_answered() {
    let seen = ask("{ hello }").await;
    assert_eq!((seen.status, seen.json), (200, json!({ "data": { "hello": "world" } })));
    assert_eq!(seen.headers["content-type"], "application/graphql-response+json; charset=utf-8");
    assert_eq!(seen.headers["cache-control"], "no-store");
    assert_eq!(seen.headers["vary"], "Accept");
}

#[tokio::test]
async fn variables_and_the_operation_s_name_are_used() {
    let query = "query A($t: String!) { echo(text: $t) } query B { hello }";
    let seen = post(json!({ "query": query, "variables": { "t": "é" }, "operationName": "A" })).await;
    assert_eq!(seen.json, json!({ "data": { "echo": "é" } }));
    for name in [json!(null), json!(""), json!("C")] {
        let seen = post(json!({ "query": query, "operationName": name })).await;
        assert_eq!((seen.status, seen.code()), (400, "BAD_REQUEST"), "{name}");
        assert!(seen.json.get("data").is_none());
    }
}

#[tokio::test]
async fn get_executes_queries_only() {
    let seen =
        get_with(&[("query", "query($t: String!) { echo(text: $t) }"), ("variables", r#"{"t":"x y"}"#)], &[])
            .await;
    assert_eq!((seen.status, seen.json), (200, json!({ "data": { "echo": "x y" } })));
    for query in ["mutation { bump }", "subscription { x }", "query A { hello } mutation B { bump }"] {
        let seen =
            get_with(&[("query", query), ("operationName", if query.contains('B') { "B" } else { "" })], &[])
                .await;
        assert_eq!((seen.status, seen.header("allow")), (405, "POST"), "{query}");
    }
    let seen =
        get_with(&[("query", "query A { hello } mutation B { bump }"), ("operationName", "A")], &[]).await;
    assert_eq!(seen.json, json!({ "data": { "hello": "world" } }));
    for bad in
        [&[][..], &[("query", "{hello}"), ("query", "{hello}")], &[("query", "{hello}"), ("variables", "[")]]
    {
        assert_eq!(get_with(bad, &[]).await.status, 400, "{bad:?}");
    }
}

#[tokio::test]
async fn other_methods_are_refused() {
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "FOO"] {
        let seen = send_to(Small::new(), request(method, "/graphql", &[], "")).await;
        assert_eq!((seen.status, seen.header("allow")), (405, "GET, POST"), "{method}");
    }
}

#[tokio::test]
async fn only_json_in_utf8_is_taken() {
    let body = r#"{"query":"mutation { bump }"}"#;
    let refused: [&[(&str, &str)]; 9] = [
        &[],
        &[("content-type", "text/plain")],
        &[("content-type", "application/x-www-form-urlencoded")],
        &[("content-type", "multipart/form-data; boundary=x")],
        &[("content-type", "application/json; charset=utf-16")],
        &[("content-type", "application/jsonp")],
        &[("content-type", "text/plain, application/json")],
        &[("content-type", "application/json"), ("content-type", "text/plain")],
        &[("content-type", "application/json"), ("content-encoding", "gzip")],
    ];
    for headers in refused {
        let seen = send_to(Small::new(), request("POST", "/graphql", headers, body)).await;
        assert_eq!((seen.status, seen.code()), (415, "BAD_REQUEST"), "{headers:?}");
    }
    for kind in ["application/json", "Application/JSON ; Charset=\"UTF-8\"", "application/json;foo=bar"] {
        let seen = send_to(Small::new(), request("POST", "/graphql", &[("content-type", kind)], body)).await;
        assert_eq!(seen.status, 200, "{kind}");
    }
}

#[test]
fn accept_decides_the_format() {
    let chosen = |accept: &str| {
        let mut headers = HeaderMap::new();
        if !accept.is_empty() {
            headers.insert("accept", accept.parse().expect("a value"));
        }
        respond::negotiate(&headers).ok()
    };
    let (old, modern) = (Some(Format::Json), Some(Format::GraphqlResponse));
    for (accept, expected) in [
        ("", old),
        (" ", old),
        ("*/*", old),
        ("application/*", old),
        ("application/json", old),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", old),
        ("application/graphql-response+json", modern),
        ("APPLICATION/GRAPHQL-RESPONSE+JSON; charset=utf-8", modern),
        ("application/graphql-response+json, application/json", modern),
        ("application/json, application/graphql-response+json", modern),
        ("application/graphql-response+json, application/json;q=0.9", modern),
        ("application/graphql-response+json;q=0.5, application/json", old),
        ("application/graphql-response+json;q=0.5, */*;q=0.1", modern),
        ("application/json;q=0, */*", modern),
        ("application/json;q=0", None),
        ("application/json; charset=utf-16", None),
        (
            "multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/graphql-response+json,application/json;q=0.9",
            modern,
        ),
        ("text/html", None),
        ("text/event-stream", None),
        ("application/json;q=NaN", None),
        ("application/json;q=7", None),
        ("nonsense", None),
    ] {
        assert_eq!(chosen(accept), expected, "{accept}");
    }
}

#[tokio::test]
async fn without_a_format_in_common_it_is_406() {
    let seen = post_with(&[("accept", "text/html")], r#"{"query":"{hello}"}"#).await;
    assert_eq!((seen.status, seen.code()), (406, "BAD_REQUEST"));
}

#[tokio::test]
async fn the_status_depends_on_the_format() {
    for query in ["{", "{ nope }", "query($t: String!) { echo(text: $t) }", "subscription { x }"] {
        let body = json!({ "query": query }).to_string();
        assert_eq!(post_with(&[("accept", MODERN)], body.clone()).await.status, 400, "{query}");
        let old = post_with(&[("accept", "application/json")], body).await;
        assert_eq!(old.status, 200, "{query}");
        assert_eq!(old.headers["content-type"], "application/json; charset=utf-8");
        assert!(old.json.get("data").is_none());
        assert!(!old.code().is_empty());
    }
}

#[tokio::test]
async fn a_dead_credential_refuses_the_whole_request() {
    let body = r#"{"query":"{ hello caller }"}"#;
    for accept in [MODERN, "application/json"] {
        let seen = post_with(&[("authorization", "Bearer bad"), ("accept", accept)], body).await;
        assert_eq!((seen.status, seen.code()), (401, "UNAUTHENTICATED"));
        assert_eq!(seen.headers["www-authenticate"], "Bearer");
    }
    let seen = post_with(&[("authorization", "Bearer busy")], body).await;
    assert_eq!((seen.status, seen.code(), seen.header("retry-after")), (503, "OVERLOADED", "3"));
    let seen = post_with(&[("authorization", "Bearer good"), ("cookie", "session=1")], body).await;
    assert_eq!(seen.json["data"]["caller"], "somebody");
}

#[tokio::test]
async fn partial_data_is_200_and_says_when_to_try_again() {
    let seen = ask("{ hello shed }").await;
    assert_eq!((seen.status, seen.code(), seen.header("retry-after")), (200, "OVERLOADED", "7"));
    assert_eq!(seen.json["data"]["hello"], "world");
}

#[tokio::test]
async fn a_batch_is_answered_in_order() {
    let body = json!([{ "query": "{ hello }" }, { "query": "{ nope }" }, { "query": "{ shed }" }]);
    let seen = post(body).await;
    assert_eq!((seen.status, seen.header("retry-after")), (200, "7"));
    assert_eq!(seen.json[0], json!({ "data": { "hello": "world" } }));
    assert_eq!(seen.json[1]["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
    let large = Json::Array(vec![json!({ "query": "{ hello }" }); 11]);
    let seen = post(large).await;
    assert_eq!((seen.status, seen.code()), (400, "LIMIT_EXCEEDED"));
    assert_eq!(seen.json["errors"][0]["extensions"]["limit"], "batch");
    for bad in [json!([]), json!([1]), json!([[]]), json!([{ "query": 1 }])] {
        assert_eq!(post(bad).await.status, 400);
    }
}
