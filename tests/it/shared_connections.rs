//! Statements that share a connection to PostgreSQL.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use serde_json::{Value, json};

use crate::support::{Backend, Client, World};

const CONNECTIONS: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";

/// An administrator, and the id of somebody to ask for.
async fn company() -> (World, Client, Value) {
    let world = World::on(Backend::Postgres).await;
    let admin = world.superadmin().await;
    let id = world.user("ada").await.run("{ me { id } }").await.ok("/me/id");
    (world, admin, id)
}

async fn ask(client: &Client, id: &Value) {
    let document =
        "query ($id: ID!) { user(by: { id: $id }) { userName organization { name } roles { code } } }";
    let found = client.run_with(document, json!({ "id": id })).await;
    assert_eq!(found.ok("/user/userName"), "ada");
}

/// Asks until there are some again: they are opened while nobody waits for them.
async fn until_shared(world: &World, admin: &Client, id: &Value) {
    let count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'denizen shared'";
    for _ in 0..10_000 {
        if number(world, count).await > 0 {
            return;
        }
        ask(admin, id).await;
    }
    panic!("no shared connection was opened again");
}

async fn number(world: &World, select: &str) -> i64 {
    let statement = Statement::from_string(DbBackend::Postgres, select);
    let row = world.app.db.owner().query_one_raw(statement).await.expect("an answer");
    row.and_then(|row| row.try_get_by_index(0).ok()).expect("a number")
}

#[tokio::test]
async fn reads_outlive_the_connections_that_they_shared() {
    let (world, admin, id) = company().await;
    ask(&admin, &id).await;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'denizen shared'";
    for _ in 0..3 {
        let ended = world.app.db.owner().execute_unprepared(end).await.expect("they end");
        assert!(ended.rows_affected() > 0, "there were some");
        for _ in 0..4 {
            ask(&admin, &id).await;
        }
        until_shared(&world, &admin, &id).await;
    }
}

#[tokio::test]
async fn reads_outlive_a_change_of_the_schema_that_their_statements_were_prepared_for() {
    let (world, admin, id) = company().await;
    for _ in 0..4 {
        ask(&admin, &id).await;
    }
    let change = "ALTER TABLE organizations ALTER COLUMN name TYPE character varying(777)";
    world.app.db.owner().execute_unprepared(change).await.expect("a wider column");
    for _ in 0..4 {
        ask(&admin, &id).await;
    }
}

#[tokio::test]
async fn many_reads_at_once_need_few_connections() {
    let (world, admin, id) = company().await;
    ask(&admin, &id).await;
    let before = number(&world, CONNECTIONS).await;
    futures_util::future::join_all((0..100).map(|_| ask(&admin, &id))).await;
    assert_eq!(number(&world, CONNECTIONS).await, before, "a hundred reads opened no connection");
}

#[tokio::test]
async fn who_asks_for_people_at_the_same_time_shares_statements_and_gets_their_own() {
    for world in World::each().await {
        let admin = world.superadmin().await;
        let mut people = Vec::new();
        for number in 0..8 {
            let name = format!("person{number}");
            let id: Value = world.user(&name).await.run("{ me { id } }").await.ok("/me/id");
            people.push((name, id));
        }
        let one = "query ($id: ID!) { user(by: { id: $id }) { userName roles { code } } }";
        let several = "query ($r: [_Any!]!) { _entities(representations: $r) { ... on User { userName roles { code } } } }";
        let asks = (0..64).map(async |turn: usize| {
            let (name, id) = &people[turn % people.len()];
            let (other, beside) = &people[(turn + 1) % people.len()];
            if turn.is_multiple_of(3) {
                let of = |id| json!({ "__typename": "User", "id": id });
                let nobody = "user_01jg0000000000000000000000";
                let keys = [of(id), of(&json!(nobody)), of(beside), of(id)];
                let found = admin.run_with(several, json!({ "r": keys })).await;
                let names: Vec<_> =
                    ["/0", "/2", "/3"].map(|place| found.ok(&format!("/_entities{place}/userName"))).to_vec();
                assert_eq!(names, [json!(name), json!(other), json!(name)]);
                assert_eq!(found.ok("/_entities/1"), Value::Null);
            } else {
                let found = admin.run_with(one, json!({ "id": id })).await;
                let found: (Value, Value) = (found.ok("/user/userName"), found.ok("/user/roles"));
                assert_eq!(found, (json!(name), json!([])));
            }
        });
        let asked = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&asked);
        world.app.db.listen(move |sql| {
            counted.fetch_add(u64::from(sql.contains(r#""users"."id" = ANY"#)), Ordering::Relaxed);
        });
        futures_util::future::join_all(asks).await;
        if world.backend == Backend::Postgres {
            let asked = asked.load(Ordering::Relaxed);
            assert!((1..64).contains(&asked), "64 questions took {asked} statements");
        }
    }
}
