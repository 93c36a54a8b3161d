//! Reading the event log.

use std::time::Duration;

use denizen::ids;
use serde_json::{Value, json};

use crate::{
    roles::{grant, revoke},
    support::{Answer, Client, World},
};

async fn events(client: &Client, filter: Value) -> Answer {
    let document = "query ($filter: EventFilter) { events(filter: $filter, first: 100) { totalCount edges { node {
        id type actor { kind id name } targetIds organization { code } data ip userAgent requestId occurredAt } } } }";
    client.run_with(document, json!({ "filter": filter })).await
}

async fn types(client: &Client, filter: Value) -> Vec<String> {
    let answer = events(client, filter).await;
    let edges = answer.ok("/events/edges").as_array().cloned().unwrap_or_default();
    assert_eq!(answer.ok("/events/totalCount"), edges.len());
    edges.iter().map(|edge| edge["node"]["type"].as_str().unwrap_or("?").to_owned()).collect()
}

#[tokio::test]
async fn an_event_tells_who_did_what_to_whom_and_from_where() {
    for world in World::each().await {
        let root = world.superadmin().await.with_header("user-agent", "a browser");
        let anna = world.org_admin("anna", "acme").await;
        let acme = world.organization("acme").await;
        let mia = world.user_id(&world.user("mia").await).await;
        world.join(mia, acme).await;
        grant(&root, mia, &["TRANSLATOR"], Some(acme)).await.ok("/grantRoles/user");
        let answer = events(&anna, json!({ "types": ["role.granted"] })).await;
        let event = answer.ok("/events/edges/0/node");
        let translator = root.run("{ roles { id code } }").await.ok("/roles");
        let translator =
            translator.as_array().into_iter().flatten().find(|role| role["code"] == "TRANSLATOR");
        let root_id = ids::encode(ids::Kind::User, world.user_id(&root).await);
        assert_eq!(event["actor"], json!({ "kind": "USER", "id": root_id, "name": "admin" }));
        let mia = ids::encode(ids::Kind::User, mia);
        assert_eq!(event["targetIds"], json!([mia, translator.map(|role| role["id"].clone())]));
        assert_eq!(event["organization"], json!({ "code": "acme" }));
        assert_eq!(event["data"], json!({ "roles": ["TRANSLATOR"] }));
        let by_root = events(&root, json!({ "types": ["role.granted"] })).await.ok("/events/edges/0/node");
        assert_eq!((&by_root["ip"], &by_root["userAgent"]), (&json!("203.0.113.7"), &json!("a browser")));
        assert_eq!(event["occurredAt"], "2026-01-01T00:00:02.000Z");
        assert!(event["requestId"].is_string());
        let node = anna
            .run_with(
                "query ($id: ID!) { node(id: $id) { ... on Event { type } } }",
                json!({ "id": event["id"] }),
            )
            .await;
        assert_eq!(node.ok("/node/type"), "role.granted");
    }
}

#[tokio::test]
async fn events_are_seen_where_one_reads_them() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let anna = world.org_admin("anna", "acme").await;
        let otto = world.org_admin("otto", "other").await;
        let (acme, other) = (world.organization("acme").await, world.organization("other").await);
        let (anna_id, otto_id) = (world.user_id(&anna).await, world.user_id(&otto).await);
        grant(&root, anna_id, &["TRANSLATOR"], Some(acme)).await.ok("/grantRoles/user");
        grant(&root, otto_id, &["ANNOTATOR"], Some(other)).await.ok("/grantRoles/user");
        world.pass(Duration::from_millis(1));
        revoke(&root, otto_id, &["ANNOTATOR"], Some(other)).await.ok("/revokeRoles/user");
        assert_eq!(types(&anna, json!({})).await, ["role.granted"]);
        assert_eq!(types(&otto, json!({})).await, ["role.revoked", "role.granted"]);
        let all = types(&root, json!({})).await;
        assert!(all.len() > 8 && all.contains(&"session.started".to_owned()), "{all:?}");
        // Not by a filter, and not as a node.
        let foreign = json!({ "organizationIds": [ids::encode(ids::Kind::Organization, other)] });
        assert_eq!(types(&anna, foreign).await, [""; 0]);
        assert_eq!(
            types(&anna, json!({ "targetIds": [ids::encode(ids::Kind::User, otto_id)] })).await,
            [""; 0]
        );
        let theirs = events(&otto, json!({})).await.ok("/events/edges/0/node/id");
        let query = "query ($id: ID!) { node(id: $id) { id } nodes(ids: [$id]) { id } }";
        for stranger in [&anna, &world.anonymous(), &world.user("bob").await] {
            let found = stranger.run_with(query, json!({ "id": theirs })).await;
            assert_eq!((found.ok("/node"), found.ok("/nodes")), (Value::Null, json!([null])));
        }
        for stranger in [world.anonymous(), world.user("carl").await] {
            assert_eq!(events(&stranger, json!({})).await.codes(), ["FORBIDDEN"]);
        }
    }
}

#[tokio::test]
async fn every_filter_of_events_filters() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let root_id = world.user_id(&root).await;
        world.pass(Duration::from_mins(1));
        let ada = world.user("ada").await;
        let ada_id = ids::encode(ids::Kind::User, world.user_id(&ada).await);
        let acme = world.organization("acme").await;
        world.join(world.user_id(&ada).await, acme).await;
        world.pass(Duration::from_mins(1));
        grant(&root, world.user_id(&ada).await, &["MEMBER"], Some(acme)).await.ok("/grantRoles/user");
        let root_id = ids::encode(ids::Kind::User, root_id);
        let acme_id = ids::encode(ids::Kind::Organization, acme);
        let ada_as_app = ada_id.replace("user_", "app_");
        for (filter, found) in [
            (json!({ "types": ["user.verified", "user.nothing", "x\u{0}"] }), vec!["user.verified"]),
            (json!({ "types": [] }), vec![]),
            (json!({ "actorIds": [root_id], "types": ["role.granted"] }), vec!["role.granted"]),
            (json!({ "actorIds": [ada_as_app, acme_id, "nonsense", "x\u{0}"] }), vec![]),
            (
                json!({ "targetIds": [ada_id], "types": ["role.granted", "user.registered"] }),
                vec!["role.granted", "user.registered"],
            ),
            (json!({ "targetIds": ["nonsense", "user_\u{0}", ada_as_app] }), vec![]),
            (json!({ "organizationIds": [acme_id] }), vec!["role.granted"]),
            (json!({ "organizationIds": [ada_id, "nonsense"] }), vec![]),
            (json!({ "occurredAfter": "2026-01-01T00:01:00Z" }), vec!["role.granted"]),
            (
                json!({ "occurredAfter": "2026-01-01T00:00:00Z", "occurredBefore": "2026-01-01T00:02:00Z", "types": ["user.registered", "role.granted"] }),
                vec!["user.registered"],
            ),
        ] {
            assert_eq!(types(&root, filter.clone()).await, found, "{filter}");
        }
        let many = events(&root, json!({ "types": vec!["x"; 1001] })).await;
        assert_eq!(many.codes(), ["BAD_USER_INPUT"]);
    }
}

#[tokio::test]
async fn a_page_of_events_takes_a_constant_number_of_statements() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let ada = world.user_id(&world.user("ada").await).await;
        world.join(ada, world.organization("acme").await).await;
        let acme = world.organization("acme").await;
        grant(&root, ada, &["MEMBER"], Some(acme)).await.ok("/grantRoles/user");
        events(&root, json!({})).await;
        let (_, few) = world.statements(events(&root, json!({}))).await;
        for role in ["ADMIN", "TRANSLATOR", "REVIEWER", "SCHOLAR"] {
            world.pass(Duration::from_millis(1));
            grant(&root, ada, &[role], Some(acme)).await.ok("/grantRoles/user");
        }
        events(&root, json!({})).await;
        let (answer, many) = world.statements(events(&root, json!({}))).await;
        assert!(answer.ok("/events/edges").as_array().map(Vec::len) > Some(8));
        assert_eq!(many, few, "on {:?}", world.backend);
        assert!(many <= 4, "a page, a count, the targets, the organisations: {many}");
        // Newest first, in both directions.
        let page = root.run("{ events(first: 1) { edges { node { data } } pageInfo { endCursor } } }").await;
        assert_eq!(page.ok("/events/edges/0/node/data"), json!({ "roles": ["SCHOLAR"] }));
        let cursor = page.ok("/events/pageInfo/endCursor");
        let query = "query ($c: String) { events(first: 1, after: $c) { edges { node { data } } pageInfo { hasPreviousPage } } }";
        let next = root.run_with(query, json!({ "c": cursor })).await;
        assert_eq!(next.ok("/events/edges/0/node/data"), json!({ "roles": ["REVIEWER"] }));
    }
}

#[tokio::test]
async fn events_of_one_moment_stand_in_the_order_of_happening() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let acme = world.organization("acme").await;
        let mut users = Vec::new();
        for number in 0..6 {
            let id = world.user_id(&world.user(&format!("user{number}")).await).await;
            users.push(ids::encode(ids::Kind::User, id));
        }
        let org = ids::encode(ids::Kind::Organization, acme);
        let add = "mutation ($org: ID!, $list: [MemberInput!]!) {
            addMembers(input: { organizationId: $org, members: $list }) { errors { code } } }";
        let list: Vec<_> = users.iter().map(|id| json!({ "userId": id, "roleCodes": ["SCHOLAR"] })).collect();
        let added = root.run_with(add, json!({ "org": org, "list": list })).await;
        assert_eq!(added.faults("addMembers"), [""; 0]);
        // The clock stands still: all of this is of one millisecond.
        let told =
            events(&root, json!({ "types": ["member.added", "role.granted"], "organizationIds": [org] }))
                .await;
        let edges = told.ok("/events/edges").as_array().cloned().unwrap_or_default();
        let of = |edge: &Value| {
            (edge["node"]["type"].as_str().unwrap_or("?").to_owned(), edge["node"]["targetIds"][0].clone())
        };
        let oldest_first: Vec<_> = edges.iter().rev().map(of).collect();
        let happened: Vec<_> = users
            .iter()
            .flat_map(|id| ["member.added", "role.granted"].map(|kind| (kind.to_owned(), json!(id))))
            .collect();
        assert_eq!(oldest_first, happened, "on {:?}", world.backend);
    }
}

#[tokio::test]
async fn administrators_read_what_happens_to_the_accounts_of_their_members() {
    for world in World::each().await {
        let (anna, otto) = (world.org_admin("anna", "acme").await, world.org_admin("otto", "other").await);
        let acme = world.organization("acme").await;
        let mia = world.user("mia").await;
        let id = world.user_id(&mia).await;
        world.join(id, acme).await;
        let key = ids::encode(ids::Kind::User, id);
        let profile = "mutation { updateProfile(input: { name: \"Mia\" }) { errors { code } } }";
        assert_eq!(mia.run(profile).await.faults("updateProfile"), [""; 0]);
        let close = format!(
            "mutation {{ deactivateUsers(input: {{ userIds: [\"{key}\"] }}) {{ errors {{ code }} }} }}"
        );
        assert_eq!(anna.run(&close).await.faults("deactivateUsers"), [""; 0]);
        let erase =
            format!("mutation {{ deleteUser(input: {{ userId: \"{key}\" }}) {{ errors {{ code }} }} }}");
        assert_eq!(anna.run(&erase).await.faults("deleteUser"), [""; 0]);
        let document = format!(
            "{{ events(filter: {{ targetIds: [\"{key}\"], types: [\"user.updated\", \"user.deactivated\", \"user.deleted\"] }}) {{ edges {{ node {{ type organization {{ code }} }} }} }} }}"
        );
        let edges = anna.run(&document).await.ok("/events/edges");
        let seen: Vec<_> =
            edges.as_array().unwrap().iter().map(|edge| edge["node"]["type"].clone()).collect();
        assert_eq!(seen, ["user.deleted", "user.deactivated", "user.updated"], "on {:?}", world.backend);
        assert_eq!(edges[0]["node"]["organization"]["code"], "acme");
        assert_eq!(otto.run(&document).await.ok("/events/edges").as_array().map(Vec::len), Some(0));
    }
}

#[tokio::test]
async fn tenants_learn_no_network_address_of_who_acts_from_the_platform() {
    for world in World::each().await {
        let root = world.superadmin().await.with_header("user-agent", "a browser of the platform");
        let anna = world.org_admin("anna", "acme").await.with_header("user-agent", "a browser of acme");
        let acme = world.organization("acme").await;
        let mia = world.user_id(&world.user("mia").await).await;
        world.join(mia, acme).await;
        // An administrator of the platform who belongs to the organisation as well.
        let paula = world.user("paula").await.with_header("user-agent", "a browser of paula");
        let paula_id = world.user_id(&paula).await;
        world.join_also(paula_id, acme).await;
        world.grant(paula_id, "ADMIN", None).await;
        world.pass(Duration::from_secs(2));
        let follow = "subscription { events { actor { name } ip userAgent } }";
        let (mut at_acme, mut at_root) =
            (anna.follow(follow, json!({})).await, root.follow(follow, json!({})).await);
        for (client, role) in [(&root, "TRANSLATOR"), (&paula, "ANNOTATOR"), (&anna, "SCHOLAR")] {
            grant(client, mia, &[role], Some(acme)).await.ok("/grantRoles/user");
        }
        let ip = "203.0.113.7";
        let (hidden, seen) = (Value::Null, json!([ip, "a browser of acme"]));
        let of = |event: &Value| match &event["ip"] {
            Value::Null if event["userAgent"].is_null() => Value::Null,
            ip => json!([ip, event["userAgent"]]),
        };
        let expected = [("admin", &hidden), ("paula", &hidden), ("anna", &seen)];
        for (name, shown) in expected {
            let heard = at_acme.next().await.expect("an event")["data"]["events"].clone();
            assert_eq!((&heard["actor"]["name"], &of(&heard)), (&json!(name), shown), "as it happens");
            let heard = at_root.next().await.expect("an event")["data"]["events"].clone();
            assert_eq!(heard["ip"], ip, "the platform's administrators see it");
        }
        let listed = events(&anna, json!({ "types": ["role.granted"] })).await.ok("/events/edges");
        let listed: Vec<_> = listed.as_array().into_iter().flatten().map(|edge| &edge["node"]).collect();
        for (name, shown) in expected {
            let event = listed.iter().find(|event| event["actor"]["name"] == name).expect("an event");
            assert_eq!(&of(event), shown, "in the list");
            let query = "query ($id: ID!) { node(id: $id) { ... on Event { ip userAgent } } }";
            let node = anna.run_with(query, json!({ "id": event["id"] })).await.ok("/node");
            assert_eq!(&of(&node), shown, "as a node");
        }
        let all = events(&root, json!({ "types": ["role.granted"] })).await.ok("/events/edges");
        let by_users = all.as_array().into_iter().flatten().map(|edge| &edge["node"]);
        let by_users: Vec<_> = by_users.filter(|event| event["actor"]["kind"] == "USER").collect();
        assert!(by_users.len() >= 3 && by_users.iter().all(|event| event["ip"] == ip));
    }
}
