//! A router is told what the guards ask: read from the guards at the resolvers, and held against `schema/access.rs`.

use std::{collections::BTreeSet, env, fmt::Write as _, fs, path::Path};

use crate::tidy;

const TABLE: &str = "src/schema/access.rs";

/// One guarded field: its type, its name, and the guard as it stands at the resolver.
type Guarded = (String, String, String);

#[test]
fn a_router_is_told_what_the_guards_ask() {
    let mut found = BTreeSet::new();
    for (path, text) in tidy::sources("src") {
        // The tests of the HTTP layer bring a schema of their own.
        if !path.ends_with("tests.rs") {
            found.extend(guarded(&text));
        }
    }
    let table = print(&found);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(TABLE);
    if env::var_os("DENIZEN_UPDATE").is_some() {
        fs::write(&file, &table).unwrap();
    }
    let committed = fs::read_to_string(&file).unwrap();
    assert!(committed == table, "{TABLE} does not say what the guards say: `make permissions` writes it");
}

/// The guarded fields of every `#[Object]` in a source file.
fn guarded(text: &str) -> Vec<Guarded> {
    let mut found = Vec::new();
    let (mut object, mut header) = (String::new(), None);
    let (mut guard, mut name) = (None, None);
    let mut attribute = String::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[") || !attribute.is_empty() {
            attribute.push_str(line);
            if !line.ends_with(']') {
                continue;
            }
            let whole = std::mem::take(&mut attribute);
            if whole.starts_with("#[graphql(") {
                guard = quoted(&whole, "guard = \"").or(guard);
                name = quoted(&whole, "name = \"").or(name);
            } else if whole.starts_with("#[Object") || whole.starts_with("#[Subscription") {
                header = Some(whole);
            }
        } else if line.starts_with("impl ") {
            let of = |header: String| quoted(&header, "name = \"").unwrap_or_else(|| root_of(line));
            object = header.take().map(of).unwrap_or_default();
        } else if let Some(rest) = function(line) {
            if let Some(guard) = guard.take().filter(|_| !object.is_empty()) {
                let written = rest.split(['(', '<']).next().unwrap_or_default();
                found.push((object.clone(), name.take().unwrap_or_else(|| camel(written)), guard));
            }
            (guard, name) = (None, None);
        } else if !line.starts_with("///") {
            (guard, name) = (None, None);
        }
    }
    found
}

/// `impl OrgsMutation {` is a part of the root that its name ends with.
fn root_of(line: &str) -> String {
    let written = line.trim_end_matches(" {");
    let root = ["Query", "Mutation", "Subscription"].into_iter().find(|root| written.ends_with(root));
    root.unwrap_or_default().to_owned()
}

fn function(line: &str) -> Option<&str> {
    ["pub async fn ", "async fn ", "pub fn ", "fn "].iter().find_map(|start| line.strip_prefix(start))
}

fn quoted(attribute: &str, start: &str) -> Option<String> {
    let (_, rest) = attribute.split_once(start)?;
    Some(rest.split('"').next()?.to_owned())
}

fn camel(snake: &str) -> String {
    let mut words = snake.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut name, word| {
        name.extend(word.chars().next().map(|first| first.to_ascii_uppercase()));
        name.push_str(word.get(1..).unwrap_or_default());
        name
    })
}

/// The table as a source file.
fn print(found: &BTreeSet<Guarded>) -> String {
    let mut table = String::from(
        "//! What the guards ask for each field, for a router: made from the guards at the resolvers by `make permissions`.\n\
         //! Never edited by hand.\n\n\
         use crate::authz::Permission;\n\n\
         pub enum Access {\n    SignedIn,\n    Holding(Permission),\n}\n\n\
         use Access::{Holding, SignedIn};\n\n\
         /// The fields that are not open to everybody, by type and name.\n\
         #[rustfmt::skip]\n\
         pub const ACCESS: &[(&str, &str, Access)] = &[\n",
    );
    for (object, field, guard) in found {
        let access = match guard.as_str() {
            "Public" | "Introspective" => continue,
            "SignedIn" | "InPerson" => "SignedIn".to_owned(),
            // What is shown to its owner too, a permission alone does not open.
            shared if shared.starts_with("Private(") || shared.starts_with("InPersonOr(") => {
                "SignedIn".to_owned()
            }
            other => match other.strip_prefix("Require(").and_then(|rest| rest.strip_suffix(')')) {
                Some(permission) => format!("Holding({permission})"),
                None => panic!("{object}.{field} has a guard that no router is told of: {guard}"),
            },
        };
        let _ = writeln!(table, "    (\"{object}\", \"{field}\", {access}),");
    }
    table + "];\n"
}
