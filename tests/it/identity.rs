//! Registering, verifying, and who may see whom.

use std::time::Duration;

use denizen::ids;
use serde_json::json;

use crate::support::{PASSWORD, World};

#[tokio::test]
async fn the_story_from_registration_to_me() {
    for world in World::each().await {
        let registered = world.register("ada").await;
        let delivery = registered.ok("/registerUser/delivery");
        assert_eq!(delivery["channel"], "EMAIL");
        assert_eq!(delivery["destination"], "a•••@example.org");
        assert_eq!(delivery["expiresAt"], "2026-01-01T00:10:00.000Z");
        assert_eq!(world.login("ada", PASSWORD).await.faults("login"), ["WRONG_CREDENTIALS at []"]);

        let (token, _) = world.verification_of("ada@example.org").await;
        let verified = world.verify_by_token(&token).await.ok("/verifyUser/user");
        assert_eq!(
            verified,
            json!({ "userName": "ada", "status": "ACTIVE", "email": "ada@example.org", "emailVerified": true })
        );

        let ada = world.logged_in("ada@EXAMPLE.org", PASSWORD).await;
        let me = ada
            .run("{ me { userName email status roles { code } organization { code } lastLoginAt } }")
            .await
            .ok("/me");
        assert_eq!(me["userName"], "ada");
        assert_eq!(me["lastLoginAt"], "2026-01-01T00:00:00.000Z");
        assert_eq!(me["roles"], json!([]));
        let subjects: Vec<_> =
            world.mails_to("ada@example.org").await.into_iter().map(|mail| mail.subject).collect();
        assert_eq!(subjects, ["Your registration is complete", "Confirm your address"]);
    }
}

#[tokio::test]
async fn the_code_of_the_mail_verifies_as_well_as_its_link() {
    for world in World::each().await {
        world.register("ada").await;
        let (token, code) = world.verification_of("ada@example.org").await;
        assert_eq!(world.verify_by_code("ADA", &code).await.ok("/verifyUser/user/status"), "ACTIVE");
        assert_eq!(world.verify_by_token(&token).await.faults("verifyUser"), ["ALREADY_USED at [token]"]);
    }
}

#[tokio::test]
async fn a_code_has_five_tries_and_ten_minutes() {
    for world in World::each().await {
        world.register("ada").await;
        let (_, code) = world.verification_of("ada@example.org").await;
        let wrong = if code == "000000" { "000001" } else { "000000" };
        for _ in 0..5 {
            assert_eq!(
                world.verify_by_code("ada", wrong).await.faults("verifyUser"),
                ["WRONG_CODE at [code]"]
            );
        }
        let sixth = world.verify_by_code("ada", &code).await;
        assert_eq!(sixth.faults("verifyUser"), ["TOO_MANY_ATTEMPTS at []"], "even the right one");

        world.register("bob").await;
        let (token, code) = world.verification_of("bob@example.org").await;
        world.pass(Duration::from_mins(10));
        assert_eq!(world.verify_by_code("bob", &code).await.faults("verifyUser"), ["EXPIRED at [code]"]);
        assert_eq!(
            world.verify_by_token(&token).await.faults("verifyUser"),
            [""; 0],
            "the link lives longer"
        );
    }
}

#[tokio::test]
async fn parallel_guesses_share_the_five_tries() {
    for world in World::each().await {
        world.register("ada").await;
        let (_, code) = world.verification_of("ada@example.org").await;
        let wrong = if code == "000000" { "000001" } else { "000000" };
        let guesses =
            futures_util::future::join_all((0..20).map(|_| world.verify_by_code("ada", wrong))).await;
        let looked_at =
            guesses.iter().filter(|answer| answer.faults("verifyUser") == ["WRONG_CODE at [code]"]).count();
        assert_eq!(looked_at, 5);
    }
}

#[tokio::test]
async fn the_answer_to_a_registration_does_not_tell_whether_the_address_is_known() {
    for world in World::each().await {
        world.user("ada").await;
        let register = |name: &'static str, email: &'static str| {
            let input = json!({ "userName": name, "email": email, "password": "another quiet harbour" });
            let document = "mutation ($input: RegisterUserInput!) { registerUser(input: $input) {
                delivery { channel destination expiresAt retryAfterSeconds } errors { code path } } }";
            let client = world.anonymous();
            async move { client.run_with(document, json!({ "input": input })).await }
        };
        let known = register("newcomer", "aDA@example.org").await;
        let unknown = register("another", "axa@example.org").await;
        assert_eq!(known.text, unknown.text, "the same, to the letter");
        let again = register("newcomer", "bxb@example.org").await;
        assert_eq!(again.faults("registerUser"), [""; 0], "as for an address that was not known");
        let mails = world.mails_to("ada@example.org").await;
        let notice =
            mails.iter().find(|mail| mail.subject == "You already have an account").expect("a notice");
        assert!(!notice.text.contains("token="), "and it carries no link");
    }
}

#[tokio::test]
async fn every_fault_of_a_registration_comes_at_once_with_its_path() {
    for world in World::each().await {
        let register = |input: serde_json::Value| {
            let document = "mutation ($input: RegisterUserInput!) { registerUser(input: $input) {
                delivery { channel } errors { code path } } }";
            let client = world.anonymous();
            async move { client.run_with(document, json!({ "input": input })).await.faults("registerUser") }
        };
        let bad = json!({ "userName": "a b", "email": "nonsense", "password": "short", "name": "line\nbreak", "locale": "de_DE" });
        let faults = [
            "INVALID at [email]",
            "INVALID at [userName]",
            "INVALID at [locale]",
            "INVALID at [name]",
            "WEAK_PASSWORD at [password]",
        ];
        assert_eq!(register(bad).await, faults);
        let nul = json!({ "userName": "ada\u{0}", "email": "ada\u{0}@example.org", "password": "with\u{0}in the word", "name": "\u{0}" });
        let faults =
            ["INVALID at [email]", "INVALID at [userName]", "INVALID at [name]", "INVALID at [password]"];
        assert_eq!(register(nul).await, faults);
        assert_eq!(register(json!({ "password": PASSWORD })).await, ["REQUIRED at [email]"]);
        let impostor =
            json!({ "userName": "bob@example.org", "email": "ada@example.org", "password": PASSWORD });
        assert_eq!(register(impostor).await, ["NOT_ALLOWED at [userName]"]);
        let app =
            json!({ "email": "ada@example.org", "password": PASSWORD, "applicationId": "app_nonsense" });
        assert_eq!(register(app).await, ["NOT_FOUND at [applicationId]"]);
        let own =
            json!({ "userName": "ada.lovelace", "email": "ada@example.org", "password": "ada.lovelace1" });
        assert_eq!(register(own).await, ["WEAK_PASSWORD at [password]"]);
    }
}

#[tokio::test]
async fn a_user_name_is_made_up_and_does_not_tell_the_address() {
    for world in World::each().await {
        let document = "mutation { registerUser(input: { email: \"ada@example.org\", password: \"tinte kanne wolke\" }) { errors { code } } }";
        world.anonymous().run(document).await;
        let (token, _) = world.verification_of("ada@example.org").await;
        let name = world.verify_by_token(&token).await.ok("/verifyUser/user/userName");
        assert!(
            name.as_str().is_some_and(|name| name.starts_with("user-") && !name.contains("ada")),
            "{name}"
        );
    }
}

#[tokio::test]
async fn what_one_may_not_see_does_not_exist_in_any_way_of_asking() {
    for world in World::each().await {
        let (ada, bob) = (world.user("ada").await, world.user("bob").await);
        let admin = world.org_admin("carol", "acme").await;
        let ada_id = ids::encode(ids::Kind::User, world.user_id(&ada).await);
        let document = "query ($id: ID!) {
            byId: user(by: { id: $id }) { id } byName: user(by: { userName: \"ada\" }) { id }
            byEmail: user(by: { email: \"ada@example.org\" }) { id } node(id: $id) { id } nodes(ids: [$id]) { id }
            _entities(representations: [{ __typename: \"User\", id: \"REP\" }, { __typename: \"User\", userName: \"ada\" }]) { __typename } }"
            .replace("REP", &ada_id);
        let nothing = json!({ "byId": null, "byName": null, "byEmail": null, "node": null, "nodes": [null], "_entities": [null, null] });
        for stranger in [&bob, &admin] {
            assert_eq!(stranger.run_with(&document, json!({ "id": ada_id })).await.ok(""), nothing);
        }
        let seen = world.superadmin().await.run_with(&document, json!({ "id": ada_id })).await.ok("");
        assert_eq!(seen["byEmail"]["id"], json!(ada_id));
        assert_eq!(seen["_entities"], json!([{ "__typename": "User" }, { "__typename": "User" }]));

        let org = world.organization("acme").await;
        world.join(world.user_id(&ada).await, org).await;
        let seen = admin.run_with(&document, json!({ "id": ada_id })).await.ok("");
        assert_eq!(seen["node"]["id"], json!(ada_id), "now a member of the administrator's organisation");
        assert_eq!(bob.run_with(&document, json!({ "id": ada_id })).await.ok(""), nothing);
        let listed = admin.run("{ users { totalCount edges { node { userName } } } }").await.ok("/users");
        assert_eq!(listed["totalCount"], 2, "{listed}");
    }
}

#[tokio::test]
async fn a_refused_field_leaves_its_siblings_alone() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let answer = ada.run("{ me { userName } users { totalCount } again: me { userName } }").await;
        assert_eq!(answer.data("/me/userName"), "ada");
        assert_eq!(answer.data("/again/userName"), "ada");
        insta::allow_duplicates! { insta::assert_snapshot!(answer.text, @r#"{"errors":[{"message":"You may not do this.","locations":[{"line":1,"column":19}],"path":["users"],"extensions":{"code":"FORBIDDEN"}}],"data":{"me":{"userName":"ada"},"users":null,"again":{"userName":"ada"}}}"#); }
    }
}

#[tokio::test]
async fn pages_go_both_ways_and_show_everybody_once() {
    for world in World::each().await {
        for name in ["ada", "bob", "carol", "dave", "erin"] {
            world.register(name).await;
            world.pass(Duration::from_secs(1));
        }
        let admin = world.superadmin().await;
        for field in ["CREATED_AT", "USER_NAME", "NAME", "LAST_LOGIN_AT"] {
            for direction in ["ASC", "DESC"] {
                let forward =
                    pages(&admin, &format!("{{ field: {field}, direction: {direction} }}"), "first", "after")
                        .await;
                let mut backward =
                    pages(&admin, &format!("{{ field: {field}, direction: {direction} }}"), "last", "before")
                        .await;
                backward.reverse();
                assert_eq!(forward, backward, "{field} {direction}");
                let mut names = forward.clone();
                names.sort();
                assert_eq!(names, ["ada", "admin", "bob", "carol", "dave", "erin"], "{field} {direction}");
            }
        }
        let newest = admin.run("{ users(first: 1) { totalCount edges { node { userName } } pageInfo { hasNextPage hasPreviousPage } } }").await;
        let newest = newest.ok("/users");
        assert_eq!(newest["edges"][0]["node"]["userName"], "erin");
        assert_eq!((&newest["totalCount"], &newest["pageInfo"]["hasNextPage"]), (&json!(6), &json!(true)));
    }
}

/// Walks a list two by two to its end, as user names.
async fn pages(client: &crate::support::Client, order: &str, count: &str, cursor: &str) -> Vec<String> {
    let (mut names, mut from) = (Vec::new(), String::new());
    loop {
        let document = format!(
            "{{ users(orderBy: {order}, {count}: 2{from}) {{ edges {{ cursor node {{ userName }} }} }} }}"
        );
        let edges = client.run(&document).await.ok("/users/edges");
        let mut edges = edges.as_array().cloned().unwrap_or_default();
        if count == "last" {
            edges.reverse();
        }
        let Some(last) = edges.last() else { return names };
        from = format!(", {cursor}: {}", last["cursor"]);
        names.extend(
            edges.iter().map(|edge| edge["node"]["userName"].as_str().unwrap_or_default().to_owned()),
        );
    }
}

#[tokio::test]
async fn a_page_that_makes_no_sense_is_refused() {
    for world in World::each().await {
        let admin = world.superadmin().await;
        let cursor =
            admin.run("{ users(first: 1) { pageInfo { endCursor } } }").await.ok("/users/pageInfo/endCursor");
        let cursor = cursor.as_str().expect("a cursor");
        for arguments in [
            "first: 101".to_owned(),
            "first: -1".to_owned(),
            "first: 1, last: 1".to_owned(),
            "after: \"nonsense\"".to_owned(),
            format!("orderBy: {{ field: NAME, direction: ASC }}, after: \"{cursor}\""),
            // ["users:-created", "text", …]: a value that does not fit the column
            "after: \"WyJ1c2VyczotY3JlYXRlZCIsInRleHQiLCIwMTliNzZkYS1hODAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMDAiXQ\"".to_owned(),
        ] {
            let answer = admin.run(&format!("{{ users({arguments}) {{ totalCount }} }}")).await;
            assert_eq!(answer.codes(), ["BAD_USER_INPUT"], "{arguments}: {}", answer.text);
        }
        let many: Vec<_> = (0..1_001).map(|number| number.to_string()).collect();
        for (list, field) in [("users", "userNames"), ("organizations", "codes")] {
            let kind = if list == "users" { "UserFilter" } else { "OrganizationFilter" };
            let document = format!("query ($filter: {kind}) {{ {list}(filter: $filter) {{ totalCount }} }}");
            let answer = admin.run_with(&document, json!({ "filter": { field: many } })).await;
            assert_eq!(answer.codes(), ["BAD_USER_INPUT"], "{}", answer.text);
        }
        assert_eq!(admin.run("{ users(first: 0) { edges { cursor } } }").await.ok("/users/edges"), json!([]));
    }
}

#[tokio::test]
async fn filters_narrow_the_list_and_nonsense_finds_nobody() {
    for world in World::each().await {
        world.user("ada").await;
        world.register("bob").await;
        let carol = world.org_admin("carol", "acme").await;
        let admin = world.superadmin().await;
        let carol_id = ids::encode(ids::Kind::User, world.user_id(&carol).await);
        let found = |filter: String| {
            let admin = admin.clone();
            async move {
                let order = "orderBy: { field: USER_NAME, direction: ASC }";
                let answer = admin.run(&format!("{{ users({order}, filter: {filter}) {{ totalCount edges {{ node {{ userName }} }} }} }}")).await;
                let users = answer.ok("/users");
                let names: Vec<_> = users["edges"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|edge| edge["node"]["userName"].to_string())
                    .collect();
                assert_eq!(users["totalCount"], names.len());
                names.join(" ").replace('"', "")
            }
        };
        assert_eq!(found("{ status: [UNVERIFIED] }".into()).await, "bob");
        assert_eq!(found("{ userNames: [\"ADA\", \"bob\"] }".into()).await, "ada bob");
        assert_eq!(found("{ emails: [\"Ada@Example.org\"] }".into()).await, "ada");
        assert_eq!(found("{ orgCodes: [\"ACME\"] }".into()).await, "carol");
        assert_eq!(found("{ roleCodes: [\"ADMIN\", \"SUPERADMIN\"] }".into()).await, "admin carol");
        assert_eq!(
            found(format!("{{ ids: [\"{carol_id}\", \"user_nonsense\", \"org_x\"] }}")).await,
            "carol"
        );
        assert_eq!(found("{ createdAfter: \"2027-01-01T00:00:00Z\" }".into()).await, "");
        assert_eq!(found("{ userNames: [\"\\u0000\"], emails: [\"\\u0000@example.org\"] }".into()).await, "");
    }
}

#[tokio::test]
async fn filters_tell_nothing_that_fields_hide() {
    for world in World::each().await {
        let reviewer = world.org_admin("anna", "acme").await;
        let member = world.user_id(&world.user("mia").await).await;
        let (acme, secret) = (world.organization("acme").await, world.organization("secret").await);
        world.join(member, acme).await;
        world.join_also(member, secret).await;
        world.grant(member, "TRANSLATOR", Some(secret)).await;
        world.grant(member, "EXTENSION", None).await;
        for filter in ["orgCodes: [\"secret\"]", "roleCodes: [\"TRANSLATOR\"]", "roleCodes: [\"EXTENSION\"]"]
        {
            let document = format!(
                "{{ users(filter: {{ {filter} }}) {{ totalCount edges {{ node {{ userName }} }} }} }}"
            );
            assert_eq!(reviewer.run(&document).await.ok("/users/totalCount"), 0, "{filter}");
            assert_eq!(world.superadmin().await.run(&document).await.ok("/users/totalCount"), 1, "{filter}");
        }
        let mia = "{ user(by: { userName: \"mia\" }) { organization { code } roles { code } } }";
        assert_eq!(
            reviewer.run(mia).await.ok("/user"),
            json!({ "organization": { "code": "acme" }, "roles": [] })
        );
    }
}
