//! Accounts that administrators make: active at once, within their reach, all or none.

use std::time::Duration;

use entity::{CodePurpose, one_time_code};
use futures_util::future::join_all;
use sea_orm::EntityTrait as _;
use serde_json::{Value, json};

use crate::support::{Answer, Client, PASSWORD, World};

pub async fn onboard(client: &Client, users: Value) -> Answer {
    run(client, json!({ "users": users })).await
}

async fn run(client: &Client, input: Value) -> Answer {
    let document = "mutation ($input: OnboardUsersInput!) { onboardUsers(input: $input) {
        users { id userName status email emailVerified phone phoneVerified name organization { code } roles { code } models { uuid } }
        errors { code message path } } }";
    client.run_with(document, json!({ "input": input })).await
}

fn faults(answer: &Answer) -> Vec<String> {
    answer.faults("onboardUsers")
}

/// With a password, so that nothing is mailed.
fn user(name: &str) -> Value {
    json!({ "userName": name, "email": format!("{name}@example.org"), "password": PASSWORD, "roleCodes": [] })
}

fn with(mut user: Value, more: &Value) -> Value {
    for (field, value) in more.as_object().expect("fields") {
        user[field] = value.clone();
    }
    user
}

async fn one_model(root: &Client) {
    let model = json!({ "uuid": "mt-1", "sourceLanguage": "en", "targetLanguage": "de" });
    let other = json!({ "uuid": "mt-2", "sourceLanguage": "en", "targetLanguage": "de" });
    let document =
        "mutation ($input: UpsertModelsInput!) { upsertModels(input: $input) { errors { code } } }";
    let input = json!({ "input": { "models": [model, other] } });
    assert_eq!(root.run_with(document, input).await.faults("upsertModels"), [""; 0]);
}

#[tokio::test]
async fn onboarded_users_are_verified_and_active_at_once() {
    for world in World::each().await {
        let root = world.superadmin().await;
        world.organization("acme").await;
        one_model(&root).await;
        let models = json!([{ "uuid": "mt-1", "sourceLanguage": "en", "targetLanguage": "de" }]);
        let ada = with(
            user("ada"),
            &json!({ "name": "Ada", "phone": "+91 12345-67890", "orgCode": "ACME", "roleCodes": ["reviewer"], "models": models }),
        );
        let answer = onboard(&root, json!([user("bob"), ada])).await;
        assert_eq!(faults(&answer), [""; 0]);
        let users = answer.ok("/onboardUsers/users");
        assert_eq!(users[0]["userName"], "bob", "in the order of the input");
        let ada = &users[1];
        assert_eq!(
            json!([ada["status"], ada["emailVerified"], ada["phone"], ada["phoneVerified"], ada["name"]]),
            json!(["ACTIVE", true, "+911234567890", true, "Ada"])
        );
        assert_eq!(
            json!([ada["organization"], ada["roles"], ada["models"]]),
            json!([{ "code": "acme" }, [{ "code": "REVIEWER" }], [{ "uuid": "mt-1" }]])
        );
        assert!(world.mails().await.is_empty(), "whoever has a password needs no mail");
        for identifier in ["ada", "ADA@example.org", "+911234567890"] {
            world.logged_in(identifier, PASSWORD).await;
        }
        let id = ada["id"].as_str().expect("an id");
        assert_eq!(world.events_of("user.onboarded").await.len(), 3, "the super-administrator was, too");
        assert_eq!(world.events_of("member.added").await, [json!({ "roles": ["REVIEWER"] })]);
        assert!(world.events_of("role.granted").await.contains(&json!({ "roles": ["REVIEWER"] })));
        assert!(world.targets(id).await >= 3);
    }
}

#[tokio::test]
async fn who_has_no_password_is_mailed_a_link_to_set_one() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let eve = json!({ "userName": "eve", "email": "Eve@Example.org", "roleCodes": [] });
        let dry = run(&root, json!({ "users": [eve], "dryRun": true })).await;
        assert_eq!((faults(&dry), dry.ok("/onboardUsers/users")), (vec![], json!([])));
        assert!(world.mails().await.is_empty());
        assert_eq!(faults(&onboard(&root, json!([eve])).await), [""; 0]);
        let mails = world.mails().await;
        assert_eq!((mails.len(), &*mails[0].to), (1, "Eve@example.org"));
        assert!(mails[0].text.contains("http://denizen.test/reset?token="), "{}", mails[0].text);
        let code = one_time_code::Entity::find().one(world.app.db.read()).await.expect("codes").expect("one");
        assert_eq!((code.purpose, code.code_hash), (CodePurpose::PasswordReset, None));
        let week = Duration::from_hours(7 * 24);
        assert_eq!(code.link_expires_at, Some(code.created_at.plus(week)));
        assert_eq!(world.login("eve", "").await.faults("login"), ["WRONG_CREDENTIALS at []"]);
    }
}

#[tokio::test]
async fn a_hash_from_elsewhere_is_taken_over_unless_it_is_an_attack() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let hash = bcrypt::hash_with_result(PASSWORD, 4).expect("a hash");
        let hash = hash.format_for_version(bcrypt::Version::TwoY);
        let dear = hash.replacen("$04$", "$31$", 1);
        let of = |name, hash: &str| json!({ "userName": name, "email": format!("{name}@example.org"), "passwordHash": hash, "roleCodes": [] });
        assert_eq!(faults(&onboard(&root, json!([of("ada", &hash)])).await), [""; 0]);
        world.logged_in("ada", PASSWORD).await;
        let both = with(of("bob", &hash), &json!({ "password": PASSWORD }));
        let answer = onboard(&root, json!([of("eve", &dear), both, of("mal", "plain")])).await;
        let invalid = [0, 1, 2].map(|index| format!("INVALID at [users.{index}.passwordHash]"));
        assert_eq!(faults(&answer), invalid);
        assert!(!answer.text.contains(&dear), "a hash is told to nobody");
    }
}

#[tokio::test]
async fn every_fault_is_named_at_once_and_nothing_is_made() {
    for world in World::each().await {
        let root = world.superadmin().await;
        world.user("ada").await;
        one_model(&root).await;
        let two = json!([{ "uuid": "mt-1", "sourceLanguage": "en", "targetLanguage": "de" }, { "uuid": "mt-2", "sourceLanguage": "en", "targetLanguage": "de" }]);
        let users = json!([
            user("good"),
            { "userName": "x", "email": "nonsense", "phone": "12", "password": "short", "name": "a\u{0}b", "roleCodes": [] },
            { "userName": "nobody", "roleCodes": [] },
            with(user("ADA"), &json!({ "email": "else@example.org" })),
            with(user("else"), &json!({ "email": "ada@EXAMPLE.org" })),
            with(user("good"), &json!({ "email": "good2@example.org" })),
            with(user("lost"), &json!({ "orgCode": "nowhere\u{0}", "roleCodes": ["REVIEWER"] })),
            with(user("roles"), &json!({ "roleCodes": ["NONE", "REVIEWER"], "models": two })),
            with(user("lots"), &json!({ "roleCodes": vec!["MEMBER"; 21] })),
            with(user("911234567"), &json!({})),
        ]);
        let expected = [
            "INVALID at [users.1.userName]",
            "INVALID at [users.1.email]",
            "INVALID at [users.1.phone]",
            "INVALID at [users.1.name]",
            "WEAK_PASSWORD at [users.1.password]",
            "REQUIRED at [users.2.email]",
            "TAKEN at [users.3.userName]",
            "TAKEN at [users.4.email]",
            "TAKEN at [users.5.userName]",
            "NOT_FOUND at [users.6.orgCode]",
            "NOT_FOUND at [users.7.roleCodes.0]",
            "NOT_ALLOWED at [users.7.roleCodes.1]",
            "INVALID at [users.7.models.1]",
            "TOO_MANY_ITEMS at [users.8.roleCodes]",
            "NOT_ALLOWED at [users.9.userName]",
        ];
        for dry_run in [false, true] {
            let answer = run(&root, json!({ "users": users, "dryRun": dry_run })).await;
            let mut found = faults(&answer);
            found.sort();
            let mut expected = expected.map(str::to_owned);
            expected.sort();
            let found: Vec<_> =
                found.into_iter().filter(|fault| !fault.contains("users.8.roleCodes.")).collect();
            assert_eq!(found, expected);
            assert_eq!(answer.ok("/onboardUsers/users"), json!([]));
        }
        let many: Vec<_> = (0..101).map(|number| user(&format!("user{number}"))).collect();
        assert_eq!(faults(&onboard(&root, json!(many)).await), ["TOO_MANY_ITEMS at [users]"]);
        assert_eq!(root.run("{ users { totalCount } }").await.ok("/users/totalCount"), 2);
    }
}

#[tokio::test]
async fn an_organisations_administrator_onboards_into_their_own_only() {
    for world in World::each().await {
        let anna = world.org_admin("anna", "acme").await;
        let other = world.organization("other").await;
        let of =
            |name, org: Value, roles: Value| with(user(name), &json!({ "orgCode": org, "roleCodes": roles }));
        let answer = onboard(
            &anna,
            json!([
                of("one", json!("acme"), json!(["ADMIN"])),
                of("two", json!("other"), json!([])),
                of("three", Value::Null, json!([])),
                of("four", Value::Null, json!(["SUPERADMIN"])),
                of("five", json!("acme"), json!(["SUPERADMIN"])),
            ]),
        )
        .await;
        assert_eq!(
            faults(&answer),
            [
                "NOT_FOUND at [users.1.orgCode]",
                "NOT_ALLOWED at [users.2.orgCode]",
                "NOT_ALLOWED at [users.3.orgCode]",
                "NOT_ALLOWED at [users.3.roleCodes.0]",
                "NOT_ALLOWED at [users.4.roleCodes.0]",
            ]
        );
        // Now she sees the other organisation, and still may not.
        world.join_also(world.user_id(&anna).await, other).await;
        let answer = onboard(&anna, json!([of("two", json!("other"), json!([]))])).await;
        assert_eq!(faults(&answer), ["NOT_ALLOWED at [users.0.orgCode]"]);
        assert_eq!(faults(&onboard(&anna, json!([of("one", json!("acme"), json!([]))])).await), [""; 0]);
        let one =
            anna.run("{ user(by: { userName: \"one\" }) { organization { code } roles { code } } }").await;
        assert_eq!(
            one.ok("/user"),
            json!({ "organization": { "code": "acme" }, "roles": [{ "code": "MEMBER" }] })
        );
        let nobody = world.user("ursula").await;
        assert_eq!(onboard(&nobody, json!([user("eve")])).await.codes(), ["FORBIDDEN"]);
        assert_eq!(onboard(&world.anonymous(), json!([user("eve")])).await.codes(), ["FORBIDDEN"]);
    }
}

#[tokio::test]
async fn an_attempt_that_nobody_proved_keeps_no_address() {
    for world in World::each().await {
        let root = world.superadmin().await;
        world.register("mallory").await;
        let (token, _) = world.verification_of("mallory@example.org").await;
        let theirs = with(user("owner"), &json!({ "email": "mallory@example.org" }));
        let name = with(user("mallory"), &json!({ "email": "other@example.org" }));
        assert_eq!(faults(&onboard(&root, json!([name])).await), ["TAKEN at [users.0.userName]"]);
        assert_eq!(faults(&onboard(&root, json!([theirs])).await), [""; 0]);
        assert_eq!(world.verify_by_token(&token).await.faults("verifyUser"), ["WRONG_CODE at [token]"]);
        assert_eq!(faults(&onboard(&root, json!([name])).await), [""; 0], "and the name went with it");
        world.register("late").await;
        world.pass(Duration::from_hours(25));
        let root = world.superadmin().await;
        let late = with(user("late"), &json!({ "email": "else@example.org" }));
        assert_eq!(faults(&onboard(&root, json!([late])).await), [""; 0], "the link had run out");
    }
}

#[tokio::test]
async fn of_two_who_want_one_name_at_once_one_gets_it() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let calls = (0..6).map(|number| {
            let user = with(user("ada"), &json!({ "email": format!("ada{number}@example.org") }));
            let root = root.clone();
            async move { faults(&onboard(&root, json!([user])).await) }
        });
        let answers = join_all(calls).await;
        assert_eq!(answers.iter().filter(|faults| faults.is_empty()).count(), 1, "{answers:?}");
        let taken = ["TAKEN at [users.0.userName]".to_owned()];
        assert!(answers.iter().all(|faults| faults.is_empty() || *faults == taken), "{answers:?}");
    }
}

#[tokio::test]
async fn a_batch_takes_a_constant_number_of_statements() {
    for world in World::each().await {
        let root = world.superadmin().await;
        one_model(&root).await;
        for number in 0..12 {
            world.organization(&format!("org{number}")).await;
        }
        let models = json!([{ "uuid": "mt-1", "sourceLanguage": "en", "targetLanguage": "de" }]);
        let of = |number: usize| {
            let org = (!number.is_multiple_of(3)).then(|| format!("org{}", number % 12));
            let roles = if org.is_some() { json!(["REVIEWER"]) } else { json!(["ADMIN"]) };
            json!({ "userName": format!("user-{number}"), "email": format!("user{number}@example.org"), "orgCode": org, "roleCodes": roles, "models": models })
        };
        let few: Vec<_> = (0..2).map(of).collect();
        let many: Vec<_> = (2..40).map(of).collect();
        let (answer, few) = world.statements(onboard(&root, json!(few))).await;
        assert_eq!(faults(&answer), [""; 0]);
        let (answer, many) = world.statements(onboard(&root, json!(many))).await;
        assert_eq!(faults(&answer), [""; 0]);
        assert_eq!(few, many, "on {:?}", world.backend);
    }
}
