//! Passkeys: made, used to log in, and taken away, by an authenticator that can lie in every way.

use std::time::Duration;

use serde_json::{Value, json};

use super::notice;
use crate::support::{Answer, Authenticator, Backend, Client, PASSWORD, World};

pub async fn start(client: &Client, name: &str) -> Answer {
    let document =
        "mutation ($input: StartPasskeyRegistrationInput!) { startPasskeyRegistration(input: $input) {
        challengeId options errors { code message path } } }";
    client.run_with(document, json!({ "input": { "name": name } })).await
}

pub async fn finish(client: &Client, challenge: &Value, passkey: Value) -> Answer {
    let document =
        "mutation ($input: FinishPasskeyRegistrationInput!) { finishPasskeyRegistration(input: $input) {
        passkey { id name createdAt lastUsedAt } errors { code message path } } }";
    let input = json!({ "challengeId": challenge, "passkey": passkey });
    client.run_with(document, json!({ "input": input })).await
}

pub async fn register(client: &Client, key: &mut Authenticator) -> Value {
    let started = start(client, "Laptop").await.ok("/startPasskeyRegistration");
    let passkey = key.create(&started["options"]);
    let finished = finish(client, &started["challengeId"], passkey).await;
    assert_eq!(finished.faults("finishPasskeyRegistration"), [""; 0]);
    finished.ok("/finishPasskeyRegistration/passkey")
}

async fn remove(client: &Client, id: &Value) -> Answer {
    let document = "mutation ($id: ID!) { removePasskey(input: { passkeyId: $id }) {
        deletedId errors { code message path } } }";
    client.run_with(document, json!({ "id": id })).await
}

#[tokio::test]
async fn a_passkey_is_added_listed_and_removed_by_its_owner_alone() {
    for world in World::each().await {
        let (ada, bert) = (world.user("ada").await, world.user("bert").await);
        let started = start(&ada, " Laptop ").await.ok("/startPasskeyRegistration");
        let options = &started["options"]["publicKey"];
        assert_eq!(options["rp"], json!({ "id": "denizen.test", "name": "denizen.test" }));
        assert_eq!(options["authenticatorSelection"]["userVerification"], "required");
        assert_eq!(options["attestation"], "none");
        let mut key = Authenticator::new("ada's laptop");
        let answer = key.create(&started["options"]);
        let stolen = finish(&bert, &started["challengeId"], answer.clone()).await;
        assert_eq!(stolen.faults("finishPasskeyRegistration"), ["NOT_FOUND at [challengeId]"]);
        let passkey = finish(&ada, &started["challengeId"], answer.clone()).await;
        let passkey = passkey.ok("/finishPasskeyRegistration/passkey");
        assert_eq!((&passkey["name"], &passkey["lastUsedAt"]), (&json!("Laptop"), &Value::Null));
        let again = finish(&ada, &started["challengeId"], answer).await;
        assert_eq!(again.faults("finishPasskeyRegistration"), ["ALREADY_USED at [challengeId]"]);
        assert_eq!(world.events_of("passkey.added").await, [json!({ "name": "Laptop" })]);
        assert!(notice(&world, "ada@example.org", "“Laptop” was added").await.is_some());

        let own = ada.run("{ me { passkeys { id name } mfa { enabled } } }").await.ok("/me");
        assert_eq!(own["passkeys"], json!([{ "id": passkey["id"], "name": "Laptop" }]));
        assert_eq!(own["mfa"]["enabled"], false, "a passkey alone makes no login ask for more");
        let node = "query ($id: ID!) { node(id: $id) { id ... on Passkey { name } } }";
        let of = json!({ "id": passkey["id"] });
        assert_eq!(ada.run_with(node, of.clone()).await.ok("/node/name"), "Laptop");
        assert_eq!(bert.run_with(node, of).await.ok("/node"), Value::Null);
        assert_eq!(remove(&bert, &passkey["id"]).await.faults("removePasskey"), ["NOT_FOUND at [passkeyId]"]);
        assert_eq!(remove(&ada, &passkey["id"]).await.ok("/removePasskey/deletedId"), passkey["id"]);
        assert_eq!(remove(&ada, &passkey["id"]).await.faults("removePasskey"), ["NOT_FOUND at [passkeyId]"]);
        assert_eq!(world.events_of("passkey.removed").await, [json!({ "name": "Laptop" })]);
    }
}

#[tokio::test]
async fn nobody_registers_what_an_authenticator_did_not_make_for_this_place() {
    type Lie = fn(&mut Authenticator);
    for world in World::each().await {
        let ada = world.user("ada").await;
        let lies: [(&str, Lie); 4] = [
            ("another origin", |key| key.origin = "https://evil.example".to_owned()),
            ("another relying party", |key| key.rp_id = "evil.example".to_owned()),
            ("a user who was not verified", |key| key.user_verified = false),
            ("an assertion", |key| key.kind = Some("webauthn.get")),
        ];
        for (lie, tell) in lies {
            let started = start(&ada, "Laptop").await.ok("/startPasskeyRegistration");
            let mut key = Authenticator::new(lie);
            tell(&mut key);
            let answer = finish(&ada, &started["challengeId"], key.create(&started["options"])).await;
            assert_eq!(answer.faults("finishPasskeyRegistration"), ["INVALID at [passkey]"], "{lie}");
        }
        let (one, two) = (start(&ada, "One").await, start(&ada, "Two").await);
        let (one, two) = (one.ok("/startPasskeyRegistration"), two.ok("/startPasskeyRegistration"));
        let mut key = Authenticator::new("a key");
        let answer = finish(&ada, &one["challengeId"], key.create(&two["options"])).await;
        assert_eq!(answer.faults("finishPasskeyRegistration"), ["INVALID at [passkey]"], "another challenge");
        world.pass(Duration::from_mins(5));
        let answer = finish(&ada, &two["challengeId"], key.create(&two["options"])).await;
        assert_eq!(answer.faults("finishPasskeyRegistration"), ["EXPIRED at [challengeId]"]);
        assert_eq!(ada.run("{ me { passkeys { id } } }").await.ok("/me/passkeys"), json!([]));
    }
}

#[tokio::test]
async fn one_authenticator_is_one_persons() {
    for world in World::each().await {
        let (ada, bert) = (world.user("ada").await, world.user("bert").await);
        let mut key = Authenticator::new("a key");
        register(&ada, &mut key).await;
        for client in [&ada, &bert] {
            let started = start(client, "Again").await.ok("/startPasskeyRegistration");
            let answer = finish(client, &started["challengeId"], key.create(&started["options"])).await;
            let faults = answer.faults("finishPasskeyRegistration");
            assert!(faults == ["TAKEN at [passkey]"] || faults == ["INVALID at [passkey]"], "{faults:?}");
        }
    }
}

#[tokio::test]
async fn what_is_no_passkey_is_a_fault_and_nothing_worse() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let started = start(&ada, "Laptop").await.ok("/startPasskeyRegistration");
        let good = Authenticator::new("a key").create(&started["options"]);
        let with = |field: &str, value: Value| {
            let mut bad = good.clone();
            bad["response"][field] = value;
            bad
        };
        let deep = (0..25).fold(json!([]), |inner, _| json!([inner]));
        let bad = [
            Value::Null,
            json!([]),
            json!({}),
            json!("text"),
            json!(7),
            json!({ "id": "\u{0}", "rawId": "\u{0}", "type": "public-key", "response": {} }),
            with("attestationObject", json!("****")),
            with("attestationObject", json!("")),
            with("attestationObject", json!("o2NmbXRkbm9uZQ")),
            with("attestationObject", json!("v".repeat(40_000))),
            with("attestationObject", json!("gYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGB".repeat(40))),
            with("clientDataJSON", json!("e30")),
            with("clientDataJSON", deep),
            with("clientDataJSON", json!(null)),
        ];
        for bad in bad {
            let text = bad.to_string();
            let answer = finish(&ada, &started["challengeId"], bad).await;
            if text == "null" {
                assert_eq!(answer.codes(), ["BAD_USER_INPUT"]);
                continue;
            }
            let faults = answer.faults("finishPasskeyRegistration");
            let expected = ["INVALID at [passkey]", "TOO_MANY_ATTEMPTS at [challengeId]"];
            assert!(
                faults.len() == 1 && expected.contains(&faults[0].as_str()),
                "{faults:?} for {text:.100}"
            );
        }
        let answer = finish(&ada, &json!("challenge_nonsense"), good).await;
        assert_eq!(answer.faults("finishPasskeyRegistration"), ["NOT_FOUND at [challengeId]"]);
        for name in ["a\0b".to_owned(), "x".repeat(201)] {
            assert_eq!(start(&ada, &name).await.faults("startPasskeyRegistration"), ["INVALID at [name]"]);
        }
        assert_eq!(start(&ada, " ").await.faults("startPasskeyRegistration"), ["REQUIRED at [name]"]);
    }
}

#[tokio::test]
async fn an_old_sign_in_adds_and_removes_nothing() {
    let world = World::with(Backend::Sqlite, &["--access-token-ttl", "1h"]).await;
    let ada = world.user("ada").await;
    let passkey = register(&ada, &mut Authenticator::new("a key")).await;
    world.pass(Duration::from_mins(16));
    assert_eq!(start(&ada, "Another").await.faults("startPasskeyRegistration"), ["REQUIRED at [proof]"]);
    assert_eq!(remove(&ada, &passkey["id"]).await.faults("removePasskey"), ["REQUIRED at [proof]"]);
    let ada = world.logged_in("ada", PASSWORD).await;
    assert_eq!(remove(&ada, &passkey["id"]).await.faults("removePasskey"), [""; 0]);
}

#[tokio::test]
async fn without_a_name_for_the_place_there_are_no_passkeys() {
    let world = World::with(Backend::Sqlite, &["--public-url", "http://192.0.2.7:8080"]).await;
    let ada = world.user("ada").await;
    assert_eq!(start(&ada, "Laptop").await.faults("startPasskeyRegistration"), ["UNSUPPORTED at []"]);
}

#[tokio::test]
async fn a_front_end_on_an_allowed_origin_makes_passkeys_and_others_do_not() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let world = World::with(backend, &["--allowed-origins", "https://app.denizen.test"]).await;
        let ada = world.user("ada").await;
        for (origin, taken) in [
            ("https://app.denizen.test", true),
            ("https://evil.denizen.test", false),
            ("http://app.denizen.test", false),
            ("https://app.denizen.test.evil.example", false),
        ] {
            let mut key = Authenticator::new(origin);
            origin.clone_into(&mut key.origin);
            let started = start(&ada, "Laptop").await.ok("/startPasskeyRegistration");
            let answer = finish(&ada, &started["challengeId"], key.create(&started["options"])).await;
            assert_eq!(answer.faults("finishPasskeyRegistration").is_empty(), taken, "{origin}");
        }
    }
}

#[tokio::test]
async fn an_address_in_place_of_a_name_has_no_passkeys_and_says_so() {
    use entity::{Secret, passkey};
    use sea_orm::{ActiveModelTrait as _, Set};
    for (backend, url) in
        [(Backend::Sqlite, "http://127.0.0.1:4000"), (Backend::Postgres, "http://[::1]:4000")]
    {
        let world = World::with(backend, &["--public-url", url]).await;
        let ada = world.user("ada").await;
        super::with_app(&world, &ada).await;
        let unsupported = ["UNSUPPORTED at []"];
        assert_eq!(start(&ada, "Laptop").await.faults("startPasskeyRegistration"), unsupported);
        let finished = finish(&ada, &json!("challenge_nothing"), json!({})).await;
        assert_eq!(finished.faults("finishPasskeyRegistration"), unsupported);
        for (mutation, input) in [
            ("startPasskeyLogin", json!({})),
            ("loginWithPasskey", json!({ "challengeId": "challenge_nothing", "passkey": {} })),
        ] {
            let kind = format!("{}{}Input", mutation[..1].to_uppercase(), &mutation[1..]);
            let mark = if mutation == "loginWithPasskey" { "!" } else { "" };
            let document = format!(
                "mutation ($input: {kind}{mark}) {{ {mutation}(input: $input) {{ errors {{ code path }} }} }}"
            );
            let answer = world.anonymous().run_with(&document, json!({ "input": input })).await;
            assert_eq!(answer.faults(mutation), unsupported, "{mutation}");
        }
        // One that was made while the service had a name does not stand in the way of the other factors.
        let row = passkey::ActiveModel {
            id: Set(world.system().new_id()),
            user_id: Set(world.user_id(&ada).await),
            name: Set("Laptop".to_owned()),
            credential_id: Set(Secret::from(vec![7; 16])),
            counter: Set(0),
            credential: Set("{}".to_owned()),
            created_at: Set(world.system().now()),
            last_used_at: Set(None),
        };
        row.insert(world.app.db.owner()).await.expect("a passkey");
        let document =
            "mutation ($password: String!) { login(input: { identifier: \"ada\", password: $password }) {
            challenge { methods passkeyOptions } errors { code } } }";
        let challenge = world.anonymous().run_with(document, json!({ "password": PASSWORD })).await;
        let challenge = challenge.ok("/login/challenge");
        assert_eq!(challenge["methods"], json!(["TOTP", "RECOVERY_CODE", "EMAIL_CODE"]));
        assert_eq!(challenge["passkeyOptions"], Value::Null);
    }
}
