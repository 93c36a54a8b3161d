//! Reads lists of trusted documents: Apollo's persisted query manifest, or a plain object of ids and documents, as Relay's
//! compiler and graphql-codegen write it. What could never run is refused now, with its id.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_graphql::parser::parse_query;
use serde::Deserialize;

use crate::graphql::{limits::Limits, scan::scan};

#[derive(Deserialize)]
#[serde(untagged)]
enum Manifest {
    Apollo(Apollo),
    Plain(HashMap<String, String>),
}

#[derive(Deserialize)]
struct Apollo {
    format: String,
    version: u32,
    operations: Vec<Operation>,
}

#[derive(Deserialize)]
struct Operation {
    id: String,
    body: String,
}

/// The documents of one file, or of every `.json` file in a folder.
pub(super) fn read(path: &Path) -> Result<HashMap<String, Arc<str>>, String> {
    let mut all: HashMap<String, Arc<str>> = HashMap::new();
    for file in files(path)? {
        let problem = |what: String| format!("{}: {what}", file.display());
        let text = fs::read_to_string(&file).map_err(|error| problem(format!("cannot be read: {error}")))?;
        for (id, document) in documents(&text).map_err(problem)? {
            let problem = |what: String| format!("{}: the document {id:?} {what}", file.display());
            check(&document).map_err(problem)?;
            let document = Arc::from(document);
            if let Some(other) = all.insert(id.clone(), Arc::clone(&document))
                && other != document
            {
                return Err(problem("stands there twice, and not the same".to_owned()));
            }
        }
    }
    if all.is_empty() {
        return Err(format!("{}: there is no document in it, so nothing could be asked", path.display()));
    }
    Ok(all)
}

fn files(path: &Path) -> Result<Vec<PathBuf>, String> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let problem = |error: std::io::Error| format!("{} cannot be read: {error}", path.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(path).map_err(problem)? {
        let file = entry.map_err(problem)?.path();
        if file.extension().is_some_and(|extension| extension == "json") {
            found.push(file);
        }
    }
    found.sort();
    Ok(found)
}

fn documents(text: &str) -> Result<Vec<(String, String)>, String> {
    let manifest = serde_json::from_str(text).map_err(|_| {
        "this is neither a persisted query manifest nor a JSON object of ids and documents".to_owned()
    })?;
    match manifest {
        Manifest::Plain(documents) => Ok(documents.into_iter().collect()),
        Manifest::Apollo(Apollo { format, version: 1, operations })
            if format == "apollo-persisted-query-manifest" =>
        {
            Ok(operations.into_iter().map(|Operation { id, body }| (id, body)).collect())
        }
        Manifest::Apollo(Apollo { format, version, .. }) => {
            Err(format!("the format {format:?} in version {version} is not known here"))
        }
    }
}

fn check(document: &str) -> Result<(), String> {
    scan(document, &Limits::default()).map_err(|refused| format!("could never be run: {refused}"))?;
    parse_query(document).map_err(|error| format!("does not parse: {error}"))?;
    Ok(())
}
