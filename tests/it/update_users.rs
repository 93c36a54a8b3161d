//! What administrators change of other people.

use futures_util::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use denizen::ids;

use crate::support::{Answer, Client, PASSWORD, World};

pub async fn update(client: &Client, users: Value) -> Answer {
    run(client, json!({ "users": users })).await
}

async fn run(client: &Client, input: Value) -> Answer {
    let document = "mutation ($input: UpdateUsersInput!) { updateUsers(input: $input) {
        users { userName email emailVerified name organization { code } roles { code } models { uuid } }
        errors { code message path } } }";
    client.run_with(document, json!({ "input": input })).await
}

fn faults(answer: &Answer) -> Vec<String> {
    answer.faults("updateUsers")
}

fn public(id: Uuid) -> String {
    ids::encode(ids::Kind::User, id)
}

/// A member of the organisation, with these roles there.
async fn member(world: &World, name: &str, org: &str, roles: &[&str]) -> (Client, String) {
    let client = world.user(name).await;
    let (id, org) = (world.user_id(&client).await, world.organization(org).await);
    world.join(id, org).await;
    for role in roles {
        world.grant(id, role, Some(org)).await;
    }
    (client, public(id))
}

async fn models(root: &Client) {
    let model = |uuid: &str| json!({ "uuid": uuid, "sourceLanguage": "en", "targetLanguage": "de" });
    let document =
        "mutation ($input: UpsertModelsInput!) { upsertModels(input: $input) { errors { code } } }";
    let input = json!({ "input": { "models": [model("mt-1"), model("mt-2")] } });
    assert_eq!(root.run_with(document, input).await.faults("upsertModels"), [""; 0]);
}

fn model(uuid: &str) -> Value {
    json!({ "uuid": uuid, "sourceLanguage": "en", "targetLanguage": "de" })
}

#[tokio::test]
async fn only_what_is_given_changes_and_null_clears() {
    for world in World::each().await {
        let root = world.superadmin().await;
        models(&root).await;
        world.organization("other").await;
        let (_, ada) = member(&world, "ada", "acme", &["REVIEWER", "MEMBER"]).await;
        let (_, bob) = member(&world, "bob", "acme", &["MEMBER"]).await;
        let change = json!([
            { "id": bob, "name": "Bob", "models": [model("mt-1")] },
            { "id": ada, "email": "Ada@New.example", "orgCode": "OTHER", "roleCodes": ["translator"] },
        ]);
        let dry = run(&root, json!({ "users": change, "dryRun": true })).await;
        assert_eq!((faults(&dry), dry.ok("/updateUsers/users")), (vec![], json!([])));
        let answer = update(&root, change.clone()).await;
        assert_eq!(faults(&answer), [""; 0]);
        let expected = json!([
            { "userName": "bob", "email": "bob@example.org", "emailVerified": true, "name": "Bob",
              "organization": { "code": "acme" }, "roles": [{ "code": "MEMBER" }], "models": [{ "uuid": "mt-1" }] },
            { "userName": "ada", "email": "Ada@new.example", "emailVerified": true, "name": null,
              "organization": { "code": "other" }, "roles": [{ "code": "TRANSLATOR" }], "models": [] },
        ]);
        assert_eq!(answer.ok("/updateUsers/users"), expected);
        assert_eq!(world.events_of("user.updated").await, [json!({ "fields": ["name", "models"] })]);
        assert_eq!(
            (world.events_of("email.changed").await.len(), world.events_of("member.removed").await.len()),
            (1, 1)
        );
        assert_eq!(update(&root, change).await.ok("/updateUsers/users"), expected, "again changes nothing");
        assert_eq!(
            world.events_of("user.updated").await.len() + world.events_of("email.changed").await.len(),
            2
        );

        let cleared = json!([
            { "id": bob, "name": null, "email": null, "roleCodes": null, "models": null },
            { "id": ada, "orgCode": null },
        ]);
        let answer = update(&root, cleared).await;
        assert_eq!(faults(&answer), [""; 0]);
        assert_eq!(
            answer.ok("/updateUsers/users"),
            json!([
                { "userName": "bob", "email": null, "emailVerified": null, "name": null,
                  "organization": { "code": "acme" }, "roles": [], "models": [] },
                { "userName": "ada", "email": "Ada@new.example", "emailVerified": true, "name": null,
                  "organization": null, "roles": [], "models": [] },
            ])
        );
        world.logged_in("bob", PASSWORD).await;
    }
}

#[tokio::test]
async fn a_changed_address_is_told_at_the_old_one_and_ends_what_was_sent_there() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let (ada, id) = member(&world, "ada", "acme", &[]).await;
        let document = format!(
            "mutation {{ changeEmail(input: {{ newEmail: \"mine@example.org\", password: \"{PASSWORD}\" }}) {{ errors {{ code }} }} }}"
        );
        assert_eq!(ada.run(&document).await.faults("changeEmail"), [""; 0]);
        let mail = world.mails_to("mine@example.org").await.remove(0);
        let (link, _) = crate::support::token_and_code(&mail);
        assert_eq!(faults(&update(&root, json!([{ "id": id, "email": "new@example.org" }])).await), [""; 0]);
        let told = world.mails_to("ada@example.org").await;
        assert_eq!(told[0].subject, "Your address was changed");
        assert!(!told[0].text.contains("new@example.org"), "the new one is masked");
        assert_eq!(world.verify_by_token(&link).await.faults("verifyUser"), ["ALREADY_USED at [token]"]);
        world.logged_in("new@example.org", PASSWORD).await;
        assert_eq!(
            world.login("ada@example.org", PASSWORD).await.faults("login"),
            ["WRONG_CREDENTIALS at []"]
        );
        // Whoever waits to prove it does not keep the address, and somebody's is nobody else's.
        world.register("late").await;
        assert_eq!(faults(&update(&root, json!([{ "id": id, "email": "late@example.org" }])).await), [""; 0]);
        let belongs = json!([{ "id": id, "email": "root@denizen.test" }]);
        assert_eq!(faults(&update(&root, belongs).await), ["TAKEN at [users.0.email]"]);
        let own = json!([{ "id": public(world.user_id(&root).await), "email": "mine@example.org" }]);
        assert_eq!(
            faults(&update(&root, own).await),
            ["NOT_ALLOWED at [users.0.email]"],
            "that asks for the password"
        );
    }
}

#[tokio::test]
async fn every_fault_is_named_at_once_and_nothing_changes() {
    for world in World::each().await {
        let root = world.superadmin().await;
        models(&root).await;
        let (_, ada) = member(&world, "ada", "acme", &["MEMBER"]).await;
        let (_, bob) = member(&world, "bob", "acme", &["MEMBER"]).await;
        world.register("mallory").await;
        let mallory = root.run("{ user(by: { userName: \"mallory\" }) { id } }").await.ok("/user/id");
        let change = json!([
            { "id": ada, "name": "fine", "email": "nonsense", "orgCode": "nowhere", "roleCodes": ["REVIEWER"], "models": [model("mt-1"), model("mt-2")] },
            { "id": bob, "name": "a\u{0}", "email": "ada@example.org", "roleCodes": ["NONE", "SUPERADMIN"], "models": [model("mt-9")] },
            { "id": ada },
            { "id": "user_nonsense" },
            { "id": mallory, "name": "Planted" },
        ]);
        let expected = [
            "INVALID at [users.0.email]",
            "INVALID at [users.0.models.1]",
            "INVALID at [users.1.name]",
            "NOT_ALLOWED at [users.1.roleCodes.1]",
            "NOT_FOUND at [users.0.orgCode]",
            "NOT_FOUND at [users.1.models.0.uuid]",
            "NOT_FOUND at [users.1.roleCodes.0]",
            "NOT_FOUND at [users.3.id]",
            "NOT_VERIFIED at [users.4.id]",
            "TAKEN at [users.1.email]",
            "TAKEN at [users.2.id]",
        ];
        let answer = update(&root, change).await;
        let mut found = faults(&answer);
        found.sort();
        assert_eq!(found, expected);
        assert_eq!(
            root.run("{ user(by: { userName: \"ada\" }) { name } }").await.ok("/user/name"),
            Value::Null
        );
        let many: Vec<_> = (0..101).map(|_| json!({ "id": ada })).collect();
        assert_eq!(faults(&update(&root, json!(many)).await), ["TOO_MANY_ITEMS at [users]"]);
        let many = json!([{ "id": ada, "roleCodes": vec!["MEMBER"; 21], "models": vec![model("mt-1"); 51] }]);
        assert_eq!(
            faults(&update(&root, many).await),
            ["TOO_MANY_ITEMS at [users.0.roleCodes]", "TOO_MANY_ITEMS at [users.0.models]"]
        );
    }
}

#[tokio::test]
async fn nobody_reaches_beyond_their_organisation_or_above_themselves() {
    for world in World::each().await {
        let anna = world.org_admin("anna", "acme").await;
        let own = public(world.user_id(&anna).await);
        let (_, clara) = member(&world, "clara", "acme", &["MEMBER"]).await;
        let (_, otto) = member(&world, "otto", "other", &["MEMBER"]).await;
        let (_, both) = member(&world, "beate", "acme", &["MEMBER"]).await;
        let id = ids::decode_as(ids::Kind::User, &both).expect("an id");
        world.join_also(id, world.organization("other").await).await;
        let root = world.user_id(&world.superadmin().await).await;
        world.join(root, world.organization("acme").await).await;
        let change = json!([
            { "id": otto, "name": "x" },
            { "id": both, "email": "x@example.org" },
            { "id": public(root), "email": "x@example.org" },
            { "id": clara, "orgCode": "other" },
            { "id": own, "roleCodes": ["ADMIN", "SUPERADMIN"] },
        ]);
        assert_eq!(
            faults(&update(&anna, change).await),
            [
                "NOT_FOUND at [users.0.id]",
                "NOT_ALLOWED at [users.1.id]",
                "NOT_ALLOWED at [users.2.id]",
                "NOT_FOUND at [users.3.orgCode]",
                "NOT_ALLOWED at [users.4.roleCodes.1]",
            ]
        );
        // What she sees of another organisation, because she belongs there, is not hers to fill.
        world.join_also(world.user_id(&anna).await, world.organization("other").await).await;
        let change = json!([{ "id": clara, "orgCode": "other" }]);
        assert_eq!(faults(&update(&anna, change).await), ["NOT_ALLOWED at [users.0.orgCode]"]);
        let good =
            json!([{ "id": clara, "name": "Clara", "roleCodes": ["REVIEWER"], "email": "c@example.org" }]);
        let answer = update(&anna, good).await;
        assert_eq!(faults(&answer), [""; 0]);
        assert_eq!(answer.ok("/updateUsers/users/0/roles"), json!([{ "code": "REVIEWER" }]));
        let ursula = world.user("ursula").await;
        assert_eq!(update(&ursula, json!([])).await.codes(), ["FORBIDDEN"]);
    }
}

#[tokio::test]
async fn what_is_taken_away_is_gone_from_live_sessions() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let anna = world.org_admin("anna", "acme").await;
        world.org_admin("arne", "acme").await;
        anna.run("{ users { totalCount } }").await.ok("/users");
        let id = public(world.user_id(&anna).await);
        assert_eq!(faults(&update(&root, json!([{ "id": id, "roleCodes": ["MEMBER"] }])).await), [""; 0]);
        assert_eq!(anna.run("{ users { totalCount } }").await.codes(), ["FORBIDDEN"]);
    }
}

#[tokio::test]
async fn the_last_owner_stays_even_in_a_race() {
    for world in World::each().await {
        let root = world.superadmin().await;
        world.organization("other").await;
        let anna = public(world.user_id(&world.org_admin("anna", "acme").await).await);
        let arne = public(world.user_id(&world.org_admin("arne", "acme").await).await);
        let (moved, demoted) =
            (json!([{ "id": anna, "orgCode": "other" }]), json!([{ "id": arne, "roleCodes": [] }]));
        let answers = join_all([update(&root, moved), update(&root, demoted)]).await;
        let mut found: Vec<_> = answers.iter().flat_map(faults).collect();
        assert_eq!(found.len(), 1, "{answers:?}");
        let fault = found.remove(0);
        assert!(fault.starts_with("LAST_OWNER at [users.0."), "{fault}");
        // In one call, one may hand over to another.
        let (owner, heir) = if fault.contains("orgCode") { (anna, arne) } else { (arne, anna) };
        let hand_over = json!([{ "id": owner, "orgCode": null }, { "id": heir, "orgCode": "acme", "roleCodes": ["ADMIN"] }]);
        assert_eq!(faults(&update(&root, hand_over).await), [""; 0]);
    }
}

#[tokio::test]
async fn a_batch_takes_a_constant_number_of_statements() {
    for world in World::each().await {
        let root = world.superadmin().await;
        models(&root).await;
        let mut ids = Vec::new();
        for (index, name) in ["ada", "bob", "carol", "dave", "erin", "frank"].into_iter().enumerate() {
            world.organization(&format!("to-{index}")).await;
            ids.push(member(&world, name, &format!("from-{index}"), &["MEMBER"]).await.1);
        }
        let of = |turn: &str, range: std::ops::Range<usize>| {
            let change = |index: usize| json!({ "id": ids[index], "name": format!("{turn} {index}"), "email": format!("{turn}{index}@example.org"), "orgCode": format!("to-{index}"), "roleCodes": ["REVIEWER"], "models": [model("mt-1")] });
            json!(range.map(change).collect::<Vec<_>>())
        };
        let (answer, few) = world.statements(update(&root, of("a", 0..1))).await;
        assert_eq!(faults(&answer), [""; 0]);
        let (answer, many) = world.statements(update(&root, of("b", 1..6))).await;
        assert_eq!(faults(&answer), [""; 0]);
        assert_eq!(few, many, "on {:?}", world.backend);
    }
}

#[tokio::test]
async fn owners_who_are_moved_to_and_fro_at_once_never_wait_for_each_other() {
    for world in World::each().await {
        let root = world.superadmin().await;
        for org in ["acme", "other"] {
            member(&world, &format!("stays-{org}"), org, &["ADMIN"]).await;
        }
        let mut moves = Vec::new();
        for (number, (from, to)) in [("acme", "other"), ("other", "acme")].repeat(4).into_iter().enumerate() {
            let (_, id) = member(&world, &format!("owner-{number}"), from, &["ADMIN"]).await;
            moves.push(json!([{ "id": id, "orgCode": to }]));
        }
        let answers = join_all(moves.into_iter().map(|users| update(&root, users))).await;
        for answer in answers {
            assert_eq!(faults(&answer), [""; 0]);
        }
    }
}
