//! Documents that cost more to answer than to send. Each must be refused, and at once.

use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use super::*;

/// For a build without optimisation on a busy machine. Alone, none takes a tenth of it, and optimised a hundredth.
const GENEROUS: Duration = Duration::from_secs(1);

#[expect(clippy::disallowed_methods, reason = "what is measured is the machine's own time")]
async fn timed(body: Json) -> (Duration, Seen) {
    let body = body.to_string();
    let started = Instant::now();
    let seen = post_with(&[("accept", MODERN)], body).await;
    (started.elapsed(), seen)
}

fn doubling() -> String {
    let mut document = String::from("{...F0}");
    for i in 0..31 {
        let _ = write!(document, "fragment F{i} on Query{{...F{n} ...F{n}}}", n = i + 1);
    }
    document + "fragment F31 on Query{__typename}"
}

fn documents() -> Vec<(&'static str, String)> {
    let introspection = "{__schema{types{fields{type{fields{type{fields{type{name}}}}}}}}}";
    vec![
        ("exponential fragments", doubling()),
        ("a fragment in itself", "{...A}fragment A on Query{...A ...A}".to_owned()),
        ("deep selections", format!("{}{}", "{things".repeat(10_000), "}".repeat(10_000))),
        ("deep lists", format!("{{echo(text:{}{})}}", "[".repeat(10_000), "]".repeat(10_000))),
        ("deep objects", format!("{{echo(text:{}1{})}}", "{a:".repeat(10_000), "}".repeat(10_000))),
        ("deep types", format!("query($a:{}Int{}){{hello}}", "[".repeat(10_000), "]".repeat(10_000))),
        (
            "aliases",
            format!("{{{}}}", (0..10_000).fold(String::new(), |all, i| all + &format!("a{i}:hello "))),
        ),
        ("few aliases, many each", format!("{{{}}}", "a:hello ".repeat(101))),
        ("root fields", format!("{{{}}}", "hello ".repeat(31))),
        ("directives", format!("{{hello {}}}", "@include(if:true)".repeat(10_000))),
        ("few directives", format!("{{hello {}}}", "@a".repeat(101))),
        ("a long string", format!("{{echo(text:\"{}\")}}", "x".repeat(1_000_000))),
        ("a long block string", format!("{{echo(text:\"\"\"{}\"\"\")}}", "x\n".repeat(300_000))),
        ("a long comment", format!("{{hello}}#{}", "x".repeat(1_000_000))),
        ("garbage", "}\u{1}\u{e9}{\"".repeat(80_000)),
        ("unterminated block strings", format!("{{echo(text:[{}", "\"x\\\\\"\"\"\"".repeat(6_000))),
        ("nested introspection", introspection.to_owned()),
        (
            "operations",
            format!(
                "fragment F on Query{{{}}}{}",
                "echo(text:$a) ".repeat(700),
                (0..700).fold(String::new(), |all, i| all + &format!("query Q{i}{{...F}}"))
            ),
        ),
    ]
}

#[tokio::test]
async fn hostile_documents_are_refused_at_once() {
    for (what, query) in documents() {
        let (took, seen) = timed(json!({ "query": query })).await;
        assert_eq!(seen.status, 400, "{what}: {:.200}", seen.json.to_string());
        assert!(
            ["LIMIT_EXCEEDED", "GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED"].contains(&seen.code()),
            "{what}: {}",
            seen.code()
        );
        assert!(took < GENEROUS, "{what} took {took:?}");
    }
}

/// The worst that the limits let through must be bearable too.
#[tokio::test]
async fn documents_within_the_limits_do_not_take_long() {
    let nested = "...on Query{".repeat(25);
    let cases = [
        (
            "unknown fields",
            format!(
                "{{{}}}",
                (0..29).fold(String::new(), |all, i| all + &format!("x{}{i} ", "n".repeat(2_000)))
            ),
        ),
        ("nested fragments", format!("{{{nested}{}{}}}", "__typename ".repeat(29), "}".repeat(25))),
        (
            "wide lists",
            format!("query($a:[Int!]=[{}]){{things(filter:{{ids:$a}}){{id}}}}", "1,".repeat(9_000)),
        ),
        ("undefined variables", format!("{{things{{{}}}}}", "id(a:$b) ".repeat(1_200))),
        (
            "many variables",
            format!(
                "query({}){{hello}}",
                (0..2_400).fold(String::new(), |all, i| all + &format!("$a{i}:Int "))
            ),
        ),
        ("conflicts", format!("{{things{{{}}}}}", "id @skip(if:false) ".repeat(99))),
        ("skipped long", format!("{{hello {}}}", "#".repeat(60_000) + "\n")),
        ("commas", format!("{{hello{}hello}}", ",".repeat(60_000))),
    ];
    for (what, query) in cases {
        let (took, seen) = timed(json!({ "query": query })).await;
        assert!(seen.status < 500 && took < GENEROUS, "{what} took {took:?}");
    }
}

#[tokio::test]
async fn a_large_variable_used_often_is_refused() {
    let query = format!("query($v: String!) {{ {} }}", "echo(text: $v) ".repeat(29));
    let (took, seen) = timed(json!({ "query": query, "variables": { "v": "x".repeat(900_000) } })).await;
    assert_eq!(seen.code(), "LIMIT_EXCEEDED");
    assert!(took < GENEROUS, "{took:?}");
    let many: Vec<u8> = vec![0; 500_000];
    let (took, seen) = timed(json!({ "query": "{ hello }", "variables": { "v": many } })).await;
    assert_eq!((seen.status, seen.code()), (400, "LIMIT_EXCEEDED"));
    assert!(took < GENEROUS, "{took:?}");
}
