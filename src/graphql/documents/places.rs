//! Whether each field that a document selects has a place of its own in the answer. Where two share one, the answer cannot be
//! written from the front to the back.

use std::collections::{HashMap, HashSet};

use async_graphql::{
    Name, Positioned,
    parser::types::{ExecutableDocument, FragmentDefinition, Selection, SelectionSet},
};

/// Which places the fields of a document have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Places {
    /// A place for each.
    Apart,
    /// Some stand there twice, and say the same.
    Repeated,
    /// Some objects stand there twice, with other fields: what is below them has to be put together.
    Merged,
}

/// So many selections are looked at, those of a fragment as often as it is spread. Who selects more is not looked into.
const MOST: usize = 4_096;
/// Nor is what lies deeper.
const DEEPEST: usize = 64;

impl Places {
    /// Conservative: of fragments for different types, it counts all.
    pub fn of(document: &ExecutableDocument) -> Self {
        let mut look = Look { fragments: &document.fragments, left: MOST, found: Self::Apart };
        for (_, operation) in document.operations.iter() {
            look.below(&[&operation.node.selection_set.node], 0);
        }
        look.found
    }
}

struct Look<'d> {
    fragments: &'d HashMap<Name, Positioned<FragmentDefinition>>,
    left: usize,
    found: Places,
}

impl<'d> Look<'d> {
    /// What is selected of one object, and what below that.
    fn below(&mut self, selected: &[&'d SelectionSet], depth: usize) {
        let mut objects: HashMap<&str, Vec<&'d SelectionSet>> = HashMap::new();
        let mut leaves = HashSet::new();
        let mut open: Vec<_> = selected.iter().rev().flat_map(|set| &set.items).collect();
        while let Some(selection) = open.pop() {
            let Some(left) = self.left.checked_sub(1).filter(|_| depth < DEEPEST) else {
                self.found = Places::Merged;
                return;
            };
            self.left = left;
            match &selection.node {
                Selection::Field(field) => {
                    let (key, below) =
                        (field.node.response_key().node.as_str(), &field.node.selection_set.node);
                    if !below.items.is_empty() {
                        objects.entry(key).or_default().push(below);
                    } else if !leaves.insert(key) {
                        self.found = self.found.max(Places::Repeated);
                    }
                }
                Selection::InlineFragment(fragment) => open.extend(&fragment.node.selection_set.node.items),
                Selection::FragmentSpread(spread) => {
                    let fragment = self.fragments.get(&spread.node.fragment_name.node);
                    open.extend(fragment.iter().flat_map(|it| &it.node.selection_set.node.items));
                }
            }
        }
        for (key, selected) in objects {
            // Beside an object of the same name, a plain field is for objects of another type, or the document is wrong.
            if selected.len() > 1 || leaves.contains(key) {
                self.found = Places::Merged;
            }
            if self.found < Places::Merged {
                self.below(&selected, depth + 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::parser::parse_query;
    use std::fmt::Write as _;

    #[test]
    fn it_is_known_which_fields_share_a_place() {
        let of = |document: &str| Places::of(&parse_query(document).expect("a document"));
        for apart in [
            "{ me { id organization { id } } other: me { id } }",
            "{ me { id ...A ... on User { email } } } fragment A on User { name roles { code } }",
            "query A { me { id } } query B { me { id } }",
        ] {
            assert_eq!(of(apart), Places::Apart, "{apart}");
        }
        for repeated in [
            "{ me { id id } }",
            "{ me { ...A ...A } } fragment A on User { id }",
            "{ me { a { ...A id } } } fragment A on User { id }",
        ] {
            assert_eq!(of(repeated), Places::Repeated, "{repeated}");
        }
        for merged in [
            "{ me { id } me { name } }",
            "{ me { organization { id } ...A } } fragment A on User { organization { code } }",
            "{ a { b { c { id } ... { c { id } } } } }",
            "{ me { x: id ... on User { x: organization { id } } } }",
            "{ me { ...A x: id } } fragment A on User { x: roles { code } }",
            "{ ...Q ...Q } fragment Q on Query { me { id } }",
        ] {
            assert_eq!(of(merged), Places::Merged, "{merged}");
        }
    }

    #[test]
    fn what_is_too_large_or_has_no_end_is_not_looked_into() {
        let circle = parse_query("{ ...A } fragment A on Query { ...A a }").expect("a document");
        assert_eq!(Places::of(&circle), Places::Merged);
        let spiral = parse_query("{ ...A } fragment A on Query { a { ...A } }").expect("a document");
        assert_eq!(Places::of(&spiral), Places::Merged);
        let mut tree = "{ ...F0 }".to_owned();
        for level in 0..30 {
            let below = format!("{{ ...F{} }}", level + 1);
            write!(tree, " fragment F{level} on Query {{ a{level} {below} b{level} {below} }}")
                .expect("text");
        }
        tree += " fragment F30 on Query { id }";
        assert_eq!(Places::of(&parse_query(tree).expect("a document")), Places::Merged);
    }
}
