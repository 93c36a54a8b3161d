//! Guessing passwords: bounded for each name and each source, for known and unknown names alike, and never at the cost
//! of the owner on a known device.

use std::{fmt::Write as _, time::Duration};

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Answer, Client, PASSWORD, World};

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
            let answers = join_all(guesses).await;
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
