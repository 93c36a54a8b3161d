//! The schema as text: the plain API, which is committed as `schema.graphql`, and the subgraph's, which a router
//! composes.
//!
//! Both are made from what async-graphql prints of the one schema, so they cannot disagree with what is served. Its own
//! federation printer stops at v2.5 and puts no directive on what we wrap, so the few lines that differ are set here.

use std::fmt::Write as _;

use async_graphql::SDLExportOptions;

use super::{
    Schema,
    access::{ACCESS, Access},
};

/// By which fields a router can name an entity.
const KEYS: [(&str, &[&str]); 5] = [
    ("User", &["id", "userName"]),
    ("Organization", &["id", "code"]),
    ("Role", &["id", "code"]),
    ("Model", &["id"]),
    ("Application", &["id"]),
];
/// What only a router sees.
const FEDERATION_TYPES: [&str; 3] = ["_Any", "_Entity", "_Service"];
const FEDERATION_FIELDS: [&str; 2] = ["_entities", "_service"];
/// Fields that two Relay subgraphs would both claim.
const INACCESSIBLE: [&str; 2] = ["node", "nodes"];

/// The API that front ends use: without what is there for routers only.
pub fn plain(schema: &Schema) -> String {
    let printed = tidy(&schema.sdl_with_options(SDLExportOptions::new().include_specified_by()));
    let ours = |block: &String| !is_federation(block) && !is_standard_directive(block);
    let kept: Vec<_> = blocks(&printed).into_iter().filter(ours).map(without_federation).collect();
    kept.join("\n\n") + "\n"
}

/// Whether the subgraph tells the router what the guards ask: not every gateway knows the directives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    Told,
    Untold,
}

/// The subgraph's schema, as `_service { sdl }` answers and `denizen schema --federation` prints it.
pub fn subgraph(schema: &Schema, security: Security) -> String {
    let mut imports = vec!["@key", "@shareable", "@inaccessible", "@listSize"];
    if security == Security::Told {
        imports.extend(["@authenticated", "@requiresScopes"]);
    }
    let link = format!(
        "extend schema @link(url: \"https://specs.apollo.dev/federation/v2.9\", import: [{}])\n\n",
        imports.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
    );
    link + &with_directives(&plain(schema), security)
}

/// Sets the directives of federation where they belong.
fn with_directives(sdl: &str, security: Security) -> String {
    let mut marked = String::with_capacity(sdl.len());
    let mut current = "";
    // The arguments of a field stand on lines of their own; its directives follow its type, behind them.
    let mut waiting = None;
    for line in sdl.lines() {
        marked.push_str(line.strip_suffix(" {").unwrap_or(line));
        if let Some(definition) = line.strip_prefix("type ") {
            current = definition.split(' ').next().unwrap_or_default();
            marked.push_str(&directives_of(current));
        } else if line == "}" {
            current = "";
        } else if let Some(name) = field_name(line).filter(|_| !current.is_empty()) {
            let directives = directives_of_field(current, name, security);
            if line.ends_with('(') {
                waiting = Some((directives, false));
            } else {
                marked.push_str(&directives);
            }
        } else if let Some((_, is_list)) = waiting.as_mut()
            && line.starts_with("    first: ")
        {
            *is_list = true;
        } else if line.starts_with("  ):")
            && let Some((directives, is_list)) = waiting.take()
        {
            marked.push_str(&directives);
            marked.push_str(if is_list { LIST_SIZE } else { "" });
        }
        marked.push_str(if line.ends_with(" {") { " {\n" } else { "\n" });
    }
    marked
}

/// So that a router can tell what a page costs before it asks for it.
const LIST_SIZE: &str = " @listSize(assumedSize: 20, slicingArguments: [\"first\", \"last\"], \
                         sizedFields: [\"edges\"], requireOneSlicingArgument: false)";

fn directives_of_field(type_name: &str, field: &str, security: Security) -> String {
    let mut directives = String::new();
    if type_name == "Query" && INACCESSIBLE.contains(&field) {
        directives.push_str(" @inaccessible");
    }
    let guarded = ACCESS.iter().find(|(object, name, _)| *object == type_name && *name == field);
    match guarded.map(|(.., access)| access).filter(|_| security == Security::Told) {
        Some(Access::SignedIn) => directives.push_str(" @authenticated"),
        Some(Access::Holding(permission)) => {
            let _ = write!(directives, " @requiresScopes(scopes: [[\"{permission}\"]])");
        }
        None => {}
    }
    directives
}

fn directives_of(type_name: &str) -> String {
    if type_name == "PageInfo" {
        return " @shareable".to_owned();
    }
    let keys =
        KEYS.iter().find(|(entity, _)| *entity == type_name).map(|(_, keys)| *keys).unwrap_or_default();
    keys.iter().fold(String::new(), |directives, key| directives + " @key(fields: \"" + key + "\")")
}

/// Spaces instead of tabs, none at the ends, and each definition apart from the next.
fn tidy(printed: &str) -> String {
    let mut tidied = String::with_capacity(printed.len());
    for line in printed.lines() {
        tidied.push_str(line.replace('\t', "  ").trim_end());
        tidied.push_str(if line.starts_with("directive ") { "\n\n" } else { "\n" });
    }
    tidied
}

/// The definitions, each with its description.
fn blocks(sdl: &str) -> Vec<String> {
    let mut blocks = vec![String::new()];
    let mut depth = 0;
    let mut described = false;
    for line in sdl.lines() {
        let quotes = line.matches("\"\"\"").count();
        if quotes % 2 == 1 {
            described = !described;
        } else if !described {
            depth += line.matches(['{', '(']).count();
            depth = depth.saturating_sub(line.matches(['}', ')']).count());
        }
        let between = line.is_empty() && depth == 0 && !described;
        match blocks.last_mut() {
            Some(block) if !between => {
                if !block.is_empty() {
                    block.push('\n');
                }
                block.push_str(line);
            }
            Some(block) if !block.is_empty() => blocks.push(String::new()),
            _ => {}
        }
    }
    blocks.retain(|block| !block.is_empty());
    blocks
}

fn is_federation(block: &str) -> bool {
    block.lines().any(|line| {
        let mut words = line.split(' ');
        matches!(words.next(), Some("type" | "scalar" | "union"))
            && words.next().is_some_and(|name| FEDERATION_TYPES.contains(&name))
    })
}

/// Every GraphQL implementation defines these itself. `@oneOf` it may not, and Apollo's composer wants a definition.
fn is_standard_directive(block: &str) -> bool {
    let standard =
        ["directive @include", "directive @skip", "directive @specifiedBy", "directive @deprecated"];
    block.lines().any(|line| standard.iter().any(|start| line.starts_with(start)))
}

/// A block without the fields that are there for routers only, and their descriptions.
fn without_federation(block: String) -> String {
    if !FEDERATION_FIELDS.iter().any(|field| block.contains(field)) {
        return block;
    }
    let mut kept: Vec<&str> = Vec::new();
    let mut description: Vec<&str> = Vec::new();
    let mut described = false;
    let mut skipping = false;
    for line in block.lines() {
        let quoted = line.trim_start().starts_with("\"\"\"");
        if quoted || described {
            description.push(line);
            if line.matches("\"\"\"").count() % 2 == 1 {
                described = !described;
            }
            continue;
        }
        if let Some(name) = field_name(line) {
            skipping = FEDERATION_FIELDS.contains(&name);
        } else if line == "}" {
            skipping = false;
        }
        if !skipping {
            kept.append(&mut description);
            kept.push(line);
        }
        description.clear();
    }
    kept.join("\n")
}

/// The name of the field that this line of a type defines.
fn field_name(line: &str) -> Option<&str> {
    let indented = line.strip_prefix("  ").filter(|rest| !rest.starts_with(' '))?;
    let end = indented.find(['(', ':'])?;
    let name = &indented[..end];
    (!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
        .then_some(name)
}
