//! Whoever's session, account or grants end while their request is on its way is no longer who they were.

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use futures_util::stream;
use serde_json::json;

use crate::support::{Answer, Client, World};

const RENAME: &str =
    r#"mutation { updateProfile(input: { name: "Late" }) { user { name } errors { code } } }"#;

/// Sends a request whose body arrives only when the work is done.
async fn slowly(
    client: &Client,
    body: serde_json::Value,
    work: impl Future<Output = ()> + Send + 'static,
) -> Answer {
    let body = stream::once(async move {
        work.await;
        Ok::<_, std::io::Error>(body.to_string())
    });
    let request = Request::post("/graphql")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/graphql-response+json");
    client.send(request.body(Body::from_stream(body)).expect("a request")).await
}

async fn log_out(client: Client) {
    client.run("mutation { logout { errors { code } } }").await.ok("/logout");
}

#[tokio::test]
async fn a_session_that_ends_while_the_body_arrives_does_nothing() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let late = slowly(&ada, json!({ "query": RENAME }), log_out(ada.clone())).await;
        assert_eq!(
            (late.status, late.codes()),
            (StatusCode::UNAUTHORIZED, vec!["UNAUTHENTICATED".to_owned()])
        );
        let ada = world.logged_in("ada", crate::support::PASSWORD).await;
        assert_eq!(ada.run("{ me { name } }").await.ok("/me/name"), json!(null));
    }
}

#[tokio::test]
async fn a_grant_that_is_taken_away_while_the_body_arrives_gives_nothing() {
    for world in World::each().await {
        let bob = world.org_admin("bob", "acme").await;
        world.org_admin("eve", "acme").await;
        let admin = world.superadmin().await;
        let org = denizen::ids::encode(denizen::ids::Kind::Organization, world.organization("acme").await);
        let id = denizen::ids::encode(denizen::ids::Kind::User, world.user_id(&bob).await);
        let revoke = async move {
            let document = "mutation ($id: ID!, $org: ID!) { revokeRoles(input: { userId: $id, roleCodes: [\"ADMIN\"], organizationId: $org })
                { errors { code message path } } }";
            assert_eq!(
                admin.run_with(document, json!({ "id": id, "org": org })).await.faults("revokeRoles"),
                [""; 0]
            );
        };
        assert_eq!(bob.run("{ users { totalCount } }").await.ok("/users/totalCount"), 2);
        let late = slowly(&bob, json!({ "query": "{ users { totalCount } }" }), revoke).await;
        assert_eq!(late.codes(), ["FORBIDDEN"], "{}", late.text);
    }
}

#[tokio::test]
async fn what_follows_a_logout_is_done_for_nobody() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let batch = json!([{ "query": "mutation { logout { errors { code } } }" }, { "query": RENAME }]);
        let answer = ada.post(&batch).await;
        assert_eq!(answer.body[1]["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{}", answer.text);
        let ada = world.logged_in("ada", crate::support::PASSWORD).await;
        let both = r#"mutation {
            logout { errors { code } }
            updateProfile(input: { name: "Late" }) { user { name } errors { code } }
        }"#;
        let answer = ada.run(both).await;
        assert_eq!(answer.data("/logout/errors"), json!([]));
        assert_eq!(
            (answer.data("/updateProfile"), answer.codes()),
            (json!(null), vec!["UNAUTHENTICATED".to_owned()])
        );
        assert_eq!(answer.body["errors"][0]["path"], json!(["updateProfile"]));
        let ada = world.logged_in("ada", crate::support::PASSWORD).await;
        assert_eq!(ada.run("{ me { name } }").await.ok("/me/name"), json!(null));
    }
}
