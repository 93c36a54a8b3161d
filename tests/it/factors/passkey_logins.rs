//! Logging in with a passkey alone.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{passkeys::register, with_app};
use crate::support::{Answer, Authenticator, Client, World};

pub async fn start(client: &Client, identifier: Option<&str>) -> Value {
    let document = "mutation ($input: StartPasskeyLoginInput) { startPasskeyLogin(input: $input) {
        challengeId options errors { code message path } } }";
    let input = identifier.map(|identifier| json!({ "identifier": identifier }));
    client.run_with(document, json!({ "input": input })).await.ok("/startPasskeyLogin")
}

pub async fn log_in(client: &Client, started: &Value, passkey: Value) -> Answer {
    let document = "mutation ($input: LoginWithPasskeyInput!) { loginWithPasskey(input: $input) {
        user { userName } session { device } tokens { accessToken } challenge { id }
        errors { code message path } } }";
    let input = json!({ "challengeId": started["challengeId"], "passkey": passkey, "device": "a browser" });
    client.run_with(document, json!({ "input": input })).await
}

async fn ada(world: &World) -> (Client, Authenticator) {
    let client = world.user("ada").await;
    let mut key = Authenticator::new("ada's key");
    register(&client, &mut key).await;
    (client, key)
}

#[tokio::test]
async fn a_passkey_logs_in_with_a_name_and_without_one_and_counts_as_two_factors() {
    for world in World::each().await {
        let (client, key) = ada(&world).await;
        with_app(&world, &client).await;
        let anonymous = world.anonymous();
        for identifier in [Some("ADA"), Some("ada@example.org"), None] {
            let started = start(&anonymous, identifier).await;
            let options = &started["options"]["publicKey"];
            assert_eq!(options["userVerification"], "required");
            let offered = options["allowCredentials"].as_array().map(Vec::len);
            assert_eq!(offered, Some(usize::from(identifier.is_some())));
            let answer = key.get(&started["options"]);
            let done = log_in(&anonymous, &started, answer.clone()).await.ok("/loginWithPasskey");
            assert_eq!(done["user"]["userName"], "ada", "{done}");
            assert_eq!((&done["challenge"], &done["session"]["device"]), (&Value::Null, &json!("a browser")));
            let replayed = log_in(&anonymous, &started, answer).await;
            assert_eq!(replayed.faults("loginWithPasskey"), ["ALREADY_USED at [challengeId]"]);
        }
        let used = client.run("{ me { passkeys { lastUsedAt } } }").await.ok("/me/passkeys/0/lastUsedAt");
        assert!(used.is_string());
    }
}

#[tokio::test]
async fn every_lie_of_an_authenticator_is_refused() {
    type Lie = fn(&mut Authenticator);
    let lies: [(&str, Lie); 7] = [
        ("a frame in a page of others", |key| key.framed = true),
        ("another origin", |key| key.origin = "http://denizen.test.evil.example".to_owned()),
        ("another port", |key| key.origin = "http://denizen.test:81".to_owned()),
        ("another relying party", |key| key.rp_id = "evil.example".to_owned()),
        ("a user who was not verified", |key| key.user_verified = false),
        ("another ceremony", |key| key.kind = Some("webauthn.create")),
        ("another person", |key| key.user_handle = Some(vec![7; 16])),
    ];
    for world in World::each().await {
        let (_, _) = ada(&world).await;
        let anonymous = world.anonymous();
        for (lie, tell) in lies {
            let name = lie.replace(' ', "-");
            let mut key = Authenticator::new(lie);
            register(&world.user(&name).await, &mut key).await;
            tell(&mut key);
            for identifier in [Some(name.as_str()), None] {
                let started = start(&anonymous, identifier).await;
                let done = log_in(&anonymous, &started, key.get(&started["options"])).await;
                assert_eq!(done.faults("loginWithPasskey"), ["WRONG_CREDENTIALS at [passkey]"], "{lie}");
            }
        }
        let mut stranger = Authenticator::new("nobody's key");
        let mut honest = Authenticator::new("bert's key");
        register(&world.user("bert").await, &mut honest).await;
        stranger.user_handle.clone_from(&honest.user_handle);
        let named = start(&anonymous, Some("ada")).await;
        for key in [&stranger, &honest] {
            let started = start(&anonymous, Some("ada")).await;
            let done = log_in(&anonymous, &started, key.get(&started["options"])).await;
            assert_eq!(done.faults("loginWithPasskey"), ["WRONG_CREDENTIALS at [passkey]"]);
        }
        // An id that is somebody's, signed with the key of somebody else.
        stranger.credential_id.clone_from(&honest.credential_id);
        let started = start(&anonymous, None).await;
        let done = log_in(&anonymous, &started, stranger.get(&started["options"])).await;
        assert_eq!(done.faults("loginWithPasskey"), ["WRONG_CREDENTIALS at [passkey]"]);
        // The answer to one challenge under the id of another.
        let done = log_in(&anonymous, &named, honest.get(&started["options"])).await;
        assert_eq!(done.faults("loginWithPasskey"), ["WRONG_CREDENTIALS at [passkey]"]);
    }
}

#[tokio::test]
async fn a_counter_that_does_not_go_up_is_refused_and_recorded() {
    for world in World::each().await {
        let (_, mut key) = ada(&world).await;
        let anonymous = world.anonymous();
        key.counter = 7;
        let started = start(&anonymous, None).await;
        let done = log_in(&anonymous, &started, key.get(&started["options"])).await;
        assert_eq!(done.faults("loginWithPasskey"), [""; 0]);
        for counter in [7, 3, 0] {
            key.counter = counter;
            let started = start(&anonymous, Some("ada")).await;
            let done = log_in(&anonymous, &started, key.get(&started["options"])).await;
            assert_eq!(done.faults("loginWithPasskey"), ["WRONG_CREDENTIALS at [passkey]"], "{counter}");
        }
        let refused = world.events_of("session.refused").await;
        let cloned = refused.iter().filter(|data| data["reason"].is_string()).count();
        assert_eq!(cloned, 3, "{refused:?}");
        key.counter = 8;
        let (one, two) = (start(&anonymous, None).await, start(&anonymous, None).await);
        let tries = [&one, &two].map(|started| log_in(&anonymous, started, key.get(&started["options"])));
        let opened =
            join_all(tries).await.iter().filter(|done| done.faults("loginWithPasskey").is_empty()).count();
        assert_eq!(opened, 1, "one counter, one session");
    }
}

#[tokio::test]
async fn a_name_that_is_nobodys_is_offered_what_looks_like_passkeys() {
    for world in World::each().await {
        let (_, key) = ada(&world).await;
        world.user("bert").await;
        let anonymous = world.anonymous();
        let shape = |started: &Value| {
            let mut options = started["options"]["publicKey"].clone();
            options["challenge"] = Value::Null;
            options["allowCredentials"][0]["id"] = Value::Null;
            options
        };
        let real = start(&anonymous, Some("ada")).await;
        for name in ["bert", "nobody", "nobody@example.org", "a\0b", "", &"x".repeat(10_000)] {
            let (one, two) = (start(&anonymous, Some(name)).await, start(&anonymous, Some(name)).await);
            assert_eq!(shape(&one), shape(&real), "{name:.20?}");
            let id = |started: &Value| started["options"]["publicKey"]["allowCredentials"].clone();
            assert_eq!(id(&one), id(&two), "the same each time");
            let done = log_in(&anonymous, &one, key.get(&one["options"])).await;
            assert_eq!(done.faults("loginWithPasskey"), ["WRONG_CREDENTIALS at [passkey]"]);
        }
    }
}

#[tokio::test]
async fn what_is_offered_to_nobody_hangs_on_no_spelling() {
    for world in World::each().await {
        let offered = async |name: &str| {
            let started = start(&world.anonymous(), Some(name)).await;
            started["options"]["publicKey"]["allowCredentials"].clone()
        };
        let spellings = [
            ["nobody", " NoBody ", "ｎｏｂｏｄｙ"],
            ["nobody@example.org", "Nobody@EXAMPLE.org", " nobody@example.org"],
            ["+491701234567", "+49 170 1234567", "+49-170-123-4567"],
        ];
        for [one, two, three] in spellings {
            let expected = offered(one).await;
            assert_eq!(offered(two).await, expected, "{two}");
            assert_eq!(offered(three).await, expected, "{three}");
        }
        assert_ne!(offered("nobody").await, offered("somebody").await);
    }
}

#[tokio::test]
async fn a_removed_passkey_a_closed_account_and_an_old_challenge_open_nothing() {
    for world in World::each().await {
        let (client, key) = ada(&world).await;
        let anonymous = world.anonymous();
        let started = start(&anonymous, Some("ada")).await;
        world.pass(Duration::from_mins(5));
        let done = log_in(&anonymous, &started, key.get(&started["options"])).await;
        assert_eq!(done.faults("loginWithPasskey"), ["EXPIRED at [challengeId]"]);

        let started = start(&anonymous, None).await;
        let id = client.run("{ me { id } }").await.ok("/me/id");
        let document =
            "mutation ($ids: [ID!]!) { deactivateUsers(input: { userIds: $ids }) { errors { code } } }";
        world.superadmin().await.run_with(document, json!({ "ids": [id] })).await.ok("/deactivateUsers");
        let done = log_in(&anonymous, &started, key.get(&started["options"])).await;
        assert_eq!(done.faults("loginWithPasskey"), ["INACTIVE at []"]);

        let bert = world.user("bert").await;
        let mut key = Authenticator::new("bert's key");
        let passkey = register(&bert, &mut key).await;
        let started = start(&anonymous, Some("bert")).await;
        let document = "mutation ($id: ID!) { removePasskey(input: { passkeyId: $id }) { errors { code } } }";
        bert.run_with(document, json!({ "id": passkey["id"] })).await.ok("/removePasskey");
        let done = log_in(&anonymous, &started, key.get(&started["options"])).await;
        assert_eq!(done.faults("loginWithPasskey"), ["WRONG_CREDENTIALS at [passkey]"]);
    }
}
