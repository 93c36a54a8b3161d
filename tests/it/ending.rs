//! Who sees which sessions, and who ends them.

use std::time::Duration;

use denizen::ids::{self, Kind};
use serde_json::{Value, json};

use crate::support::{Client, PASSWORD, World};

const SESSIONS: &str = "query ($id: ID!) { user(by: { id: $id }) { sessions { totalCount edges { node {
    id device ip current endedAt } } } } }";
const END: &str =
    "mutation ($user: ID!, $ids: [ID!]) { endSessions(input: { userId: $user, sessionIds: $ids }) {
    endedSessions errors { code path } } }";

async fn id_of(world: &World, client: &Client) -> String {
    ids::encode(Kind::User, world.user_id(client).await)
}

fn nodes(sessions: &Value) -> Vec<Value> {
    sessions["edges"].as_array().into_iter().flatten().map(|edge| edge["node"].clone()).collect()
}

#[tokio::test]
async fn people_see_where_they_are_logged_in_and_end_one_of_it() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        world.pass(Duration::from_secs(1));
        let second = world.logged_in("ada", PASSWORD).await;
        let id = id_of(&world, &ada).await;
        let sessions = ada.run_with(SESSIONS, json!({ "id": id })).await.ok("/user/sessions");
        assert_eq!(sessions["totalCount"], 2);
        let nodes = nodes(&sessions);
        assert_eq!(
            (&nodes[0]["current"], &nodes[1]["current"]),
            (&json!(false), &json!(true)),
            "newest first"
        );
        assert_eq!((&nodes[0]["device"], &nodes[0]["ip"]), (&json!("a test"), &json!("203.0.113.7")));
        let ended = ada.run_with(END, json!({ "user": id, "ids": [nodes[0]["id"]] })).await;
        assert_eq!(ended.ok("/endSessions/endedSessions"), 1);
        assert_eq!(second.run("{ __typename }").await.status, 401);
        assert_eq!(ada.run("{ me { sessions { totalCount } } }").await.ok("/me/sessions/totalCount"), 1);
        let node = ada
            .run_with(
                "query ($id: ID!) { node(id: $id) { ... on Session { endedAt } } }",
                json!({ "id": nodes[0]["id"] }),
            )
            .await;
        assert!(node.ok("/node/endedAt").is_string(), "an ended one is still a node");
        let again = ada.run_with(END, json!({ "user": id, "ids": [nodes[0]["id"]] })).await;
        assert_eq!(again.ok("/endSessions"), json!({ "endedSessions": 0, "errors": [] }));
    }
}

#[tokio::test]
async fn administrators_end_sessions_in_their_reach_and_nobody_elses() {
    for world in World::each().await {
        let (acme, other) = (world.organization("acme").await, world.organization("other").await);
        let anna = world.org_admin("anna", "acme").await;
        let (mia, otto) = (world.user("mia").await, world.user("otto").await);
        world.join(world.user_id(&mia).await, acme).await;
        world.join(world.user_id(&otto).await, other).await;
        world.pass(Duration::from_secs(2));
        let (mia_id, otto_id) = (id_of(&world, &mia).await, id_of(&world, &otto).await);
        let root = world.superadmin().await;
        let (root_id, anna_id) = (id_of(&world, &root).await, id_of(&world, &anna).await);
        let seen = anna.run_with(SESSIONS, json!({ "id": mia_id })).await.ok("/user/sessions");
        assert_eq!(seen["totalCount"], 1);
        for (who, whom) in [(&anna, &otto_id), (&anna, &root_id), (&mia, &anna_id), (&mia, &otto_id)] {
            let answer = who.run_with(END, json!({ "user": whom, "ids": null })).await;
            assert_eq!(answer.faults("endSessions"), ["NOT_FOUND at [userId]"]);
        }
        let foreign =
            nodes(&otto.run("{ me { sessions { edges { node { id } } } } }").await.ok("/me/sessions"));
        let answer =
            anna.run_with(END, json!({ "user": mia_id, "ids": [foreign[0]["id"], "session_x"] })).await;
        assert_eq!(
            answer.faults("endSessions"),
            ["NOT_FOUND at [sessionIds.0]", "NOT_FOUND at [sessionIds.1]"]
        );
        let ended = anna.run_with(END, json!({ "user": mia_id, "ids": null })).await;
        assert_eq!(ended.ok("/endSessions/endedSessions"), 1);
        assert_eq!(mia.run("{ __typename }").await.status, 401);
        assert_eq!(otto.run("{ __typename }").await.status, 200);
        assert_eq!(anna.run("{ __typename }").await.status, 200);
        let nobody = world.anonymous().run_with(END, json!({ "user": mia_id, "ids": null })).await;
        assert_eq!(nobody.codes(), ["FORBIDDEN"]);
    }
}

#[tokio::test]
async fn a_reader_of_users_does_not_see_their_sessions() {
    for world in World::each().await {
        let acme = world.organization("acme").await;
        let (rosa, mia) = (world.user("rosa").await, world.user("mia").await);
        let rosa_id = world.user_id(&rosa).await;
        world.join(rosa_id, acme).await;
        world.join(world.user_id(&mia).await, acme).await;
        world.grant(rosa_id, "REVIEWER", Some(acme)).await;
        world.pass(Duration::from_secs(2));
        let answer = rosa.run_with(SESSIONS, json!({ "id": id_of(&world, &mia).await })).await;
        assert_eq!(
            (answer.codes(), answer.data("/user/sessions")),
            (vec!["FORBIDDEN".to_owned()], Value::Null)
        );
        let session =
            nodes(&mia.run("{ me { sessions { edges { node { id } } } } }").await.ok("/me/sessions"));
        let node = rosa
            .run_with("query ($id: ID!) { node(id: $id) { id } }", json!({ "id": session[0]["id"] }))
            .await;
        assert!(node.ok("/node").is_null());
    }
}
