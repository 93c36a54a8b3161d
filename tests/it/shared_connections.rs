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

const SHARED: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'denizen shared'";

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
    for _ in 0..10_000 {
        if number(world, SHARED).await > 0 {
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
    // Who serves, as a number that is another one if it is not the same connection.
    let who = SHARED.replace("count(*)", "max(pid)::bigint");
    let before = number(&world, &who).await;
    let change = "ALTER TABLE organizations ALTER COLUMN name TYPE character varying(777)";
    world.app.db.owner().execute_unprepared(change).await.expect("a wider column");
    for _ in 0..4 {
        ask(&admin, &id).await;
    }
    assert_eq!(
        number(&world, &who).await,
        before,
        "one failed statement is no reason to give up a connection"
    );
}

#[tokio::test]
async fn many_reads_at_once_need_few_connections() {
    let (world, admin, id) = company().await;
    ask(&admin, &id).await;
    let before = number(&world, CONNECTIONS).await;
    futures_util::future::join_all((0..100).map(|_| ask(&admin, &id))).await;
    assert_eq!(number(&world, CONNECTIONS).await, before, "a hundred reads opened no connection");
}

/// Asks for eight people in 64 ways at once, and says how many statements asked for several.
async fn ask_for_many(world: &World) -> u64 {
    const WHO: &str = "userName organization { name } roles { code }";
    let admin = world.superadmin().await;
    let (office, mut people) = (world.organization("office").await, Vec::new());
    for number in 0..8 {
        let name = format!("person{number}");
        let person = world.user(&name).await;
        let user_id = world.user_id(&person).await;
        // Some come in several rows, and some with nothing beside them.
        let roles = &["ANNOTATOR", "REVIEWER", "SCHOLAR"][..number % 4];
        if !roles.is_empty() {
            world.join(user_id, office).await;
        }
        for role in roles {
            world.grant(user_id, role, None).await;
        }
        let organization = (!roles.is_empty()).then(|| json!({ "name": "The organisation office" }));
        let roles: Vec<_> = roles.iter().map(|code| json!({ "code": code })).collect();
        let id: Value = person.run("{ me { id } }").await.ok("/me/id");
        people.push((id, json!({ "userName": name, "organization": organization, "roles": roles })));
    }
    let one = format!("query ($id: ID!) {{ user(by: {{ id: $id }}) {{ {WHO} }} }}");
    let several =
        format!("query ($r: [_Any!]!) {{ _entities(representations: $r) {{ ... on User {{ {WHO} }} }} }}");
    let asks = (0..64).map(async |turn: usize| {
        let (id, person) = &people[turn % people.len()];
        let (other_id, other) = &people[(turn + 1) % people.len()];
        if turn.is_multiple_of(3) {
            let key = |id| json!({ "__typename": "User", "id": id });
            let nobody = json!("user_01jg0000000000000000000000");
            let keys = [key(id), key(&nobody), key(other_id), key(id)];
            let found = admin.run_with(&several, json!({ "r": keys })).await;
            assert_eq!(found.ok("/_entities"), json!([person, null, other, person]));
        } else {
            assert_eq!(admin.run_with(&one, json!({ "id": id })).await.ok("/user"), *person);
        }
    });
    let asked = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&asked);
    world.app.db.listen(move |sql| {
        counted.fetch_add(u64::from(sql.contains(r#""users"."id" = ANY"#)), Ordering::Relaxed);
    });
    futures_util::future::join_all(asks).await;
    asked.load(Ordering::Relaxed)
}

#[tokio::test]
async fn who_asks_for_people_at_the_same_time_shares_statements_and_gets_their_own() {
    ask_for_many(&World::on(Backend::Sqlite).await).await;
    for connections in ["4", "8"] {
        let world = World::with(Backend::Postgres, &["--database-connections", connections]).await;
        let asked = ask_for_many(&world).await;
        assert!((1..64).contains(&asked), "64 questions took {asked} statements");
    }
}

#[tokio::test]
async fn where_connections_are_few_none_is_shared_and_people_are_found_all_the_same() {
    let world = World::with(Backend::Postgres, &["--database-connections", "3"]).await;
    ask_for_many(&world).await;
    assert_eq!(number(&world, SHARED).await, 0);
}
