//! Bodies of every sort, and the errors that they come back with.

use proptest::prelude::*;

use super::*;

#[tokio::test]
async fn a_body_that_is_no_graphql_request_is_400() {
    let deep =
        format!("{{\"query\":\"{{hello}}\",\"variables\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let bodies = [
        "",
        "{",
        "null",
        "1",
        "\"{hello}\"",
        "{}",
        r#"{"query":null}"#,
        r#"{"query":1}"#,
        r#"{"query":["{hello}"]}"#,
        r#"{"query":"{hello}","variables":1}"#,
        r#"{"query":"{hello}","variables":"{}"}"#,
        r#"{"query":"{hello}","variables":[]}"#,
        r#"{"query":"{hello}","operationName":{}}"#,
        r#"{"query":"{hello}","extensions":[]}"#,
        r#"{"query":"{hello}"} x"#,
        r#"{"query":"{hello}","query":"{hello}"}"#,
        r#"{"query":"{hello}","variables":{"a":{"b":1,"b":2}}}"#,
        r#"{"query":"{hello}","variables":{"a":1e999}}"#,
        r#"{"query":"{hello}","variables":{"a":"\ud800"}}"#,
        r#"{"query":"{hello}","variables":{"a":NaN}}"#,
        "\u{feff}{\"query\":\"{hello}\"}",
        "{\"query\":\"{hel\nlo}\"}",
        &deep,
    ];
    for body in bodies {
        let seen = post_with(&[], body.to_owned()).await;
        assert_eq!((seen.status, seen.code()), (400, "BAD_REQUEST"), "{body:.60}");
    }
    let seen = post_with(&[], b"{\"query\":\"{hello}\xff\"}".to_vec()).await;
    assert_eq!(seen.status, 400);
}

#[tokio::test]
async fn absent_and_null_are_the_same() {
    let seen =
        post(json!({ "query": "{hello}", "variables": null, "operationName": null, "extensions": null }))
            .await;
    assert_eq!(seen.json, json!({ "data": { "hello": "world" } }));
    let seen = post(json!({ "query": "{hello}", "id": 1, "extensions": { "x": { "y": [1] } } })).await;
    assert_eq!(seen.status, 200);
}

#[tokio::test]
async fn a_body_beyond_a_mebibyte_is_413() {
    let fits = format!("{{\"query\":\"{{hello}}\"{}}}", " ".repeat(request::MAX_BODY - 19));
    assert_eq!(fits.len(), request::MAX_BODY);
    assert_eq!(post_with(&[], fits.clone()).await.status, 200);
    assert_eq!(post_with(&[], fits.clone() + " ").await.status, 413);
    let pieces = stream::iter([Ok::<_, std::io::Error>(fits), Ok(" ".to_owned())]);
    assert_eq!(post_with(&[], Body::from_stream(pieces)).await.status, 413);
}

#[tokio::test]
async fn every_error_has_a_code() {
    let cases = [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("", "GRAPHQL_PARSE_FAILED"),
        ("{ echo(text: \"x) }", "GRAPHQL_PARSE_FAILED"),
        ("{ hello } { hello }", "GRAPHQL_PARSE_FAILED"),
        ("{ nope }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ echo }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ echo(text: 1) }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ things { nope } }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ ...A } fragment A on Query { ...A }", "GRAPHQL_VALIDATION_FAILED"),
        ("query($a: Int) { hello }", "GRAPHQL_VALIDATION_FAILED"),
        ("query($t: String!) { echo(text: $t) }", "BAD_USER_INPUT"),
    ];
    for (query, code) in cases {
        let seen = ask(query).await;
        assert_eq!((seen.status, seen.code()), (400, code), "{query}");
        assert!(seen.json.get("data").is_none());
    }
    let parse = ask("{ hello( }").await;
    assert_eq!(parse.json["errors"][0]["locations"], json!([{ "line": 1, "column": 10 }]));
    assert_eq!(parse.message(), "Syntax error: expected name.");
}

#[tokio::test]
async fn variables_that_do_not_fit_are_bad_user_input() {
    let query = "query($f: Filter, $n: Int) { things(first: $n, filter: $f) { id name } }";
    for variables in [
        json!({ "n": "x" }),
        json!({ "f": { "ids": ["x"] } }),
        json!({ "f": { "name": "x" } }),
        json!({ "f": 7 }),
    ] {
        let seen = post(json!({ "query": query, "variables": variables })).await;
        assert_eq!(seen.code(), "BAD_USER_INPUT", "{variables} {}", seen.json);
    }
}

#[tokio::test]
async fn what_is_internal_stays_inside() {
    let seen = ask("{ hello leak }").await;
    assert_eq!(
        (seen.status, seen.code(), seen.message()),
        (200, "INTERNAL", "Something went wrong on our side.")
    );
    let seen = ask("{ bang }").await;
    assert_eq!((seen.status, seen.code()), (200, "INTERNAL"));
    assert_eq!(seen.json["data"], Json::Null);
}

#[tokio::test]
async fn suggestions_are_for_those_who_may_have_them() {
    let body = r#"{"query":"{ helo }"}"#;
    let seen = post_with(&[], body).await;
    assert_eq!(seen.message(), "Unknown field \"helo\" on type \"Query\".");
    let engine = Small { suggests: true, ..Small::new() };
    let seen =
        send_to(engine, request("POST", "/graphql", &[("content-type", "application/json")], body)).await;
    assert!(seen.message().contains("Did you mean"), "{}", seen.message());
}

#[tokio::test]
async fn errors_are_few_and_short() {
    let seen = ask(&format!("{{ {} }}", "nope ".repeat(30))).await;
    assert_eq!(seen.json["errors"].as_array().map(Vec::len), Some(20));
    let seen = ask(&format!("{{ {} }}", "é".repeat(3).replace('é', "nope").repeat(1_000))).await;
    assert!(seen.message().len() < 500, "{}", seen.message().len());
}

fn any_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        "-?[0-9]{1,20}(\\.[0-9]{1,3})?(e[0-9]{1,3})?",
        "\"(\\\\u[0-9a-f]{4}|[a-z{}é]){0,8}\"",
        Just("\"{hello}\"".to_owned()),
    ];
    let key = prop::sample::select(vec!["query", "variables", "operationName", "extensions", "x"]);
    leaf.prop_recursive(4, 30, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec((key.clone(), inner), 0..5).prop_map(|fields| {
                let fields: Vec<_> = fields.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

fn status_of(body: Vec<u8>) -> u16 {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async { post_with(&[("accept", MODERN)], body).await.status })
}

proptest! {
    #[test]
    fn no_json_is_a_server_error(body in any_json()) {
        let status = status_of(body.into_bytes());
        prop_assert!(status == 200 || status == 400, "{}", status);
    }

    #[test]
    fn no_bytes_are_a_server_error(body in prop::collection::vec(prop::num::u8::ANY, 0..200)) {
        prop_assert_eq!(status_of(body), 400);
    }
}
