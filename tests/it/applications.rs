//! Applications: who may register them, what of them is shown, and what becomes of their people when they are off.

use std::time::Duration;

use entity::application;
use futures_util::future::join_all;
use sea_orm::EntityTrait as _;
use serde_json::{Value, json};

use crate::support::{Answer, Client, PASSWORD, World};

const REGISTER: &str = "mutation ($input: RegisterApplicationInput!) { registerApplication(input: $input) {
    application { id name active backend redirectUrls createdAt updatedAt } clientSecret extensionKey
    errors { code path } } }";
const UPDATE: &str = "mutation ($input: UpdateApplicationInput!) { updateApplication(input: $input) {
    application { name active redirectUrls updatedAt } errors { code path } } }";
const ROTATE: &str = "mutation ($id: ID!) { rotateApplicationSecret(input: { applicationId: $id }) {
    application { id } clientSecret errors { code path } } }";
const LOGIN: &str = "mutation ($who: String!, $password: String!, $app: ID) {
    login(input: { identifier: $who, password: $password, applicationId: $app }) {
      tokens { accessToken refreshToken } errors { code path } } }";
const REFRESH: &str = "mutation ($token: String!) { refreshTokens(input: { refreshToken: $token }) {
    tokens { accessToken } errors { code path } } }";

async fn register(client: &Client, input: Value) -> Answer {
    client.run_with(REGISTER, json!({ "input": input })).await
}

async fn update(client: &Client, input: Value) -> Answer {
    client.run_with(UPDATE, json!({ "input": input })).await
}

/// The id of a new application.
async fn made(client: &Client, name: &str) -> String {
    let id = register(client, json!({ "name": name })).await.ok("/registerApplication/application/id");
    id.as_str().expect("an id").to_owned()
}

async fn log_in(world: &World, who: &str, app: &str) -> Answer {
    world.anonymous().run_with(LOGIN, json!({ "who": who, "password": PASSWORD, "app": app })).await
}

fn text(answer: &Answer, pointer: &str) -> String {
    answer.ok(pointer).as_str().unwrap_or_else(|| panic!("nothing at {pointer}: {}", answer.text)).to_owned()
}

#[tokio::test]
async fn an_application_is_registered_and_its_secrets_are_shown_once() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let urls = json!(["https://reader.example.org/in", "http://localhost:3000/"]);
        let made = register(&root, json!({ "name": " Reader ", "redirectUrls": urls })).await;
        let application = made.ok("/registerApplication/application");
        assert_eq!(application["name"], "Reader");
        assert_eq!((&application["active"], &application["backend"]), (&json!(true), &json!("NATIVE")));
        assert_eq!(application["redirectUrls"], urls);
        let (secret, key) = (
            text(&made, "/registerApplication/clientSecret"),
            text(&made, "/registerApplication/extensionKey"),
        );
        assert_eq!(data_encoding::BASE64.decode(key.as_bytes()).expect("base64").len(), 32);
        let list = root.run("{ applications { totalCount edges { node { id name } } } }").await;
        assert_eq!(list.ok("/applications/totalCount"), 2, "and the default one");
        assert_eq!(list.ok("/applications/edges/1/node/id"), application["id"]);
        assert!(!list.text.contains(&secret) && !list.text.contains(&key));
        let events = world.events_of("application.registered").await;
        assert_eq!(events, [json!({ "name": "Reader", "redirectUrls": urls })]);
        let rows = application::Entity::find().all(world.app.db.read()).await.expect("rows");
        for row in rows {
            for kept in [row.client_secret_hash, row.extension_key].into_iter().flatten() {
                let kept = String::from_utf8_lossy(&kept.0).into_owned();
                assert!(!kept.contains(&secret) && !kept.contains(&key), "neither is kept as it is");
            }
        }
    }
}

#[tokio::test]
async fn everything_that_is_wrong_with_an_application_is_said_at_once() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let urls =
            json!(["https://ok.example.org", "http://plain.example.org", "javascript:alert(1)", "x#y"]);
        let answer = register(&root, json!({ "name": " ", "redirectUrls": urls })).await;
        let expected = [
            "REQUIRED at [name]",
            "INVALID at [redirectUrls.1]",
            "INVALID at [redirectUrls.2]",
            "INVALID at [redirectUrls.3]",
        ];
        assert_eq!(answer.faults("registerApplication"), expected);
        for name in ["a\u{0}b".to_owned(), "x".repeat(201)] {
            let answer = register(&root, json!({ "name": name })).await;
            assert_eq!(answer.faults("registerApplication"), ["INVALID at [name]"]);
        }
        let settings = json!({ "url": "https://fusion.example.org", "apiKey": "k", "applicationId": "a" });
        let input = json!({ "name": "f", "backend": "FUSIONAUTH", "fusionAuth": settings });
        assert_eq!(register(&root, input).await.faults("registerApplication"), ["UNSUPPORTED at [backend]"]);
        let input = json!({ "name": "f", "fusionAuth": settings });
        assert_eq!(
            register(&root, input).await.faults("registerApplication"),
            ["UNSUPPORTED at [fusionAuth]"]
        );
        let many = vec!["https://a.example.org"; 101];
        let answer = register(&root, json!({ "name": "m", "redirectUrls": many })).await;
        assert_eq!(answer.faults("registerApplication"), ["TOO_MANY_ITEMS at [redirectUrls]"]);
        assert_eq!(root.run("{ applications { totalCount } }").await.ok("/applications/totalCount"), 1);
    }
}

#[tokio::test]
async fn a_name_is_given_once_in_all_its_spellings() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let tries = ["Reader", "reader", "ＲＥＡＤＥＲ", " Reader "];
        let answers = join_all(tries.map(|name| register(&root, json!({ "name": name })))).await;
        let mut faults: Vec<_> =
            answers.iter().map(|answer| answer.faults("registerApplication").join(" ")).collect();
        faults.sort();
        assert_eq!(faults, ["", "TAKEN at [name]", "TAKEN at [name]", "TAKEN at [name]"]);
        let other = made(&root, "Writer").await;
        let answer = update(&root, json!({ "applicationId": other, "name": "READER" })).await;
        assert_eq!(answer.faults("updateApplication"), ["TAKEN at [name]"]);
    }
}

#[tokio::test]
async fn an_update_changes_what_is_mentioned_and_tells_what() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let id = made(&root, "Reader").await;
        world.pass(Duration::from_secs(1));
        let urls = json!(["https://reader.example.org/"]);
        let answer = update(&root, json!({ "applicationId": id, "redirectUrls": urls })).await;
        assert_eq!(answer.ok("/updateApplication/application/name"), "Reader");
        assert_eq!(answer.ok("/updateApplication/application/updatedAt"), "2026-01-01T00:00:01.000Z");
        update(&root, json!({ "applicationId": id, "name": "Reader 2" })).await;
        let answer = update(&root, json!({ "applicationId": id })).await;
        assert_eq!(answer.ok("/updateApplication/application/redirectUrls"), urls);
        let answer = update(&root, json!({ "applicationId": id, "redirectUrls": null })).await;
        assert_eq!(answer.ok("/updateApplication/application/redirectUrls"), json!([]));
        let events = world.events_of("application.updated").await;
        let expected =
            [json!({ "redirectUrls": urls }), json!({ "name": "Reader 2" }), json!({ "redirectUrls": [] })];
        assert_eq!(events, expected, "and what changes nothing is no event");
        let input = json!({ "applicationId": id, "name": null, "active": null, "redirectUrls": ["x"] });
        assert_eq!(
            update(&root, input).await.faults("updateApplication"),
            ["REQUIRED at [name]", "REQUIRED at [active]", "INVALID at [redirectUrls.0]"]
        );
        for nothing in
            ["app_nothing", "", "user_01jd0000000000000000000000", "app_01jd0000000000000000000000"]
        {
            let answer = update(&root, json!({ "applicationId": nothing })).await;
            assert_eq!(answer.faults("updateApplication"), ["NOT_FOUND at [applicationId]"]);
            let answer = root.run_with(ROTATE, json!({ "id": nothing })).await;
            assert_eq!(answer.faults("rotateApplicationSecret"), ["NOT_FOUND at [applicationId]"]);
        }
    }
}

#[tokio::test]
async fn a_rotated_secret_replaces_the_old_one() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let made = register(&root, json!({ "name": "Reader" })).await;
        let (id, first) = (
            text(&made, "/registerApplication/application/id"),
            text(&made, "/registerApplication/clientSecret"),
        );
        let answer = root.run_with(ROTATE, json!({ "id": id })).await;
        let second = text(&answer, "/rotateApplicationSecret/clientSecret");
        assert_ne!(first, second);
        let rows = application::Entity::find().all(world.app.db.read()).await.expect("rows");
        let kept: Vec<_> = rows.into_iter().filter_map(|row| row.client_secret_hash).collect();
        assert_eq!(kept, [denizen::crypto::token_hash(&second)]);
        let events = world.events_of("application.updated").await;
        assert_eq!(events, [json!({ "rotated": ["clientSecret"] })]);
    }
}

#[tokio::test]
async fn names_that_look_alike_are_one() {
    for world in World::each().await {
        let root = world.superadmin().await;
        made(&root, "App One").await;
        let spaced = register(&root, json!({ "name": " App \u{a0} One" })).await;
        assert_eq!(spaced.faults("registerApplication"), ["TAKEN at [name]"]);
        for name in ["App\u{200b}One", "App One\u{200b}", "\u{202e}App One", "App\u{ad} One"] {
            let answer = register(&root, json!({ "name": name })).await;
            assert_eq!(answer.faults("registerApplication"), ["INVALID at [name]"], "{name:?}");
        }
    }
}

#[tokio::test]
async fn nobody_but_who_may_register_some_sees_any() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let id = made(&root, "Reader").await;
        let entity = "query ($id: ID!, $r: [_Any!]!) { node(id: $id) { id }
            _entities(representations: $r) { ... on Application { name } } }";
        let variables = json!({ "id": id, "r": [{ "__typename": "Application", "id": id }] });
        let seen = root.run_with(entity, variables.clone()).await;
        assert_eq!(seen.ok("/_entities/0/name"), "Reader");
        assert_eq!(seen.ok("/node/id"), id);
        let anna = world.org_admin("anna", "acme").await;
        for client in [world.anonymous(), world.user("ada").await, anna] {
            let answer = client.run_with(entity, variables.clone()).await;
            assert!(answer.ok("/node").is_null() && answer.ok("/_entities/0").is_null());
            assert_eq!(client.run("{ applications { totalCount } }").await.codes(), ["FORBIDDEN"]);
            assert_eq!(register(&client, json!({ "name": "mine" })).await.codes(), ["FORBIDDEN"]);
            let off = json!({ "applicationId": id, "active": false });
            assert_eq!(update(&client, off).await.codes(), ["FORBIDDEN"]);
            assert_eq!(client.run_with(ROTATE, json!({ "id": id })).await.codes(), ["FORBIDDEN"]);
        }
    }
}

#[tokio::test]
async fn an_application_that_is_off_lets_nobody_in_and_nobody_stay() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let id = made(&root, "Reader").await;
        let elsewhere = world.user("ada").await;
        let login = log_in(&world, "ada", &id).await;
        let inside = world.anonymous().with_token(&text(&login, "/login/tokens/accessToken"));
        let refresh = text(&login, "/login/tokens/refreshToken");
        let instance = world.another_instance().await.with_token(inside.token.as_deref().expect("a token"));
        assert_eq!(instance.run("{ me { userName } }").await.ok("/me/userName"), "ada");
        update(&root, json!({ "applicationId": id, "active": false })).await.ok("/updateApplication");
        assert_eq!(inside.run("{ __typename }").await.status, 401, "here at once");
        world.pass(Duration::from_secs(2));
        assert_eq!(instance.run("{ __typename }").await.status, 401, "everywhere within two seconds");
        assert_eq!(elsewhere.run("{ __typename }").await.status, 200, "others go on");
        let answer = log_in(&world, "ada", &id).await;
        assert_eq!(answer.faults("login"), ["NOT_FOUND at [applicationId]"]);
        let answer = world.anonymous().run_with(REFRESH, json!({ "token": refresh })).await;
        assert_eq!(answer.faults("refreshTokens"), ["EXPIRED at [refreshToken]"]);
        update(&root, json!({ "applicationId": id, "active": true })).await.ok("/updateApplication");
        let answer = world.anonymous().run_with(REFRESH, json!({ "token": refresh })).await;
        assert!(answer.ok("/refreshTokens/tokens/accessToken").is_string(), "what rested goes on");
        assert_eq!(inside.run("{ __typename }").await.status, 200);
    }
}

#[tokio::test]
async fn the_default_application_stays_on() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let list = root.run("{ applications { edges { node { id name } } } }").await;
        let id = text(&list, "/applications/edges/0/node/id");
        let answer = update(&root, json!({ "applicationId": id, "active": false })).await;
        assert_eq!(answer.faults("updateApplication"), ["NOT_ALLOWED at [active]"]);
        assert_eq!(root.run("{ __typename }").await.status, 200);
    }
}

/// The application that the access token names.
fn client_id(answer: &Answer, mutation: &str) -> String {
    let token = text(answer, &format!("/{mutation}/tokens/accessToken"));
    let claims = token.split('.').nth(1).expect("claims");
    let claims = data_encoding::BASE64URL_NOPAD.decode(claims.as_bytes()).expect("base64");
    let claims: Value = serde_json::from_slice(&claims).expect("JSON");
    claims["client_id"].as_str().expect("an application").to_owned()
}

#[tokio::test]
async fn the_header_names_the_application_where_the_input_does_not() {
    for world in World::each().await {
        let root = world.superadmin().await;
        world.user("ada").await;
        let (reader, writer, off) =
            (made(&root, "Reader").await, made(&root, "Writer").await, made(&root, "Off").await);
        update(&root, json!({ "applicationId": off, "active": false })).await.ok("/updateApplication");
        let log_in = async |client: &Client, app: Option<&str>| {
            client.run_with(LOGIN, json!({ "who": "ada", "password": PASSWORD, "app": app })).await
        };
        let of = |app: &str| world.anonymous().with_header("X-Application-Id", app);
        assert_eq!(client_id(&log_in(&of(&reader), None).await, "login"), reader);
        assert_eq!(
            client_id(&log_in(&of(&reader), Some(&writer)).await, "login"),
            writer,
            "the input comes first"
        );
        let default = client_id(&log_in(&world.anonymous(), None).await, "login");
        assert!(default != reader && default != writer);
        let twice = of(&reader).with_header("x-application-id", &writer);
        assert_eq!(client_id(&log_in(&of(""), None).await, "login"), default, "nothing names none");
        let nobodys = [of(&off), of("nonsense"), of("app_01jd0000000000000000000000"), twice];
        for client in nobodys {
            assert_eq!(log_in(&client, None).await.faults("login"), ["NOT_FOUND at [applicationId]"]);
            let document = "mutation { registerUser(input: { email: \"eve@example.org\", password: \"tinte kanne wolke\" }) {
                errors { code path } } }";
            let answer = client.run(document).await;
            assert_eq!(answer.faults("registerUser"), ["NOT_FOUND at [applicationId]"]);
            let document = "mutation { loginWithOtp(input: { identifier: \"ada\", code: \"000000\" }) { errors { code path } } }";
            assert_eq!(client.run(document).await.faults("loginWithOtp"), ["NOT_FOUND at [applicationId]"]);
        }
    }
}
