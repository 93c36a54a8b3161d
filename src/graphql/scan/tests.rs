use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use async_graphql::parser::{parse_query, types::ExecutableDocument};
use proptest::prelude::*;

use super::*;

fn refused(document: &str) -> Refused {
    scan(document, &Limits::default()).expect_err("the scan should refuse")
}

fn limit_met(document: &str) -> Limit {
    match refused(document) {
        Refused::Exceeded(exceeded) => exceeded.limit,
        other => panic!("no limit, but {other:?}"),
    }
}

fn accepts(document: &str) {
    assert_eq!(scan(document, &Limits::default()), Ok(()), "{document}");
}

#[expect(clippy::disallowed_methods, reason = "what is measured is the machine's own time")]
fn timed(document: &str, limits: &Limits) -> (Duration, Result<(), Refused>) {
    let started = Instant::now();
    let scanned = scan(document, limits);
    (started.elapsed(), scanned)
}

/// `count` fragments, each of which spreads the next one twice.
fn doubling(count: usize) -> String {
    let mut document = String::from("{...F0}");
    for i in 0..count {
        let _ = write!(document, "fragment F{i} on Q{{...F{n} ...F{n}}}", n = i + 1);
    }
    let _ = write!(document, "fragment F{count} on Q{{__typename}}");
    document
}

#[test]
fn ordinary_documents_pass() {
    accepts("");
    accepts("{ me { id } }");
    accepts(
        "query A($a: [Int!]! = [1, 2]) @live { f(x: {y: [$a, -1.5e+3]}) { ...B ... on C { d } ... { e } } } fragment B on C { d }",
    );
    accepts("{ f(x: \"a \\\" b \\u00e9 { [ (\", y: \"\"\"\n \\\"\"\" { \" \"\"\") }");
    accepts("\u{feff}# comment { { {\r{ a }");
}

#[test]
fn exponential_fragments_are_refused() {
    assert_eq!(limit_met(&doubling(31)), Limit::Expansion);
    assert_eq!(limit_met(&doubling(60)), Limit::Expansion);
    accepts(&doubling(8));
}

#[test]
fn cycles_are_named() {
    for document in [
        "{...A} fragment A on Q {...A}",
        "{...A} fragment A on Q {...B ...B} fragment B on Q {x {...A ...A}}",
        "{a} fragment A on Q {...B} fragment B on Q {...A}",
        // Oddities of the grammar: no space behind the keyword, and a fragment called `on`.
        "{...A}fragmentA on Q{...A}",
        "{...on}fragment on on Q{...on}",
        "{...\n,#x\nA}fragment#\nA on Q{...,A}",
    ] {
        assert!(matches!(refused(document), Refused::Endless { .. }), "{document}");
    }
}

#[test]
fn every_operation_counts_towards_the_expansion() {
    let mut document = String::from("fragment F on Q {");
    document.push_str(&"a ".repeat(3_000));
    document.push('}');
    for i in 0..11 {
        let _ = write!(document, "query Q{i} {{...F}}");
    }
    assert_eq!(limit_met(&document), Limit::Expansion);
}

#[test]
fn fragments_nest_too() {
    let chain = |levels: usize| {
        let mut document = String::from("{...F0}");
        for i in 0..levels {
            let _ = write!(document, "fragment F{i} on Q{{...F{}}}", i + 1);
        }
        let _ = write!(document, "fragment F{levels} on Q{{a}}");
        document
    };
    accepts(&chain(60));
    assert_eq!(limit_met(&chain(64)), Limit::Nesting);
    assert_eq!(limit_met(&chain(600)), Limit::Nesting);
}

#[test]
fn strings_without_an_end_are_refused_with_their_place() {
    for document in ["{ a(b: \"x", "{ a(b: \"x\n\")", "{\"", "\"\\", "\"\"\"", "\"\"\"\\\"\"\"", "{\"é\\"] {
        assert!(matches!(refused(document), Refused::Unterminated { .. }), "{document}");
    }
    assert_eq!(refused("{\n é \"\"\" "), Refused::Unterminated { line: 2, column: 4 });
}

#[test]
fn hostile_documents_are_refused_in_time() {
    let megabyte = 1_048_576;
    let cases = [
        ("selection sets", "{a".repeat(10_000)),
        ("lists", format!("{{a(b:{}", "[".repeat(10_000))),
        ("list types", format!("query($a:{}", "[".repeat(10_000))),
        ("objects", format!("{{a(b:{}", "{c:".repeat(10_000))),
        ("parentheses", "(".repeat(10_000)),
        ("aliases", format!("{{{}}}", "a:b ".repeat(10_000))),
        ("directives", format!("{{a {}}}", "@a".repeat(10_000))),
        ("long string", format!("{{a(b:\"{}\")}}", "x".repeat(megabyte))),
        ("long comment", "#".repeat(megabyte)),
        ("garbage", "\u{1}é\"{".repeat(megabyte / 5)),
        ("block strings", "\"x\\\\\"\"\"\"".repeat(6_000)),
        ("numbers", format!("{{a(b:[{}])}}", "00-1".repeat(10_000))),
        ("exponential fragments", doubling(31)),
        ("many exponential fragments", doubling(600)),
    ];
    // Generous for a build without optimisation on a busy machine; each takes well under a millisecond otherwise.
    let generous = Duration::from_millis(200);
    for (what, document) in &cases {
        let (took, scanned) = timed(document, &Limits::default());
        assert!(scanned.is_err() && took < generous, "{what}: {scanned:?} after {took:?}");
        // Also where the size does not decide.
        let (took, _) = timed(document, &Limits { bytes: usize::MAX, ..Limits::default() });
        assert!(took < generous, "{what} took {took:?}");
    }
}

#[test]
fn numbers_are_counted_as_the_grammar_counts_them() {
    let limits = Limits { tokens: 15, ..Limits::default() };
    // { a ( b : [ 0 0 -1 1.5 -2e-3 ] ) } is fourteen.
    assert_eq!(scan("{a(b:[00-1 1.5-2e-3])}", &limits), Ok(()));
    let limits = Limits { tokens: 13, ..Limits::default() };
    assert!(scan("{a(b:[00-1 1.5-2e-3])}", &limits).is_err());
}

#[test]
fn words_that_are_values_are_counted_as_the_grammar_counts_them() {
    // `{`, `a`, `(`, `b`, `:`, `[` … `]`, `)`, `}` are nine.
    for (values, count) in [
        ("null121", 2),
        ("nulltruefalse", 3),
        ("null00", 3),
        ("true1e5", 2),
        ("falsenull7", 3),
        ("nullable", 2),
        ("ENUM", 1),
    ] {
        let document = format!("{{a(b:[{values}])}}");
        assert!(parse_query(&document).is_ok(), "{document}");
        let limits = |tokens| Limits { tokens, ..Limits::default() };
        assert_eq!(scan(&document, &limits(9 + count)), Ok(()), "{document}");
        assert!(scan(&document, &limits(8 + count)).is_err(), "{document}");
    }
}

/// Documents of valid syntax: nested selections, arguments of every kind, fragments without cycles.
fn documents() -> impl Strategy<Value = String> {
    let leaf = prop_oneof!["[a-z]{1,4}", Just("x: y".to_owned()), Just("...F".to_owned())];
    let value = prop_oneof![
        "-?[1-9][0-9]{0,3}(\\.[0-9]{1,2})?",
        "\"[ -!#-\\[\\]-~é]{0,6}\"",
        Just("\"\"\"b \\\"\"\" \" c\"\"\"".to_owned()),
        Just("{a: [1, {b: $v}], c: ENUM}".to_owned()),
        Just("\"\\u00e9\\\\\"".to_owned()),
    ];
    let selections = leaf.prop_recursive(5, 40, 5, move |inner| {
        let sets = prop::collection::vec(inner, 1..5).prop_map(|all| format!("{{ {} }}", all.join(" ")));
        (
            prop::sample::select(vec!["f", "... on T", "... @include(if: $v)", "#{\ng", "\u{feff}h,"]),
            sets,
            value.clone(),
        )
            .prop_map(|(head, set, value)| match head {
                "f" => format!("f(a: {value}) @d {set}"),
                _ => format!("{head} {set}"),
            })
    });
    selections.prop_map(|inner| format!("query Q($v: [Int!] = [1]) {{ {inner} }} fragment F on T {{ a }}"))
}

fn expanded_selections(document: &ExecutableDocument) -> usize {
    use async_graphql::parser::types::{Selection, SelectionSet};
    fn count(document: &ExecutableDocument, set: &SelectionSet) -> usize {
        let each = set.items.iter().map(|item| match &item.node {
            Selection::Field(field) => 1 + count(document, &field.node.selection_set.node),
            Selection::InlineFragment(inline) => 1 + count(document, &inline.node.selection_set.node),
            Selection::FragmentSpread(spread) => {
                let fragment = document.fragments.get(&spread.node.fragment_name.node);
                1 + fragment.map_or(0, |it| count(document, &it.node.selection_set.node))
            }
        });
        each.sum()
    }
    let operations = document.operations.iter();
    operations.map(|(_, it)| count(document, &it.node.selection_set.node)).sum()
}

proptest! {
    #[test]
    fn any_text_is_scanned_without_panic(document in "\\PC{0,200}|[\\x00-\\x7f]{0,200}") {
        let _ = scan(&document, &Limits::default());
    }

    #[test]
    fn any_soup_of_tokens_is_scanned_and_what_parses_is_accepted(
        parts in prop::collection::vec(prop::sample::select(vec![
            "{", "}", "(", ")", "[", "]", "...", "on", "fragment", "fragmentA", "A", "B", "query", " ", "\n", "#", "\"",
            "\"\"\"", "\\", "\\\"\"\"", "@", ":", "$", "!", "1", "-", ".", "é", "\u{feff}", "\r", ",",
        ]), 0..40),
    ) {
        let document = parts.concat();
        let scanned = scan(&document, &Limits::default());
        if let Ok(parsed) = parse_query(&document) {
            match scanned {
                Ok(()) => prop_assert!(expanded_selections(&parsed) <= 30_000),
                Err(Refused::Endless { .. }) => {}
                Err(other) => prop_assert!(false, "{document:?} parses, but {other:?}"),
            }
        }
    }

    #[test]
    fn what_the_parser_accepts_is_accepted(document in documents()) {
        prop_assert!(parse_query(&document).is_ok(), "{}", document);
        prop_assert_eq!(scan(&document, &Limits::default()), Ok(()));
    }

    /// The scan never counts less than async-graphql will walk.
    #[test]
    fn the_expansion_is_never_underrated(document in documents()) {
        let parsed = parse_query(&document).expect("valid");
        let walked = expanded_selections(&parsed);
        let limits = Limits { expansion: walked.saturating_sub(1), ..Limits::default() };
        if document.contains("...F") {
            prop_assert!(scan(&document, &limits).is_err());
        }
    }

    #[test]
    fn cut_anywhere_it_does_not_panic(document in documents(), at in 0..400_usize) {
        let cut = document.char_indices().map(|(i, _)| i).nth(at).unwrap_or(document.len());
        let _ = scan(&document[..cut], &Limits::default());
    }
}
