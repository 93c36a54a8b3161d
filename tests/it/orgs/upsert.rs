//! `upsertOrganizations`, and finding them by text.

use serde_json::{Value, json};

use super::{NONE, upsert};
use crate::support::World;

#[tokio::test]
async fn organisations_are_made_changed_closed_and_opened_by_code() {
    for world in World::each().await {
        let admin = world.superadmin().await;
        let made = upsert(
            &admin,
            json!([
                { "code": "ACME", "name": "Acme", "description": "Anvils", "active": true, "listed": true },
                { "code": "lab", "active": false, "selfRegistration": true },
            ]),
        )
        .await;
        let rows = made.ok("/upsertOrganizations/organizations");
        assert_eq!(rows[0]["code"], "ACME");
        assert_eq!((&rows[0]["listed"], &rows[0]["selfRegistration"]), (&json!(true), &json!(false)));
        assert_eq!((&rows[1]["active"], &rows[1]["selfRegistration"]), (&json!(false), &json!(true)));

        // Absent leaves, null clears, and the spelling of the code does not matter.
        let changed =
            upsert(&admin, json!([{ "code": "acme", "description": null, "active": false, "listed": null }]))
                .await
                .ok("/upsertOrganizations/organizations/0");
        assert_eq!(changed["id"], rows[0]["id"]);
        assert_eq!((&changed["code"], &changed["name"]), (&json!("ACME"), &json!("Acme")));
        assert_eq!((&changed["description"], &changed["active"]), (&Value::Null, &json!(false)));
        assert_eq!(changed["listed"], json!(false));
        upsert(&admin, json!([{ "code": "acme", "active": true }])).await.ok("");
        let before = world.event_types().await;
        upsert(&admin, json!([{ "code": "acme", "active": true }])).await.ok("");
        assert_eq!(world.event_types().await, before, "where nothing changed, nothing happened");
        for (kind, times) in
            [("org.created", 2), ("org.updated", 1), ("org.deactivated", 1), ("org.activated", 1)]
        {
            assert_eq!(world.count_events(kind).await, times, "{kind}");
        }
    }
}

#[tokio::test]
async fn every_faulty_organisation_is_reported_at_once_and_nothing_is_done() {
    for world in World::each().await {
        let admin = world.superadmin().await;
        let acme = world.organization("acme").await;
        world.member("mia", acme).await;
        let answer = upsert(
            &admin,
            json!([
                { "code": "good", "active": true },
                { "code": "a b", "name": "line\nbreak", "active": true },
                { "code": "GOOD", "active": true },
                { "code": "acme", "description": "x".repeat(201), "active": false },
                { "code": "nul\u{0}", "active": true },
            ]),
        )
        .await;
        let faults = [
            "INVALID at [organizations.1.code]",
            "INVALID at [organizations.1.name]",
            "TAKEN at [organizations.2.code]",
            "INVALID at [organizations.3.description]",
            "IN_USE at [organizations.3.active]",
            "INVALID at [organizations.4.code]",
        ];
        assert_eq!(answer.faults("upsertOrganizations"), faults);
        assert_eq!(answer.data("/upsertOrganizations/organizations"), json!([]));
        let many: Vec<_> = (0..101).map(|n| json!({ "code": format!("c{n}"), "active": true })).collect();
        let answer = upsert(&admin, json!(many)).await;
        assert_eq!(answer.faults("upsertOrganizations"), ["TOO_MANY_ITEMS at [organizations]"]);
        assert_eq!(admin.run("{ organizations { totalCount } }").await.ok("/organizations/totalCount"), 1);
        assert_eq!(world.count_events("org.created").await, 0);
    }
}

#[tokio::test]
async fn a_dry_run_judges_and_changes_nothing() {
    for world in World::each().await {
        let admin = world.superadmin().await;
        let dry = "mutation ($list: [OrganizationInput!]!) { upsertOrganizations(input: { organizations: $list, dryRun: true }) {
            organizations { id } errors { code message path } } }";
        let good = admin.run_with(dry, json!({ "list": [{ "code": "acme", "active": true }] })).await;
        assert_eq!(good.faults("upsertOrganizations"), NONE);
        assert_eq!(good.data("/upsertOrganizations/organizations"), json!([]));
        let bad = admin.run_with(dry, json!({ "list": [{ "code": "", "active": true }] })).await;
        assert_eq!(bad.faults("upsertOrganizations"), ["INVALID at [organizations.0.code]"]);
        assert_eq!(admin.run("{ organizations { totalCount } }").await.ok("/organizations/totalCount"), 0);
        assert_eq!(world.count_events("org.created").await, 0);
    }
}

#[tokio::test]
async fn only_the_platform_makes_organisations() {
    for world in World::each().await {
        let list = json!([{ "code": "mine", "active": true }]);
        for client in [world.anonymous(), world.user("ada").await, world.org_admin("anna", "acme").await] {
            assert_eq!(upsert(&client, list.clone()).await.codes(), ["FORBIDDEN"]);
        }
        let platform_admin = world.user("paula").await;
        world.grant(world.user_id(&platform_admin).await, "ADMIN", None).await;
        world.pass(std::time::Duration::from_secs(2));
        assert_eq!(upsert(&platform_admin, list.clone()).await.codes(), ["FORBIDDEN"]);
    }
}

#[tokio::test]
async fn two_who_make_the_same_organisation_make_one() {
    for world in World::each().await {
        let admin = world.superadmin().await;
        let list = json!([{ "code": "acme", "active": true }]);
        let answers = futures_util::future::join_all((0..6).map(|_| upsert(&admin, list.clone()))).await;
        for answer in &answers {
            let faults = answer.faults("upsertOrganizations");
            assert!(faults.is_empty() || faults == ["CONFLICT at [organizations]"], "{faults:?}");
        }
        assert_eq!(world.count_events("org.created").await, 1);
        assert_eq!(admin.run("{ organizations { totalCount } }").await.ok("/organizations/totalCount"), 1);
    }
}

#[tokio::test]
async fn a_hundred_organisations_cost_as_many_statements_as_one() {
    for world in World::each().await {
        let admin = world.superadmin().await;
        let some = |from: usize, count: usize| {
            let row =
                |n| json!({ "code": format!("org-{n}"), "name": format!("Number {n}"), "active": true });
            json!((from..from + count).map(row).collect::<Vec<_>>())
        };
        upsert(&admin, some(0, 1)).await.ok("");
        let (_, one) = world.statements(upsert(&admin, some(1, 1))).await;
        let (answer, hundred) = world.statements(upsert(&admin, some(2, 100))).await;
        assert_eq!(answer.faults("upsertOrganizations"), NONE);
        assert_eq!(one, hundred, "on {:?}", world.backend);
    }
}

#[tokio::test]
async fn text_finds_organisations_and_is_no_pattern() {
    for world in World::each().await {
        let admin = world.superadmin().await;
        upsert(
            &admin,
            json!([
                { "code": "acme", "name": "Anvils & Co", "active": true },
                { "code": "a_b", "name": "100% wool", "active": true },
                { "code": "other", "name": "Back\\slash", "active": true },
                { "code": "straw", "name": "Ärzte der Straße", "active": true },
            ]),
        )
        .await
        .ok("");
        for (text, codes) in [
            ("ANVIL", vec!["acme"]),
            ("CM", vec!["acme"]),
            ("_", vec!["a_b"]),
            ("*", vec![]),
            ("[a-z]", vec![]),
            ("^", vec![]),
            ("s & C", vec!["acme"]),
            (".", vec![]),
            ("%", vec!["a_b"]),
            ("\\", vec!["other"]),
            ("äRZTE DER STRAß", vec!["straw"]),
            ("ÄRZ", vec!["straw"]),
            ("nothing like it", vec![]),
        ] {
            let document = "query ($text: String) { organizations(filter: { text: $text }) { totalCount edges { node { code } } } }";
            let found = admin.run_with(document, json!({ "text": text })).await.ok("/organizations");
            let found: Vec<_> = found["edges"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|edge| edge["node"]["code"].clone())
                .collect();
            assert_eq!(found, codes, "{text}");
        }
        let nul = admin.run("{ organizations(filter: { text: \"a\\u0000\" }) { totalCount } }").await;
        assert_eq!(nul.codes(), ["BAD_USER_INPUT"]);
    }
}

#[tokio::test]
async fn who_changes_one_organisation_learns_nothing_of_the_others() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let editor = json!({ "roles": [{ "code": "OFFICE", "permissions": ["org.upsert"] }] });
        assert_eq!(crate::roles::upsert(&root, editor).await.faults("upsertRoles"), NONE);
        let acme = world.organization("acme").await;
        let olga = world.member("olga", acme).await;
        world.grant(world.user_id(&olga).await, "OFFICE", Some(acme)).await;
        world.org_admin("otto", "hidden").await;
        for code in ["hidden", "nowhere"] {
            let answer = upsert(&olga, json!([{ "code": code, "active": false }])).await;
            assert_eq!(
                answer.faults("upsertOrganizations"),
                ["NOT_ALLOWED at [organizations.0.code]"],
                "{code}"
            );
        }
        let own = upsert(&olga, json!([{ "code": "acme", "active": true, "name": "Acme" }])).await;
        assert_eq!(own.faults("upsertOrganizations"), NONE);
    }
}
