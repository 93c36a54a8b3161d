//! Forgotten and changed passwords.

use std::time::Duration;

use axum::{
    body::Body,
    http::{Request, header},
};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Answer, Backend, Client, PASSWORD, World, token_and_code};

const NEW: &str = "seven umbrellas in may";

async fn forgot(client: &Client, identifier: &str) -> Answer {
    let document = "mutation ($identifier: String!) { forgotPassword(input: { identifier: $identifier }) {
        delivery { channel destination expiresAt retryAfterSeconds } errors { code message path } } }";
    client.run_with(document, json!({ "identifier": identifier })).await
}

async fn reset(client: &Client, input: Value) -> Answer {
    let document = "mutation ($input: ResetPasswordInput!) { resetPassword(input: $input) {
        user { userName email } errors { code message path } } }";
    client.run_with(document, json!({ "input": input })).await
}

async fn by_token(world: &World, token: &str, password: &str) -> Answer {
    reset(&world.anonymous(), json!({ "token": token, "newPassword": password })).await
}

async fn by_code(world: &World, identifier: &str, code: &str) -> Answer {
    let input = json!({ "identifier": identifier, "code": code, "newPassword": NEW });
    reset(&world.anonymous(), input).await
}

/// Asks, and takes what the mail brings.
async fn asked(world: &World, identifier: &str, address: &str) -> (String, String) {
    assert_eq!(forgot(&world.anonymous(), identifier).await.faults("forgotPassword"), [""; 0]);
    let mails = world.mails_to(address).await;
    token_and_code(mails.iter().find(|mail| mail.subject == "Set a new password").expect("a mail"))
}

async fn change(client: &Client, current: &str, new: &str) -> Answer {
    let document = "mutation ($input: ChangePasswordInput!) { changePassword(input: $input) {
        user { userName } errors { code message path } } }";
    client.run_with(document, json!({ "input": { "currentPassword": current, "newPassword": new } })).await
}

async fn is_in(client: &Client) -> bool {
    client.run("{ me { id } }").await.status == 200
}

#[tokio::test]
async fn a_mailed_link_sets_a_password_once_and_ends_every_session() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let elsewhere = world.logged_in("ada", PASSWORD).await;
        let (first, _) = asked(&world, "ada@example.org", "ada@example.org").await;
        let (token, code) = asked(&world, "ADA", "ada@example.org").await;
        assert_eq!(
            by_token(&world, &first, NEW).await.faults("resetPassword"),
            ["ALREADY_USED at [token]"],
            "a new link ends the old one"
        );
        let done = by_token(&world, &token, NEW).await;
        assert_eq!(done.ok("/resetPassword/user/email"), "ada@example.org");
        assert!(!is_in(&ada).await && !is_in(&elsewhere).await);
        assert_eq!(world.mails_to("ada@example.org").await[0].subject, "Your password was changed");
        world.logged_in("ada", NEW).await;
        assert_eq!(world.login("ada", PASSWORD).await.faults("login"), ["WRONG_CREDENTIALS at []"]);
        assert_eq!(by_token(&world, &token, NEW).await.faults("resetPassword"), ["ALREADY_USED at [token]"]);
        assert_eq!(by_code(&world, "ada", &code).await.faults("resetPassword"), ["WRONG_CODE at [code]"]);
        assert_eq!(world.events_of("password.reset").await, [Value::Null]);
    }
}

#[tokio::test]
async fn of_many_resets_at_once_one_wins_and_replays_after_a_restart_find_nothing() {
    for world in World::each().await {
        world.user("ada").await;
        let (token, code) = asked(&world, "ada", "ada@example.org").await;
        let passwords: Vec<_> = (0..8).map(|number| format!("{NEW} {number}")).collect();
        let answers = join_all(passwords.iter().map(|password| by_token(&world, &token, password))).await;
        let won: Vec<_> = answers
            .iter()
            .zip(&passwords)
            .filter(|(answer, _)| answer.faults("resetPassword").is_empty())
            .map(|(_, password)| password)
            .collect();
        assert_eq!(won.len(), 1);
        world.logged_in("ada", won[0]).await;
        let again = world.another_instance().await;
        let input = json!({ "token": token, "newPassword": NEW });
        assert_eq!(reset(&again, input).await.faults("resetPassword"), ["ALREADY_USED at [token]"]);
        let input = json!({ "identifier": "ada", "code": code, "newPassword": NEW });
        assert_eq!(reset(&again, input).await.faults("resetPassword"), ["WRONG_CODE at [code]"]);
    }
}

#[tokio::test]
async fn the_answer_and_the_work_are_the_same_for_everybody() {
    for world in World::each().await {
        world.user("ada").await;
        world.register("uma").await;
        let document =
            "mutation ($id: ID!) { deactivateUsers(input: { userIds: [$id] }) { errors { code } } }";
        let dora = world.user("dora").await.run("{ me { id } }").await.ok("/me/id");
        world.superadmin().await.run_with(document, json!({ "id": dora })).await.ok("");
        world.mails().await;
        let mut said = Vec::new();
        for name in ["ada", "uma", "dora", "xxx"] {
            let (answer, statements) = world.statements(forgot(&world.anonymous(), name)).await;
            said.push((answer.text, statements));
        }
        assert!(said.iter().all(|answer| *answer == said[0]), "{said:?}");
        assert!(said[0].0.contains("\"destination\":null"), "{}", said[0].0);
        let (known, count) = world.statements(forgot(&world.anonymous(), "ada@example.org")).await;
        let (unknown, as_many) = world.statements(forgot(&world.anonymous(), "axa@example.org")).await;
        assert_eq!((&known.text, count), (&unknown.text, as_many));
        assert_eq!(known.ok("/forgotPassword/delivery/destination"), "a•••@example.org");
        let mails = world.mails().await;
        let sent: Vec<_> = mails.iter().filter(|mail| mail.subject == "Set a new password").collect();
        assert!(sent.len() == 2 && sent.iter().all(|mail| mail.to == "ada@example.org"), "{sent:?}");
        // Guessing tells as little.
        for name in ["ada", "xxx"] {
            let mut answers = Vec::new();
            for _ in 0..7 {
                answers.extend(by_code(&world, name, "000000").await.faults("resetPassword"));
            }
            let mut expected = vec!["WRONG_CODE at [code]"; 5];
            expected.extend(["TOO_MANY_ATTEMPTS at []"; 2]);
            assert_eq!(answers, expected, "{name}");
        }
        world.pass(Duration::from_mins(30));
        for name in ["ada", "xxx"] {
            assert_eq!(
                by_code(&world, name, "000000").await.faults("resetPassword"),
                ["WRONG_CODE at [code]"]
            );
        }
    }
}

#[tokio::test]
async fn a_weak_password_uses_nothing_up_and_guesses_do() {
    for world in World::each().await {
        world.user("ada").await;
        let (token, code) = asked(&world, "ada", "ada@example.org").await;
        let at = |code: &str| vec![format!("{code} at [newPassword]")];
        for (password, code) in [
            ("short", "WEAK_PASSWORD"),
            ("password123", "BREACHED_PASSWORD"),
            ("ada@example.org1", "WEAK_PASSWORD"),
            ("with\0nul-inside-it", "INVALID"),
        ] {
            assert_eq!(
                by_token(&world, &token, password).await.faults("resetPassword"),
                at(code),
                "{password}"
            );
        }
        assert_eq!(
            by_token(&world, &token, &"ü".repeat(37)).await.faults("resetPassword"),
            at("INVALID"),
            "74 bytes"
        );
        let wrong = if code == "000000" { "000001" } else { "000000" };
        let guesses = join_all((0..40).map(|_| by_code(&world, "ada", wrong))).await;
        let answered =
            guesses.iter().filter(|answer| answer.faults("resetPassword") == ["WRONG_CODE at [code]"]);
        assert_eq!(answered.count(), 5);
        assert_eq!(by_code(&world, "ada", &code).await.faults("resetPassword"), ["TOO_MANY_ATTEMPTS at []"]);
        assert_eq!(
            by_code(&world, "ada@example.org", &code).await.faults("resetPassword"),
            ["WRONG_CODE at [code]"],
            "another spelling of the account buys no tries"
        );
        let exactly = format!("tinte kanne wolke {}", "x".repeat(54));
        assert_eq!(exactly.len(), 72);
        assert_eq!(by_token(&world, &token, &exactly).await.faults("resetPassword"), [""; 0]);
        world.logged_in("ada", &exactly).await;
        for other in [format!("{exactly}x"), exactly[..71].to_owned(), format!("{}y", &exactly[..71])] {
            assert_eq!(world.login("ada", &other).await.faults("login"), ["WRONG_CREDENTIALS at []"]);
        }
    }
}

#[tokio::test]
async fn a_link_runs_out_and_dies_with_the_address_and_the_password() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let (token, code) = asked(&world, "ada", "ada@example.org").await;
        world.pass(Duration::from_mins(11));
        assert_eq!(by_code(&world, "ada", &code).await.faults("resetPassword"), ["EXPIRED at [code]"]);
        world.pass(Duration::from_mins(50));
        assert_eq!(by_token(&world, &token, NEW).await.faults("resetPassword"), ["EXPIRED at [token]"]);
        let ada = {
            drop(ada);
            world.logged_in("ada", PASSWORD).await
        };
        let (token, _) = asked(&world, "ada", "ada@example.org").await;
        assert_eq!(change(&ada, PASSWORD, NEW).await.faults("changePassword"), [""; 0]);
        assert_eq!(by_token(&world, &token, NEW).await.faults("resetPassword"), ["ALREADY_USED at [token]"]);
        let (token, _) = asked(&world, "ada", "ada@example.org").await;
        let document = "mutation ($password: String!) { changeEmail(input: { newEmail: \"ada@new.example\", \
            password: $password }) { errors { code } } }";
        ada.run_with(document, json!({ "password": NEW })).await.ok("");
        let mail = &world.mails_to("ada@new.example").await[0];
        world.verify_by_token(&token_and_code(mail).0).await.ok("");
        assert_eq!(
            by_token(&world, &token, PASSWORD).await.faults("resetPassword"),
            ["ALREADY_USED at [token]"]
        );
    }
}

#[tokio::test]
async fn an_account_whose_address_is_not_proved_gets_nothing() {
    for world in World::each().await {
        world.register("ada").await;
        forgot(&world.anonymous(), "ada").await;
        forgot(&world.anonymous(), "ada@example.org").await;
        let mails = world.mails_to("ada@example.org").await;
        assert_eq!(mails.len(), 1, "the verification alone");
        let (token, code) = token_and_code(&mails[0]);
        assert_eq!(by_token(&world, &token, NEW).await.faults("resetPassword"), ["WRONG_CODE at [token]"]);
        assert_eq!(by_code(&world, "ada", &code).await.faults("resetPassword"), ["WRONG_CODE at [code]"]);
    }
}

#[tokio::test]
async fn nobodys_mailbox_is_flooded_however_the_account_is_named() {
    for world in World::each().await {
        world.user("ada").await;
        for name in ["ada", "ada@example.org", "ADA", "Ada@Example.org"] {
            for _ in 0..4 {
                forgot(&world.anonymous(), name).await;
            }
        }
        let sent = |mails: Vec<denizen::domain::notifications::channel::Delivered>| {
            mails.iter().filter(|mail| mail.subject == "Set a new password").count()
        };
        assert_eq!(sent(world.mails_to("ada@example.org").await), 5);
        assert_eq!(
            forgot(&world.anonymous(), "ada").await.faults("forgotPassword"),
            ["TOO_MANY_ATTEMPTS at []"]
        );
        world.pass(Duration::from_secs(599));
        forgot(&world.anonymous(), "ada").await;
        assert_eq!(sent(world.mails_to("ada@example.org").await), 5);
        world.pass(Duration::from_secs(2));
        assert_eq!(forgot(&world.anonymous(), "ada").await.faults("forgotPassword"), [""; 0]);
        assert_eq!(sent(world.mails_to("ada@example.org").await), 6);
    }
}

#[tokio::test]
async fn a_change_needs_the_current_password_and_keeps_only_this_session() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let elsewhere = world.logged_in("ada", PASSWORD).await;
        assert_eq!(
            change(&ada, "not the password", NEW).await.faults("changePassword"),
            ["WRONG_CREDENTIALS at [currentPassword]"]
        );
        assert_eq!(
            change(&ada, PASSWORD, "ada").await.faults("changePassword"),
            ["WEAK_PASSWORD at [newPassword]"]
        );
        assert!(is_in(&elsewhere).await);
        assert_eq!(change(&ada, PASSWORD, NEW).await.faults("changePassword"), [""; 0]);
        assert!(is_in(&ada).await && !is_in(&elsewhere).await);
        assert_eq!(world.mails_to("ada@example.org").await[0].subject, "Your password was changed");
        world.logged_in("ada", NEW).await;
        assert_eq!(world.events_of("password.changed").await.len(), 1);
        let guesses = join_all((0..20).map(|_| change(&ada, "a wild guess", PASSWORD))).await;
        let wrong = ["WRONG_CREDENTIALS at [currentPassword]"];
        assert_eq!(guesses.iter().filter(|answer| answer.faults("changePassword") == wrong).count(), 9);
        assert_eq!(world.anonymous().run("mutation { changePassword(input: { currentPassword: \"x\", newPassword: \"y\" }) { errors { code } } }").await.codes(), ["FORBIDDEN"]);
    }
}

#[tokio::test]
async fn spellings_that_look_alike_are_different_passwords() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let (composed, decomposed) = ("tinte kanne \u{fc}ber wolke", "tinte kanne u\u{308}ber wolke");
        assert_eq!(change(&ada, PASSWORD, composed).await.faults("changePassword"), [""; 0]);
        world.logged_in("ada", composed).await;
        for other in [decomposed, " tinte kanne \u{fc}ber wolke", "Tinte kanne \u{fc}ber wolke"] {
            assert_eq!(world.login("ada", other).await.faults("login"), ["WRONG_CREDENTIALS at []"]);
        }
    }
}

#[tokio::test]
async fn the_shortest_length_and_the_notices_are_settings() {
    let flags = ["--password-min-length", "15", "--notices", "none"];
    let world = World::with(Backend::Sqlite, &flags).await;
    let ada = world.user("ada").await;
    assert_eq!(
        change(&ada, PASSWORD, "tinte kanne").await.faults("changePassword"),
        ["WEAK_PASSWORD at [newPassword]"]
    );
    assert_eq!(change(&ada, PASSWORD, NEW).await.faults("changePassword"), [""; 0]);
    let subjects: Vec<_> = world.mails().await.into_iter().map(|mail| mail.subject).collect();
    assert_eq!(subjects, ["Confirm your address"], "what carries a link is sent, and nothing else");
}

async fn post(world: &World, token: &str, password: &str) -> Answer {
    let form = Request::post("/reset").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let form = form.header(header::HOST, "evil.example");
    let body = format!("token={token}&password={}", password.replace(' ', "+"));
    world.anonymous().send(form.body(Body::from(body)).expect("a request")).await
}

#[tokio::test]
async fn the_hosted_page_sets_a_password_and_opening_it_uses_nothing_up() {
    for world in World::each().await {
        world.user("ada").await;
        let evil = world
            .anonymous()
            .with_header("host", "evil.example")
            .with_header("x-forwarded-host", "evil.example");
        forgot(&evil, "ada").await;
        let mail = &world.mails_to("ada@example.org").await[0];
        assert!(
            mail.text.contains("http://denizen.test/reset?token=") && !mail.text.contains("evil"),
            "{}",
            mail.text
        );
        let (token, _) = token_and_code(mail);
        for _ in 0..3 {
            let page = world.anonymous().get(&format!("/reset?token={token}")).await;
            assert_eq!(page.status, 200);
            assert!(page.text.contains(&token) && !page.text.contains("<script"));
            assert!(
                page.headers["content-security-policy"]
                    .to_str()
                    .expect("text")
                    .contains("default-src 'none'")
            );
            assert_eq!(page.headers["referrer-policy"], "no-referrer");
        }
        let weak = post(&world, &token, "password123").await;
        assert_eq!(weak.status, 422);
        assert!(weak.text.contains("tried first") && weak.text.contains(&token), "{}", weak.text);
        let done = post(&world, &token, NEW).await;
        assert_eq!(done.status, 200, "{}", done.text);
        world.logged_in("ada", NEW).await;
        let again = post(&world, &token, NEW).await;
        assert!(again.status == 422 && again.text.contains("used already"), "{}", again.text);
        let strange = world.anonymous().get("/reset?token=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E").await;
        assert!(!strange.text.contains("<script"), "{}", strange.text);
    }
}
