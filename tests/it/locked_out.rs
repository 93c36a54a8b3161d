//! Guessing has an end, and whoever guesses at others locks nobody out.

use std::time::Duration;

use entity::{CodePurpose, failure};
use sea_orm::{ActiveModelTrait as _, Set};
use serde_json::{Value, json};

use crate::{
    factors::with_app,
    otp,
    support::{Answer, Client, PASSWORD, World, token_and_code},
};

const LOGIN: &str = "mutation ($input: LoginInput!) { login(input: $input) {
    deviceToken tokens { accessToken } challenge { id } errors { code path } } }";

async fn login(client: &Client, name: &str, password: &str, device: Option<&str>) -> Answer {
    let input = json!({ "identifier": name, "password": password, "deviceToken": device });
    client.run_with(LOGIN, json!({ "input": input })).await
}

async fn with_code(client: &Client, name: &str, code: &str) -> Answer {
    let document = "mutation ($name: String!, $code: String!) {
        loginWithOtp(input: { identifier: $name, code: $code }) { tokens { accessToken } errors { code path } } }";
    client.run_with(document, json!({ "name": name, "code": code })).await
}

async fn complete(client: &Client, challenge: &Value, method: &str, code: &str) -> Answer {
    let document = "mutation ($input: CompleteLoginInput!) { completeLogin(input: $input) {
        tokens { accessToken } errors { code path } } }";
    let input = json!({ "challengeId": challenge, "method": method, "code": code });
    client.run_with(document, json!({ "input": input })).await
}

fn wrong(code: &str) -> &'static str {
    if code == "000000" { "000001" } else { "000000" }
}

/// As if so many wrong codes had been shown, which takes hours.
async fn worn_out(world: &World, client: &Client, purpose: CodePurpose) {
    let user_id = Set(world.user_id(client).await);
    let txn = world.app.db.begin().await.expect("a transaction");
    let row = failure::ActiveModel { user_id, purpose: Set(purpose), count: Set(89) };
    row.insert(&*txn).await.expect("a row");
    txn.commit().await.expect("a commit");
}

/// Asks for the mail, takes its link, and sets the password.
async fn reset(world: &World, client: &Client, password: &str) {
    let asked = "mutation { forgotPassword(input: { identifier: \"ada\" }) { errors { code } } }";
    assert_eq!(client.run(asked).await.faults("forgotPassword"), [""; 0]);
    let mails = world.mails_to("ada@example.org").await;
    let mail = mails.iter().find(|mail| mail.subject == "Set a new password").expect("a mail");
    let document = "mutation ($token: String!, $password: String!) {
        resetPassword(input: { token: $token, newPassword: $password }) { errors { code path } } }";
    let variables = json!({ "token": token_and_code(mail).0, "password": password });
    assert_eq!(client.run_with(document, variables).await.faults("resetPassword"), [""; 0]);
}

#[tokio::test]
async fn who_knows_only_the_name_does_not_close_the_way_to_a_new_password() {
    for world in World::each().await {
        world.user("ada").await;
        let (stranger, owner) = (world.anonymous(), world.another_instance().await);
        for number in 0..11 {
            login(&stranger, "ada", &format!("guess {number}"), None).await;
        }
        for _ in 0..6 {
            otp::request(&stranger, json!({ "purpose": "LOGIN", "identifier": "ada" })).await;
        }
        let code = otp::code_to(&world, "ada@example.org").await;
        for _ in 0..6 {
            with_code(&stranger, "ada", wrong(&code)).await;
        }
        let refused = login(&owner, "ada", PASSWORD, None).await;
        assert_eq!(refused.faults("login"), ["TOO_MANY_ATTEMPTS at []"]);
        reset(&world, &owner, "seven umbrellas in may").await;
        let inside = login(&owner, "ada", "seven umbrellas in may", None).await;
        assert!(inside.ok("/login/tokens").is_object(), "at once: {}", inside.text);
    }
}

#[tokio::test]
async fn wrong_codes_in_a_row_have_an_end_and_the_link_stays_the_way_out() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let client = world.anonymous();
        let fresh = async || {
            world.pass(Duration::from_mins(10));
            otp::request(&client, json!({ "purpose": "LOGIN", "identifier": "ada" })).await;
            otp::code_to(&world, "ada@example.org").await
        };
        worn_out(&world, &ada, CodePurpose::Login).await;
        let code = fresh().await;
        assert_eq!(with_code(&client, "ada", &code).await.faults("loginWithOtp"), [""; 0], "not yet");
        worn_out(&world, &world.logged_in("ada", PASSWORD).await, CodePurpose::PasswordReset).await;
        let code = fresh().await;
        assert_eq!(with_code(&client, "ada", &code).await.faults("loginWithOtp"), [""; 0], "its own count");

        let ada = world.logged_in("ada", PASSWORD).await;
        worn_out(&world, &ada, CodePurpose::Login).await;
        let code = fresh().await;
        let guessed = with_code(&client, "ada", wrong(&code)).await;
        assert_eq!(guessed.faults("loginWithOtp"), ["WRONG_CODE at [code]"]);
        let right = with_code(&client, "ada", &code).await;
        assert_eq!((right.text, right.status), (guessed.text, guessed.status), "nobody learns of it");
        let code = fresh().await;
        let right = with_code(&client, "ada", &code).await;
        assert_eq!(right.faults("loginWithOtp"), ["WRONG_CODE at [code]"], "a new code brings nothing back");
        reset(&world, &client, "seven umbrellas in may").await;
        let code = fresh().await;
        assert_eq!(with_code(&client, "ada", &code).await.faults("loginWithOtp"), [""; 0]);
    }
}

#[tokio::test]
async fn who_holds_only_the_password_does_not_lock_out_the_owner() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let device = login(&world.anonymous(), "ada", PASSWORD, None).await.ok("/login/deviceToken");
        let (app, codes) = with_app(&world, &ada).await;
        world.pass(Duration::from_mins(1));
        let client = world.anonymous();
        let challenge = async |device: Option<&str>| {
            login(&client, "ada", PASSWORD, device).await.ok("/login/challenge/id")
        };
        for _ in 0..2 {
            let challenge = challenge(None).await;
            for _ in 0..5 {
                let done = complete(&client, &challenge, "TOTP", &app.wrong(&world)).await;
                assert_eq!(done.faults("completeLogin"), ["WRONG_CODE at [code]"]);
            }
        }
        let stranger = complete(&client, &challenge(None).await, "TOTP", &app.code(&world, 0)).await;
        assert_eq!(stranger.faults("completeLogin"), ["TOO_MANY_ATTEMPTS at []"]);
        let recovered = complete(&client, &challenge(None).await, "RECOVERY_CODE", &codes[0]).await;
        assert_eq!(recovered.faults("completeLogin"), [""; 0], "nobody guesses a recovery code");
        let shown = otp::verify(&ada, json!({ "purpose": "STEP_UP", "code": app.code(&world, 0) })).await;
        assert_eq!(shown.faults("verifyOtp"), [""; 0], "a session that is open goes on");
        let known = challenge(device.as_str()).await;
        let owner = complete(&client, &known, "TOTP", &app.code(&world, 1)).await;
        assert_eq!(owner.faults("completeLogin"), [""; 0], "and so does a known device");

        let token = owner.ok("/completeLogin/tokens/accessToken");
        let ada = client.with_token(token.as_str().expect("a token"));
        worn_out(&world, &ada, CodePurpose::Mfa).await;
        world.pass(Duration::from_hours(1));
        let (one, two) = (challenge(None).await, challenge(device.as_str()).await);
        complete(&client, &one, "TOTP", &app.wrong(&world)).await;
        let right = complete(&client, &one, "TOTP", &app.code(&world, 0)).await;
        assert_eq!(
            right.faults("completeLogin"),
            ["WRONG_CODE at [code]"],
            "wrong ones in a row have an end"
        );
        let owner = complete(&client, &two, "TOTP", &app.code(&world, 0)).await;
        assert_eq!(owner.faults("completeLogin"), [""; 0], "not on a known device, and it ends the count");
        let again = complete(&client, &one, "TOTP", &app.code(&world, 1)).await;
        assert_eq!(again.faults("completeLogin"), [""; 0]);
    }
}

#[tokio::test]
async fn right_and_wrong_are_counted_alike_for_who_is_not_verified() {
    for world in World::each().await {
        world.register("uma").await;
        for _ in 0..10 {
            let answer = login(&world.anonymous(), "uma", PASSWORD, None).await;
            assert_eq!(answer.faults("login"), ["WRONG_CREDENTIALS at []"]);
        }
        let answer = login(&world.anonymous(), "uma", PASSWORD, None).await;
        assert_eq!(answer.faults("login"), ["TOO_MANY_ATTEMPTS at []"]);
    }
}

#[tokio::test]
async fn a_known_device_gets_in_behind_a_full_source() {
    for world in World::each().await {
        world.user("ada").await;
        let client = world.anonymous();
        let device = login(&client, "ada", PASSWORD, None).await.ok("/login/deviceToken");
        for number in 0..100 {
            login(&client, &format!("name {number}"), "a guess", None).await;
        }
        assert_eq!(login(&client, "ada", PASSWORD, None).await.codes(), ["RATE_LIMITED"]);
        assert!(login(&client, "ada", PASSWORD, device.as_str()).await.ok("/login/tokens").is_object());
    }
}

#[tokio::test]
async fn an_address_that_is_also_a_name_is_guessed_at_in_all_spellings_together() {
    for world in World::each().await {
        let client = world.anonymous();
        let spellings = ["a@ss-ss.example", "a@ß-ss.example", "a@ss-ß.example", "a@ß-ß.example"];
        let mut looked_at = 0;
        for number in 0..40 {
            let answer = login(&client, spellings[number % 4], "a guess", None).await;
            looked_at += usize::from(answer.faults("login") == ["WRONG_CREDENTIALS at []"]);
        }
        assert_eq!(looked_at, 10);
    }
}
