//! The account in its owner's hands: registering together, another mail, the profile.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Answer, Client, PASSWORD, World, token_and_code};

async fn register_many(client: &Client, users: Value) -> Answer {
    let document = "mutation ($input: RegisterUsersInput!) { registerUsers(input: $input) {
        deliveries { channel destination expiresAt retryAfterSeconds } errors { code message path } } }";
    client.run_with(document, json!({ "input": { "users": users } })).await
}

fn registrations(names: &[&str]) -> Value {
    names
        .iter()
        .map(|name| json!({ "userName": name, "email": format!("{name}@example.org"), "password": PASSWORD }))
        .collect()
}

async fn resend(world: &World, identifier: &str) -> Answer {
    let document =
        "mutation ($identifier: String!) { resendVerification(input: { identifier: $identifier }) {
        delivery { channel destination expiresAt retryAfterSeconds } errors { code message path } } }";
    world.anonymous().run_with(document, json!({ "identifier": identifier })).await
}

#[tokio::test]
async fn several_register_at_once_in_the_order_of_the_input() {
    for world in World::each().await {
        let answer = register_many(&world.anonymous(), registrations(&["carol", "ada", "bob"])).await;
        assert_eq!(answer.faults("registerUsers"), [""; 0]);
        let deliveries = answer.ok("/registerUsers/deliveries");
        let to: Vec<_> =
            deliveries.as_array().into_iter().flatten().map(|each| &each["destination"]).collect();
        assert_eq!(to, ["c•••@example.org", "a•••@example.org", "b•••@example.org"]);
        for name in ["ada", "bob", "carol"] {
            let (token, _) = world.verification_of(&format!("{name}@example.org")).await;
            assert_eq!(world.verify_by_token(&token).await.faults("verifyUser"), [""; 0]);
        }
    }
}

#[tokio::test]
async fn of_several_registrations_all_or_none_happen_and_every_fault_has_its_path() {
    for world in World::each().await {
        world.user("ada").await;
        let users = json!([
            { "userName": "bob", "email": "bob@example.org", "password": PASSWORD },
            { "userName": "x", "email": "nonsense", "password": PASSWORD },
            { "userName": "carol", "password": "short" },
            { "userName": "BOB", "email": "Bob@example.org", "password": PASSWORD },
        ]);
        let answer = register_many(&world.anonymous(), users).await;
        let faults = [
            "INVALID at [users.1.email]",
            "INVALID at [users.1.userName]",
            "REQUIRED at [users.2.email]",
            "WEAK_PASSWORD at [users.2.password]",
            "TAKEN at [users.3.userName]",
            "TAKEN at [users.3.email]",
        ];
        assert_eq!(answer.faults("registerUsers"), faults);
        assert_eq!(answer.data("/registerUsers/deliveries"), json!([]));
        let users = json!([
            { "userName": "dave", "email": "dave@example.org", "password": PASSWORD },
            { "userName": "ADA", "email": "new@example.org", "password": PASSWORD },
        ]);
        let answer = register_many(&world.anonymous(), users).await;
        assert_eq!(answer.faults("registerUsers"), ["TAKEN at [users.1.userName]"]);
        let count = world.superadmin().await.run("{ users { totalCount } }").await.ok("/users/totalCount");
        assert_eq!(count, 2, "ada and the administrator");
        assert!(world.mails_to("dave@example.org").await.is_empty());
    }
}

#[tokio::test]
async fn strangers_register_ten_at_once_and_others_a_hundred() {
    for world in World::each().await {
        let users = |count: usize| -> Value {
            (0..count).map(|_| json!({ "email": "nonsense", "password": "x" })).collect()
        };
        let too_many = ["TOO_MANY_ITEMS at [users]"];
        assert_eq!(register_many(&world.anonymous(), users(11)).await.faults("registerUsers"), too_many);
        assert_eq!(register_many(&world.anonymous(), users(10)).await.faults("registerUsers").len(), 20);
        let ada = world.user("ada").await;
        assert_eq!(register_many(&ada, users(101)).await.faults("registerUsers"), too_many);
        assert_eq!(register_many(&ada, users(11)).await.faults("registerUsers").len(), 22);
        assert_eq!(register_many(&ada, json!([])).await.ok("/registerUsers/deliveries"), json!([]));
    }
}

#[tokio::test]
async fn registering_together_does_not_tell_who_exists_either() {
    for world in World::each().await {
        world.user("ada").await;
        let of =
            |email: &str, name: &str| json!([{ "userName": name, "email": email, "password": PASSWORD }]);
        let known = register_many(&world.anonymous(), of("ada@example.org", "first")).await;
        let unknown = register_many(&world.anonymous(), of("axa@example.org", "second")).await;
        assert_eq!(known.text, unknown.text);
        let mails = world.mails_to("ada@example.org").await;
        assert!(mails.iter().any(|mail| mail.subject == "You already have an account"));
    }
}

#[tokio::test]
async fn parallel_bulk_registrations_with_one_name_are_answered_alike() {
    for world in World::each().await {
        let of = |extra: &'static str| {
            json!([
                { "userName": extra, "email": format!("{extra}@example.org"), "password": PASSWORD },
                { "userName": "wanted", "email": format!("{extra}2@example.org"), "password": PASSWORD },
            ])
        };
        let (first, second) = (world.anonymous(), world.anonymous());
        let answers = join_all([register_many(&first, of("one")), register_many(&second, of("two"))]).await;
        for answer in &answers {
            assert_eq!(answer.faults("registerUsers"), [""; 0], "the proof decides whose the name is");
        }
        let count = world.superadmin().await.run("{ users { totalCount } }").await.ok("/users/totalCount");
        assert_eq!(count, 5);
    }
}

#[tokio::test]
async fn another_verification_mail_replaces_the_first() {
    for world in World::each().await {
        world.register("ada").await;
        let (first, first_code) = world.verification_of("ada@example.org").await;
        let by_address = resend(&world, "Ada@Example.org").await;
        assert_eq!(by_address.ok("/resendVerification/delivery/destination"), "A•••@example.org");
        let (second, second_code) = world.verification_of("ada@example.org").await;
        assert_ne!(first, second);
        assert_eq!(world.verify_by_token(&first).await.faults("verifyUser"), ["ALREADY_USED at [token]"]);
        if first_code != second_code {
            assert_eq!(
                world.verify_by_code("ada", &first_code).await.faults("verifyUser"),
                ["WRONG_CODE at [code]"]
            );
        }
        let by_name = resend(&world, "ada").await.ok("/resendVerification/delivery");
        assert_eq!(by_name["destination"], Value::Null, "the address is told to nobody");
        let (third, _) = world.verification_of("ada@example.org").await;
        assert_eq!(world.verify_by_token(&second).await.faults("verifyUser"), ["ALREADY_USED at [token]"]);
        assert_eq!(world.verify_by_token(&third).await.faults("verifyUser"), [""; 0]);
    }
}

#[tokio::test]
async fn asking_for_a_mail_tells_nothing_and_costs_the_same() {
    for world in World::each().await {
        world.register("ada").await;
        world.user("abe").await;
        let mut answers = Vec::new();
        for identifier in ["ada@example.org", "abe@example.org", "axe@example.org"] {
            answers.push(world.statements(resend(&world, identifier)).await);
        }
        for identifier in ["ada", "abe", "axe"] {
            let (answer, statements) = world.statements(resend(&world, identifier)).await;
            assert_eq!(answer.ok("/resendVerification/delivery/destination"), Value::Null);
            assert_eq!(statements, answers[0].1);
        }
        for (answer, statements) in &answers {
            assert_eq!((&answer.text, statements), (&answers[0].0.text, &answers[0].1));
        }
        let mails = world.mails_to("abe@example.org").await;
        assert!(mails.iter().any(|mail| mail.subject == "Your address is confirmed already"));
        assert!(world.mails_to("axe@example.org").await.is_empty());
        for nonsense in ["\u{0}", &"x".repeat(500)] {
            assert_eq!(
                resend(&world, nonsense).await.faults("resendVerification"),
                ["INVALID at [identifier]"]
            );
        }
    }
}

#[tokio::test]
async fn nobodys_mailbox_is_flooded() {
    for world in World::each().await {
        world.register("ada").await;
        for _ in 0..12 {
            resend(&world, "ada").await.ok("/resendVerification/delivery");
            world.mails().await;
        }
        assert_eq!(world.mails_to("ada@example.org").await.len(), 5);
        let (token, _) = token_and_code(&world.mails_to("ada@example.org").await[0]);
        world.pass(Duration::from_mins(11));
        resend(&world, "ada").await;
        assert_eq!(world.mails_to("ada@example.org").await.len(), 6);
        assert_eq!(world.verify_by_token(&token).await.faults("verifyUser"), ["ALREADY_USED at [token]"]);
    }
}

#[tokio::test]
async fn who_asks_for_a_mail_to_a_planted_attempt_gets_none() {
    for world in World::each().await {
        world.user("ada").await;
        let plant = json!([{ "userName": "mallory", "email": "ada@example.org", "password": PASSWORD }]);
        register_many(&world.anonymous(), plant).await;
        let before = world.mails_to("ada@example.org").await.len();
        resend(&world, "mallory").await;
        assert_eq!(world.mails_to("ada@example.org").await.len(), before);
    }
}

const UPDATE: &str = "mutation ($input: UpdateProfileInput!) { updateProfile(input: $input) {
    user { name givenName familyName gender locale avatarUrl updatedAt } errors { code path } } }";

#[tokio::test]
async fn a_profile_changes_only_where_it_is_told_to() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let update = |input: Value| {
            let ada = ada.clone();
            async move { ada.run_with(UPDATE, json!({ "input": input })).await }
        };
        world.pass(Duration::from_millis(500));
        let input = json!({ "name": "Ada", "givenName": "Augusta", "locale": "en-GB",
            "avatarUrl": "https://example.org/ada.png" });
        let user = update(input).await.ok("/updateProfile/user");
        assert_eq!(
            (&user["name"], &user["givenName"], &user["locale"]),
            (&json!("Ada"), &json!("Augusta"), &json!("en-GB"))
        );
        assert_eq!(user["updatedAt"], "2026-01-01T00:00:00.500Z");
        world.pass(Duration::from_millis(100));
        let user = update(json!({ "givenName": null, "name": "Ada" })).await.ok("/updateProfile/user");
        assert_eq!((&user["name"], &user["givenName"]), (&json!("Ada"), &Value::Null));
        assert_eq!(user["avatarUrl"], "https://example.org/ada.png");
        let unchanged = update(json!({ "name": "Ada" })).await.ok("/updateProfile/user");
        assert_eq!(unchanged["updatedAt"], "2026-01-01T00:00:00.600Z", "nothing changed");
        let data = world.events_of("user.updated").await;
        assert_eq!(
            data,
            [
                json!({ "fields": ["name", "givenName", "locale", "avatarUrl"] }),
                json!({ "fields": ["givenName"] })
            ],
            "the names of the fields, and not what they hold"
        );
    }
}

#[tokio::test]
async fn a_bad_profile_is_refused_whole_and_strangers_have_none() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let bad = json!({ "name": "a\u{0}", "gender": "x".repeat(201), "locale": "de_DE",
            "avatarUrl": "javascript:alert(1)", "familyName": "King" });
        let answer = ada.run_with(UPDATE, json!({ "input": bad })).await;
        let faults =
            ["INVALID at [name]", "INVALID at [gender]", "INVALID at [locale]", "INVALID at [avatarUrl]"];
        assert_eq!(answer.faults("updateProfile"), faults);
        assert_eq!(ada.run("{ me { familyName } }").await.ok("/me/familyName"), Value::Null);
        let answer = world.anonymous().run_with(UPDATE, json!({ "input": { "name": "x" } })).await;
        assert_eq!(answer.codes(), ["FORBIDDEN"]);
        let status = json!({ "input": { "status": "ACTIVE" } });
        assert_eq!(ada.run_with(UPDATE, status).await.codes(), ["BAD_USER_INPUT"], "no other field is taken");
    }
}

#[tokio::test]
async fn changes_of_a_profile_at_once_are_all_kept() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        for round in 0..5 {
            let change = |field: &'static str| {
                let (ada, value) = (ada.clone(), format!("{field} {round}"));
                async move {
                    let input = format!("{field}: \"{value}\"");
                    let document =
                        format!("mutation {{ updateProfile(input: {{ {input} }}) {{ errors {{ code }} }} }}");
                    assert_eq!(ada.run(&document).await.faults("updateProfile"), [""; 0]);
                }
            };
            join_all(["name", "gender", "familyName", "givenName"].map(change)).await;
            let me = ada.run("{ me { name gender familyName givenName } }").await.ok("/me");
            for field in ["name", "gender", "familyName", "givenName"] {
                assert_eq!(me[field], format!("{field} {round}"));
            }
        }
    }
}
