//! How much is asked of the database: lists take a constant number of statements, however long they are.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::World;

#[tokio::test]
async fn a_page_of_users_with_relations_takes_a_constant_number_of_statements() {
    for world in World::each().await {
        let admin = world.superadmin().await;
        let document = "{ users(first: 50) { totalCount edges { node { userName organization { name } roles { code } models { uuid } } } } }";
        admin.run(document).await.ok("/users");
        let (_, few) = world.statements(admin.run(document)).await;
        let org = world.organization("acme").await;
        for name in ["ada", "bob", "carol", "dave", "erin", "frank"] {
            let user = world.user_id(&world.user(name).await).await;
            world.join(user, org).await;
            world.grant(user, "MEMBER", Some(org)).await;
        }
        admin.run(document).await.ok("/users");
        let (answer, many) = world.statements(admin.run(document)).await;
        assert_eq!(answer.ok("/users/totalCount"), 7);
        assert_eq!(many, few, "on {:?}", world.backend);
        assert!(many <= 3, "a page with organisations and roles, a count, the models: {many}");
    }
}

/// Six members of one organisation, each with a role.
async fn company(world: &World) -> Vec<Value> {
    let org = world.organization("acme").await;
    let mut ids = Vec::new();
    for name in ["ada", "bob", "carol", "dave", "erin", "frank"] {
        let client = world.user(name).await;
        let user = world.user_id(&client).await;
        world.join(user, org).await;
        world.grant(user, "MEMBER", Some(org)).await;
        ids.push(client.run("{ me { id } }").await.ok("/me/id"));
    }
    ids
}

#[tokio::test]
async fn one_person_with_organisation_and_roles_takes_one_statement() {
    for world in World::each().await {
        let ids = company(&world).await;
        let admin = world.superadmin().await;
        let document =
            "query ($id: ID!) { user(by: { id: $id }) { userName organization { name } roles { code } } }";
        let ask = || admin.run_with(document, json!({ "id": ids[0] }));
        ask().await.ok("/user/organization/name");
        let (answer, statements) = world.statements(ask()).await;
        assert_eq!(answer.ok("/user/roles"), json!([{ "code": "MEMBER" }]));
        assert_eq!(statements, 1, "on {:?}", world.backend);
    }
}

#[tokio::test]
async fn a_thousand_entities_with_their_organisations_take_one_statement() {
    for world in World::each().await {
        let ids = company(&world).await;
        let admin = world.superadmin().await;
        let document = "query ($r: [_Any!]!) { _entities(representations: $r) { ... on User { name email organization { name } } } }";
        let representations = |times: usize| -> Vec<_> {
            ids.iter().cycle().take(times).map(|id| json!({ "__typename": "User", "id": id })).collect()
        };
        let ask = |times| admin.run_with(document, json!({ "r": representations(times) }));
        ask(1).await.ok("/_entities");
        let (_, few) = world.statements(ask(1)).await;
        let (answer, many) = world.statements(ask(1_000)).await;
        assert_eq!(answer.ok("/_entities/999/email").as_str().map(|email| email.contains('@')), Some(true));
        assert_eq!((few, many), (1, 1), "on {:?}", world.backend);
    }
}

#[tokio::test]
async fn a_nesting_that_nobody_foresaw_takes_a_constant_number_of_statements() {
    for world in World::each().await {
        let admin = world.superadmin().await;
        let document = "{ organizations { edges { node { members(first: 10) { edges { node { roles { code } user {
            userName roles { code } memberships(first: 5) { edges { node { organization { code } } } } } } } } } } } }";
        company(&world).await;
        admin.run(document).await.ok("/organizations");
        let (_, few) = world.statements(admin.run(document)).await;
        let other = world.organization("other").await;
        for name in ["gina", "hugo", "ines"] {
            let user = world.user_id(&world.user(name).await).await;
            world.join(user, other).await;
        }
        admin.run(document).await.ok("/organizations");
        let (_, many) = world.statements(admin.run(document)).await;
        assert_eq!(many, few, "on {:?}", world.backend);
    }
}

#[tokio::test]
async fn whoever_is_known_costs_nothing_with_a_session_and_with_a_key() {
    for world in World::each().await {
        let admin = world.superadmin().await;
        let document =
            "mutation { createApiKey(input: { name: \"k\", scopes: [\"user.read\"] }) { secret } }";
        let secret = admin.run(document).await.ok("/createApiKey/secret");
        let program = world.anonymous().with_token(secret.as_str().expect("a key"));
        for client in [&admin, &program] {
            let ask = || client.run("{ user(by: { userName: \"admin\" }) { userName } }");
            ask().await.ok("/user/userName");
            let (answer, statements) = world.statements(ask()).await;
            assert_eq!(answer.ok("/user/userName"), "admin");
            assert_eq!(statements, 1, "on {:?}", world.backend);
            let (_, statements) = world.statements(client.run("{ __typename }")).await;
            assert_eq!(statements, 0, "on {:?}", world.backend);
            // Once a second: the session or key with its user, and what is granted to them.
            world.pass(std::time::Duration::from_secs(1));
            let (_, statements) = world.statements(client.run("{ __typename }")).await;
            assert!(statements <= 2, "{statements} on {:?}", world.backend);
        }
    }
}

/// How many columns the only statement of the work selects.
fn columns(sql: &str) -> usize {
    let selected = sql.strip_prefix("SELECT ").and_then(|rest| rest.split_once(" FROM "));
    selected.map_or(0, |(columns, _)| columns.split(", ").count())
}

#[tokio::test]
async fn only_the_selected_columns_are_fetched() {
    for world in World::each().await {
        let ids = company(&world).await;
        let admin = world.superadmin().await;
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ear = Arc::clone(&heard);
        world.app.db.listen(move |sql| ear.lock().expect("nobody panics").push(sql.to_owned()));
        let representations = json!([{ "__typename": "User", "id": ids[0] }]);
        // Beside what is selected: the key of each table, what the list is sorted by, and the codes that sort the roles.
        let expected = [
            (
                "query ($id: ID!) { user(by: { id: $id }) { id userName name email status organization { id code name } roles { code permissions } } }",
                5 + 3 + 4,
            ),
            (
                "{ users(first: 50) { edges { node { id userName name email organization { name } roles { code } } } } }",
                5 + 2 + 3,
            ),
            (
                "query ($r: [_Any!]!) { _entities(representations: $r) { ... on User { id userName name email organization { name } } } }",
                4 + 2,
            ),
            (
                "query ($id: ID!) { user(by: { id: $id }) { ...a b: name } } fragment a on User { emailVerified __typename }",
                4,
            ),
        ];
        for (document, count) in expected {
            let all = json!({ "id": ids[0], "r": representations });
            let name = ["id", "r"].into_iter().find(|name| document.contains(&format!("(${name}:")));
            let variables = name.map_or(json!({}), |name| json!({ name: all[name] }));
            let ask = || admin.run_with(document, variables.clone());
            ask().await.ok("");
            heard.lock().expect("nobody panics").clear();
            ask().await.ok("");
            let said = heard.lock().expect("nobody panics").clone();
            assert_eq!(said.len(), 1, "{document} on {:?}: {said:?}", world.backend);
            assert_eq!(columns(&said[0]), count, "{document} on {:?}: {}", world.backend, said[0]);
        }
    }
}

/// What a field is made of stands in a table beside it: were it wrong, the field would be blank when it is alone.
#[tokio::test]
async fn each_field_says_alone_what_it_says_among_all() {
    const FIELDS: [&str; 22] = [
        "id",
        "userName",
        "name",
        "givenName",
        "familyName",
        "gender",
        "locale",
        "avatarUrl",
        "status",
        "email",
        "emailVerified",
        "phone",
        "phoneVerified",
        "createdAt",
        "updatedAt",
        "lastLoginAt",
        "mfa { enabled }",
        "memberships { totalCount }",
        "organization { id code name description active listed selfRegistration createdAt updatedAt members { totalCount } }",
        "roles { id code description active system selfAssignable scopes permissions }",
        "models { uuid }",
        "sessions { totalCount }",
    ];
    for world in World::each().await {
        let ids = company(&world).await;
        let admin = world.superadmin().await;
        let document =
            |fields: &str| format!("query ($id: ID!) {{ user(by: {{ id: $id }}) {{ {fields} }} }}");
        let all = admin.run_with(&document(&FIELDS.join(" ")), json!({ "id": ids[0] })).await.ok("/user");
        for field in FIELDS {
            let alone = admin.run_with(&document(field), json!({ "id": ids[0] })).await.ok("/user");
            let name = field.split(' ').next().unwrap_or(field);
            assert_eq!(alone[name], all[name], "{field} on {:?}", world.backend);
        }
        for parent in ["organization", "roles"] {
            let below: Vec<_> = match &all[parent] {
                Value::Array(items) => items[0].as_object(),
                one => one.as_object(),
            }
            .map(|fields| fields.keys().cloned().collect())
            .unwrap_or_default();
            for field in below.iter().filter(|field| *field != "members") {
                let alone = format!("{parent} {{ {field} }}");
                let alone = admin.run_with(&document(&alone), json!({ "id": ids[0] })).await.ok("/user");
                let pick = |all: &Value| match &all[parent] {
                    Value::Array(items) => items[0][field.as_str()].clone(),
                    one => one[field.as_str()].clone(),
                };
                assert_eq!(pick(&alone), pick(&all), "{parent}.{field} on {:?}", world.backend);
            }
        }
    }
}
