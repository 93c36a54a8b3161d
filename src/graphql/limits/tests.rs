use async_graphql::{Value, parser::parse_query, value};

use super::*;

fn check_with(document: &str, variables: Value, limits: &Limits) -> Result<(), Exceeded> {
    let parsed = parse_query(document).expect("valid");
    let (_, operation) = parsed.operations.iter().next().expect("an operation");
    check(&parsed, &operation.node, &Variables::from_value(variables), limits)
}

fn met(document: &str, variables: Value) -> Option<Limit> {
    check_with(document, variables, &Limits::default()).err().map(|it| it.limit)
}

fn cost_with(document: &str, variables: Value) -> usize {
    let limits = Limits { cost: 0, ..Limits::default() };
    let exceeded = check_with(document, variables, &limits).expect_err("everything costs something");
    assert_eq!(exceeded.limit, Limit::Cost);
    exceeded.found
}

fn cost(document: &str) -> usize {
    cost_with(document, Value::Null)
}

const INTROSPECTION: &str = include_str!("introspection.graphql");

#[test]
fn every_field_costs_one() {
    assert_eq!(cost("{ a b __typename c { d } }"), 5);
    assert_eq!(cost("{ ...F ...F } fragment F on Q { a b }"), 4);
    assert_eq!(cost("{ ... { a } ... on Q { b } }"), 2);
}

#[test]
fn pages_multiply_what_they_repeat() {
    assert_eq!(cost("{ users(first: 10) { edges { node { id } } totalCount } }"), 1 + 10 * 3 + 1);
    assert_eq!(cost("{ users(last: 10) { nodes { id } } }"), 1 + 10 * 2);
    assert_eq!(cost("{ users { edges { node { id } } } }"), 1 + 20 * 3);
    assert_eq!(cost("{ users { totalCount } }"), 2);
    assert_eq!(cost("{ users(first: 1000000) { nodes { id } } }"), 1 + 100 * 2);
    assert_eq!(cost("{ users(first: -5) { nodes { id } } }"), 1 + 2);
    assert_eq!(cost("{ users(first: null) { nodes { id } } }"), 1 + 20 * 2);
    assert_eq!(cost("{ trending(first: 5) { id name } }"), 1 + 5 * 2);
    assert_eq!(cost("{ users(first: 5) { ...C } } fragment C on X { e: edges { cursor } }"), 1 + 5 * 2);
    let nested = "{ users(first: 10) { nodes { members(first: 10) { nodes { id } } } } }";
    assert_eq!(cost(nested), 1 + 10 * (1 + 1 + 10 * 2));
}

#[test]
fn variables_decide_as_literals_do() {
    let document = "query($n: Int = 7) { users(first: $n) { nodes { id } } }";
    assert_eq!(cost_with(document, value!({ "n": 50 })), 1 + 50 * 2);
    assert_eq!(cost_with(document, Value::Null), 1 + 7 * 2);
    assert_eq!(cost_with(document, value!({ "n": "many" })), 1 + 20 * 2);
    let document = "query($ids: [ID!]!) { f(ids: $ids) { id } }";
    assert_eq!(cost_with(document, value!({ "ids": ["a", "b", "c"] })), 1 + 3);
    let document = "mutation($in: I!) { f(input: $in) { id } g(input: {users: [1, 2]}) { id } }";
    assert_eq!(cost_with(document, value!({ "in": { "users": [1, 2, 3] } })), 1 + 3 + 1 + 2);
}

#[test]
fn doubling_and_nesting_saturates() {
    let mut document = String::from("{");
    for _ in 0..14 {
        document.push_str("a(first: 100) { nodes { ");
    }
    document.push_str("id");
    document.push_str(&"}".repeat(29));
    let limits = Limits { depth: 100, ..Limits::default() };
    let exceeded = check_with(&document, Value::Null, &limits).expect_err("too dear");
    assert_eq!((exceeded.limit, exceeded.found), (Limit::Cost, usize::MAX));
}

#[test]
fn depth_counts_fields_through_fragments() {
    let nested = |levels: usize| format!("{}a{}", "{a".repeat(levels - 1) + "{", "}".repeat(levels));
    assert_eq!(met(&nested(15), Value::Null), None);
    assert_eq!(met(&nested(16), Value::Null), Some(Limit::Depth));
    let spread = format!("{{ b {{ ...F }} }} fragment F on Q {}", nested(15));
    assert_eq!(met(&spread, Value::Null), Some(Limit::Depth));
}

#[test]
fn the_usual_introspection_passes_and_the_unusual_does_not() {
    assert_eq!(met(INTROSPECTION, Value::Null), None);
    let cost = cost(INTROSPECTION);
    assert!((1_000..4_000).contains(&cost), "{cost}");
    let many = "a: __schema { ...S } ".repeat(6);
    let body = INTROSPECTION.replacen("query IntrospectionQuery {", "fragment S on __Schema {", 1);
    let body = body.replacen("__schema {", "", 1).replacen("}\n}", "}", 1);
    assert_eq!(met(&format!("{{ {many} }} {body}"), Value::Null), Some(Limit::Cost));
    let circle = "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }";
    assert_eq!(met(circle, Value::Null), Some(Limit::IntrospectionLists));
    let deep = format!("{{ __type(name: \"A\") {}name{} }}", "{ ofType ".repeat(20) + "{", "}".repeat(21));
    assert_eq!(met(&deep, Value::Null), Some(Limit::IntrospectionDepth));
}

#[test]
fn aliases_directives_and_root_fields_are_counted_where_they_are_spread() {
    let aliases = |count: usize| format!("{{ x {{ {} }} }}", "a: b ".repeat(count));
    assert_eq!(met(&aliases(100), Value::Null), None);
    assert_eq!(met(&aliases(101), Value::Null), Some(Limit::Aliases));
    let spread = "{ x { ...F } y { ...F } } fragment F on Q { ".to_owned() + &"a: b ".repeat(51) + "}";
    assert_eq!(met(&spread, Value::Null), Some(Limit::Aliases));
    let directives = "{ x { ...F } y { ...F } } fragment F on Q { ".to_owned() + &"b @c ".repeat(51) + "}";
    assert_eq!(met(&directives, Value::Null), Some(Limit::Directives));
    assert_eq!(met(&format!("mutation {{ {} }}", "a ".repeat(31)), Value::Null), Some(Limit::RootFields));
}

#[test]
fn only_the_operation_that_runs_counts() {
    let document = "query A { a } query B { b(first: 100) { c(first: 100) { d(first: 100) } } }";
    let parsed = parse_query(document).expect("valid");
    for (name, operation) in parsed.operations.iter() {
        let checked =
            check(&parsed, &operation.node, &Variables::default(), &Limits { cost: 10, ..Limits::default() });
        assert_eq!(checked.is_ok(), name.is_some_and(|name| name == "A"));
    }
}

#[test]
fn a_large_variable_is_not_used_over_and_over() {
    let large = value!({ "v": "x".repeat(500_000) });
    let uses = "query($v: String) { a { ".to_owned() + &"b(c: [$v, $v]) ".repeat(5) + "} }";
    assert_eq!(met(&uses, large.clone()), Some(Limit::ArgumentBytes));
    assert_eq!(met("query($v: String) { a(b: $v) }", large.clone()), None);
    // Nor in a fragment that nobody spreads: validation visits it.
    let unused =
        "query($v: String) { a(b: $v) } fragment F on Q { ".to_owned() + &"b(c: $v) ".repeat(9) + "}";
    assert_eq!(met(&unused, large.clone()), Some(Limit::ArgumentBytes));
    // Nor for each item of a long list.
    let listed = "query($v: String) { a(first: 100) { b(c: $v) } }";
    assert_eq!(met(listed, large), Some(Limit::Cost));
}

#[test]
fn the_router_may_ask_for_a_thousand_entities() {
    let representations: Vec<Value> =
        (0..1_000).map(|i| value!({ "__typename": "User", "id": (format!("user_{i}")) })).collect();
    let document = "query($representations: [_Any!]!) { _entities(representations: $representations) {
        ... on User { id userName organization { id name } roles { id code } } } }";
    let variables =
        Value::Object([(async_graphql::Name::new("representations"), Value::List(representations))].into());
    assert_eq!(check_with(document, variables.clone(), &Limits::router()), Ok(()));
    let bytes_of_arguments = 117;
    assert_eq!(cost_with(document, variables), 1 + 1_000 * 8 + bytes_of_arguments);
}

#[test]
fn a_fragment_that_spreads_itself_ends() {
    assert_eq!(met("{ ...A } fragment A on Q { a ...A }", Value::Null), None);
}
