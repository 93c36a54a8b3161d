//! Roles at run time: making them, granting them, taking them away.

use std::time::Duration;

use denizen::ids;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Answer, Client, World};

pub async fn upsert(client: &Client, input: Value) -> Answer {
    let document = "mutation ($input: UpsertRolesInput!) { upsertRoles(input: $input) {
        roles { id code description active system selfAssignable scopes permissions } errors { code message path } } }";
    client.run_with(document, json!({ "input": input })).await
}

async fn change(client: &Client, mutation: &str, user: Uuid, roles: &[&str], org: Option<Uuid>) -> Answer {
    let input = json!({
        "userId": ids::encode(ids::Kind::User, user),
        "roleCodes": roles,
        "organizationId": org.map(|id| ids::encode(ids::Kind::Organization, id)),
    });
    let name = if mutation == "grantRoles" { "GrantRolesInput" } else { "RevokeRolesInput" };
    let document = format!(
        "mutation ($input: {name}!) {{ {mutation}(input: $input) {{
           user {{ userName roles {{ code }} }} errors {{ code message path }} }} }}"
    );
    client.run_with(&document, json!({ "input": input })).await
}

pub async fn grant(client: &Client, user: Uuid, roles: &[&str], org: Option<Uuid>) -> Answer {
    change(client, "grantRoles", user, roles, org).await
}

pub async fn revoke(client: &Client, user: Uuid, roles: &[&str], org: Option<Uuid>) -> Answer {
    change(client, "revokeRoles", user, roles, org).await
}

async fn events(client: &Client, types: &[&str]) -> Vec<String> {
    let document = "query ($types: [String!]) { events(filter: { types: $types }, last: 100) {
        edges { node { type data } } } }";
    let answer = client.run_with(document, json!({ "types": types })).await;
    let edges = answer.ok("/events/edges");
    let told =
        |edge: &Value| format!("{} {}", edge["node"]["type"].as_str().unwrap_or("?"), edge["node"]["data"]);
    edges.as_array().into_iter().flatten().map(told).collect()
}

/// A member of the organisation.
pub async fn member(world: &World, name: &str, org: Uuid) -> (Client, Uuid) {
    let client = world.user(name).await;
    let id = world.user_id(&client).await;
    world.join(id, org).await;
    (client, id)
}

#[tokio::test]
async fn a_role_is_made_and_changed_at_run_time() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let made = upsert(
            &root,
            json!({ "roles": [{ "code": "PROOFREADER", "description": "Reads.", "permissions": ["user.read", "org.read", "user.read"] },
                              { "code": "HELPER", "scopes": ["PLATFORM"], "active": false }] }),
        )
        .await;
        assert_eq!(made.faults("upsertRoles"), [""; 0]);
        let roles = made.ok("/upsertRoles/roles");
        assert_eq!(roles[0]["permissions"], json!(["user.read", "org.read"]));
        assert_eq!(roles[0]["scopes"], json!(["ORGANIZATION"]));
        assert_eq!((&roles[0]["active"], &roles[0]["system"]), (&json!(true), &json!(false)));
        assert_eq!((&roles[1]["active"], &roles[1]["scopes"]), (&json!(false), &json!(["PLATFORM"])));

        world.pass(Duration::from_secs(1));
        // What is left out stays, null clears, and any spelling means the same role.
        let changed = upsert(
            &root,
            json!({ "roles": [{ "code": "proofreader", "description": null, "selfAssignable": true }] }),
        )
        .await;
        let role = changed.ok("/upsertRoles/roles/0");
        assert_eq!((&role["code"], &role["description"]), (&json!("PROOFREADER"), &Value::Null));
        assert_eq!((&role["id"], &role["permissions"]), (&roles[0]["id"], &json!(["user.read", "org.read"])));
        upsert(&root, json!({ "roles": [{ "code": "PROOFREADER", "description": null }] }))
            .await
            .ok("/upsertRoles");
        let told = events(&root, &["role.upserted"]).await;
        assert_eq!(told.len(), 3, "what changes nothing is no event: {told:?}");
        assert_eq!(
            told[0],
            r#"role.upserted {"code":"PROOFREADER","description":null,"selfAssignable":true}"#
        );
    }
}

#[tokio::test]
async fn every_faulty_role_is_reported_and_nothing_is_changed() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let long = "x".repeat(201);
        let roles = json!([
            { "code": "GOOD" },
            { "code": "ADMIN", "active": false },
            { "code": "no spaces" },
            { "code": "\u{0}" },
            { "code": "GOOD2", "permissions": ["user.read", "user.fly"], "description": long },
            { "code": "good" },
            { "code": "NOWHERE", "scopes": [] },
        ]);
        for dry_run in [false, true] {
            let answer = upsert(&root, json!({ "roles": roles, "dryRun": dry_run })).await;
            assert_eq!(
                answer.faults("upsertRoles"),
                [
                    "NOT_ALLOWED at [roles.1.code]",
                    "INVALID at [roles.2.code]",
                    "INVALID at [roles.3.code]",
                    "INVALID at [roles.4.description]",
                    "INVALID at [roles.4.permissions.1]",
                    "TAKEN at [roles.5.code]",
                    "INVALID at [roles.6.scopes]",
                ]
            );
            assert_eq!(answer.ok("/upsertRoles/roles"), json!([]));
        }
        let dry = upsert(&root, json!({ "roles": [{ "code": "GOOD" }], "dryRun": true })).await;
        assert_eq!((dry.faults("upsertRoles").len(), dry.ok("/upsertRoles/roles")), (0, json!([])));
        let many: Vec<_> = (0..101).map(|number| json!({ "code": format!("R{number}") })).collect();
        let many = upsert(&root, json!({ "roles": many })).await;
        assert_eq!(many.faults("upsertRoles"), ["TOO_MANY_ITEMS at [roles]"]);
        assert_eq!(root.run("{ roles { code } }").await.ok("/roles").as_array().map(Vec::len), Some(8));
        assert_eq!(events(&root, &["role.upserted"]).await, [""; 0]);
    }
}

#[tokio::test]
async fn nobody_makes_a_role_that_gives_more_than_they_hold() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let roles = json!([{ "code": "EDITOR", "scopes": ["PLATFORM"], "permissions": ["role.upsert", "user.read"] },
                           { "code": "STRONG", "scopes": ["PLATFORM"], "permissions": ["user.delete"], "active": false }]);
        assert_eq!(upsert(&root, json!({ "roles": roles })).await.faults("upsertRoles"), [""; 0]);
        let eddie = world.user("eddie").await;
        let eddie_id = world.user_id(&eddie).await;
        assert_eq!(grant(&root, eddie_id, &["EDITOR"], None).await.faults("grantRoles"), [""; 0]);
        let fine =
            upsert(&eddie, json!({ "roles": [{ "code": "SMALL", "permissions": ["user.read"] }] })).await;
        assert_eq!(fine.faults("upsertRoles"), [""; 0]);
        // Not in a new role, not in the own one, and not by waking what somebody else made.
        let more = json!([
            { "code": "MINE", "permissions": ["user.delete"] },
            { "code": "EDITOR", "permissions": ["role.upsert", "user.read", "role.grant"] },
            { "code": "STRONG", "active": true },
        ]);
        assert_eq!(
            upsert(&eddie, json!({ "roles": more })).await.faults("upsertRoles"),
            [
                "NOT_ALLOWED at [roles.0.permissions.0]",
                "NOT_ALLOWED at [roles.1.permissions.2]",
                "NOT_ALLOWED at [roles.2.code]"
            ]
        );
        // Held within an organisation, the permission to edit roles reaches nothing.
        let anna = world.org_admin("anna", "acme").await;
        assert_eq!(upsert(&anna, json!({ "roles": [{ "code": "X1" }] })).await.codes(), ["FORBIDDEN"]);
        upsert(&root, json!({ "roles": [{ "code": "LOCAL", "permissions": ["role.upsert"] }] }))
            .await
            .ok("/upsertRoles");
        let (org, anna_id) = (world.organization("acme").await, world.user_id(&anna).await);
        assert_eq!(grant(&root, anna_id, &["LOCAL"], Some(org)).await.faults("grantRoles"), [""; 0]);
        assert_eq!(upsert(&anna, json!({ "roles": [{ "code": "X1" }] })).await.codes(), ["FORBIDDEN"]);
    }
}

#[tokio::test]
async fn a_grant_is_felt_and_a_revocation_too() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let org = world.organization("acme").await;
        let (rosa, rosa_id) = member(&world, "rosa", org).await;
        assert_eq!(rosa.run("{ users { totalCount } }").await.codes(), ["FORBIDDEN"]);
        let granted = grant(&root, rosa_id, &["reviewer", "MEMBER", "REVIEWER"], Some(org)).await;
        assert_eq!(
            granted.ok("/grantRoles/user/roles"),
            json!([{ "code": "MEMBER" }, { "code": "REVIEWER" }])
        );
        assert_eq!(rosa.run("{ users { totalCount } }").await.ok("/users/totalCount"), 1);
        assert_eq!(grant(&root, rosa_id, &["REVIEWER"], Some(org)).await.faults("grantRoles"), [""; 0]);

        // On another instance it takes two seconds at most.
        let elsewhere = world.another_instance().await.with_token(rosa.token.as_deref().unwrap_or_default());
        assert_eq!(elsewhere.run("{ users { totalCount } }").await.ok("/users/totalCount"), 1);
        world.pass(Duration::from_millis(1));
        let revoked = revoke(&root, rosa_id, &["REVIEWER", "SCHOLAR"], Some(org)).await;
        assert_eq!(revoked.ok("/revokeRoles/user/roles"), json!([{ "code": "MEMBER" }]));
        assert_eq!(rosa.run("{ users { totalCount } }").await.codes(), ["FORBIDDEN"]);
        world.pass(Duration::from_secs(2));
        assert_eq!(elsewhere.run("{ users { totalCount } }").await.codes(), ["FORBIDDEN"]);
        assert_eq!(revoke(&root, rosa_id, &["REVIEWER"], Some(org)).await.faults("revokeRoles"), [""; 0]);
        let told = events(&root, &["role.granted", "role.revoked"]).await;
        assert_eq!(told[0], r#"role.revoked {"roles":["REVIEWER"]}"#);
        assert_eq!(told.len(), 3, "with the first start's: {told:?}");
    }
}

#[tokio::test]
async fn an_inactive_role_gives_nothing_and_is_not_granted() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let role = |active: bool| json!({ "roles": [{ "code": "READER", "permissions": ["user.read"], "active": active }] });
        upsert(&root, role(true)).await.ok("/upsertRoles");
        let org = world.organization("acme").await;
        let (rosa, rosa_id) = member(&world, "rosa", org).await;
        grant(&root, rosa_id, &["READER"], Some(org)).await.ok("/grantRoles");
        assert_eq!(rosa.run("{ users { totalCount } }").await.ok("/users/totalCount"), 1);
        upsert(&root, role(false)).await.ok("/upsertRoles");
        world.pass(Duration::from_secs(2));
        assert_eq!(rosa.run("{ users { totalCount } }").await.codes(), ["FORBIDDEN"]);
        let refused = grant(&root, rosa_id, &["READER"], Some(org)).await;
        assert_eq!(refused.faults("grantRoles"), ["INACTIVE at [roleCodes.0]"]);
        upsert(&root, role(true)).await.ok("/upsertRoles");
        world.pass(Duration::from_secs(2));
        assert_eq!(rosa.run("{ users { totalCount } }").await.ok("/users/totalCount"), 1);
        let scope = upsert(&root, json!({ "roles": [{ "code": "READER", "scopes": ["PLATFORM"] }] })).await;
        assert_eq!(scope.faults("upsertRoles"), ["IN_USE at [roles.0.scopes]"]);
    }
}

#[tokio::test]
async fn an_administrator_of_an_organisation_grants_there_only_and_only_what_they_hold() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let anna = world.org_admin("anna", "acme").await;
        let (acme, other) = (world.organization("acme").await, world.organization("other").await);
        let anna_id = world.user_id(&anna).await;
        let (_, mia) = member(&world, "mia", acme).await;
        let (_, otto) = member(&world, "otto", other).await;
        let lena = world.user_id(&world.user("lena").await).await;
        upsert(
            &root,
            json!({ "roles": [{ "code": "STRONG", "permissions": ["user.read", "webhook.manage"] }] }),
        )
        .await
        .ok("/upsertRoles");
        let refusals = [
            (mia, vec!["ADMIN"], None, vec!["NOT_ALLOWED at [organizationId]"]),
            (anna_id, vec!["SUPERADMIN"], None, vec!["NOT_ALLOWED at [organizationId]"]),
            (mia, vec!["ADMIN"], Some(other), vec!["NOT_FOUND at [organizationId]"]),
            (mia, vec!["ADMIN"], Some(Uuid::nil()), vec!["NOT_FOUND at [organizationId]"]),
            (otto, vec!["MEMBER"], Some(acme), vec!["NOT_FOUND at [userId]"]),
            (lena, vec!["MEMBER"], Some(acme), vec!["NOT_FOUND at [userId]"]),
            (Uuid::nil(), vec!["MEMBER"], Some(acme), vec!["NOT_FOUND at [userId]"]),
            (
                anna_id,
                vec!["STRONG", "MEMBER", "SUPERADMIN", "NONE", "\u{0}"],
                Some(acme),
                vec![
                    "NOT_ALLOWED at [roleCodes.0]",
                    "NOT_ALLOWED at [roleCodes.2]",
                    "NOT_FOUND at [roleCodes.3]",
                    "NOT_FOUND at [roleCodes.4]",
                ],
            ),
        ];
        for (user, roles, org, faults) in refusals {
            assert_eq!(
                grant(&anna, user, &roles, org).await.faults("grantRoles"),
                faults,
                "{roles:?} {org:?}"
            );
            let revoked = revoke(&anna, user, &roles, org).await.faults("revokeRoles");
            assert_eq!(revoked, faults, "revoking {roles:?} {org:?}");
        }
        assert_eq!(
            grant(&anna, mia, &["ADMIN", "TRANSLATOR"], Some(acme)).await.faults("grantRoles"),
            [""; 0]
        );
        // Even the platform's administrator adds no member in this way.
        assert_eq!(
            grant(&root, lena, &["MEMBER"], Some(acme)).await.faults("grantRoles"),
            ["NOT_FOUND at [userId]"]
        );
        assert_eq!(
            grant(&root, lena, &["REVIEWER"], None).await.faults("grantRoles"),
            ["NOT_ALLOWED at [roleCodes.0]"]
        );
        // Whoever holds more than anna is out of her reach, and so is who is a member elsewhere, too.
        grant(&root, mia, &["STRONG"], Some(acme)).await.ok("/grantRoles/user");
        for answer in [
            grant(&anna, mia, &["MEMBER"], Some(acme)).await.faults("grantRoles"),
            revoke(&anna, mia, &["ADMIN"], Some(acme)).await.faults("revokeRoles"),
        ] {
            assert_eq!(answer, ["NOT_ALLOWED at [userId]"]);
        }
    }
}

#[tokio::test]
async fn many_roles_take_as_many_statements_as_one() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let of = |count: usize| -> Value {
            let roles: Vec<_> =
                (0..count).map(|number| json!({ "code": format!("R{count}-{number}") })).collect();
            json!({ "roles": roles })
        };
        let (_, few) = world.statements(upsert(&root, of(1))).await;
        let (answer, many) = world.statements(upsert(&root, of(100))).await;
        assert_eq!(answer.ok("/upsertRoles/roles").as_array().map(Vec::len), Some(100));
        assert_eq!(answer.ok("/upsertRoles/roles/42/code"), "R100-42");
        assert!(many <= few, "{many} statements rather than {few}");
    }
}
