//! What the playground is served with, and what it holds ready. A browser drives it in `playground/test`.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

use crate::support::{Backend, World};

#[tokio::test]
async fn every_ready_made_operation_fits_the_schema() {
    let world = World::on(Backend::Sqlite).await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("playground/operations");
    let mut operations = BTreeSet::new();
    for entry in fs::read_dir(folder).expect("the operations") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "graphql") {
            continue;
        }
        let document = fs::read_to_string(&path).expect("an operation");
        assert!(document.starts_with("# "), "{} says what it is for", path.display());
        let variables = fs::read_to_string(path.with_extension("json")).unwrap_or_else(|_| "{}".to_owned());
        let variables: Value = serde_json::from_str(&variables).expect("variables are JSON");
        let client = world.superadmin().await;
        let codes = if document.contains("\nsubscription ") {
            client.follow(&document, variables).await.refusal().await
        } else {
            client.run_with(&document, variables).await.codes()
        };
        let refused = ["GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED", "BAD_USER_INPUT", "INTERNAL"];
        assert!(codes.iter().all(|code| !refused.contains(&code.as_str())), "{}: {codes:?}", path.display());
        let kind = if document.contains("\nsubscription ") { "Subscription." } else { "" };
        let selected = document.lines().filter_map(|line| line.strip_prefix("  ")?.split(['(', ' ']).next());
        operations.extend(selected.map(|field| format!("{kind}{field}")));
    }
    let schema = crate::schema::root_fields(&world).await;
    let missing: Vec<_> = schema.into_iter().filter(|field| !operations.contains(field)).collect();
    assert_eq!(missing, ["nodes"], "every operation has a ready-made one, but `nodes`, which `node` shows");
}

#[tokio::test]
async fn the_playground_is_off_in_production_unless_it_is_asked_for() {
    let world = World::on(Backend::Sqlite).await;
    let answer = world.anonymous().get("/playground").await;
    let built = !answer.text.contains("not part of this build");
    if built {
        let policy = answer.headers["content-security-policy"].to_str().expect("a policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
        assert!(answer.text.contains("content=\"open\""));
    }
    assert_eq!(world.anonymous().get("/playground/assets/nothing.js").await.status, 404);
    let production = World::with(Backend::Sqlite, &["--mode", "production", "--playground", "off"]).await;
    assert_eq!(production.anonymous().get("/playground").await.status, 404);
    assert_eq!(production.anonymous().get("/dev/mailbox").await.status, 404);
    let asked_for = World::with(Backend::Sqlite, &["--mode", "production", "--playground", "on"]).await;
    if built {
        assert!(asked_for.anonymous().get("/playground").await.text.contains("content=\"signed-in\""));
    }
}
