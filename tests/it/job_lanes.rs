//! Jobs are claimed by lane, and what waits in one lane is not read for the others.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use denizen::{
    domain::{
        credentials::otp::Way,
        events::jobs::{self, Job, Lane},
    },
    worker,
};
use sea_orm::{ConnectionTrait as _, Statement, TransactionTrait as _};
use uuid::Uuid;

use crate::support::{Backend, World};

const INDEX: &str = "ix__jobs__lane__state__run_at__id";
const FREE: [(Lane, u64); 3] = [(Lane::Mail, 8), (Lane::Text, 4), (Lane::Other, 4)];

/// Thousands of mails that are due, and behind them one job that needs no mail server.
async fn backlog(world: &World) {
    let ctx = world.system();
    let mail = || Job::DeliverNotification { notification_id: ctx.new_id(), way: Some(Way::Mail) };
    for _ in 0..8 {
        let txn = world.app.db.begin().await.expect("a transaction");
        let mails: Vec<_> = std::iter::repeat_with(mail).take(500).collect();
        jobs::enqueue_all(&txn, &ctx, &mails).await.expect("mails");
        txn.commit().await.expect("a commit");
    }
    world.pass(Duration::from_secs(1));
    let txn = world.app.db.begin().await.expect("a transaction");
    jobs::enqueue(&txn, &ctx, &Job::ForgetUser { user_id: ctx.new_id() }).await.expect("a job");
    txn.commit().await.expect("a commit");
    world.app.db.execute("ANALYZE jobs", []).await.expect("statistics");
}

/// The statement with values in it, so that PostgreSQL plans it as it plans the real one.
fn filled(sql: &str, now: i64) -> String {
    let now = now.to_string();
    let values = [
        ("\"state\" = ", "'QUEUED'"),
        ("\"locked_by\" = ", "'a worker'"),
        ("\"attempts\" + ", "1"),
        ("LIMIT ", "8"),
        ("= ", &now),
    ];
    let mut pieces = sql.split('$');
    let mut whole = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let value = values.iter().find(|(before, _)| whole.ends_with(before));
        whole.push_str(value.expect("a value that the test knows").1);
        whole.push_str(piece.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    whole
}

async fn plan(world: &World, sql: &str) -> Vec<String> {
    let (explain, column) = match world.backend {
        // What is not bound is NULL, and changes no plan.
        Backend::Sqlite => (format!("EXPLAIN QUERY PLAN {sql}"), "detail"),
        Backend::Postgres => {
            (format!("EXPLAIN {}", filled(sql, world.app.clock.now().millis())), "QUERY PLAN")
        }
    };
    let db = world.app.db.owner();
    let txn = db.begin().await.expect("a transaction");
    let rows = txn.query_all_raw(Statement::from_string(db.get_database_backend(), explain)).await;
    let lines = rows.expect("a plan").iter().map(|row| row.try_get("", column).expect("a line")).collect();
    txn.rollback().await.expect("a rollback");
    lines
}

#[tokio::test]
async fn a_claim_reads_what_it_takes_and_no_backlog() {
    for world in World::each().await {
        backlog(&world).await;
        let heard = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&heard);
        world.app.db.listen(move |sql| told.lock().expect("a list").push(sql.to_owned()));
        let claimed = jobs::claim(&world.app, "a worker", &FREE).await.expect("a claim");
        let of = |lane| claimed.iter().filter(|job| job.lane == lane).count();
        assert_eq!((of(Lane::Mail), of(Lane::Text), of(Lane::Other)), (8, 0, 1), "on {:?}", world.backend);
        let heard = heard.lock().expect("a list").clone();
        assert!(!heard.is_empty() && heard.iter().all(|sql| sql.contains("\"jobs\"")), "{heard:?}");
        for sql in &heard {
            let plan = plan(&world, sql).await;
            let whole = plan.join("\n");
            for costly in ["Seq Scan on jobs", "SCAN jobs", "TEMP B-TREE"] {
                assert!(!whole.contains(costly), "{sql}\n{whole}");
            }
            // Where nearly all jobs are of the lane, PostgreSQL may as well take the index without it.
            let other = sql.contains("'OTHER'") || world.backend == Backend::Sqlite;
            assert!(whole.contains(INDEX) || !other, "{sql}\n{whole}");
            if world.backend == Backend::Sqlite {
                // Of the lane that nearly all jobs are of, it may as well read the index without lanes.
                let read = plan.iter().filter(|line| line.starts_with("SEARCH jobs"));
                let others = read.filter(|line| !line.contains(INDEX) && !line.contains("autoindex"));
                assert!(others.count() <= 1, "{whole}");
            }
        }
    }
}

#[tokio::test]
async fn only_lanes_with_something_due_are_claimed() {
    for world in World::each().await {
        let (claimed, statements) = world.statements(jobs::claim(&world.app, "a worker", &FREE)).await;
        assert!(claimed.expect("a claim").is_empty());
        assert_eq!(statements, 1, "one look, on {:?}", world.backend);
        world.register("ada").await;
        let (claimed, statements) = world.statements(jobs::claim(&world.app, "a worker", &FREE[1..])).await;
        assert!(claimed.expect("a claim").is_empty(), "no place is free for mails");
        assert_eq!(statements, 1, "on {:?}", world.backend);
        let (claimed, statements) = world.statements(jobs::claim(&world.app, "a worker", &FREE)).await;
        assert_eq!(claimed.expect("a claim").len(), 1);
        assert_eq!(statements, 2, "a look and one lane, on {:?}", world.backend);
    }
}

#[tokio::test]
async fn a_job_that_the_previous_version_wrote_is_done() {
    for world in World::each().await {
        world.register("ada").await;
        let columns = "kind, payload, state, run_at, attempts, max_attempts, created_at";
        let copy = format!("INSERT INTO jobs (id, {columns}) SELECT $1, {columns} FROM jobs");
        let id = Uuid::from_u128(1);
        assert_eq!(world.app.db.execute(&copy, [id.into()]).await.expect("a job without a lane"), 1);
        let rest = "DELETE FROM jobs WHERE id <> $1";
        assert_eq!(world.app.db.execute(rest, [id.into()]).await.expect("the other"), 1);
        assert_eq!(worker::drain(&world.app).await.expect("the jobs"), 1, "on {:?}", world.backend);
        assert_eq!(world.mails_to("ada@example.org").await.len(), 1);
        assert_eq!(jobs::counts(&world.app).await.expect("counts"), (0, 0));
    }
}
