//! Documents that need not be sent: automatic persisted queries, and trusted documents.

use std::{fs, path::Path};

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use denizen::{
    app::{App, Sources},
    graphql::documents::{Documents, Keeping},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Answer, Backend, Client, World, config};

const QUERY: &str = "query Kept { __typename }";

fn hash(document: &str) -> String {
    HEXLOWER.encode(digest(&SHA256, document.as_bytes()).as_ref())
}

fn persisted(hash: &str) -> Value {
    json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } })
}

async fn by_hash(client: &Client, document: &str) -> Answer {
    client.post(&json!({ "extensions": persisted(&hash(document)) })).await
}

async fn with_hash(client: &Client, document: &str) -> Answer {
    client.post(&json!({ "query": document, "extensions": persisted(&hash(document)) })).await
}

#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str) {
    let found = (answer.status.as_u16(), answer.codes());
    assert_eq!(found, (status, vec![code.to_owned()]), "{}", answer.text);
}

#[tokio::test]
async fn a_document_is_sent_once_and_then_its_hash_will_do() {
    let world = World::on(Backend::Sqlite).await;
    let client = world.anonymous();
    let unknown = by_hash(&client, QUERY).await;
    refused(&unknown, 400, "PERSISTED_QUERY_NOT_FOUND");
    assert_eq!(unknown.body["errors"][0]["message"], "PersistedQueryNotFound");
    assert_eq!(with_hash(&client, QUERY).await.ok("/__typename"), "Query");
    assert_eq!(by_hash(&client, QUERY).await.ok("/__typename"), "Query");

    let upper = client.post(&json!({ "extensions": persisted(&hash(QUERY).to_uppercase()) })).await;
    assert_eq!(upper.ok("/__typename"), "Query");
    let extensions = persisted(&hash(QUERY)).to_string();
    let encoded = extensions.bytes().fold(String::new(), |all, byte| all + &format!("%{byte:02x}"));
    let got = client.get(&format!("/graphql?extensions={encoded}")).await;
    assert_eq!(got.ok("/__typename"), "Query");
    let batch =
        json!([{ "extensions": persisted(&hash(QUERY)) }, { "extensions": persisted(&hash("{ me }")) }]);
    let batch = client.post(&batch).await;
    assert_eq!(batch.body[0]["data"]["__typename"], "Query");
    assert_eq!(batch.body[1]["errors"][0]["extensions"]["code"], "PERSISTED_QUERY_NOT_FOUND");
}

#[tokio::test]
async fn what_cannot_run_is_not_kept_and_no_hash_stands_for_another_document() {
    let world = World::on(Backend::Sqlite).await;
    let client = world.anonymous();
    let deep = format!("{}__typename{}", "{ a ".repeat(100), "}".repeat(100));
    for document in ["{ __typename", deep.as_str(), "subscription { a b }"] {
        assert_eq!(with_hash(&client, document).await.status.as_u16(), 400);
        refused(&by_hash(&client, document).await, 400, "PERSISTED_QUERY_NOT_FOUND");
    }
    let other = json!({ "query": "{ me { id } }", "extensions": persisted(&hash(QUERY)) });
    refused(&client.post(&other).await, 400, "BAD_REQUEST");
    refused(&by_hash(&client, QUERY).await, 400, "PERSISTED_QUERY_NOT_FOUND");
    for nonsense in [
        json!({ "persistedQuery": 1 }),
        json!({ "persistedQuery": {} }),
        json!({ "persistedQuery": { "version": 1 } }),
        json!({ "persistedQuery": { "version": 2, "sha256Hash": hash(QUERY) } }),
        json!({ "persistedQuery": { "version": 1, "sha256Hash": "abc" } }),
        json!({ "persistedQuery": { "version": 1, "sha256Hash": ["a"] } }),
    ] {
        refused(&client.post(&json!({ "extensions": nonsense })).await, 400, "BAD_REQUEST");
    }
}

#[tokio::test]
async fn a_hash_opens_no_way_round_the_method() {
    let world = World::on(Backend::Sqlite).await;
    let client = world.anonymous();
    let mutation = "mutation { logout { endedSessions } }";
    let _ = with_hash(&client, mutation).await;
    let encoded = persisted(&hash(mutation))
        .to_string()
        .bytes()
        .fold(String::new(), |all, byte| all + &format!("%{byte:02x}"));
    assert_eq!(client.get(&format!("/graphql?extensions={encoded}")).await.status, 405);
}

#[tokio::test]
async fn switched_off_it_says_so() {
    let world = World::with(Backend::Sqlite, &["--persisted-queries", "off"]).await;
    let client = world.anonymous();
    let answer = by_hash(&client, QUERY).await;
    refused(&answer, 400, "PERSISTED_QUERY_NOT_SUPPORTED");
    assert_eq!(answer.body["errors"][0]["message"], "PersistedQueryNotSupported");
    assert_eq!(client.run(QUERY).await.ok("/__typename"), "Query");
}

fn write(folder: &TempDir, name: &str, manifest: &Value) -> String {
    let path = folder.path().join(name);
    fs::write(&path, manifest.to_string()).expect("a file");
    path.to_str().expect("text").to_owned()
}

#[tokio::test]
async fn only_trusted_documents_are_executed_whoever_asks() {
    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    let folder = TempDir::new().expect("a folder");
    let me = "query Me { me { userName } }";
    let operation = json!({ "id": hash(me), "name": "Me", "type": "query", "body": me });
    let apollo =
        json!({ "format": "apollo-persisted-query-manifest", "version": 1, "operations": [operation] });
    write(&folder, "apollo.json", &apollo);
    write(&folder, "plain.json", &json!({ "named": QUERY }));
    let folder = folder.path().to_str().expect("text");
    let flags = ["--trusted-documents", folder, "--router-secret", SECRET];
    let world = World::with(Backend::Sqlite, &flags).await;
    let stranger = world.anonymous();
    assert_eq!(by_hash(&stranger, me).await.ok("/me"), Value::Null);
    for id in [json!({ "documentId": "named" }), json!({ "extensions": persisted("named") })] {
        assert_eq!(stranger.post(&id).await.ok("/__typename"), "Query");
    }
    let prefixed = json!({ "documentId": format!("sha256:{}", hash(me)) });
    assert_eq!(stranger.post(&prefixed).await.ok("/me"), Value::Null);
    assert_eq!(stranger.get("/graphql?documentId=named").await.ok("/__typename"), "Query");
    // The same text is the same document.
    assert_eq!(stranger.run(me).await.ok("/me"), Value::Null);
    refused(&stranger.post(&json!({ "documentId": "other" })).await, 400, "PERSISTED_QUERY_NOT_FOUND");
    refused(&stranger.post(&json!({})).await, 400, "BAD_REQUEST");

    let other = "{ __typename }";
    for client in [stranger.clone(), stranger.with_header("x-router-secret", "wrong")] {
        refused(&client.run(other).await, 400, "QUERY_NOT_IN_SAFELIST");
        refused(&client.run("{ __schema { types { name } } }").await, 400, "QUERY_NOT_IN_SAFELIST");
        refused(&with_hash(&client, other).await, 400, "QUERY_NOT_IN_SAFELIST");
        refused(&by_hash(&client, other).await, 400, "PERSISTED_QUERY_NOT_FOUND");
    }
    let mixed = json!({ "documentId": "named", "query": other });
    refused(&stranger.post(&mixed).await, 400, "QUERY_NOT_IN_SAFELIST");

    let router = stranger.with_header("x-router-secret", SECRET);
    assert_eq!(router.run(other).await.ok("/__typename"), "Query");
    assert_eq!(with_hash(&router, other).await.ok("/__typename"), "Query");
    // What the router has kept is not thereby trusted.
    refused(&by_hash(&stranger, other).await, 400, "PERSISTED_QUERY_NOT_FOUND");
    assert_eq!(stranger.get("/playground").await.status, 404);
}

#[tokio::test]
async fn a_list_that_cannot_work_is_refused_at_the_start() {
    let folder = TempDir::new().expect("a folder");
    for (manifest, said) in [
        (json!([]), "neither"),
        (json!({}), "no document"),
        (json!({ "a": 1 }), "neither"),
        (json!({ "a": "{ me" }), "\"a\" does not parse"),
        (json!({ "a": "{ ...f } fragment f on Query { ...f }" }), "\"a\" could never be run"),
        (json!({ "format": "other", "version": 1, "operations": [] }), "not known here"),
        (
            json!({ "format": "apollo-persisted-query-manifest", "version": 2, "operations": [] }),
            "not known here",
        ),
    ] {
        let path = write(&folder, "list.json", &manifest);
        let refused = Documents::new(Keeping::On).trusting(Path::new(&path)).err().expect("a refusal");
        assert!(refused.contains(said), "{manifest}: {refused}");
    }
    write(&folder, "list.json", &json!({ "a": QUERY }));
    write(&folder, "other.json", &json!({ "a": "{ me { id } }" }));
    let refused = Documents::new(Keeping::On).trusting(folder.path()).err().expect("a refusal");
    assert!(refused.contains("stands there twice"), "{refused}");
    let missing = folder.path().join("missing.json");
    let database = format!("sqlite://{}", folder.path().join("world.db").display());
    let missing = config(&database, &["--trusted-documents", missing.to_str().expect("text")]);
    let refused = App::open(missing, Sources::default()).await.err().expect("a refusal").to_string();
    assert!(refused.contains("missing.json: cannot be read"), "{refused}");
}
