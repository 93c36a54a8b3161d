//! Sessions of the previous version, which kept a row for each refresh token: they go on after an update, and while an
//! instance of that version still runs.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use entity::{Secret, refresh_token, session};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, Set,
    sea_query::Expr,
};
use serde_json::json;
use uuid::Uuid;

use crate::support::{Answer, Client, PASSWORD, World};

const REFRESH: &str = "mutation ($token: String!) { refreshTokens(input: { refreshToken: $token }) {
    tokens { accessToken refreshToken } errors { code path } } }";

async fn refresh(client: &Client, token: &str) -> Answer {
    client.run_with(REFRESH, json!({ "token": token })).await
}

fn next(answer: &Answer) -> String {
    let token = answer.ok("/refreshTokens/tokens/refreshToken");
    token.as_str().unwrap_or_else(|| panic!("no tokens: {}", answer.text)).to_owned()
}

async fn lives(world: &World, answer: &Answer) -> bool {
    let token = answer.ok("/refreshTokens/tokens/accessToken");
    world.anonymous().with_token(token.as_str().expect("a token")).run("{ __typename }").await.status == 200
}

/// A session as the previous version has opened it, without any of the new columns.
async fn session(world: &World) -> Uuid {
    world.user("ada").await;
    world.login("ada", PASSWORD).await.ok("/login");
    let db = world.app.db.owner();
    let newest = session::Entity::find().all(db).await.expect("sessions");
    let id = newest.iter().map(|session| session.id).max().expect("a session");
    let copy = Uuid::from_u128(id.as_u128() + 1);
    let columns =
        "user_id, application_id, device, ip, user_agent, authenticated_at, created_at, last_used_at,
        idle_expires_at, expires_at, ended_at, end_reason";
    let parameters =
        if world.backend == crate::support::Backend::Postgres { ["$1", "$2"] } else { ["?", "?"] };
    let sql = format!(
        "INSERT INTO sessions (id, {columns}) SELECT {}, {columns} FROM sessions WHERE id = {}",
        parameters[0], parameters[1]
    );
    let written = world.app.db.execute(&sql, [copy.into(), id.into()]).await.expect("a session");
    assert_eq!(written, 1);
    copy
}

/// A refresh token of that version, and the id of its row.
async fn issue(world: &World, session_id: Uuid, text: &str) -> Uuid {
    let (id, now) = (world.system().new_id(), world.system().now());
    let row = refresh_token::ActiveModel {
        id: Set(id),
        session_id: Set(session_id),
        token_hash: Set(Secret::from(digest(&SHA256, text.as_bytes()).as_ref().to_vec())),
        created_at: Set(now),
        expires_at: Set(now.plus(Duration::from_hours(24))),
        used_at: Set(None),
        successor_id: Set(None),
    };
    row.insert(world.app.db.owner()).await.expect("a token");
    id
}

/// What that version does when it exchanges a token.
async fn exchanged(world: &World, id: Uuid, successor: Uuid) {
    refresh_token::Entity::update_many()
        .col_expr(refresh_token::Column::UsedAt, Expr::value(world.system().now()))
        .col_expr(refresh_token::Column::SuccessorId, Expr::value(successor))
        .filter(refresh_token::Column::Id.eq(id))
        .exec(world.app.db.owner())
        .await
        .expect("exchanged");
}

const OLD: &str = "b2xkIHRva2VuIG9mIHRoZSBwcmV2aW91cyB2ZXJzaW8";
const OLDER: &str = "YW4gZXZlbiBvbGRlciBvbmUgb2YgdGhhdCB2ZXJzaW8";

#[tokio::test]
async fn a_token_of_the_previous_version_is_exchanged_for_one_that_goes_on() {
    for world in World::each().await {
        let id = session(&world).await;
        issue(&world, id, OLD).await;
        let client = world.anonymous();
        let first = refresh(&client, OLD).await;
        assert!(lives(&world, &first).await);
        let again = refresh(&client, OLD).await;
        assert_eq!(next(&again), next(&first), "an answer was lost");
        let mut answer = again;
        for _ in 0..3 {
            world.pass(Duration::from_mins(20));
            answer = refresh(&client, &next(&answer)).await;
            assert!(lives(&world, &answer).await);
        }
        let rows = refresh_token::Entity::find().count(world.app.db.read()).await.expect("tokens");
        assert_eq!(rows, 1, "no row comes to those that there are");
        let stolen = refresh(&client, OLD).await;
        assert_eq!(stolen.faults("refreshTokens"), ["ALREADY_USED at [refreshToken]"]);
        assert!(!lives(&world, &answer).await);
    }
}

#[tokio::test]
async fn an_old_token_of_the_previous_version_still_ends_the_session() {
    for world in World::each().await {
        let id = session(&world).await;
        let older = issue(&world, id, OLDER).await;
        let old = issue(&world, id, OLD).await;
        exchanged(&world, older, old).await;
        world.pass(Duration::from_mins(1));
        let answer = refresh(&world.anonymous(), OLD).await;
        assert!(lives(&world, &answer).await);
        let stolen = refresh(&world.anonymous(), OLDER).await;
        assert_eq!(stolen.faults("refreshTokens"), ["ALREADY_USED at [refreshToken]"]);
        assert!(!lives(&world, &answer).await);
        assert_eq!(world.events_of("session.reuse_detected").await.len(), 1);
    }
}

#[tokio::test]
async fn two_tabs_of_which_one_met_an_instance_of_the_previous_version_both_go_on() {
    for world in World::each().await {
        let id = session(&world).await;
        let older = issue(&world, id, OLDER).await;
        let old = issue(&world, id, OLD).await;
        exchanged(&world, older, old).await;
        let answer = refresh(&world.anonymous(), OLDER).await;
        assert!(lives(&world, &answer).await);
        assert_eq!(world.events_of("session.reuse_detected").await.len(), 0);
    }
}

#[tokio::test]
async fn parallel_refreshes_of_an_old_token_give_one_successor() {
    for world in World::each().await {
        let id = session(&world).await;
        issue(&world, id, OLD).await;
        let elsewhere = world.another_instance().await;
        let here = world.anonymous();
        let ask = |number| refresh(if number % 2 == 0 { &here } else { &elsewhere }, OLD);
        let answers = futures_util::future::join_all((0..12).map(ask)).await;
        let successors: std::collections::BTreeSet<_> = answers.iter().map(next).collect();
        assert_eq!(successors.len(), 1, "on {:?}", world.backend);
    }
}

#[tokio::test]
async fn an_old_token_logs_out_until_it_is_exchanged() {
    const LOGOUT: &str =
        "mutation ($token: String!) { logout(input: { refreshToken: $token }) { endedSessions } }";
    for world in World::each().await {
        let id = session(&world).await;
        issue(&world, id, OLD).await;
        let ended = world.anonymous().run_with(LOGOUT, json!({ "token": OLD })).await;
        assert_eq!(ended.ok("/logout/endedSessions"), 1);
        let over = refresh(&world.anonymous(), OLD).await;
        assert_eq!(over.faults("refreshTokens"), ["EXPIRED at [refreshToken]"]);
    }
}
