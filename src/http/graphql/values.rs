//! Whether the values of variables are plainly of the types that the operation says. Where it is not so plain, the schema's
//! own rules are asked.

use async_graphql::{
    Value, Variables,
    parser::types::{BaseType, OperationDefinition, Type},
};

pub fn are_plain(operation: &OperationDefinition, variables: &Variables) -> bool {
    operation.variable_definitions.iter().map(|definition| &definition.node).all(|definition| match variables
        .get(&definition.name.node)
    {
        // What has a default may be null by its type, and stand where null may not.
        Some(Value::Null) if definition.default_value.is_some() => false,
        Some(value) => is_plain(&definition.var_type.node, value),
        None => true,
    })
}

fn is_plain(kind: &Type, value: &Value) -> bool {
    match (&kind.base, value) {
        (_, Value::Null) => kind.nullable,
        (BaseType::List(kind), Value::List(values)) => values.iter().all(|value| is_plain(kind, value)),
        (BaseType::Named(name), Value::String(_)) => matches!(name.as_str(), "ID" | "String"),
        (BaseType::Named(name), Value::Boolean(_)) => name == "Boolean",
        (BaseType::Named(name), Value::Number(number)) => {
            name == "Int" && number.as_i64().is_some_and(|number| i32::try_from(number).is_ok())
        }
        // The keys of entities, which are read one by one, by those who know them.
        (BaseType::Named(name), Value::Object(_)) => name == "_Any",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::parser::{parse_query, types::DocumentOperations};
    use serde_json::{Value as Json, json};

    fn plain(kind: &str, value: &Json) -> bool {
        let document = parse_query(format!("query ($v: {kind}) {{ a(v: $v) }}")).expect("a document");
        let DocumentOperations::Single(operation) = document.operations else { panic!("one operation") };
        are_plain(&operation.node, &Variables::from_json(json!({ "v": value })))
    }

    #[test]
    fn only_what_is_plainly_right_is_taken_for_right() {
        for (kind, value) in [
            ("ID!", json!("user_1")),
            ("ID", json!(null)),
            ("String", json!("")),
            ("[String!]", json!(["a", "b"])),
            ("Int!", json!(3)),
            ("Boolean", json!(false)),
            ("[_Any!]!", json!([{ "__typename": "User" }])),
        ] {
            assert!(plain(kind, &value), "{kind} {value}");
        }
        for (kind, value) in [
            ("ID!", json!(null)),
            ("Boolean = true", json!(null)),
            ("ID!", json!(["user_1"])),
            ("[ID!]!", json!("user_1")),
            ("[ID!]!", json!(["user_1", null])),
            ("String", json!(1)),
            ("Int", json!(3.5)),
            ("Int", json!(3_000_000_000_i64)),
            ("Int", json!("3")),
            ("Boolean", json!("true")),
            ("_Any", json!("user_1")),
            ("UserFilter", json!({ "text": "a" })),
            ("UserStatus", json!("ACTIVE")),
            ("DateTime", json!("2026-01-01T00:00:00Z")),
        ] {
            assert!(!plain(kind, &value), "{kind} {value}");
        }
    }
}
