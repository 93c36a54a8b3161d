//! How entities are named, and where it is read.

use std::{collections::HashMap, mem};

use async_graphql::{
    Context, Name, Request, Value,
    parser::types::{BaseType, DocumentOperations, ExecutableDocument, Field, Selection, SelectionSet, Type},
};
use async_graphql_value::Value as Argument;
use uuid::Uuid;

use crate::ids::{self, Kind};

/// One way to name an entity.
#[derive(Debug, PartialEq)]
pub(super) enum Key {
    UserId(Uuid),
    UserName(String),
    OrganizationId(Uuid),
    OrganizationCode(String),
    RoleId(Uuid),
    RoleCode(String),
    ModelId(Uuid),
    ApplicationId(Uuid),
}

impl Key {
    /// `None` for what names nothing of ours.
    pub(super) fn read(representation: &Value) -> Option<Self> {
        let Value::Object(fields) = representation else {
            return None;
        };
        let text = |name: &str| match fields.get(name) {
            Some(Value::String(text)) => Some(text.as_str()),
            _ => None,
        };
        let id = |kind| text("id").map(|id| ids::decode_as(kind, id));
        match text("__typename")? {
            "User" => match id(Kind::User) {
                Some(id) => id.map(Self::UserId),
                None => text("userName").map(str::to_owned).map(Self::UserName),
            },
            "Organization" => match id(Kind::Organization) {
                Some(id) => id.map(Self::OrganizationId),
                None => text("code").map(str::to_owned).map(Self::OrganizationCode),
            },
            "Role" => match id(Kind::Role) {
                Some(id) => id.map(Self::RoleId),
                None => text("code").map(str::to_owned).map(Self::RoleCode),
            },
            "Model" => id(Kind::Model).flatten().map(Self::ModelId),
            "Application" => id(Kind::Application).flatten().map(Self::ApplicationId),
            _ => None,
        }
    }
}

/// Keys that were read where they came, in the variables of these names: async-graphql would copy all of them for the argument.
pub struct ReadBefore(HashMap<Name, Vec<Option<Key>>>);

impl ReadBefore {
    /// Takes lists of representations out of the variables. Only where these are known to be what the operation says: the
    /// schema's rules would no longer find them.
    pub fn take_from(request: &mut Request) -> Option<Self> {
        let names = lists(request.parsed_query().ok()?);
        let read = names.into_iter().filter_map(|name| match request.variables.get_mut(&name) {
            Some(Value::List(list)) => {
                let keys = mem::take(list).iter().map(Key::read).collect();
                Some((name, keys))
            }
            _ => None,
        });
        let read: HashMap<_, _> = read.collect();
        (!read.is_empty()).then_some(Self(read))
    }

    /// Those of the field that is being resolved, `_entities`.
    pub(super) fn of<'a>(ctx: &Context<'a>) -> Option<&'a Vec<Option<Key>>> {
        match &ctx.item.node.arguments.first()?.1.node {
            Argument::Variable(name) => ctx.data_opt::<Self>()?.0.get(name),
            _ => None,
        }
    }
}

/// The variables that are lists of representations, and nothing but the argument of `_entities`.
fn lists(document: &ExecutableDocument) -> Vec<Name> {
    let DocumentOperations::Single(operation) = &document.operations else { return Vec::new() };
    let fragments = document.fragments.values().map(|fragment| &fragment.node.selection_set.node);
    let selected: Vec<_> = fragments.chain([&operation.node.selection_set.node]).collect();
    let definitions = operation.node.variable_definitions.iter().map(|definition| &definition.node);
    definitions
        .filter(|definition| is_list_of_keys(&definition.var_type.node))
        .map(|definition| definition.name.node.clone())
        .filter(|name| !selected.iter().any(|selected| is_used_elsewhere(name, selected)))
        .collect()
}

fn is_list_of_keys(kind: &Type) -> bool {
    match &kind.base {
        BaseType::List(of) => matches!(&of.base, BaseType::Named(name) if name == "_Any"),
        BaseType::Named(_) => false,
    }
}

/// In a value of a scalar such as `JSON` a variable of any type may stand.
fn is_used_elsewhere(name: &Name, selected: &SelectionSet) -> bool {
    selected.items.iter().any(|selection| match &selection.node {
        Selection::Field(field) => {
            let Field { name: field_name, arguments, selection_set, .. } = &field.node;
            let is_for_keys = field_name.node == "_entities";
            let elsewhere = |value: &Argument| match value {
                Argument::Variable(_) if is_for_keys => false,
                value => mentions(value, name),
            };
            arguments.iter().any(|(_, value)| elsewhere(&value.node))
                || is_used_elsewhere(name, &selection_set.node)
        }
        Selection::InlineFragment(fragment) => is_used_elsewhere(name, &fragment.node.selection_set.node),
        Selection::FragmentSpread(_) => false,
    })
}

fn mentions(value: &Argument, name: &Name) -> bool {
    match value {
        Argument::Variable(variable) => variable == name,
        Argument::List(values) => values.iter().any(|value| mentions(value, name)),
        Argument::Object(fields) => fields.values().any(|value| mentions(value, name)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::parser::parse_query;

    #[test]
    fn only_what_is_nothing_but_a_list_of_keys_is_read_before() {
        let taken = |document: &str| {
            let names = lists(&parse_query(document).expect("a document"));
            names.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(
            taken(
                "query ($r: [_Any!]!) { a: _entities(representations: $r) { id } ...Q } fragment Q on Query { _entities(representations: $r) { id } }"
            ),
            ["r"]
        );
        for document in [
            "query ($r: _Any!) { _entities(representations: [$r]) { id } }",
            "query ($r: [ID!]!) { nodes(ids: $r) { id } }",
            "query ($r: [_Any!]!) { _entities(representations: $r) { id } find(as: { json: [{ in: $r }] }) { id } }",
            "query ($r: [_Any!]!) { ...Q } fragment Q on Query { _entities(representations: [{ id: $r }]) { id } }",
            "query ($r: [_Any!]!) { _entities(representations: $r) { ... on User { friends(like: $r) { id } } } }",
            "query A($r: [_Any!]!) { _entities(representations: $r) { id } } query B { me { id } }",
        ] {
            assert_eq!(taken(document), [""; 0], "{document}");
        }
    }
}
