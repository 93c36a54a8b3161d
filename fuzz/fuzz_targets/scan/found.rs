//! What stands in a document by the parser's word: never more than was written, so that the scan must have counted as much.

use async_graphql::{
    Name, Positioned,
    parser::types::{BaseType, Directive, ExecutableDocument, Field, Selection, SelectionSet, Type},
};
use async_graphql_value::{ConstValue, Value};

#[derive(Debug, Default)]
pub struct Found {
    pub tokens: usize,
    pub nesting: usize,
    pub directives: usize,
    pub spreads: usize,
    /// The tokens of all operations once every fragment is spread; not counted on beyond the most that matters.
    pub expansion: usize,
}

impl Found {
    pub fn of(document: &ExecutableDocument, most: usize) -> Self {
        let mut found = Self::default();
        for (_, operation) in document.operations.iter() {
            let mut of_operation = Walk { document, most, found: Self::default(), spread: Spread::Followed };
            of_operation.operation(&operation.node);
            found.expansion = found.expansion.saturating_add(of_operation.found.tokens);
            found.nesting = found.nesting.max(of_operation.found.nesting);
        }
        let mut written = Walk { document, most: usize::MAX, found, spread: Spread::Counted };
        for (_, operation) in document.operations.iter() {
            written.operation(&operation.node);
        }
        for fragment in document.fragments.values() {
            written.found.tokens += 1;
            written.directives(&fragment.node.directives, 0);
            written.selections(&fragment.node.selection_set.node, 1);
        }
        written.found
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Spread {
    Counted,
    Followed,
}

struct Walk<'d> {
    document: &'d ExecutableDocument,
    most: usize,
    found: Found,
    spread: Spread,
}

type Arguments = [(Positioned<Name>, Positioned<Value>)];

impl Walk<'_> {
    fn operation(&mut self, operation: &async_graphql::parser::types::OperationDefinition) {
        for definition in &operation.variable_definitions {
            // `$`, the name and `:`.
            self.take(3, 1);
            self.kind(&definition.node.var_type.node, 1);
            if let Some(default) = &definition.node.default_value {
                self.constant(&default.node, 1);
            }
            self.directives(&definition.node.directives, 1);
        }
        self.directives(&operation.directives, 0);
        self.selections(&operation.selection_set.node, 1);
    }

    fn take(&mut self, tokens: usize, nesting: usize) {
        self.found.tokens += tokens;
        self.found.nesting = self.found.nesting.max(nesting);
    }

    fn selections(&mut self, set: &SelectionSet, nesting: usize) {
        // No braces where there are no selections.
        if set.items.is_empty() || self.found.tokens > self.most {
            return;
        }
        self.take(2, nesting);
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => self.field(&field.node, nesting),
                Selection::InlineFragment(inline) => {
                    self.take(1, nesting);
                    self.directives(&inline.node.directives, nesting);
                    self.selections(&inline.node.selection_set.node, nesting + 1);
                }
                Selection::FragmentSpread(spread) => {
                    self.take(2, nesting);
                    self.found.spreads += 1;
                    self.directives(&spread.node.directives, nesting);
                    let fragment = self.document.fragments.get(&spread.node.fragment_name.node);
                    if let (Some(fragment), Spread::Followed) = (fragment, self.spread) {
                        self.directives(&fragment.node.directives, nesting);
                        self.selections(&fragment.node.selection_set.node, nesting + 1);
                    }
                }
            }
        }
    }

    fn field(&mut self, field: &Field, nesting: usize) {
        self.take(if field.alias.is_some() { 3 } else { 1 }, nesting);
        self.arguments(&field.arguments, nesting);
        self.directives(&field.directives, nesting);
        self.selections(&field.selection_set.node, nesting + 1);
    }

    fn directives(&mut self, directives: &[Positioned<Directive>], nesting: usize) {
        for directive in directives {
            self.found.directives += 1;
            self.take(2, nesting);
            self.arguments(&directive.node.arguments, nesting);
        }
    }

    fn arguments(&mut self, arguments: &Arguments, nesting: usize) {
        if !arguments.is_empty() {
            self.take(2, nesting + 1);
        }
        for (_, value) in arguments {
            self.take(2, nesting + 1);
            self.value(&value.node, nesting + 1);
        }
    }

    fn kind(&mut self, kind: &Type, nesting: usize) {
        match &kind.base {
            BaseType::Named(_) => self.take(1, nesting),
            BaseType::List(item) => {
                self.take(2, nesting + 1);
                self.kind(item, nesting + 1);
            }
        }
    }

    fn value(&mut self, value: &Value, nesting: usize) {
        match value {
            Value::List(items) => {
                self.take(2, nesting + 1);
                items.iter().for_each(|item| self.value(item, nesting + 1));
            }
            Value::Object(fields) => {
                self.take(2, nesting + 1);
                for item in fields.values() {
                    self.take(2, nesting + 1);
                    self.value(item, nesting + 1);
                }
            }
            _ => self.take(1, nesting),
        }
    }

    fn constant(&mut self, value: &ConstValue, nesting: usize) {
        match value {
            ConstValue::List(items) => {
                self.take(2, nesting + 1);
                items.iter().for_each(|item| self.constant(item, nesting + 1));
            }
            ConstValue::Object(fields) => {
                self.take(2, nesting + 1);
                for item in fields.values() {
                    self.take(2, nesting + 1);
                    self.constant(item, nesting + 1);
                }
            }
            _ => self.take(1, nesting),
        }
    }
}
