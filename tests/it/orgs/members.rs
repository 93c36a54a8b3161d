//! Members: who sees them, who adds and removes them, and that the last owner stays.

use std::time::Duration;

use denizen::ids::{self, Kind};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{NONE, add, org_id, remove};
use crate::support::{Client, World};

fn settle(world: &World) {
    world.pass(Duration::from_secs(2));
}

fn names(connection: &Value) -> Vec<&str> {
    let edges = connection["edges"].as_array().into_iter().flatten();
    edges.filter_map(|edge| edge["node"]["user"]["userName"].as_str()).collect()
}

async fn members(client: &Client, org: &str, arguments: &str) -> crate::support::Answer {
    let document = format!(
        "query ($id: ID!) {{ organization(by: {{ id: $id }}) {{ code members({arguments}) {{ totalCount
           edges {{ cursor node {{ id joinedAt roles {{ code }} organization {{ code }} user {{ userName }} }} }} }} }} }}"
    );
    client.run_with(&document, json!({ "id": org })).await
}

#[tokio::test]
async fn members_see_each_other_from_outside_and_nobody_else_sees_them() {
    for world in World::each().await {
        let acme = world.organization("acme").await;
        let anna = world.org_admin("anna", "acme").await;
        let mia = world.member("mia", acme).await;
        let other = world.org_admin("oscar", "other").await;
        settle(&world);
        let id = org_id(acme);
        let list = members(&mia, &id, "first: 10").await.ok("/organization/members");
        assert_eq!((names(&list), &list["totalCount"]), (vec!["anna", "mia"], &json!(2)));
        assert_eq!(list["edges"][0]["node"]["roles"], json!([]), "others' roles are theirs");
        assert_eq!(list["edges"][1]["node"]["roles"], json!([{ "code": "MEMBER" }]));
        let private = "query ($id: ID!) { organization(by: { id: $id }) { members { edges { node { user {
            userName email phone locale gender roles { code } memberships { totalCount } lastLoginAt } } } } } }";
        let answer = mia.run_with(private, json!({ "id": id })).await;
        let fellow = answer.data("/organization/members/edges/0/node/user");
        assert_eq!(fellow["userName"], "anna");
        for field in ["email", "phone", "locale", "gender", "roles", "memberships", "lastLoginAt"] {
            assert!(fellow[field].is_null(), "{field} in {fellow}");
        }
        assert!(!answer.text.contains("anna@example.org"));
        assert!(answer.codes().iter().all(|code| code == "FORBIDDEN"), "{}", answer.text);
        let own = answer.data("/organization/members/edges/1/node/user/email");
        assert_eq!(own, "mia@example.org");

        let list = anna.run_with(private, json!({ "id": id })).await.ok("/organization/members");
        assert_eq!(list["edges"][1]["node"]["user"]["email"], "mia@example.org");
        assert!(members(&other, &id, "first: 1").await.ok("/organization").is_null());
    }
}

#[tokio::test]
async fn a_listed_organisation_shows_its_name_and_not_its_members() {
    for world in World::each().await {
        let admin = world.superadmin().await;
        let list = json!([{ "code": "open", "active": true, "listed": true }]);
        let made = super::upsert(&admin, list).await.ok("/upsertOrganizations/organizations/0/id");
        let id = made.as_str().unwrap_or_default();
        let oscar = world.org_admin("oscar", "other").await;
        for stranger in [world.anonymous(), oscar] {
            let answer = members(&stranger, id, "first: 1").await;
            assert_eq!(answer.data("/organization/code"), "open");
            assert!(answer.data("/organization/members").is_null());
            assert_eq!(answer.codes(), ["FORBIDDEN"]);
        }
    }
}

#[tokio::test]
async fn memberships_of_other_tenants_do_not_exist_in_any_way_of_asking() {
    for world in World::each().await {
        let (acme, other) = (world.organization("acme").await, world.organization("other").await);
        let anna = world.org_admin("anna", "acme").await;
        let mia = world.member("mia", acme).await;
        let oscar = world.org_admin("oscar", "other").await;
        let root = world.superadmin().await;
        let mia_id = world.id_of(&mia).await;
        let both =
            add(&root, &org_id(other), json!([{ "userId": mia_id, "roleCodes": ["TRANSLATOR"] }])).await;
        assert_eq!(both.faults("addMembers"), NONE);
        let elsewhere = both.data("/addMembers/memberships/0/id");
        settle(&world);

        let document = "query ($node: ID!, $user: ID!) { node(id: $node) { id } nodes(ids: [$node]) { id }
            user(by: { id: $user }) { memberships { totalCount edges { node { organization { code } } } } } }";
        let variables = json!({ "node": elsewhere, "user": mia_id });
        let seen = anna.run_with(document, variables.clone()).await.ok("");
        assert_eq!((&seen["node"], &seen["nodes"]), (&json!(null), &json!([null])));
        assert_eq!(seen["user"]["memberships"]["totalCount"], 1);
        assert_eq!(seen["user"]["memberships"]["edges"][0]["node"]["organization"]["code"], "acme");
        let own = mia.run_with(document, variables.clone()).await.ok("");
        assert_eq!(own["node"]["id"], elsewhere);
        assert_eq!(own["user"]["memberships"]["totalCount"], 2);
        let nobody = world.user("ursula").await.run_with(document, variables).await.ok("");
        assert_eq!(nobody, json!({ "node": null, "nodes": [null], "user": null }));
        // A filter must not tell what the field hides.
        let filtered = members(&mia, &org_id(acme), "filter: { roleCodes: [\"ADMIN\"] }").await;
        assert_eq!(filtered.ok("/organization/members/totalCount"), 0);
        let by_address = members(&mia, &org_id(acme), "filter: { text: \"anna@\" }").await;
        assert_eq!(by_address.ok("/organization/members/totalCount"), 0);
        let found = members(&anna, &org_id(acme), "filter: { roleCodes: [\"member\"], text: \"MI\" }").await;
        assert_eq!(names(&found.ok("/organization/members")), ["mia"]);
        drop(oscar);
    }
}

#[tokio::test]
async fn members_are_added_with_roles_and_events() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let (acme, lab) = (world.organization("acme").await, world.organization("lab").await);
        let (ada, bob) = (world.user("ada").await, world.user("bob").await);
        let ids = [world.id_of(&ada).await, world.id_of(&bob).await];
        let list = json!([{ "userId": ids[0] }, { "userId": ids[1], "roleCodes": ["ADMIN", "translator", "ADMIN"] }]);
        let added = add(&root, &org_id(acme), list).await.ok("/addMembers/memberships");
        assert_eq!(added[0]["roles"], json!([{ "code": "MEMBER" }]));
        assert_eq!(added[1]["roles"], json!([{ "code": "ADMIN" }, { "code": "TRANSLATOR" }]));
        assert_eq!(add(&root, &org_id(lab), json!([{ "userId": ids[0] }])).await.faults("addMembers"), NONE);
        assert_eq!(
            (world.count_events("member.added").await, world.count_events("role.granted").await),
            (3, 5)
        );
        let me = ada
            .run("{ me { organization { code } memberships { edges { node { organization { code } } } } } }");
        assert_eq!(me.await.ok("/me/organization/code"), "acme", "the first is the primary one");
        // At once, without a second having passed.
        assert_eq!(bob.run("{ users { totalCount } }").await.ok("/users/totalCount"), 2);

        assert_eq!(
            remove(&ada, &org_id(acme), &ids[..1]).await.faults("removeMembers"),
            NONE,
            "everybody may leave"
        );
        assert_eq!(ada.run("{ me { organization { code } } }").await.ok("/me/organization/code"), "lab");
    }
}

#[tokio::test]
async fn every_fault_of_adding_comes_at_once() {
    for world in World::each().await {
        let acme = world.organization("acme").await;
        let anna = world.org_admin("anna", "acme").await;
        let stranger = world.id_of(&world.user("otto").await).await;
        let mia = world.id_of(&world.member("mia", acme).await).await;
        settle(&world);
        let list = json!([
            { "userId": stranger },
            { "userId": mia },
            { "userId": org_id(acme) },
            { "userId": mia, "roleCodes": ["SUPERADMIN", "MEMBER", "NOTHING\u{0}"] },
        ]);
        let answer = add(&anna, &org_id(acme), list).await;
        let faults = [
            "NOT_FOUND at [members.0.userId]",
            "TAKEN at [members.1.userId]",
            "NOT_FOUND at [members.2.userId]",
            "TAKEN at [members.3.userId]",
            "NOT_ALLOWED at [members.3.roleCodes.0]",
            "NOT_FOUND at [members.3.roleCodes.2]",
        ];
        assert_eq!(answer.faults("addMembers"), faults);
        let many: Vec<_> = (0..101).map(|_| json!({ "userId": mia })).collect();
        let answer = add(&anna, &org_id(acme), json!(many)).await;
        assert_eq!(answer.faults("addMembers"), ["TOO_MANY_ITEMS at [members]"]);

        let other = org_id(world.organization("other").await);
        let answer = add(&anna, &other, json!([{ "userId": mia }])).await;
        assert_eq!(answer.faults("addMembers"), ["NOT_FOUND at [organizationId]"], "another tenant's");
        let nowhere = add(&anna, "org_nonsense", json!([{ "userId": mia }])).await;
        assert_eq!(nowhere.faults("addMembers"), ["NOT_FOUND at [organizationId]"]);
        let mia = world.logged_in("mia", crate::support::PASSWORD).await;
        assert_eq!(add(&mia, &org_id(acme), json!([])).await.codes(), ["FORBIDDEN"]);
        let closed = json!([{ "code": "closed", "active": false }]);
        let root = world.superadmin().await;
        let closed = super::upsert(&root, closed).await.ok("/upsertOrganizations/organizations/0/id");
        let answer = add(&root, closed.as_str().unwrap_or_default(), json!([{ "userId": stranger }])).await;
        assert_eq!(answer.faults("addMembers"), ["INACTIVE at [organizationId]"]);
    }
}

#[tokio::test]
async fn nobody_is_removed_across_tenants_or_by_who_holds_less() {
    for world in World::each().await {
        let (acme, other) = (world.organization("acme").await, world.organization("other").await);
        let anna = world.org_admin("anna", "acme").await;
        let mia = world.member("mia", acme).await;
        let otto = world.id_of(&world.member("otto", other).await).await;
        let boss = world.member("boss", acme).await;
        world.grant(world.user_id(&boss).await, "SUPERADMIN", None).await;
        settle(&world);
        let (anna_id, mia_id, boss_id) =
            (world.id_of(&anna).await, world.id_of(&mia).await, world.id_of(&boss).await);
        let answer = remove(&anna, &org_id(acme), &[mia_id.clone(), otto.clone(), boss_id]).await;
        let faults = ["NOT_FOUND at [userIds.1]", "NOT_ALLOWED at [userIds.2]"];
        assert_eq!(answer.faults("removeMembers"), faults);
        assert_eq!(answer.data("/removeMembers/removedUserIds"), json!([]));
        assert_eq!(
            remove(&anna, &org_id(other), &[otto]).await.faults("removeMembers"),
            ["NOT_FOUND at [organizationId]"]
        );
        assert_eq!(remove(&mia, &org_id(acme), std::slice::from_ref(&anna_id)).await.codes(), ["FORBIDDEN"]);
        assert_eq!(remove(&world.anonymous(), &org_id(acme), &[anna_id]).await.codes(), ["FORBIDDEN"]);
        let removed = remove(&anna, &org_id(acme), &[mia_id.clone(), mia_id.clone()]).await;
        assert_eq!(removed.ok("/removeMembers/removedUserIds"), json!([mia_id]));
        assert_eq!(
            (world.count_events("member.removed").await, world.count_events("role.revoked").await),
            (1, 1)
        );
        assert!(
            mia.run_with(
                "query ($id: ID!) { organization(by: { id: $id }) { id } }",
                json!({ "id": org_id(acme) })
            )
            .await
            .ok("/organization")
            .is_null()
        );
    }
}

#[tokio::test]
async fn the_last_owner_stays_even_when_two_go_at_once() {
    for world in World::each().await {
        let acme = org_id(world.organization("acme").await);
        let (anna, bert) = (world.org_admin("anna", "acme").await, world.org_admin("bert", "acme").await);
        settle(&world);
        let (anna_id, bert_id) = (world.id_of(&anna).await, world.id_of(&bert).await);
        let both = [anna_id.clone(), bert_id.clone()];
        let faults = ["LAST_OWNER at [userIds.0]", "LAST_OWNER at [userIds.1]"];
        assert_eq!(remove(&anna, &acme, &both).await.faults("removeMembers"), faults);
        let pairs = [(&anna, &both[..1]), (&bert, &both[1..])];
        let answers = join_all(pairs.map(|(client, ids)| remove(client, &acme, ids))).await;
        let mut faults: Vec<_> = answers.iter().map(|answer| answer.faults("removeMembers")).collect();
        faults.sort();
        assert_eq!(faults, [vec![], vec!["LAST_OWNER at [userIds.0]".to_owned()]], "on {:?}", world.backend);
        // Not even the platform takes the last one.
        let stays = if answers[0].faults("removeMembers").is_empty() { bert_id } else { anna_id };
        let answer = remove(&world.superadmin().await, &acme, &[stays]).await;
        assert_eq!(answer.faults("removeMembers"), ["LAST_OWNER at [userIds.0]"]);
    }
}

#[tokio::test]
async fn a_removed_administrator_is_none_at_once() {
    for world in World::each().await {
        let acme = org_id(world.organization("acme").await);
        let (anna, bert) = (world.org_admin("anna", "acme").await, world.org_admin("bert", "acme").await);
        settle(&world);
        bert.run("{ users { totalCount } }").await.ok("/users");
        let bert_id = world.id_of(&bert).await;
        assert_eq!(remove(&anna, &acme, &[bert_id]).await.faults("removeMembers"), NONE);
        assert_eq!(bert.run("{ users { totalCount } }").await.codes(), ["FORBIDDEN"]);
    }
}

#[tokio::test]
async fn members_come_in_pages_and_a_foreign_cursor_is_refused() {
    for world in World::each().await {
        let acme = world.organization("acme").await;
        for name in ["ada", "bob", "carol", "dave", "erin"] {
            world.member(name, acme).await;
            world.pass(Duration::from_secs(1));
        }
        let root = world.superadmin().await;
        let (id, mut seen, mut from) = (org_id(acme), Vec::new(), String::new());
        loop {
            let page = members(&root, &id, &format!("first: 2{from}")).await.ok("/organization/members");
            let Some(last) = page["edges"].as_array().and_then(|edges| edges.last()) else { break };
            from = format!(", after: {}", last["cursor"]);
            seen.extend(names(&page).into_iter().map(str::to_owned));
        }
        assert_eq!(seen, ["ada", "bob", "carol", "dave", "erin"]);
        let last = members(&root, &id, "last: 2").await.ok("/organization/members");
        assert_eq!(names(&last), ["dave", "erin"]);
        let users = root.run("{ users(first: 1) { edges { cursor } } }").await.ok("/users/edges/0/cursor");
        for arguments in [format!("after: {users}"), "first: 101".to_owned(), "first: 1, last: 1".to_owned()]
        {
            let answer = members(&root, &id, &arguments).await;
            assert_eq!(answer.codes(), ["BAD_USER_INPUT"], "{arguments}");
            assert_eq!(answer.data("/organization/code"), "acme", "its siblings stay");
        }
    }
}

#[tokio::test]
async fn members_of_many_organisations_take_a_constant_number_of_statements() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let document = "{ organizations { edges { node { code members(first: 3) { totalCount edges { node {
            roles { code } organization { code } user { userName email memberships(first: 2) { totalCount
            edges { node { organization { code } } } } } } } } } } } }";
        let first = world.organization("acme").await;
        world.member("ada", first).await;
        root.run(document).await.ok("/organizations");
        let (_, few) = world.statements(root.run(document)).await;
        for code in ["lab", "uni"] {
            let org = world.organization(code).await;
            for number in 0..4 {
                world.member(&format!("{code}-{number}"), org).await;
            }
        }
        root.run(document).await.ok("/organizations");
        let (answer, many) = world.statements(root.run(document)).await;
        assert_eq!(answer.ok("/organizations/edges/1/node/members/totalCount"), 4);
        assert_eq!(answer.ok("/organizations/edges/1/node/members/edges").as_array().map(Vec::len), Some(3));
        assert_eq!(many, few, "on {:?}", world.backend);

        let mut users = Vec::new();
        for number in 0..6 {
            users.push(world.user_named(number).await);
        }
        let lab = org_id(world.organization("lab").await);
        let one = json!([{ "userId": users[0] }]);
        let five: Vec<_> = users[1..].iter().map(|id| json!({ "userId": id })).collect();
        let (_, few) = world.statements(add(&root, &lab, one)).await;
        let (answer, many) = world.statements(add(&root, &lab, json!(five))).await;
        assert_eq!((answer.faults("addMembers"), many), (vec![], few));
        let (_, few) = world.statements(remove(&root, &lab, &users[..1])).await;
        let (answer, many) = world.statements(remove(&root, &lab, &users[1..])).await;
        assert_eq!((answer.faults("removeMembers"), many), (vec![], few));
    }
}

impl World {
    async fn user_named(&self, number: usize) -> String {
        let client = self.user(&format!("somebody{number}")).await;
        ids::encode(Kind::User, self.user_id(&client).await)
    }
}

#[tokio::test]
async fn nobody_is_drafted_from_another_tenant() {
    for world in World::each().await {
        let acme = world.organization("acme").await;
        let anna = world.org_admin("anna", "acme").await;
        let mia = world.id_of(&world.member("mia", acme).await).await;
        let eve = world.org_admin("eve", "evil").await;
        let (evil, eve_id) = (world.organization("evil").await, world.user_id(&eve).await);
        world.join_also(eve_id, acme).await;
        world.grant(eve_id, "REVIEWER", Some(acme)).await;
        let paula = world.user("paula").await;
        world.grant(world.user_id(&paula).await, "ADMIN", None).await;
        settle(&world);
        let anna_id = world.id_of(&anna).await;
        let drafted = add(&eve, &org_id(evil), json!([{ "userId": anna_id }, { "userId": mia }])).await;
        let refused = ["NOT_ALLOWED at [members.0.userId]", "NOT_ALLOWED at [members.1.userId]"];
        assert_eq!(drafted.faults("addMembers"), refused);
        let root = world.id_of(&world.superadmin().await).await;
        let above = add(&paula, &org_id(evil), json!([{ "userId": root }])).await;
        assert_eq!(above.faults("addMembers"), refused[..1]);
        assert_eq!(add(&paula, &org_id(evil), json!([{ "userId": mia }])).await.faults("addMembers"), NONE);
    }
}

#[tokio::test]
async fn a_member_is_not_shielded_by_belonging_elsewhere_too() {
    for world in World::each().await {
        let (acme, other) = (world.organization("acme").await, world.organization("other").await);
        let anna = world.org_admin("anna", "acme").await;
        let mia = world.member("mia", acme).await;
        let id = world.user_id(&mia).await;
        world.join_also(id, other).await;
        world.grant(id, "ADMIN", Some(acme)).await;
        world.grant(id, "ADMIN", Some(other)).await;
        settle(&world);
        let roles = ["REVIEWER"];
        assert_eq!(crate::roles::grant(&anna, id, &roles, Some(acme)).await.faults("grantRoles"), NONE);
        let revoked = crate::roles::revoke(&anna, id, &["ADMIN", "REVIEWER"], Some(acme)).await;
        assert_eq!(revoked.faults("revokeRoles"), NONE);
        let elsewhere = crate::roles::revoke(&anna, id, &["ADMIN"], Some(other)).await;
        assert_eq!(elsewhere.faults("revokeRoles"), ["NOT_FOUND at [organizationId]"]);
        let removed = remove(&anna, &org_id(acme), &[world.id_of(&mia).await]).await;
        assert_eq!(removed.faults("removeMembers"), NONE);
    }
}
