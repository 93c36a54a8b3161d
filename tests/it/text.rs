//! Finding people by a part of their name, user name or address.

use sea_orm::{ConnectionTrait as _, Statement, TransactionTrait as _};
use serde_json::{Value, json};

use crate::support::{Backend, Client, World};

const PEOPLE: [(&str, &str); 6] = [
    ("ada", "Ada King Lovelace"),
    ("bob", "Bob 100% _sure_ \\ \"quoted\""),
    ("carla", "Carla Straße"),
    ("dora", "Dora 🦀 Ferris"),
    ("emil", "Emil O'Brien"),
    ("percy", "Percy von Ädel"),
];

async fn people(world: &World) -> Client {
    for (name, called) in PEOPLE {
        let input = json!({ "userName": name, "email": format!("{name}@mail.example.org"), "name": called,
            "password": "tinte kanne wolke" });
        let document =
            "mutation ($input: RegisterUserInput!) { registerUser(input: $input) { errors { code } } }";
        world.anonymous().run_with(document, json!({ "input": input })).await.ok("/registerUser/delivery");
    }
    world.superadmin().await
}

async fn found(admin: &Client, text: &str) -> String {
    let document = "query ($text: String) { users(filter: { text: $text }, orderBy: { field: USER_NAME, direction: ASC }) {
        totalCount edges { node { userName } } } }";
    let users = admin.run_with(document, json!({ "text": text })).await.ok("/users");
    let edges = users["edges"].as_array().cloned().unwrap_or_default();
    assert_eq!(users["totalCount"], edges.len(), "{text:?}");
    let names: Vec<_> = edges.iter().filter_map(|edge| edge["node"]["userName"].as_str()).collect();
    names.join(" ")
}

#[tokio::test]
async fn every_word_must_occur_somewhere_and_both_databases_agree() {
    let everybody = "ada admin bob carla dora emil percy";
    for world in World::each().await {
        let admin = people(&world).await;
        for (text, names) in [
            ("lovelace", "ada"),
            ("LOVE", "ada"),
            ("ovelac", "ada"),
            ("lovelace ada", "ada"),
            ("ada bob", ""),
            ("king example.org", "ada"),
            ("mail.EXAMPLE", "ada bob carla dora emil percy"),
            ("arl", "carla"),
            ("la", "ada carla"),
            ("@", "admin ada bob carla dora emil percy"),
            ("x", "ada bob carla dora emil percy"),
            ("100%", "bob"),
            ("%", "bob"),
            ("_", "bob"),
            ("_sure_", "bob"),
            ("\\", "bob"),
            ("\"", "bob"),
            ("\"quoted\"", "bob"),
            ("o'b", "emil"),
            ("🦀", "dora"),
            ("🦀🦀🦀", ""),
            ("straße", "carla"),
            ("STRASSE", ""),
            ("ädel", "percy"),
            ("Äd", "percy"),
            ("ÄDEL", "percy"),
            ("n.ä", ""),
            ("(ä", ""),
            ("", everybody),
            ("   ", everybody),
            ("\u{0}", ""),
            ("ada\u{0}", ""),
            ("lovelace OR bob", ""),
            ("ada* NEAR(king)", ""),
            ("'; DROP TABLE users; --", ""),
        ] {
            let mut names: Vec<_> = names.split_whitespace().collect();
            names.sort_unstable();
            assert_eq!(found(&admin, text).await, names.join(" "), "{text:?} on {:?}", world.backend);
        }
    }
}

#[tokio::test]
async fn no_text_is_an_error() {
    for world in World::each().await {
        let admin = people(&world).await;
        let many_words = (0..2_500).map(|number| number.to_string()).collect::<Vec<_>>().join(" ");
        for text in [
            "x".repeat(10_000),
            many_words,
            "% ".repeat(5_000),
            "🦀".repeat(2_500),
            "\"".repeat(9_999),
            "ä".repeat(300),
            "ä*(".repeat(100),
        ] {
            assert!(["", "bob"].contains(&found(&admin, &text).await.as_str()));
        }
    }
}

#[tokio::test]
async fn the_index_follows_changes_and_erasure() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let admin = world.superadmin().await;
        assert_eq!(found(&admin, "countess").await, "");
        let document = "mutation { updateProfile(input: { name: \"The Countess\" }) { errors { code } } }";
        ada.run(document).await.ok("");
        assert_eq!(found(&admin, "countess").await, "ada");
        ada.run("mutation { updateProfile(input: { name: null }) { errors { code } } }").await.ok("");
        assert_eq!(found(&admin, "countess").await, "");
    }
}

#[tokio::test]
async fn the_search_stays_within_what_one_may_see() {
    for world in World::each().await {
        world.user("ada").await;
        let anna = world.org_admin("anna", "acme").await;
        assert_eq!(found(&anna, "example.org").await, "anna");
    }
}

#[tokio::test]
async fn the_search_reads_an_index_and_not_every_row() {
    for world in World::each().await {
        let db = world.app.db.owner();
        let plan = match world.backend {
            Backend::Postgres => format!(
                "EXPLAIN SELECT \"id\" FROM \"users\" WHERE ({}) LIKE '%lovelace%'",
                denizen::domain::identity::text::INDEXED
            ),
            Backend::Sqlite => "EXPLAIN QUERY PLAN SELECT \"id\" FROM \"users\" WHERE \"users\".\"id\" IN \
                (SELECT \"user_id\" FROM \"users_text_rows\" WHERE \"number\" IN \
                (SELECT \"rowid\" FROM \"users_text\" WHERE \"users_text\" MATCH '\"lovelace\"'))"
                .to_owned(),
        };
        let txn = db.begin().await.expect("a transaction");
        if world.backend == Backend::Postgres {
            txn.execute_unprepared("SET LOCAL enable_seqscan = off").await.expect("a setting");
        }
        let rows = txn.query_all_raw(Statement::from_string(db.get_database_backend(), plan)).await;
        let column = if world.backend == Backend::Postgres { "QUERY PLAN" } else { "detail" };
        let lines: Vec<String> =
            rows.expect("a plan").iter().filter_map(|row| row.try_get("", column).ok()).collect();
        let plan = lines.join("\n");
        let wanted = if world.backend == Backend::Postgres { "ix__users__text" } else { "VIRTUAL TABLE" };
        assert!(plan.contains(wanted), "{plan}");
        assert!(!plan.contains("SCAN users\n") && !plan.ends_with("SCAN users"), "{plan}");
        txn.rollback().await.expect("a rollback");
    }
}

#[tokio::test]
async fn a_text_and_other_conditions_must_both_hold() {
    for world in World::each().await {
        let admin = people(&world).await;
        let document =
            "{ users(filter: { text: \"mail.example\", userNames: [\"ada\", \"admin\"] }) { totalCount } }";
        assert_eq!(admin.run(document).await.ok("/users/totalCount"), Value::from(1));
    }
}
