//! How much is asked of the database: lists take a constant number of statements, however long they are.

use serde_json::json;

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
        assert!(many <= 5, "a page, a count, the organisations, the roles, the models: {many}");
    }
}

/// Six members of one organisation, each with a role.
async fn company(world: &World) -> Vec<serde_json::Value> {
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
async fn one_person_with_relations_takes_a_statement_each_and_no_wait_for_others() {
    for world in World::each().await {
        let ids = company(&world).await;
        let admin = world.superadmin().await;
        let document =
            "query ($id: ID!) { user(by: { id: $id }) { userName organization { name } roles { code } } }";
        let ask = || admin.run_with(document, json!({ "id": ids[0] }));
        ask().await.ok("/user/organization/name");
        let (answer, statements) = world.statements(ask()).await;
        assert_eq!(answer.ok("/user/roles"), json!([{ "code": "MEMBER" }]));
        assert_eq!(statements, 3, "the user, the organisation, the roles; on {:?}", world.backend);
    }
}

#[tokio::test]
async fn entities_take_a_statement_for_each_relation() {
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
        assert_eq!((few, many), (2, 2), "the users, their organisations; on {:?}", world.backend);
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
