//! The habits of the house, checked.

use std::{
    fs,
    path::{Path, PathBuf},
};

const LONGEST_FILE: usize = 400;
const LONGEST_FUNCTION: usize = 60;

/// Every Rust file of the house, with its text.
pub fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source file");
                found.push((path, text));
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut found);
    assert!(!found.is_empty(), "{folder} holds no sources");
    found
}

fn all_sources() -> Vec<(PathBuf, String)> {
    ["src", "entity/src", "migration/src", "tests"].into_iter().flat_map(sources).collect()
}

#[test]
fn no_file_is_longer_than_400_lines() {
    let long: Vec<_> = all_sources()
        .into_iter()
        .filter(|(_, text)| text.lines().count() > LONGEST_FILE)
        .map(|(path, _)| path)
        .collect();
    assert!(long.is_empty(), "a file that nears 400 lines becomes a folder: {long:?}");
}

#[test]
fn no_function_is_longer_than_60_lines() {
    let mut long = Vec::new();
    for (path, text) in ["src", "entity/src", "migration/src"].into_iter().flat_map(sources) {
        let product = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
        let mut begun: Option<(usize, usize, String)> = None;
        for (number, line) in product.lines().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let starts = [
                "fn ",
                "pub fn ",
                "async fn ",
                "pub async fn ",
                "pub(crate) fn ",
                "const fn ",
                "pub const fn ",
            ];
            if begun.is_none() && starts.iter().any(|start| line.trim_start().starts_with(start)) {
                begun = Some((number, indent, line.trim().to_owned()));
            }
            let ends =
                line.trim_end() == format!("{}}}", " ".repeat(indent)) || line.trim_end().ends_with(';');
            if let Some((first, depth, name)) = begun.clone()
                && indent == depth
                && ends
            {
                if number - first > LONGEST_FUNCTION {
                    long.push(format!("{}: {name}", path.display()));
                }
                begun = None;
            }
        }
    }
    assert!(long.is_empty(), "functions over {LONGEST_FUNCTION} lines: {long:#?}");
}

#[test]
fn services_know_no_graphql_and_no_http() {
    for (path, text) in sources("src/domain") {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let translates = ["query.rs", "mutation.rs", "subscription.rs", "types.rs", "loaders.rs"]
            .contains(&name)
            || path.parent().is_some_and(|folder| folder.ends_with("types"));
        if !translates {
            assert!(
                !text.contains("async_graphql") && !text.contains("axum"),
                "{} is no translator",
                path.display()
            );
        }
    }
}

#[test]
fn every_root_object_is_closed_by_default() {
    let roots = ["query.rs", "mutation.rs", "node.rs", "entities.rs"];
    let mut seen = 0;
    for (path, text) in sources("src") {
        if roots.iter().any(|root| path.ends_with(root)) {
            for line in text.lines().filter(|line| line.starts_with("#[Object")) {
                assert_eq!(
                    line,
                    "#[Object(guard = \"crate::graphql::guard::Closed\")]",
                    "{}",
                    path.display()
                );
                seen += 1;
            }
        }
    }
    assert!(seen >= 6, "the root objects were not found");
}

#[test]
fn every_module_says_what_it_is_for() {
    for (path, text) in all_sources() {
        assert!(
            text.starts_with("//!") || path.ends_with("tests.rs"),
            "{} does not begin with //!",
            path.display()
        );
    }
}

#[test]
fn nothing_is_left_for_later() {
    let words = [
        ["to", "do!("].concat(),
        ["unimpl", "emented!("].concat(),
        ["FIX", "ME"].concat(),
        ["TO", "DO"].concat(),
    ];
    for (path, text) in all_sources() {
        for word in &words {
            assert!(!text.contains(word.as_str()), "{} holds {word}", path.display());
        }
    }
}
