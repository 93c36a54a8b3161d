//! Guessing passwords: bounded for each name and each source, for known and unknown names alike, and never at the cost
//! of the owner on a known device.

use std::{fmt::Write as _, net::IpAddr, time::Duration};

use denizen::context::Source;
use entity::attempt;
use futures_util::future::join_all;
use sea_orm::{ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _};
use serde_json::json;

use crate::{
    otp,
    support::{Answer, Backend, Client, PASSWORD, World, token_and_code},
};

const LOGIN: &str = "mutation ($name: String!, $password: String!, $device: String) {
    login(input: { identifier: $name, password: $password, deviceToken: $device }) {
      deviceToken tokens { accessToken } errors { code path retryAfterSeconds } } }";

async fn login(client: &Client, name: &str, password: &str, device: Option<&str>) -> Answer {
    client.run_with(LOGIN, json!({ "name": name, "password": password, "device": device })).await
}

fn counted(answers: &[Answer], code: &str) -> usize {
    answers.iter().filter(|answer| answer.faults("login") == [format!("{code} at []")]).count()
}

#[tokio::test]
async fn of_forty_parallel_guesses_ten_are_looked_at_on_all_instances_together() {
    for world in World::each().await {
        world.user("ada").await;
        let (here, elsewhere) = (world.anonymous(), world.another_instance().await);
        for name in ["ada", "nobody"] {
            let guesses = (0..40).map(|number| {
                let client = if number % 2 == 0 { here.clone() } else { elsewhere.clone() };
                // Every spelling of a name is that name.
                let name = if number % 3 == 0 { name.to_uppercase() } else { name.to_owned() };
                async move { login(&client, &name, &format!("guess {number}"), None).await }
            });
            let mut answers = join_all(guesses).await;
            for answer in &mut answers {
                // On a machine that is busy there was no room for it: then it was no attempt.
                while answer.codes() == ["OVERLOADED"] {
                    *answer = login(&here, name, "a guess", None).await;
                }
            }
            assert_eq!(counted(&answers, "WRONG_CREDENTIALS"), 10, "{name}");
            assert_eq!(counted(&answers, "TOO_MANY_ATTEMPTS"), 30, "{name}");
            let waiting = answers.iter().find(|answer| answer.text.contains("TOO_MANY")).expect("a refusal");
            assert_eq!(waiting.ok("/login/errors/0/retryAfterSeconds"), 180);
        }
        let right = login(&here, "ada", PASSWORD, None).await;
        assert_eq!(right.faults("login"), ["TOO_MANY_ATTEMPTS at []"], "the right one, too");
        world.pass(Duration::from_mins(3));
        assert!(login(&here, "ada", PASSWORD, None).await.ok("/login/tokens").is_object());
    }
}

#[tokio::test]
async fn aliases_in_one_document_count_one_by_one() {
    for world in World::each().await {
        world.user("ada").await;
        let mut document = "mutation {".to_owned();
        for number in 0..80 {
            let _ = write!(
                document,
                " g{number}: login(input: {{ identifier: \"ada\", password: \"guess {number}\" }}) {{ errors {{ code }} }}"
            );
        }
        let answer = world.anonymous().run(&format!("{document} }}")).await;
        assert_eq!(
            answer.text.matches("WRONG_CREDENTIALS").count(),
            if answer.status == 200 { 10 } else { 0 }
        );
    }
}

#[tokio::test]
async fn the_owner_on_a_known_device_gets_in_while_others_guess() {
    for world in World::each().await {
        world.user("ada").await;
        world.user("mallory").await;
        let first = login(&world.anonymous(), "ada", PASSWORD, None).await.ok("/login/deviceToken");
        let device = first.as_str().expect("a device token");
        let theirs = login(&world.anonymous(), "mallory", PASSWORD, None).await.ok("/login/deviceToken");
        for number in 0..12 {
            // A device of somebody else is no known device.
            login(&world.anonymous(), "ada", &format!("guess {number}"), theirs.as_str()).await;
        }
        let locked = login(&world.anonymous(), "ada", PASSWORD, theirs.as_str()).await;
        assert_eq!(locked.faults("login"), ["TOO_MANY_ATTEMPTS at []"]);
        let owner = login(&world.anonymous(), "ada", PASSWORD, Some(device)).await;
        assert_eq!(owner.ok("/login/deviceToken"), device, "a known device keeps its token");
        for number in 0..10 {
            login(&world.anonymous(), "ada", &format!("guess {number}"), Some(device)).await;
        }
        let guessed = login(&world.anonymous(), "ada", PASSWORD, Some(device)).await;
        assert_eq!(
            guessed.faults("login"),
            ["TOO_MANY_ATTEMPTS at []"],
            "a stolen device guesses no more than that"
        );
    }
}

#[tokio::test]
async fn one_source_that_tries_many_names_is_stopped() {
    for world in World::each().await {
        world.user("ada").await;
        for name in 0..100 {
            login(&world.anonymous(), &format!("name {name}"), "guess", None).await;
        }
        let answer = login(&world.anonymous(), "ada", PASSWORD, None).await;
        assert_eq!(answer.codes(), ["RATE_LIMITED"]);
        assert_eq!(answer.body["errors"][0]["extensions"]["retryAfterSeconds"], 6);
        let off = World::with(world.backend, &["--rate-limits", "off"]).await;
        for _ in 0..12 {
            let answer = login(&off.anonymous(), "ada", "guess", None).await;
            assert_eq!(answer.faults("login"), ["WRONG_CREDENTIALS at []"]);
        }
    }
}

#[tokio::test]
async fn right_passwords_use_nothing_up() {
    for world in World::each().await {
        world.user("ada").await;
        for _ in 0..15 {
            assert!(login(&world.anonymous(), "ada", PASSWORD, None).await.ok("/login/tokens").is_object());
        }
    }
}

#[tokio::test]
async fn a_new_device_is_told_by_mail_and_a_known_one_is_not() {
    for world in World::each().await {
        let told = |mails: Vec<denizen::domain::notifications::channel::Delivered>| {
            mails.iter().filter(|mail| mail.subject.contains("new device")).count()
        };
        world.user("ada").await;
        assert_eq!(told(world.mails_to("ada@example.org").await), 0, "not at the first login");
        let second = login(&world.anonymous(), "ada", PASSWORD, None).await.ok("/login/deviceToken");
        assert_eq!(told(world.mails_to("ada@example.org").await), 1);
        login(&world.anonymous(), "ada", PASSWORD, second.as_str()).await;
        assert_eq!(told(world.mails_to("ada@example.org").await), 1);
        world.pass(Duration::from_hours(24 * 366));
        login(&world.anonymous(), "ada", PASSWORD, second.as_str()).await;
        assert_eq!(told(world.mails_to("ada@example.org").await), 2, "after a year it is a new one");
    }
}

#[tokio::test]
async fn a_phone_number_is_one_name_in_every_spelling() {
    for world in World::each().await {
        let client = world.anonymous();
        let mut answers = Vec::new();
        for number in 0..14 {
            let (left, right) = "491701234567".split_at(1 + number % 11);
            answers.push(login(&client, &format!("+{left}-{right}"), "a guess", None).await);
        }
        assert_eq!(counted(&answers, "WRONG_CREDENTIALS"), 10);
        assert_eq!(counted(&answers, "TOO_MANY_ATTEMPTS"), 4);
    }
}

/// So many wrong guesses, as fast as they are let through.
async fn guess_often(world: &World, name: &str, times: usize) {
    for number in 0..times {
        let answer = login(&world.anonymous(), name, &format!("guess {number}"), None).await;
        assert_eq!(answer.faults("login"), ["WRONG_CREDENTIALS at []"], "{name} {number}");
        world.pass(Duration::from_mins(3));
    }
}

async fn reset(world: &World, password: &str) -> Answer {
    let asked = "mutation { forgotPassword(input: { identifier: \"ada\" }) { errors { code } } }";
    assert_eq!(world.anonymous().run(asked).await.faults("forgotPassword"), [""; 0]);
    let mails = world.mails_to("ada@example.org").await;
    let mail = mails.iter().find(|mail| mail.subject == "Set a new password").expect("a mail");
    let document = "mutation ($token: String!, $password: String!) {
        resetPassword(input: { token: $token, newPassword: $password }) { errors { code path } } }";
    let variables = json!({ "token": token_and_code(mail).0, "password": password });
    world.anonymous().run_with(document, variables).await
}

#[tokio::test]
async fn a_hundred_wrong_guesses_in_a_row_are_the_end_for_strangers_and_not_for_the_owner() {
    for world in World::each().await {
        world.user("ada").await;
        let anonymous = world.anonymous();
        let device = login(&anonymous, "ada", PASSWORD, None).await.ok("/login/deviceToken");
        // By whatever name: it is one account.
        guess_often(&world, "ada", 40).await;
        guess_often(&world, "ada@example.org", 29).await;
        assert!(login(&anonymous, "ada", PASSWORD, None).await.ok("/login/tokens").is_object(), "not yet");
        guess_often(&world, "ada", 70).await;
        for name in ["ada", "Ada@example.org"] {
            let stranger = login(&anonymous, name, PASSWORD, None).await;
            let wrong = login(&anonymous, name, "a guess", None).await;
            assert_eq!((stranger.text, stranger.status), (wrong.text, wrong.status), "nobody learns of it");
        }
        guess_often(&world, "nobody", 75).await;
        let elsewhere = login(&world.another_instance().await, "ada", PASSWORD, None).await;
        assert_eq!(elsewhere.faults("login"), ["WRONG_CREDENTIALS at []"]);
        let owner = login(&anonymous, "ada", PASSWORD, device.as_str()).await;
        assert!(owner.ok("/login/tokens").is_object(), "the owner is in: {}", owner.text);
        assert!(
            login(&anonymous, "ada", PASSWORD, None).await.ok("/login/tokens").is_object(),
            "and all is well"
        );
        let told = world.events_of("session.refused").await;
        assert!(told.contains(&json!({ "limit": "failures-in-a-row" })));
    }
}

#[tokio::test]
async fn another_proof_or_a_new_password_ends_the_count() {
    for world in World::each().await {
        world.user("ada").await;
        let anonymous = world.anonymous();
        guess_often(&world, "ada", 70).await;
        otp::request(&anonymous, json!({ "purpose": "LOGIN", "identifier": "ada" })).await;
        let code = otp::code_to(&world, "ada@example.org").await;
        let document =
            "mutation ($code: String!) { loginWithOtp(input: { identifier: \"ada\", code: $code }) {
            tokens { accessToken } errors { code path } } }";
        let inside = anonymous.run_with(document, json!({ "code": code })).await;
        assert!(inside.ok("/loginWithOtp/tokens").is_object());
        assert!(login(&anonymous, "ada", PASSWORD, None).await.ok("/login/tokens").is_object());
        guess_often(&world, "ada", 70).await;
        let refused = login(&anonymous, "ada", PASSWORD, None).await;
        assert_eq!(refused.faults("login"), ["WRONG_CREDENTIALS at []"]);
        assert_eq!(reset(&world, "seven umbrellas in may").await.faults("resetPassword"), [""; 0]);
        let inside = login(&anonymous, "ada", "seven umbrellas in may", None).await;
        assert!(inside.ok("/login/tokens").is_object());
    }
}

#[tokio::test]
async fn a_thiefs_device_is_a_strangers_after_a_reset() {
    for world in World::each().await {
        world.user("ada").await;
        let device = login(&world.anonymous(), "ada", PASSWORD, None).await.ok("/login/deviceToken");
        assert_eq!(reset(&world, "seven umbrellas in may").await.faults("resetPassword"), [""; 0]);
        for number in 0..10 {
            login(&world.anonymous(), "ada", &format!("guess {number}"), None).await;
        }
        let thief = login(&world.anonymous(), "ada", "a guess", device.as_str()).await;
        assert_eq!(thief.faults("login"), ["TOO_MANY_ATTEMPTS at []"], "it counts as no known device");
    }
}

#[tokio::test]
async fn one_source_opens_so_many_accounts_and_has_so_many_mails_sent() {
    for world in World::each().await {
        let anonymous = world.anonymous();
        let document = "mutation ($users: [RegisterUserInput!]!) { registerUsers(input: { users: $users }) { errors { code } } }";
        for round in 0..10 {
            let user =
                |number| json!({ "email": format!("u{round}-{number}@example.org"), "password": PASSWORD });
            let users: Vec<_> = (0..10).map(user).collect();
            let answer = anonymous.run_with(document, json!({ "users": users })).await;
            assert_eq!(answer.faults("registerUsers"), [""; 0], "{round}");
        }
        let refused = world.register("ada").await;
        assert_eq!(refused.codes(), ["RATE_LIMITED"]);
        let elsewhere = world.another_instance().await;
        let users = json!([{ "email": "eve@example.org", "password": PASSWORD }]);
        assert_eq!(elsewhere.run_with(document, json!({ "users": users })).await.codes(), ["RATE_LIMITED"]);
        world.pass(Duration::from_secs(12));
        assert_eq!(world.register("ada").await.faults("registerUser"), [""; 0]);
        let again = "mutation { resendVerification(input: { identifier: \"nobody\" }) { errors { code } } }";
        for _ in 0..50 {
            assert_eq!(anonymous.run(again).await.faults("resendVerification"), [""; 0]);
        }
        assert_eq!(anonymous.run(again).await.codes(), ["RATE_LIMITED"]);
    }
}

#[tokio::test]
async fn the_log_says_what_failed_and_is_not_filled_by_who_is_refused() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let (client, limit) = (world.anonymous(), json!({ "limit": "login" }));
        for number in 0..40 {
            login(&client, "ada", &format!("guess {number}"), None).await;
        }
        let told = world.events_of("session.refused").await;
        assert_eq!(told.len(), 11, "ten wrong ones, and once that there were too many");
        assert_eq!(told.iter().filter(|data| **data == limit).count(), 1);
        world.pass(Duration::from_hours(1));
        for number in 0..40 {
            login(&client, "ada", &format!("guess {number}"), None).await;
        }
        assert_eq!(world.events_of("session.refused").await.iter().filter(|data| **data == limit).count(), 2);
        let before = world.events_of("session.refused").await.len();
        let ada = if ada.run("{ __typename }").await.status == 200 {
            ada
        } else {
            world.pass(Duration::from_hours(1));
            world.logged_in("ada", PASSWORD).await
        };
        otp::verify(&ada, json!({ "purpose": "STEP_UP", "code": "000000" })).await;
        let change = "mutation { changePassword(input: { currentPassword: \"a guess\", newPassword: \"seven umbrellas in may\" }) {
            errors { code path } } }";
        assert_eq!(
            ada.run(change).await.faults("changePassword"),
            ["WRONG_CREDENTIALS at [currentPassword]"]
        );
        let reset = "mutation { resetPassword(input: { identifier: \"ada\", code: \"000000\", newPassword: \"seven umbrellas in may\" }) {
            errors { code path } } }";
        assert_eq!(client.run(reset).await.faults("resetPassword"), ["WRONG_CODE at [code]"]);
        let told = world.events_of("session.refused").await;
        let expected = [
            json!({ "code": "STEP_UP" }),
            json!({ "confirmation": "PASSWORD" }),
            json!({ "code": "PASSWORD_RESET" }),
        ];
        assert_eq!(told[before..], expected);
    }
}

/// The same of codes: what is refused unread is told once, and not each time.
#[tokio::test]
async fn a_flood_of_codes_fills_no_log() {
    for world in World::each().await {
        world.user("ada").await;
        let client = world.anonymous();
        let guess =
            "mutation { loginWithOtp(input: { identifier: \"ada\", code: \"000000\" }) { errors { code } } }";
        for _ in 0..40 {
            client.run(guess).await;
        }
        let told = world.events_of("session.refused").await;
        assert!(told.len() < 15, "{} events of forty tries", told.len());
    }
}

#[tokio::test]
async fn who_is_turned_away_because_there_is_no_room_has_tried_nothing() {
    let world = World::with(Backend::Sqlite, &["--bcrypt-cost", "14"]).await;
    let hasher = &world.app.hasher;
    let random = world.app.random.as_ref();
    // As many as one address may ask for: the one that the tests come from.
    let source = Source::from(IpAddr::from([203, 0, 113, 7]));
    let hash = || Box::pin(hasher.hash(source, "tinte kanne wolke", random));
    let mut crowd: Vec<_> = (0..200).map(|_| hash()).collect();
    for hashing in &mut crowd {
        let _ = futures_util::poll!(hashing.as_mut());
    }
    for _ in 0..15 {
        assert_eq!(login(&world.anonymous(), "admin", "a guess", None).await.codes(), ["OVERLOADED"]);
    }
    drop(crowd);
    let counted = attempt::Entity::find().filter(attempt::Column::FreeAt.gt(world.system().now()));
    assert_eq!(counted.count(world.app.db.read()).await.expect("attempts"), 0);
}
