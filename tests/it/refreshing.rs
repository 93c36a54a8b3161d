//! Refresh tokens: each works once, and what comes a second time was stolen.

use std::time::Duration;

use futures_util::future::join_all;
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
async fn the_predecessor_is_taken_within_the_grace_until_its_successor_is_used() {
    for world in World::each().await {
        let first = first_token(&world).await;
        let lost = refresh(&world.anonymous(), &first).await;
        world.pass(Duration::from_secs(9));
        let again = refresh(&world.anonymous(), &first).await;
        assert!(lives(&world, &lost).await && lives(&world, &again).await);
        let third = refresh(&world.anonymous(), &refresh_token(&again)).await;
        assert!(lives(&world, &third).await);
        // The predecessor's successor was used: it is no immediate one any more.
        let late = refresh(&world.anonymous(), &first).await;
        assert_eq!(late.faults("refreshTokens"), ["ALREADY_USED at [refreshToken]"]);
        assert!(!lives(&world, &third).await);
    }
}

#[tokio::test]
async fn parallel_refreshes_all_work_and_leave_one_live_family() {
    for world in World::each().await {
        let token = first_token(&world).await;
        let elsewhere = world.another_instance().await;
        let here = world.anonymous();
        let answers = join_all((0..12).map(|number| {
            let client = if number % 2 == 0 { here.clone() } else { elsewhere.clone() };
            let token = token.clone();
            async move { refresh(&client, &token).await }
        }))
        .await;
        for answer in &answers {
            assert!(lives(&world, answer).await, "{}", answer.text);
        }
        // Whoever goes on first, goes on alone.
        world.pass(Duration::from_mins(1));
        assert!(lives(&world, &refresh(&here, &refresh_token(&answers[3])).await).await);
        world.pass(Duration::from_mins(1));
        let other = refresh(&elsewhere, &refresh_token(&answers[4])).await;
        assert_eq!(other.faults("refreshTokens"), ["ALREADY_USED at [refreshToken]"]);
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
