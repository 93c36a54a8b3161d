//! What the database did not keep is never acknowledged, and what failed once does not spoil what comes after it.

use std::time::Duration;

use axum::http::StatusCode;
use sea_orm::ConnectionTrait as _;
use serde_json::json;

use crate::support::{Backend, Client, World};

/// From now on the file of the database may not grow by more than this many pages, as if its disk were full.
async fn fill_the_disk(world: &World, pages: u32) {
    let db = world.app.db.owner();
    let count = sea_orm::Statement::from_string(sea_orm::DbBackend::Sqlite, "PRAGMA page_count");
    let row = db.query_one_raw(count).await.expect("the pages").expect("a row");
    let now: i32 = row.try_get_by_index(0).expect("a number");
    db.execute_unprepared(&format!("PRAGMA max_page_count = {}", now.cast_unsigned() + pages))
        .await
        .expect("a limit");
}

async fn free_the_disk(world: &World) {
    world.app.db.owner().execute_unprepared("PRAGMA max_page_count = 1000000").await.expect("no limit");
}

async fn rename(client: &Client, name: &str) -> bool {
    let document = "mutation ($name: String) { updateProfile(input: { name: $name }) { user { name } errors { code } } }";
    let answer = client.run_with(document, json!({ "name": name })).await;
    answer.data("/updateProfile/user/name") == name
}

/// Registers people until one is refused; says with which code.
async fn register_until_refused(world: &World, name: &str) -> String {
    for number in 0..500 {
        let answer = world.register(&format!("{name}{number}")).await;
        if let Some(code) = answer.codes().first() {
            return code.clone();
        }
    }
    panic!("everybody was registered");
}

/// A change that its service takes back.
async fn roll_back(world: &World) {
    let txn = world.app.db.begin().await.expect("a transaction");
    txn.execute_unprepared("UPDATE users SET name = 'nobody'").await.expect("a change");
    drop(txn);
}

#[tokio::test]
async fn after_a_full_disk_what_is_acknowledged_is_kept() {
    let world = World::with(Backend::Sqlite, &["--rate-limits", "off"]).await;
    let ada = world.user("ada").await;
    fill_the_disk(&world, 8).await;
    assert_eq!(register_until_refused(&world, "full").await, "UNAVAILABLE");
    free_the_disk(&world).await;
    roll_back(&world).await;
    let another = world.another_instance().await;
    for number in 0..20 {
        let name = format!("ada {number}");
        assert!(rename(&ada, &name).await, "the write is taken");
        let seen = another.with_token(ada.token.as_deref().unwrap()).run("{ me { name } }").await;
        assert_eq!(seen.ok("/me/name"), name.as_str(), "acknowledged, and seen by others");
    }
    ada.run("mutation { logout { errors { code } } }").await.ok("/logout");
    world.pass(Duration::from_secs(3));
    let over = another.with_token(ada.token.as_deref().unwrap()).run("{ me { name } }").await;
    assert_eq!(over.status, StatusCode::UNAUTHORIZED, "a logout is kept, too");
}

#[tokio::test]
async fn reads_go_on_while_the_disk_is_full() {
    let world = World::with(Backend::Sqlite, &["--rate-limits", "off"]).await;
    let ada = world.user("ada").await;
    fill_the_disk(&world, 4).await;
    assert_eq!(register_until_refused(&world, "full").await, "UNAVAILABLE");
    assert_eq!(ada.run("{ me { userName } }").await.ok("/me/userName"), "ada");
}

/// A statement that fails on both databases, and breaks no key.
const FAULTY: &str = "UPDATE users SET no_such_column = 1";

#[tokio::test]
async fn a_transaction_in_which_something_failed_keeps_nothing_and_says_so() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let txn = world.app.db.begin().await.expect("a transaction");
        txn.execute_unprepared("UPDATE users SET name = 'before'").await.expect("a change");
        txn.execute_unprepared(FAULTY).await.expect_err("it fails");
        txn.execute_unprepared("UPDATE users SET name = 'after'")
            .await
            .expect_err("nothing is sent any more");
        assert!(txn.commit().await.is_err(), "it is not acknowledged");
        assert_eq!(ada.run("{ me { name } }").await.ok("/me/name"), json!(null));
        assert!(rename(&ada, "Ada").await, "and the next one is kept");
        let another = world.another_instance().await.with_token(ada.token.as_deref().unwrap());
        assert_eq!(another.run("{ me { name } }").await.ok("/me/name"), "Ada");
    }
}

const fn slow(backend: Backend) -> &'static str {
    match backend {
        Backend::Postgres => "SELECT pg_sleep(0.3)",
        Backend::Sqlite => {
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000) SELECT count(*) FROM n"
        }
    }
}

#[tokio::test]
async fn a_transaction_of_which_a_statement_was_broken_off_keeps_nothing() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let txn = world.app.db.begin().await.expect("a transaction");
        txn.execute_unprepared("UPDATE users SET name = 'half'").await.expect("a change");
        {
            let mut broken_off = Box::pin(txn.execute_unprepared(slow(world.backend)));
            assert!(futures_util::poll!(broken_off.as_mut()).is_pending());
        }
        assert!(txn.commit().await.is_err(), "nobody knows whether the statement succeeded");
        assert_eq!(ada.run("{ me { name } }").await.ok("/me/name"), json!(null));
    }
}

/// From now on new connections take no writes, as those to a standby; on SQLite the one that there is.
async fn refuse_writes(world: &World) {
    let db = world.app.db.owner();
    match world.backend {
        Backend::Sqlite => {
            db.execute_unprepared("PRAGMA query_only = ON").await.expect("a pragma");
        }
        Backend::Postgres => {
            let sql = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$";
            db.execute_unprepared(sql).await.expect("a setting");
            end_connections(world).await;
        }
    }
}

async fn take_writes(world: &World) {
    if world.backend == Backend::Postgres {
        let sql = "BEGIN READ WRITE;
            DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET default_transaction_read_only', current_database()); END $$;
            COMMIT";
        // Of those that have ended, the pool learns when it uses them.
        let mut done = false;
        for _ in 0..20 {
            done = done || world.app.db.owner().execute_unprepared(sql).await.is_ok();
        }
        assert!(done, "the setting is taken back");
        end_connections(world).await;
    }
}

/// All of them, the one that asks for it too: its statement fails, and the pool opens others.
async fn end_connections(world: &World) {
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()";
    let _ = world.app.db.owner().execute_unprepared(sql).await;
}

/// Asks for readiness, each time after the last look at it has grown old, until this is the answer.
async fn until(world: &World, wanted: StatusCode) {
    for _ in 0..2_000 {
        world.pass(Duration::from_secs(2));
        if world.anonymous().get("/health/ready").await.status == wanted {
            return;
        }
    }
    panic!("{wanted} was never answered");
}

#[tokio::test]
async fn readiness_tells_whether_writes_are_kept() {
    for world in World::each().await {
        until(&world, StatusCode::OK).await;
        refuse_writes(&world).await;
        // On PostgreSQL, once every connection that was there has ended.
        until(&world, StatusCode::SERVICE_UNAVAILABLE).await;
        take_writes(&world).await;
        // By itself.
        until(&world, StatusCode::OK).await;
    }
}
