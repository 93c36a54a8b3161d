//! Who chose the password of a registration: the mailbox does not tell, so what nobody confirms is dropped.

use std::time::Duration;

use entity::{CodePurpose, one_time_code, registration_token};
use futures_util::future::join_all;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde_json::{Value, json};

use crate::{
    activation::deactivate,
    change_email::{change, proof_at},
    support::{Answer, PASSWORD, World},
};

const NONE: [&str; 0] = [];
const PLANTED: &str = "planted by mallory";
const NEW: &str = "quartz meadow violin";
const NUMBER: &str = "+49301234567";

/// The token of a registration with a number.
async fn register(world: &World, name: &str, email: &str, password: &str) -> String {
    register_into(world, name, email, password, Value::Null).await
}

/// That of somebody who wants to join an organisation as well.
async fn register_into(world: &World, name: &str, email: &str, password: &str, org_code: Value) -> String {
    let document = "mutation ($input: RegisterUserInput!) { registerUser(input: $input) {
        delivery { destination } registrationToken errors { code path } } }";
    let input = json!({ "userName": name, "email": email, "password": password, "phone": NUMBER, "orgCode": org_code });
    let answer = world.anonymous().run_with(document, json!({ "input": input })).await;
    assert_eq!(answer.faults("registerUser"), NONE);
    answer.ok("/registerUser/registrationToken").as_str().expect("a token").to_owned()
}

async fn open_world(world: &World) {
    let list = json!([{ "code": "open", "active": true, "selfRegistration": true }]);
    crate::orgs::upsert(&world.superadmin().await, list).await.ok("");
}

async fn reset(world: &World, token: &Value, password: &str) -> Answer {
    let document = "mutation ($input: ResetPasswordInput!) { resetPassword(input: $input) {
        user { userName } errors { code path } } }";
    let input = json!({ "token": token, "newPassword": password });
    world.anonymous().run_with(document, json!({ "input": input })).await
}

const CHOSEN: &str = "{ me { phone phoneVerified organization { code } } }";

async fn refuses(world: &World, identifier: &str, password: &str) {
    let answer = world.login(identifier, password).await;
    assert_eq!(answer.faults("login"), ["WRONG_CREDENTIALS at []"], "{identifier}");
}

#[tokio::test]
async fn what_a_stranger_planted_dies_when_the_owner_proves_the_mailbox() {
    for world in World::each().await {
        open_world(&world).await;
        register_into(&world, "mallory", "ada@example.org", PLANTED, json!("open")).await;
        let (token, code) = world.verification_of("ada@example.org").await;
        let input = match world.backend {
            crate::support::Backend::Sqlite => json!({ "token": token }),
            crate::support::Backend::Postgres => json!({ "userName": "mallory", "code": code }),
        };
        let verified = world.verify(input).await;
        assert_eq!(verified.faults("verifyUser"), NONE);
        assert_eq!(verified.ok("/verifyUser/user/status"), "ACTIVE");
        for identifier in ["mallory", "ada@example.org", NUMBER] {
            refuses(&world, identifier, PLANTED).await;
        }
        assert_eq!(world.events_of("user.verified").await, [json!({ "password": "DROPPED" })]);
        let told = &world.mails_to("ada@example.org").await[0];
        assert!(told.text.contains("does not count"), "{}", told.text);

        let password_token = verified.ok("/verifyUser/passwordToken");
        assert_eq!(reset(&world, &password_token, "short").await.faults("resetPassword").len(), 1);
        assert_eq!(reset(&world, &password_token, NEW).await.faults("resetPassword"), NONE);
        assert_eq!(
            reset(&world, &password_token, NEW).await.faults("resetPassword"),
            ["ALREADY_USED at [token]"]
        );
        let me = world.logged_in("ada@example.org", NEW).await.run(CHOSEN).await.ok("/me");
        assert_eq!(me, json!({ "phone": null, "phoneVerified": null, "organization": null }));
        refuses(&world, "mallory", PLANTED).await;
    }
}

#[tokio::test]
async fn whoever_shows_the_registrations_token_or_its_password_keeps_what_they_chose() {
    for world in World::each().await {
        open_world(&world).await;
        let mut inputs = Vec::new();
        for name in ["ada", "bob", "eva"] {
            let email = format!("{name}@example.org");
            let shown = register_into(&world, name, &email, PASSWORD, json!("open")).await;
            let (token, code) = world.verification_of(&format!("{name}@example.org")).await;
            inputs.push(match name {
                "ada" => json!({ "token": token, "registrationToken": shown }),
                "bob" => json!({ "userName": name, "code": code, "registrationToken": shown }),
                _ => json!({ "token": token, "registrationToken": "of another tab", "password": PASSWORD }),
            });
        }
        for (name, input) in ["ada", "bob", "eva"].into_iter().zip(inputs) {
            let verified = world.verify(input).await;
            assert_eq!(verified.faults("verifyUser"), NONE, "{name}");
            assert_eq!(verified.ok("/verifyUser/passwordToken"), Value::Null);
            let me = world.logged_in(name, PASSWORD).await.run(CHOSEN).await.ok("/me");
            let kept = json!({ "phone": NUMBER, "phoneVerified": false, "organization": { "code": "open" } });
            assert_eq!(me, kept, "the number is still only claimed");
        }
        let left = registration_token::Entity::find().all(world.app.db.read()).await.expect("tokens");
        assert!(left.is_empty(), "they are good for nothing any more");
        refuses(&world, NUMBER, PASSWORD).await;
    }
}

#[tokio::test]
async fn a_wrong_confirmation_is_bounded_and_uses_up_neither_link_nor_code() {
    for world in World::each().await {
        let ada = register(&world, "ada", "ada@example.org", PASSWORD).await;
        let other = register(&world, "bob", "bob@example.org", PASSWORD).await;
        let (token, code) = world.verification_of("ada@example.org").await;
        for number in 0..10 {
            let (input, fault) = match number % 3 {
                0 => (json!({ "token": token, "password": PLANTED }), "WRONG_CREDENTIALS at [password]"),
                1 => (
                    json!({ "token": token, "registrationToken": other }),
                    "WRONG_CODE at [registrationToken]",
                ),
                _ => (
                    json!({ "userName": "ada", "code": code, "password": "\0" }),
                    "WRONG_CREDENTIALS at [password]",
                ),
            };
            assert_eq!(world.verify(input).await.faults("verifyUser"), [fault], "{number}");
        }
        let eleventh = json!({ "token": token, "password": PASSWORD });
        let refused = world.verify(eleventh.clone()).await;
        assert_eq!(refused.faults("verifyUser"), ["TOO_MANY_ATTEMPTS at []"], "even the right one");
        let noted = world.events_of("session.refused").await;
        assert_eq!(noted.len(), 11);
        assert!(noted.contains(&json!({ "confirmation": "REGISTRATION" })), "{noted:?}");
        world.pass(Duration::from_mins(4));
        let by_code = json!({ "userName": "ada", "code": code, "registrationToken": ada });
        assert_eq!(world.verify(by_code).await.faults("verifyUser"), NONE);
        assert_eq!(world.verify(eleventh).await.faults("verifyUser"), ["ALREADY_USED at [token]"]);
    }
}

#[tokio::test]
async fn many_wrong_passwords_at_once_are_ten_and_the_code_stays_good() {
    for world in World::each().await {
        let shown = register(&world, "ada", "ada@example.org", PASSWORD).await;
        let (token, _) = world.verification_of("ada@example.org").await;
        let guesses =
            join_all((0..30).map(|_| world.verify(json!({ "token": token, "password": PLANTED })))).await;
        let answered = |answer: &&Answer| answer.faults("verifyUser") == ["WRONG_CREDENTIALS at [password]"];
        assert_eq!(guesses.iter().filter(answered).count(), 10);
        world.pass(Duration::from_mins(4));
        let done = world.verify(json!({ "token": token, "registrationToken": shown })).await;
        assert_eq!(done.faults("verifyUser"), NONE);
    }
}

#[tokio::test]
async fn without_the_code_nothing_tells_whether_the_password_is_right() {
    for world in World::each().await {
        let shown = register(&world, "ada", "ada@example.org", PASSWORD).await;
        let (_, code) = world.verification_of("ada@example.org").await;
        let wrong = if code == "000000" { "000001" } else { "000000" };
        let mut said = Vec::new();
        for (password, token) in [(PASSWORD, shown.as_str()), (PLANTED, "nonsense")] {
            let input =
                json!({ "userName": "ada", "code": wrong, "password": password, "registrationToken": token });
            let (answer, statements) = world.statements(world.verify(input)).await;
            assert_eq!(answer.faults("verifyUser"), ["WRONG_CODE at [code]"]);
            said.push(statements);
        }
        assert_eq!(said[0], said[1]);
        let input = json!({ "token": "nonsense", "password": PASSWORD });
        assert_eq!(world.verify(input).await.faults("verifyUser"), ["WRONG_CODE at [token]"]);
    }
}

#[tokio::test]
async fn the_registrations_token_tells_nothing_and_is_stored_as_a_hash() {
    for world in World::each().await {
        world.user("vera").await;
        world.anonymous().run("{ me { id } }").await;
        let (known, statements) = world.statements(world.register("vera2")).await;
        let document = "mutation ($input: RegisterUserInput!) { registerUser(input: $input) {
            delivery { destination } registrationToken errors { code path } } }";
        let input = json!({ "userName": "other", "email": "vera@example.org", "password": PASSWORD });
        let anonymous = world.anonymous();
        let work = anonymous.run_with(document, json!({ "input": input }));
        let (again, as_many) = world.statements(work).await;
        assert_eq!(statements, as_many);
        let (first, second) =
            (known.ok("/registerUser/registrationToken"), again.ok("/registerUser/registrationToken"));
        let length = |token: &Value| token.as_str().map(str::len);
        assert_eq!((length(&first), length(&second)), (Some(43), Some(43)));
        let rows = registration_token::Entity::find().all(world.app.db.read()).await.expect("tokens");
        assert_eq!(rows.len(), 2);
        assert!(rows.iter().all(|row| row.token_hash.0 != first.as_str().unwrap_or_default().as_bytes()));
        let refused =
            world.anonymous().run_with(document, json!({ "input": { "password": PASSWORD } })).await;
        assert_eq!(refused.ok("/registerUser/registrationToken"), Value::Null);
    }
}

#[tokio::test]
async fn another_mail_leaves_the_registrations_token_good() {
    for world in World::each().await {
        let shown = register(&world, "ada", "ada@example.org", PASSWORD).await;
        let (first, _) = world.verification_of("ada@example.org").await;
        let again = "mutation { resendVerification(input: { identifier: \"ada\" }) { errors { code } } }";
        world.pass(Duration::from_secs(1));
        world.anonymous().run(again).await.ok("");
        let (second, _) = world.verification_of("ada@example.org").await;
        let with = |token: &str| json!({ "token": token, "registrationToken": shown });
        assert_eq!(world.verify(with(&first)).await.faults("verifyUser"), ["ALREADY_USED at [token]"]);
        assert_eq!(world.verify(with(&second)).await.faults("verifyUser"), NONE);
        world.logged_in("ada", PASSWORD).await;
    }
}

#[tokio::test]
async fn of_two_proofs_at_once_one_decides_what_stays() {
    for world in World::each().await {
        for round in 0..4 {
            let (name, email) = (format!("ada{round}"), format!("ada{round}@example.org"));
            let shown = register(&world, &name, &email, PASSWORD).await;
            let (token, _) = world.verification_of(&email).await;
            let (kept, dropped) = tokio::join!(
                world.verify(json!({ "token": token, "registrationToken": shown })),
                world.verify(json!({ "token": token })),
            );
            let kept = kept.faults("verifyUser").is_empty();
            let dropped = dropped.faults("verifyUser").is_empty();
            assert!(kept != dropped, "one of them");
            let login = world.login(&name, PASSWORD).await;
            assert_eq!(login.data("/login/tokens").is_object(), kept);
        }
    }
}

#[tokio::test]
async fn registrations_in_bulk_and_codes_of_verify_otp_prove_the_mailbox_alone() {
    for world in World::each().await {
        let document = "mutation ($input: RegisterUsersInput!) { registerUsers(input: $input) {
            deliveries { destination } errors { code path } } }";
        let person = |name: &str| json!({ "userName": name, "email": format!("{name}@example.org"), "password": PASSWORD });
        let input = json!({ "users": [person("ada"), person("bob"), person("eva")] });
        let done = world.anonymous().run_with(document, json!({ "input": input })).await;
        assert_eq!(done.faults("registerUsers"), NONE);
        let (ada, _) = world.verification_of("ada@example.org").await;
        assert_eq!(world.verify_by_token(&ada).await.faults("verifyUser"), NONE);
        world.logged_in("ada", PASSWORD).await;
        let (bob, _) = world.verification_of("bob@example.org").await;
        assert!(world.verify(json!({ "token": bob })).await.ok("/verifyUser/passwordToken").is_string());
        refuses(&world, "bob", PASSWORD).await;
        let (_, eva) = world.verification_of("eva@example.org").await;
        let input = json!({ "purpose": "VERIFY_EMAIL", "identifier": "eva", "code": eva });
        assert_eq!(crate::otp::verify(&world.anonymous(), input).await.faults("verifyOtp"), NONE);
        refuses(&world, "eva", PASSWORD).await;
    }
}

#[tokio::test]
async fn the_proof_of_a_changed_address_leaves_the_password_alone() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        assert_eq!(change(&ada, "ada@new.example", PASSWORD).await.faults("changeEmail"), NONE);
        let (token, _) = proof_at(&world, "ada@new.example").await;
        let input = json!({ "token": token, "registrationToken": "an old one", "password": PLANTED });
        let verified = world.verify(input).await;
        assert_eq!(verified.faults("verifyUser"), NONE);
        assert_eq!(verified.ok("/verifyUser/passwordToken"), Value::Null);
        world.logged_in("ada@new.example", PASSWORD).await;
    }
}

#[tokio::test]
async fn the_token_for_a_password_dies_with_the_hour_and_with_the_account() {
    for world in World::each().await {
        let mut tokens = Vec::new();
        for name in ["ada", "bob"] {
            register(&world, name, &format!("{name}@example.org"), PLANTED).await;
            let (token, _) = world.verification_of(&format!("{name}@example.org")).await;
            tokens.push(world.verify(json!({ "token": token })).await.ok("/verifyUser/passwordToken"));
        }
        let root = world.superadmin().await;
        let found = root.run("{ user(by: { userName: \"ada\" }) { id } }").await.ok("/user/id");
        let found = found.as_str().expect("an id").to_owned();
        assert_eq!(deactivate(&root, &[found]).await.faults("deactivateUsers"), NONE);
        assert_eq!(reset(&world, &tokens[0], NEW).await.faults("resetPassword"), ["ALREADY_USED at [token]"]);
        world.pass(Duration::from_hours(1));
        assert_eq!(reset(&world, &tokens[1], NEW).await.faults("resetPassword"), ["EXPIRED at [token]"]);
        let open =
            one_time_code::Entity::find().filter(one_time_code::Column::Purpose.eq(CodePurpose::VerifyEmail));
        let open = open.filter(one_time_code::Column::ConsumedAt.is_null());
        assert!(open.one(world.app.db.read()).await.expect("codes").is_none());
    }
}
