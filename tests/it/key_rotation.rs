//! Rotating the signing keys: no token is falsely refused, on whatever instance, at whatever moment.

use std::{collections::BTreeSet, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use denizen::domain::sessions::rotation::{self, Rotation};
use serde_json::{Value, json};

use crate::support::{Client, PASSWORD, World};

async fn token_of(client: &Client) -> String {
    let document =
        "mutation ($password: String!) { login(input: { identifier: \"ada\", password: $password }) {
        tokens { accessToken } errors { code } } }";
    let answer = client.run_with(document, json!({ "password": PASSWORD })).await;
    answer.ok("/login/tokens/accessToken").as_str().expect("a token").to_owned()
}

fn kid(token: &str) -> String {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap_or_default()).expect("base64");
    let header: Value = serde_json::from_slice(&header).expect("JSON");
    header["kid"].as_str().expect("a kid").to_owned()
}

async fn published(client: &Client) -> BTreeSet<String> {
    let keys = client.get("/.well-known/jwks.json").await.body;
    keys["keys"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|key| key["kid"].as_str().unwrap_or("").to_owned())
        .collect()
}

#[tokio::test]
async fn tokens_signed_before_during_and_after_are_taken_everywhere() {
    for world in World::each().await {
        world.user("ada").await;
        let (here, there) = (world.anonymous(), world.another_instance().await);
        let old = kid(&token_of(&here).await);
        let Rotation::Made { kid: new, .. } = rotation::rotate(&world.system()).await.expect("a rotation")
        else {
            panic!("nothing waits yet");
        };
        assert!(matches!(rotation::rotate(&world.system()).await, Ok(Rotation::Waiting { .. })));
        let mut kids = Vec::new();
        let mut tokens: Vec<(u64, String)> = Vec::new();
        for step in 0..40 {
            for instance in [&there, &here] {
                let token = token_of(instance).await;
                kids.push(kid(&token));
                tokens.push((step, token));
            }
            for (made, token) in &tokens {
                // Fifteen minutes of half a minute each.
                if step - made < 30 {
                    for instance in [&here, &there] {
                        let answer = instance.with_token(token).run("{ __typename }").await;
                        assert_eq!(answer.status, 200, "signed at step {made}, refused at {step}");
                    }
                }
            }
            for instance in [&here, &there] {
                let known = published(instance).await;
                assert!(tokens.iter().all(|(made, token)| step - made >= 30 || known.contains(&kid(token))));
            }
            world.pass(Duration::from_secs(30));
        }
        assert_eq!((&kids[0], &kids[1], kids.last()), (&old, &old, Some(&new)));
        assert_eq!(published(&here).await, BTreeSet::from([old, new.clone()]));
        world.pass(Duration::from_mins(10));
        assert_eq!(published(&there).await, BTreeSet::from([new]), "the old one is forgotten");
    }
}

#[tokio::test]
async fn keys_are_rotated_on_schedule_by_one_of_those_who_ask() {
    for world in World::each().await {
        let ctx = world.system();
        rotation::rotate_if_due(&ctx).await.expect("a look");
        assert_eq!(rotation::list(&ctx).await.expect("a list").len(), 1, "it is not time yet");
        world.pass(Duration::from_hours(24 * 90));
        let asked = (0..5).map(|_| rotation::rotate_if_due(&ctx));
        assert!(futures_util::future::join_all(asked).await.iter().all(Result::is_ok));
        assert_eq!(rotation::list(&ctx).await.expect("a list").len(), 2, "one has made it");
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_leaves_a_key_to_sign_with() {
    for world in World::each().await {
        let world = World::with(world.backend, &["--rate-limits", "off"]).await;
        let first = published(&world.anonymous()).await.pop_first().expect("a key");
        world.clock.set_back(Duration::from_hours(24 * 400));
        world.user("ada").await;
        for instance in [world.anonymous(), world.another_instance().await] {
            let token = token_of(&instance).await;
            assert_eq!(kid(&token), first);
            assert_eq!(
                instance.with_token(&token).run("{ me { userName } }").await.ok("/me/userName"),
                "ada"
            );
            assert!(published(&instance).await.contains(&first));
        }
        assert_eq!(
            rotation::list(&world.system()).await.expect("a list").len(),
            1,
            "no other is made for it"
        );
        // Of a rotation, too, that lies ahead: the key that everybody knows signs, and not the next one.
        world.pass(Duration::from_hours(24 * 400));
        let Rotation::Made { kid: next, .. } = rotation::rotate(&world.system()).await.expect("a rotation")
        else {
            panic!("nothing waits yet");
        };
        world.pass(Duration::from_mins(30));
        assert_eq!(kid(&token_of(&world.anonymous()).await), next);
        world.clock.set_back(Duration::from_hours(24 * 400));
        assert_eq!(kid(&token_of(&world.anonymous()).await), first);
    }
}
