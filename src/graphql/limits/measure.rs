//! The counting behind the limits: one walk over the operation, with every fragment measured once and remembered,
//! so that it takes as long as the document is, not as long as the document expands to.

use std::collections::HashMap;

use async_graphql::{
    Name, Positioned, Value as ConstValue, Variables,
    parser::types::{
        Directive, ExecutableDocument, Field, FragmentDefinition, OperationDefinition, Selection,
        SelectionSet,
    },
};
use async_graphql_value::Value;

/// A connection's page when the document does not say.
const DEFAULT_PAGE: usize = 20;
/// The largest page: the service refuses more, so nothing is gained by counting it.
const LARGEST_PAGE: usize = 100;
/// So many bytes of arguments cost as much as one field.
const BYTES_PER_COST: usize = 1024;
/// Introspection reads from memory, where other fields read from the database. With this the usual introspection
/// query costs about 2,000.
const INTROSPECTION_DISCOUNT: usize = 200;

/// What a set of selections asks for, fragments included.
#[derive(Clone, Copy, Default)]
pub(super) struct Total {
    /// Fields at this level.
    pub fields: usize,
    pub depth: usize,
    pub aliases: usize,
    pub directives: usize,
    /// Cost of `edges` and `nodes`, which a connection repeats, apart from what it answers once.
    repeated: usize,
    once: usize,
    /// The same selections seen as a part of introspection.
    inside: Introspection,
    /// Found below `__schema` and `__type`.
    pub introspection: Introspection,
}

#[derive(Clone, Copy, Default)]
pub(super) struct Introspection {
    pub depth: usize,
    pub lists: usize,
    cost: usize,
}

impl Total {
    pub fn cost(&self) -> usize {
        self.repeated.saturating_add(self.once)
    }

    fn add(&mut self, other: &Self) {
        self.fields = self.fields.saturating_add(other.fields);
        self.depth = self.depth.max(other.depth);
        self.aliases = self.aliases.saturating_add(other.aliases);
        self.directives = self.directives.saturating_add(other.directives);
        self.repeated = self.repeated.saturating_add(other.repeated);
        self.once = self.once.saturating_add(other.once);
        self.inside.add(other.inside);
        self.introspection.add(other.introspection);
    }
}

impl Introspection {
    fn add(&mut self, other: Self) {
        self.depth = self.depth.max(other.depth);
        self.lists = self.lists.max(other.lists);
        self.cost = self.cost.saturating_add(other.cost);
    }

    /// The field of that name around these selections.
    fn within(self, field: &str) -> Self {
        let (repeats, lists) = match field {
            "types" => (100, 0),
            "fields" | "inputFields" | "interfaces" | "possibleTypes" => (10, 1),
            "args" | "enumValues" | "directives" => (10, 0),
            _ => (1, 0),
        };
        Self {
            depth: self.depth + 1,
            lists: self.lists + lists,
            cost: self.cost.saturating_mul(repeats).saturating_add(1),
        }
    }
}

pub(super) struct Measure<'a> {
    document: &'a ExecutableDocument,
    /// `None` while a fragment is being measured: a fragment that spreads itself adds nothing to itself.
    fragments: HashMap<&'a str, Option<Total>>,
    variables: HashMap<&'a str, Variable<'a>>,
    argument_bytes: usize,
}

#[derive(Clone, Copy)]
struct Variable<'a> {
    value: &'a ConstValue,
    bytes: usize,
}

impl<'a> Measure<'a> {
    pub fn new(
        document: &'a ExecutableDocument,
        operation: &'a OperationDefinition,
        variables: &'a Variables,
    ) -> Self {
        let definitions = operation.variable_definitions.iter().map(|it| &it.node);
        let variables = definitions.filter_map(|it| {
            let default = it.default_value.as_ref().map(|it| &it.node);
            let value = variables.get(it.name.node.as_str()).or(default)?;
            let bytes = const_bytes(value);
            Some((it.name.node.as_str(), Variable { value, bytes }))
        });
        Self { document, fragments: HashMap::new(), variables: variables.collect(), argument_bytes: 0 }
    }

    pub fn argument_bytes(&self) -> usize {
        self.argument_bytes
    }

    pub fn operation(&mut self, operation: &'a OperationDefinition) -> Total {
        let mut total = self.selections(&operation.selection_set.node);
        self.directives(&operation.directives, &mut total);
        for definition in &operation.variable_definitions {
            self.directives(&definition.node.directives, &mut total);
        }
        total
    }

    pub fn all_fragments(&mut self) {
        let document = self.document;
        for (name, fragment) in &document.fragments {
            self.fragment(name, &fragment.node);
        }
    }

    fn fragment(&mut self, name: &'a Name, fragment: &'a FragmentDefinition) -> Total {
        if let Some(known) = self.fragments.get(name.as_str()) {
            return known.unwrap_or_default();
        }
        self.fragments.insert(name, None);
        let mut total = self.selections(&fragment.selection_set.node);
        self.directives(&fragment.directives, &mut total);
        self.fragments.insert(name, Some(total));
        total
    }

    fn selections(&mut self, set: &'a SelectionSet) -> Total {
        let document = self.document;
        let mut total = Total::default();
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => {
                    let field = self.field(&field.node);
                    total.add(&field);
                }
                Selection::InlineFragment(fragment) => {
                    total.add(&self.selections(&fragment.node.selection_set.node));
                }
                Selection::FragmentSpread(spread) => {
                    let name = spread.node.fragment_name.node.as_str();
                    // An unknown one is for validation to name.
                    if let Some((name, fragment)) = document.fragments.get_key_value(name) {
                        total.add(&self.fragment(name, &fragment.node));
                    }
                }
            }
            self.directives(selection.node.directives(), &mut total);
        }
        total
    }

    fn field(&mut self, field: &'a Field) -> Total {
        let name = field.name.node.as_str();
        let bytes = self.arguments(&field.arguments);
        let below = self.selections(&field.selection_set.node);
        let mut total = Total {
            fields: 1,
            aliases: below.aliases.saturating_add(usize::from(field.alias.is_some())),
            directives: below.directives,
            inside: below.inside.within(name),
            ..Total::default()
        };
        let own = 1 + bytes / BYTES_PER_COST;
        if matches!(name, "__schema" | "__type") {
            total.introspection = below.inside;
            total.once = own + below.inside.cost / INTROSPECTION_DISCOUNT;
            return total;
        }
        total.depth = below.depth + 1;
        total.introspection = below.introspection;
        let cost = own.saturating_add(self.below(field, &below));
        match name {
            "edges" | "nodes" => total.repeated = cost,
            _ => total.once = cost,
        }
        total
    }

    /// What the selections of a field cost, as often as the field will answer them.
    fn below(&self, field: &Field, below: &Total) -> usize {
        let is_connection = below.repeated > 0;
        let times = match self.page(field) {
            Some(page) => page,
            None if is_connection => DEFAULT_PAGE.max(self.longest_list(field)),
            None => self.longest_list(field).max(1),
        };
        if is_connection {
            return below.repeated.saturating_mul(times).saturating_add(below.once);
        }
        below.once.saturating_mul(times)
    }

    /// The page that the field asks for with `first` or `last`.
    fn page(&self, field: &Field) -> Option<usize> {
        let sizes = ["first", "last"].into_iter().filter_map(|name| {
            let size = match self.resolve(&field.get_argument(name)?.node)? {
                Resolved::Number(number) => number.as_u64().unwrap_or(0),
                _ => return None,
            };
            Some(usize::try_from(size).unwrap_or(LARGEST_PAGE).clamp(1, LARGEST_PAGE))
        });
        sizes.max()
    }

    /// The longest list among the arguments, or one level into an input object: bulk operations answer for each.
    fn longest_list(&self, field: &Field) -> usize {
        let lengths = field.arguments.iter().map(|(_, value)| match self.resolve(&value.node) {
            Some(Resolved::List(length)) => length,
            Some(Resolved::Object(longest)) => longest,
            _ => 0,
        });
        lengths.max().unwrap_or(0)
    }

    fn resolve<'v>(&self, value: &'v Value) -> Option<Resolved<'v>>
    where
        'a: 'v,
    {
        Some(match value {
            Value::Variable(name) => return const_resolved(self.variables.get(name.as_str())?.value),
            Value::Number(number) => Resolved::Number(number),
            Value::List(items) => Resolved::List(items.len()),
            Value::Object(fields) => {
                let lengths = fields.values().map(|value| match value {
                    Value::Variable(name) => match self.variables.get(name.as_str()).map(|it| it.value) {
                        Some(ConstValue::List(items)) => items.len(),
                        _ => 0,
                    },
                    Value::List(items) => items.len(),
                    _ => 0,
                });
                Resolved::Object(lengths.max().unwrap_or(0))
            }
            _ => return None,
        })
    }

    fn directives(&mut self, directives: &'a [Positioned<Directive>], total: &mut Total) {
        total.directives = total.directives.saturating_add(directives.len());
        for directive in directives {
            self.arguments(&directive.node.arguments);
        }
    }

    fn arguments(&mut self, arguments: &'a [(Positioned<Name>, Positioned<Value>)]) -> usize {
        let bytes = arguments.iter().map(|(_, value)| self.bytes(&value.node));
        let bytes = bytes.fold(0, usize::saturating_add);
        self.argument_bytes = self.argument_bytes.saturating_add(bytes);
        bytes
    }

    fn bytes(&self, value: &Value) -> usize {
        let inner = match value {
            Value::Variable(name) => return self.variables.get(name.as_str()).map_or(0, |it| it.bytes),
            Value::String(text) => text.len(),
            Value::List(items) => items.iter().map(|it| self.bytes(it)).fold(0, usize::saturating_add),
            Value::Object(fields) => fields
                .iter()
                .map(|(name, it)| name.len().saturating_add(self.bytes(it)))
                .fold(0, usize::saturating_add),
            _ => 0,
        };
        inner.saturating_add(VALUE_BYTES)
    }
}

/// What any value takes beside its text: near enough to what it takes in memory.
const VALUE_BYTES: usize = 32;

/// As much of a value as the count wants to know.
enum Resolved<'v> {
    Number(&'v async_graphql::Number),
    List(usize),
    /// The longest list within.
    Object(usize),
}

fn const_resolved(value: &ConstValue) -> Option<Resolved<'_>> {
    Some(match value {
        ConstValue::Number(number) => Resolved::Number(number),
        ConstValue::List(items) => Resolved::List(items.len()),
        ConstValue::Object(fields) => {
            let lengths = fields.values().map(|value| match value {
                ConstValue::List(items) => items.len(),
                _ => 0,
            });
            Resolved::Object(lengths.max().unwrap_or(0))
        }
        _ => return None,
    })
}

fn const_bytes(value: &ConstValue) -> usize {
    let inner = match value {
        ConstValue::String(text) => text.len(),
        ConstValue::List(items) => items.iter().map(const_bytes).fold(0, usize::saturating_add),
        ConstValue::Object(fields) => fields
            .iter()
            .map(|(name, it)| name.len().saturating_add(const_bytes(it)))
            .fold(0, usize::saturating_add),
        _ => 0,
    };
    inner.saturating_add(VALUE_BYTES)
}
