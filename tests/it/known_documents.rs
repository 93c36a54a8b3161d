//! A document that was asked before is neither parsed nor checked anew, and its plain fields are resolved in place: nobody
//! may see that from outside.

use axum::{body::Body, http::Request};
use serde_json::{Value, json};

use crate::support::{Answer, Backend, World};

fn told(answer: &Answer) -> (u16, &Value) {
    (answer.status.as_u16(), &answer.body)
}

#[tokio::test]
async fn a_document_that_is_known_to_be_right_is_still_asked_with_wrong_variables_in_vain() {
    let world = World::on(Backend::Sqlite).await;
    let admin = world.superadmin().await;
    let document = |alias: &str| {
        format!(
            "query ($id: ID!, $status: [UserStatus!], $first: Int, $with: Boolean = true) {{ {alias}: user(by: {{ id: $id }}) {{ id }} \
             users(first: $first, filter: {{ status: $status }}) {{ totalCount @include(if: $with) }} }}"
        )
    };
    let right = json!({ "id": "user_00000000000000000000000000", "status": ["ACTIVE"], "first": 1 });
    let wrong = [
        json!({}),
        json!({ "id": null }),
        json!({ "id": ["a"] }),
        json!({ "id": { "a": 1 } }),
        json!({ "id": "a", "status": "NOBODY" }),
        json!({ "id": "a", "status": [null] }),
        json!({ "id": "a", "first": "1" }),
        json!({ "id": "a", "first": 1.5 }),
        json!({ "id": "a", "first": 3_000_000_000_u64 }),
        json!({ "id": "a", "with": "yes" }),
        json!({ "id": "a", "with": null }),
        json!({ "id": 7, "first": -1 }),
    ];
    for (number, wrong) in wrong.iter().enumerate() {
        // Each spelling is a document of its own.
        let document = document(&format!("a{number}"));
        let before = admin.run_with(&document, wrong.clone()).await;
        for _ in 0..2 {
            admin.run_with(&document, right.clone()).await.ok("/users/totalCount");
        }
        let after = admin.run_with(&document, wrong.clone()).await;
        assert_eq!(told(&after), told(&before), "{wrong}");
        assert!(!before.codes().is_empty() || number == 11, "{wrong} is wrong: {}", before.text);
    }
}

#[tokio::test]
async fn what_was_not_looked_at_because_a_variable_was_missing_is_looked_at_when_it_comes() {
    let world = World::on(Backend::Sqlite).await;
    let admin = world.superadmin().await;
    let document = "query ($text: String) { users(filter: { text: $text, bogus: 1 }) { totalCount } }";
    for _ in 0..3 {
        admin.run_with(document, json!({})).await;
    }
    let answer = admin.run_with(document, json!({ "text": "ada" })).await;
    assert_eq!(answer.status.as_u16(), 400, "{}", answer.text);
    assert!(answer.text.contains("bogus"), "{}", answer.text);
    let two = "query A { me { id } } query B($text: String) { users(filter: { text: $text, bogus: 1 }) { totalCount } }";
    for _ in 0..3 {
        admin.post(&json!({ "query": two, "operationName": "A" })).await;
    }
    let body = json!({ "query": two, "operationName": "B", "variables": { "text": "ada" } });
    let answer = admin.post(&body).await;
    assert!(answer.status.as_u16() == 400 && answer.text.contains("bogus"), "{}", answer.text);
}

#[tokio::test]
async fn fragments_on_the_union_of_entities_apply_to_each_of_them() {
    let world = World::on(Backend::Sqlite).await;
    let document = "{ _entities(representations: [{ __typename: \"Role\", code: \"MEMBER\" }]) { ... on _Entity { __typename ... on Role { code } } ...E } } fragment E on _Entity { ... on Role { system } }";
    let admin = world.superadmin().await;
    for _ in 0..2 {
        let found = admin.run(document).await.ok("/_entities/0");
        assert_eq!(found, json!({ "__typename": "Role", "code": "MEMBER", "system": true }));
    }
}

#[tokio::test]
async fn a_document_that_one_caller_may_ask_is_not_known_to_be_right_for_another() {
    let world = World::on(Backend::Sqlite).await;
    let (admin, stranger) = (world.superadmin().await, world.anonymous());
    let document = "query ($first: Int) { users(first: $first) { totalCount edges { node { email } } } }";
    let before = stranger.run_with(document, json!({ "first": 5 })).await;
    for _ in 0..3 {
        admin.run_with(document, json!({ "first": 5 })).await.ok("/users/totalCount");
    }
    let after = stranger.run_with(document, json!({ "first": 5 })).await;
    assert_eq!(told(&after), told(&before));
    assert_eq!(after.codes(), ["FORBIDDEN"]);
}

#[tokio::test]
async fn what_is_resolved_in_place_is_what_is_resolved_one_by_one() {
    let world = World::on(Backend::Sqlite).await;
    let org = world.organization("acme").await;
    let ada = world.user("ada").await;
    let id = world.user_id(&ada).await;
    world.join(id, org).await;
    world.grant(id, "MEMBER", Some(org)).await;
    let bob = world.user("bob").await;
    world.join(world.user_id(&bob).await, org).await;
    let documents = [
        "{ me { __typename id b: userName a: name roles { code __typename } organization { name } } }",
        // One place for several fields.
        "{ me { organization { name } organization { code } id id roles { code } roles { active } } }",
        "{ me { ...A ... on User { email ...B } ... on Node { id } ... { status } } } fragment A on User { name roles { code } } fragment B on User { userName organization { ...C } } fragment C on Organization { code }",
        "{ me { id } me { id userName } users(first: 3) { edges { node { id } } edges { node { userName organization { name } } } pageInfo { hasNextPage } pageInfo { endCursor } } }",
        "{ me { ...A ...A id } ... on Query { me { status } } } fragment A on User { id roles { code ...R } } fragment R on Role { code permissions }",
        "{ me { ...A ...B id } } fragment A on User { id name userName status } fragment B on User { name status email b: name }",
        "{ me { x: id ... on User { x: organization { name } } } }",
        "{ me { ...A x: id } } fragment A on User { x: roles { code } }",
        // Items that wait, some of them or all.
        "{ users(first: 9) { edges { node { userName mfa { enabled } memberships { totalCount } } } } }",
        "{ users(first: 9) { edges { node { userName roles { code } memberships { edges { node { organization { code } } } } sessions { totalCount } name } } } }",
        "{ _entities(representations: [{ __typename: \"User\", userName: \"ada\" }, { __typename: \"User\", userName: \"bob\" }, { __typename: \"Star\" }, { __typename: \"Role\", code: \"MEMBER\" }, { __typename: \"User\", userName: \"admin\" }]) { __typename ... on User { mfa { enabled } id } } }",
        "{ me { id @skip(if: true) userName @include(if: true) organization @include(if: false) { name } } }",
        // Fields that are refused, in the middle of others.
        "{ users(first: 9) { edges { cursor node { id email } } } me { id } }",
        "{ organization(by: { code: \"acme\" }) { name members(first: 5) { edges { node { user { userName email roles { code } } } } } invitations { totalCount } active } }",
        "{ me { memberships { totalCount edges { node { joinedAt roles { code } organization { name } } } } mfa { enabled } passkeys { name } sessions { totalCount } } }",
        "query { node(id: \"role_00000000000000000000000000\") { id ... on User { email } } roles { code scopes permissions } }",
        "{ _entities(representations: [{ __typename: \"Role\", code: \"MEMBER\" }, { __typename: \"User\", userName: \"ada\" }, { __typename: \"Organization\", code: \"acme\" }, { __typename: \"Star\" }]) { __typename ... on Role { code ...R } ... on User { __typename userName email organization { name } } ... on Node { id } } } fragment R on Role { description }",
    ];
    for document in documents {
        for client in [&ada, &bob, &world.superadmin().await, &world.anonymous()] {
            let in_place = client.run(document).await;
            let watched = client.with_header("apollo-federation-include-trace", "ftv1").run(document).await;
            assert!(watched.body["extensions"]["ftv1"].is_string(), "nobody watched: {}", watched.text);
            assert!(in_place.body.is_object(), "{document}: {}", in_place.text);
            // Letter by letter: a reader of JSON sees neither the order of keys nor one that stands there twice.
            let data = |text: &str| {
                text.split_once("\"data\":").map(|(_, data)| data.to_owned()).unwrap_or_default()
            };
            let watched_text =
                watched.text.split(",\"extensions\":{\"ftv1\"").next().map(|text| format!("{text}}}"));
            assert_eq!(Some(data(&in_place.text)), watched_text.as_deref().map(data), "{document}");
            assert_eq!(sorted(&in_place), sorted(&watched), "{document}");
        }
    }
}

#[tokio::test]
async fn every_transport_carries_the_same_answer() {
    let world = World::on(Backend::Sqlite).await;
    let org = world.organization("acme").await;
    let ada = world.user("ada").await;
    world.join(world.user_id(&ada).await, org).await;
    let admin = world.superadmin().await;
    let document = "{ me { id email models { uuid } } users(first: 5) { edges { node { userName organization { name } roles { code permissions } } } } }";
    let plain = admin.run(document).await;
    assert!(plain.text.contains("\"organization\":{\"name\":\"The organisation acme\"}"), "{}", plain.text);
    let call = json!({ "query": document });
    let batch = admin.post(&json!([call, call])).await;
    assert_eq!(batch.body, json!([plain.body, plain.body]));
    let accepting = |accept: &str| {
        let request =
            Request::post("/graphql").header("content-type", "application/json").header("accept", accept);
        admin.send(request.body(Body::from(call.to_string())).expect("a request"))
    };
    let events = accepting("text/event-stream").await.text;
    let event = events.lines().find_map(|line| line.strip_prefix("data: ")).expect("an event");
    assert_eq!(event, plain.text);
    let parts = accepting("multipart/mixed;subscriptionSpec=1.0").await.text;
    assert!(parts.contains(&format!("{{\"payload\":{}}}", plain.text)), "{parts}");
}

#[tokio::test]
async fn keys_that_are_read_before_are_judged_like_others() {
    for world in World::each().await {
        let org = world.organization("acme").await;
        let ada = world.user("ada").await;
        world.join(world.user_id(&ada).await, org).await;
        let admin = world.superadmin().await;
        let document = "query ($r: [_Any!]!, $one: _Any = { __typename: \"Role\", code: \"MEMBER\" }) {
            a: _entities(representations: $r) { __typename ... on User { userName } }
            b: _entities(representations: $r) { ... on Organization { code } ... on User { organization { name } } }
            c: _entities(representations: [{ __typename: \"User\", userName: \"ada\" }, $one]) { __typename } }";
        let user = |name: &str| json!({ "__typename": "User", "userName": name });
        let list = json!([user("ada"), { "__typename": "Organization", "code": "acme" }, user("nobody"), { "id": 7 }]);
        let ask = |list: &Value| admin.run_with(document, json!({ "r": list }));
        let unknown = ask(&list).await;
        assert_eq!(
            unknown.ok("/a"),
            json!([{ "__typename": "User", "userName": "ada" }, { "__typename": "Organization" }, null, null])
        );
        assert_eq!(
            unknown.ok("/b"),
            json!([{ "organization": { "name": "The organisation acme" } }, { "code": "acme" }, null, null])
        );
        assert_eq!(unknown.ok("/c"), json!([{ "__typename": "User" }, { "__typename": "Role" }]));
        for _ in 0..2 {
            assert_eq!(told(&ask(&list).await), told(&unknown), "on {:?}", world.backend);
        }
        assert_eq!(ask(&json!([])).await.ok("/a"), json!([]));
        let many: Vec<_> = (0..=1_000).map(|_| user("ada")).collect();
        assert_eq!(ask(&json!(many)).await.codes(), ["BAD_USER_INPUT"]);
        for wrong in [json!(null), json!([null]), json!(["User"]), json!([[user("ada")]]), json!([1])] {
            let answer = ask(&wrong).await;
            let mut codes = answer.codes();
            codes.dedup();
            assert_eq!(codes, ["BAD_USER_INPUT"], "{wrong}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn a_list_of_keys_that_is_used_for_something_else_stays_where_it_is() {
    let world = World::on(Backend::Sqlite).await;
    let ada = world.user("ada").await;
    let document = "mutation ($r: [_Any!]!) { finishPasskeyRegistration(input: { challengeId: \"challenge_00000000000000000000000000\", passkey: { id: \"a\", rawId: \"a\", type: \"public-key\", response: { transports: $r, attestationObject: \"\", clientDataJSON: \"\" } } }) { errors { code message path } } }";
    let ask = || ada.run_with(document, json!({ "r": [{ "a": 1 }] }));
    let unknown = ask().await;
    for _ in 0..2 {
        assert_eq!(told(&ask().await), told(&unknown));
    }
    assert_eq!(unknown.faults("finishPasskeyRegistration").len(), 1, "{}", unknown.text);
}

/// The errors, whichever of them was found first.
fn sorted(answer: &Answer) -> Vec<String> {
    let errors = answer.body["errors"].as_array().cloned().unwrap_or_default();
    let mut errors: Vec<_> = errors
        .into_iter()
        .map(|mut error| {
            // It is that of the request.
            error["extensions"].as_object_mut().map(|extensions| extensions.remove("requestId"));
            error.to_string()
        })
        .collect();
    errors.sort();
    errors
}
