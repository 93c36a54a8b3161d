//! Following the log.

use std::{collections::BTreeSet, time::Duration};

use axum::{body::Body, http::Request};
use denizen::{
    domain::events::log::{self, EventType, NewEvent},
    ids,
};
use serde_json::{Value, json};

use crate::{
    roles::{grant, revoke},
    support::{Backend, Client, Following, World},
};

const EVENTS: &str = "subscription ($filter: EventFilter) { events(filter: $filter) {
    id type actor { kind name } targetIds organization { code } data } }";

async fn follow(client: &Client, filter: Value) -> Following {
    client.follow(EVENTS, json!({ "filter": filter })).await
}

#[tokio::test]
async fn events_come_to_those_who_read_them_where_they_happen() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let anna = world.org_admin("anna", "acme").await;
        let otto = world.org_admin("otto", "other").await;
        let (acme, other) = (world.organization("acme").await, world.organization("other").await);
        let (anna_id, otto_id) = (world.user_id(&anna).await, world.user_id(&otto).await);
        let mut all = follow(&root, json!({ "types": ["role.granted"] })).await;
        let (mut at_acme, mut at_other) = (follow(&anna, json!({})).await, follow(&otto, json!({})).await);
        grant(&root, anna_id, &["TRANSLATOR"], Some(acme)).await.ok("/grantRoles/user");
        let heard = at_acme.next().await.expect("an event")["data"]["events"].clone();
        assert_eq!(
            (&heard["type"], &heard["organization"]),
            (&json!("role.granted"), &json!({ "code": "acme" }))
        );
        assert_eq!(heard["actor"], json!({ "kind": "USER", "name": "admin" }));
        assert_eq!(heard["targetIds"][0], ids::encode(ids::Kind::User, anna_id));
        assert_eq!(heard["data"], json!({ "roles": ["TRANSLATOR"] }));
        // What otto hears first is what happened in his own organisation, afterwards; and a login in none is in nobody's.
        world.user("bob").await;
        grant(&root, otto_id, &["ANNOTATOR"], Some(other)).await.ok("/grantRoles/user");
        let heard = at_other.next().await.expect("an event")["data"]["events"].clone();
        assert_eq!(
            (&heard["data"], &heard["organization"]["code"]),
            (&json!({ "roles": ["ANNOTATOR"] }), &json!("other"))
        );
        assert_eq!([all.next_type().await, all.next_type().await], ["role.granted", "role.granted"]);
    }
}

#[tokio::test]
async fn who_reads_no_events_follows_none() {
    for world in World::each().await {
        for stranger in [world.anonymous(), world.user("carl").await] {
            assert_eq!(follow(&stranger, json!({})).await.end().await, "FORBIDDEN");
        }
        let root = world.superadmin().await;
        let many = follow(&root, json!({ "types": vec!["x"; 1001] })).await.end().await;
        assert_eq!(many, "BAD_USER_INPUT");
        assert_eq!(follow(&world.anonymous().with_token("nonsense"), json!({})).await.status, 401);
        // Without a transport that streams it is an error that says so.
        let plain = root.run(EVENTS).await;
        assert_eq!((plain.status.as_u16(), plain.codes()), (400, vec!["BAD_REQUEST".to_owned()]));
    }
}

#[tokio::test]
async fn following_and_listing_choose_the_same_events() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let root_id = ids::encode(ids::Kind::User, world.user_id(&root).await);
        let ada = world.user("ada").await;
        let ada_id = world.user_id(&ada).await;
        let acme = world.organization("acme").await;
        world.join(ada_id, acme).await;
        world.pass(Duration::from_mins(1));
        let (ada_key, acme_key) =
            (ids::encode(ids::Kind::User, ada_id), ids::encode(ids::Kind::Organization, acme));
        let filters = [
            json!({}),
            json!({ "types": [] }),
            json!({ "types": ["role.granted", "x\u{0}"] }),
            json!({ "actorIds": [root_id, "nonsense"] }),
            json!({ "actorIds": [root_id.replace("user_", "app_")] }),
            json!({ "targetIds": [ada_key] }),
            json!({ "targetIds": ["user_\u{0}"] }),
            json!({ "organizationIds": [acme_key, ada_key] }),
            json!({ "occurredAfter": "2026-01-01T00:01:00Z" }),
            json!({ "occurredBefore": "2026-01-01T00:01:00Z" }),
        ];
        let mut following = Vec::new();
        for filter in &filters {
            following.push(follow(&root, filter.clone()).await);
        }
        let mut last = follow(&root, json!({ "types": ["user.verified"] })).await;
        world.login("ada", "wrong").await;
        grant(&root, ada_id, &["MEMBER"], Some(acme)).await.ok("/grantRoles/user");
        world.pass(Duration::from_secs(1));
        revoke(&root, ada_id, &["MEMBER"], Some(acme)).await.ok("/revokeRoles/user");
        world.user("eva").await;
        assert_eq!(last.next_type().await, "user.verified");
        for (filter, mut heard) in filters.iter().zip(following) {
            let query = "query ($filter: EventFilter) { events(filter: $filter, first: 100) { edges { node { id occurredAt } } } }";
            let listed = root.run_with(query, json!({ "filter": filter })).await.ok("/events/edges");
            let recent =
                |edge: &&Value| edge["node"]["occurredAt"].as_str() >= Some("2026-01-01T00:01:00.000Z");
            let listed: BTreeSet<_> = listed
                .as_array()
                .expect("edges")
                .iter()
                .filter(recent)
                .map(|edge| edge["node"]["id"].to_string())
                .collect();
            let mut found = BTreeSet::new();
            while let Some(event) = heard.next_at_once().await {
                found.insert(event["data"]["events"]["id"].to_string());
            }
            // The newest login of eva may still be on its way.
            assert!(
                found.is_subset(&listed) && found.len() + 1 >= listed.len(),
                "{filter}: {found:?} {listed:?}"
            );
        }
    }
}

#[tokio::test]
async fn it_ends_with_the_token_and_with_the_session() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let mut following = follow(&root, json!({})).await;
        root.run("mutation { logout(input: {}) { endedSessions } }").await.ok("/logout");
        assert_eq!(following.end().await, "UNAUTHENTICATED");
        let root = world.superadmin().await;
        let mut following = follow(&root, json!({ "types": ["nothing"] })).await;
        world.pass(Duration::from_mins(16));
        assert_eq!(following.end().await, "UNAUTHENTICATED");
    }
}

#[tokio::test]
async fn deactivation_and_a_revoked_grant_are_felt_by_what_already_streams() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let acme = world.organization("acme").await;
        // Somebody who stays: an organisation keeps its last owner.
        world.org_admin("zoe", "acme").await;
        let mut following = Vec::new();
        for name in ["anna", "olga"] {
            let client = world.org_admin(name, "acme").await;
            following.push((world.user_id(&client).await, follow(&client, json!({})).await));
        }
        let [(anna, mut of_anna), (olga, mut of_olga)] = following.try_into().ok().expect("two");
        let input = json!({ "ids": [ids::encode(ids::Kind::User, anna)] });
        let document =
            "mutation ($ids: [ID!]!) { deactivateUsers(input: { userIds: $ids }) { errors { code } } }";
        assert_eq!(root.run_with(document, input).await.faults("deactivateUsers"), [""; 0]);
        assert_eq!(of_anna.end().await, "UNAUTHENTICATED");
        // Also when nothing happens that she would have seen.
        world.pass(Duration::from_secs(1));
        let revoked = revoke(&root, olga, &["ADMIN"], Some(acme)).await;
        assert_eq!(revoked.faults("revokeRoles"), [""; 0]);
        // Neither that event nor any other comes to her any more.
        assert_eq!(of_olga.end().await, "FORBIDDEN");
    }
}

#[tokio::test]
async fn what_another_instance_commits_arrives() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let other = world.another_instance().await;
        let mut following = follow(&root, json!({ "types": ["session.refused"] })).await;
        let login =
            "mutation { login(input: { identifier: \"nobody\", password: \"x\" }) { errors { code } } }";
        for _ in 0..3 {
            other.run(login).await.ok("/login");
            assert_eq!(following.next_type().await, "session.refused");
        }
    }
}

#[tokio::test]
async fn an_event_that_was_committed_late_is_not_missed() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let mut following = follow(&root, json!({ "types": ["session.refused", "user.verified"] })).await;
        let ctx = world.system();
        // On SQLite there is one writer: what begins later also ends later there.
        let late = NewEvent::of(EventType::SessionRefused);
        if world.backend == Backend::Postgres {
            let slow = world.app.db.begin().await.expect("a transaction");
            log::record(&slow, &ctx, late).await.expect("recorded");
            world.pass(Duration::from_secs(5));
            world.user("ada").await;
            assert_eq!(following.next_type().await, "user.verified");
            slow.commit().await.expect("a commit");
            assert_eq!(following.next_type().await, "session.refused");
        }
    }
}

#[tokio::test]
async fn who_is_too_slow_is_let_go_and_others_are_not() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let (mut slow, mut quick) = (follow(&root, json!({})).await, follow(&root, json!({})).await);
        let reading = tokio::spawn(async move {
            for _ in 0..1500 {
                assert_eq!(quick.next_type().await, "session.refused");
            }
        });
        for _ in 0..3 {
            let txn = world.app.db.begin().await.expect("a transaction");
            let events = (0..500).map(|_| NewEvent::of(EventType::SessionRefused)).collect();
            log::record_all(&txn, &world.system(), events).await.expect("recorded");
            txn.commit().await.expect("a commit");
        }
        reading.await.expect("the quick one hears all of them");
        assert_eq!(slow.end().await, "OVERLOADED");
    }
}

#[tokio::test]
async fn pages_of_other_origins_open_no_socket_and_read_no_answer() {
    let world = World::with(Backend::Sqlite, &["--allowed-origins", "https://app.example.org"]).await;
    let client = world.anonymous();
    for (origin, status) in [("https://evil.example", 403), ("null", 403), ("https://app.example.org", 400)] {
        let request = Request::get("/graphql").header("upgrade", "websocket").header("origin", origin);
        let answer = client.send(request.body(Body::empty()).expect("a request")).await;
        // Without a connection there is nothing to upgrade: 400 is past the origin.
        assert_eq!(answer.status, status, "{origin}: {}", answer.text);
    }
    for (origin, allowed) in
        [("https://evil.example", false), ("https://app.example.org", true), ("http://denizen.test", true)]
    {
        let preflight = Request::options("/graphql")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type,authorization");
        let preflight = client.send(preflight.body(Body::empty()).expect("a request")).await;
        let granted =
            preflight.headers.get("access-control-allow-origin").map(|it| it.to_str().expect("text"));
        assert_eq!((preflight.status.as_u16(), granted), (204, allowed.then_some(origin)));
        assert_eq!(preflight.headers.contains_key("access-control-allow-headers"), allowed);
        let answer = client.with_header("origin", origin).run("{ __typename }").await;
        assert_eq!(answer.headers.contains_key("access-control-allow-origin"), allowed, "{origin}");
        assert!(!answer.headers.contains_key("access-control-allow-credentials"));
    }
}
