//! Refresh tokens: each works once, and what comes a second time was stolen.

use std::{collections::BTreeSet, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use entity::{refresh_token as row, session};
use futures_util::future::join_all;
use sea_orm::{ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _};
use serde_json::json;

use crate::support::{Answer, Client, PASSWORD, World};

const REFRESH: &str = "mutation ($token: String!) { refreshTokens(input: { refreshToken: $token }) {
    tokens { accessToken refreshToken refreshExpiresAt } errors { code path } } }";

async fn refresh(client: &Client, token: &str) -> Answer {
    client.run_with(REFRESH, json!({ "token": token })).await
}

fn refresh_token(answer: &Answer) -> String {
    let token = answer.ok("/refreshTokens/tokens/refreshToken");
    token.as_str().unwrap_or_else(|| panic!("no tokens: {}", answer.text)).to_owned()
}

async fn first_token(world: &World) -> String {
    world.user("ada").await;
    another_token(world).await
}

/// Of another session of hers.
async fn another_token(world: &World) -> String {
    let login = world.login("ada", PASSWORD).await.ok("/login/tokens/refreshToken");
    login.as_str().expect("a token").to_owned()
}

async fn lives(world: &World, answer: &Answer) -> bool {
    let token = answer.ok("/refreshTokens/tokens/accessToken");
    let client = world.anonymous().with_token(token.as_str().expect("a token"));
    client.run("{ __typename }").await.status == 200
}

#[tokio::test]
async fn a_refresh_gives_tokens_that_work_and_another_refresh() {
    for world in World::each().await {
        let mut token = first_token(&world).await;
        for _ in 0..3 {
            world.pass(Duration::from_mins(16));
            let answer = refresh(&world.anonymous(), &token).await;
            assert!(lives(&world, &answer).await);
            token = refresh_token(&answer);
        }
        for nonsense in ["nonsense", "", "\u{0}", &"x".repeat(5_000)] {
            let answer = refresh(&world.anonymous(), nonsense).await;
            assert_eq!(answer.faults("refreshTokens"), ["WRONG_CODE at [refreshToken]"]);
        }
    }
}

#[tokio::test]
async fn a_token_that_comes_again_ends_the_whole_session_and_is_told() {
    for world in World::each().await {
        let stolen = first_token(&world).await;
        let second = refresh(&world.anonymous(), &stolen).await;
        world.pass(Duration::from_secs(10));
        let again = refresh(&world.anonymous(), &stolen).await;
        assert_eq!(again.faults("refreshTokens"), ["ALREADY_USED at [refreshToken]"]);
        assert!(!lives(&world, &second).await, "the access token is dead");
        let last = refresh(&world.anonymous(), &refresh_token(&second)).await;
        assert_eq!(last.faults("refreshTokens"), ["EXPIRED at [refreshToken]"]);
        assert_eq!(world.events_of("session.reuse_detected").await.len(), 1);
        let mails = world.mails_to("ada@example.org").await;
        assert!(mails.iter().any(|mail| mail.subject.contains("ended for your safety")));
    }
}

#[tokio::test]
async fn the_predecessor_gets_the_same_successor_within_the_grace_until_that_is_used() {
    for world in World::each().await {
        let first = first_token(&world).await;
        let lost = refresh(&world.anonymous(), &first).await;
        world.pass(Duration::from_secs(9));
        let again = refresh(&world.anonymous(), &first).await;
        assert_eq!(refresh_token(&again), refresh_token(&lost), "there is one branch");
        assert_eq!(
            again.ok("/refreshTokens/tokens/refreshExpiresAt"),
            lost.ok("/refreshTokens/tokens/refreshExpiresAt")
        );
        assert!(lives(&world, &lost).await && lives(&world, &again).await);
        assert_eq!(
            world.events_of("session.refresh_repeated").await,
            [json!({ "device": "a test", "generation": 1 })]
        );
        let third = refresh(&world.anonymous(), &refresh_token(&again)).await;
        assert!(lives(&world, &third).await);
        // The predecessor's successor was used: it is no immediate one any more.
        let late = refresh(&world.anonymous(), &first).await;
        assert_eq!(late.faults("refreshTokens"), ["ALREADY_USED at [refreshToken]"]);
        assert!(!lives(&world, &third).await);
    }
}

/// Thirty at once, on two instances.
async fn thirty(here: &Client, elsewhere: &Client, token: &str) -> Vec<Answer> {
    let ask = |number| refresh(if number % 2 == 0 { here } else { elsewhere }, token);
    join_all((0..30).map(ask)).await
}

#[tokio::test]
async fn thirty_parallel_refreshes_of_one_token_give_one_successor() {
    for world in World::each().await {
        let (here, elsewhere) = (world.anonymous(), world.another_instance().await);
        let mut token = first_token(&world).await;
        for round in 1..=3 {
            let answers = thirty(&here, &elsewhere, &token).await;
            let successors: BTreeSet<_> = answers.iter().map(refresh_token).collect();
            assert_eq!(successors.len(), 1, "on {:?}", world.backend);
            for answer in &answers {
                assert!(lives(&world, answer).await, "{}", answer.text);
            }
            assert_eq!(world.events_of("session.refresh_repeated").await.len(), 29 * round);
            token = refresh_token(&answers[0]);
            world.pass(Duration::from_mins(1));
        }
        // Two tabs that asked at once go on with the same token: none ends the session of the other.
        assert!(lives(&world, &refresh(&elsewhere, &token).await).await);
        assert_eq!(world.events_of("session.reuse_detected").await.len(), 0);
    }
}

#[tokio::test]
async fn the_predecessor_from_another_user_agent_ends_the_session() {
    for world in World::each().await {
        let browser = world.anonymous().with_header("user-agent", "a browser");
        let thief = world.anonymous().with_header("user-agent", "a script");
        world.user("ada").await;
        for other in [thief, world.anonymous()] {
            let first = another_token(&world).await;
            let second = refresh(&browser, &first).await;
            let again = refresh(&browser, &first).await;
            assert_eq!(refresh_token(&again), refresh_token(&second));
            let stolen = refresh(&other, &first).await;
            assert_eq!(stolen.faults("refreshTokens"), ["ALREADY_USED at [refreshToken]"]);
            assert!(!lives(&world, &second).await);
        }
    }
}

#[tokio::test]
async fn the_predecessor_is_not_taken_without_end() {
    for world in World::each().await {
        let world = World::with(world.backend, &["--refresh-grace", "1h"]).await;
        let first = first_token(&world).await;
        let client = world.anonymous();
        for _ in 0..101 {
            refresh_token(&refresh(&client, &first).await);
        }
        let more = refresh(&client, &first).await;
        assert_eq!(more.faults("refreshTokens"), ["TOO_MANY_ATTEMPTS at [refreshToken]"]);
        assert_eq!(world.events_of("session.refresh_repeated").await.len(), 100);
    }
}

#[tokio::test]
async fn a_token_of_ten_generations_ago_ends_the_session() {
    for world in World::each().await {
        let old = first_token(&world).await;
        let mut newest = refresh(&world.anonymous(), &old).await;
        for _ in 0..10 {
            newest = refresh(&world.anonymous(), &refresh_token(&newest)).await;
        }
        let again = refresh(&world.anonymous(), &old).await;
        assert_eq!(again.faults("refreshTokens"), ["ALREADY_USED at [refreshToken]"]);
        assert!(!lives(&world, &newest).await);
        let told = json!({ "device": "a test", "generation": 11, "shown": 0 });
        assert_eq!(world.events_of("session.reuse_detected").await, [told]);
    }
}

#[tokio::test]
async fn a_made_up_token_with_the_id_of_a_session_ends_nothing() {
    for world in World::each().await {
        let first = first_token(&world).await;
        let answer = refresh(&world.anonymous(), &first).await;
        world.pass(Duration::from_mins(1));
        // The session and the generation stand in the token, and are no secret.
        let genuine = URL_SAFE_NO_PAD.decode(&first).expect("base64");
        for at in 0..genuine.len() {
            let mut forged = genuine.clone();
            forged[at] ^= 1;
            let forged = refresh(&world.anonymous(), &URL_SAFE_NO_PAD.encode(forged)).await;
            assert_eq!(forged.faults("refreshTokens"), ["WRONG_CODE at [refreshToken]"], "byte {at}");
        }
        assert!(lives(&world, &answer).await);
        assert!(lives(&world, &refresh(&world.anonymous(), &refresh_token(&answer)).await).await);
    }
}

#[tokio::test]
async fn a_hundred_refreshes_leave_one_row_and_nothing_but_hashes() {
    for world in World::each().await {
        let mut tokens = vec![first_token(&world).await];
        for _ in 0..100 {
            let answer = refresh(&world.anonymous(), tokens.last().expect("a token")).await;
            tokens.push(refresh_token(&answer));
        }
        let db = world.app.db.read();
        let refreshed = session::Entity::find().filter(session::Column::RefreshedAt.is_not_null());
        let rows = refreshed.all(db).await.expect("sessions");
        assert_eq!((rows.len(), row::Entity::find().count(db).await.expect("tokens")), (1, 0));
        let kept = [&rows[0].refresh_hash, &rows[0].previous_refresh_hash]
            .map(|hash| hash.clone().expect("a hash").0);
        let hash = |text: &String| digest(&SHA256, text.as_bytes()).as_ref().to_vec();
        assert_eq!(kept, [hash(&tokens[100]), hash(&tokens[99])]);
    }
}

#[tokio::test]
async fn a_refresh_takes_at_most_four_statements() {
    for world in World::each().await {
        let first = first_token(&world).await;
        let client = world.anonymous();
        let token = refresh_token(&refresh(&client, &first).await);
        let (answer, statements) = world.statements(refresh(&client, &token)).await;
        assert!(lives(&world, &answer).await);
        assert!(statements <= 4, "{statements} on {:?}", world.backend);
    }
}

#[tokio::test]
async fn a_clock_that_is_a_little_behind_takes_the_predecessor_and_one_that_is_set_back_does_not() {
    for world in World::each().await {
        let first = first_token(&world).await;
        let second = refresh(&world.anonymous(), &first).await;
        world.clock.set_back(Duration::from_secs(2));
        let again = refresh(&world.anonymous(), &first).await;
        assert_eq!(refresh_token(&again), refresh_token(&second));
        world.clock.set_back(Duration::from_hours(1));
        let late = refresh(&world.anonymous(), &first).await;
        assert_eq!(late.faults("refreshTokens"), ["ALREADY_USED at [refreshToken]"]);
    }
}

#[tokio::test]
async fn the_idle_end_moves_and_the_absolute_one_does_not() {
    for world in World::each().await {
        let flags = ["--session-idle-ttl", "1h", "--session-ttl", "3h"];
        let world = World::with(world.backend, &flags).await;
        let mut token = first_token(&world).await;
        for _ in 0..3 {
            world.pass(Duration::from_mins(55));
            token = refresh_token(&refresh(&world.anonymous(), &token).await);
        }
        world.pass(Duration::from_mins(16));
        let over = refresh(&world.anonymous(), &token).await;
        assert_eq!(over.faults("refreshTokens"), ["EXPIRED at [refreshToken]"]);
    }
}

#[tokio::test]
async fn a_session_that_is_over_is_not_refreshed_on_any_instance() {
    for world in World::each().await {
        let token = first_token(&world).await;
        let ada = world.logged_in("ada", PASSWORD).await;
        ada.run("mutation { logout(input: { everywhere: true }) { endedSessions } }").await;
        let elsewhere = world.another_instance().await;
        let answer = refresh(&elsewhere, &token).await;
        assert_eq!(answer.faults("refreshTokens"), ["EXPIRED at [refreshToken]"]);
    }
}
