//! One-time codes: for one purpose, one person, one use, and so many tries.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Answer, Backend, Client, PASSWORD, World};

pub async fn request(client: &Client, input: Value) -> Answer {
    let document = "mutation ($input: RequestOtpInput!) { requestOtp(input: $input) {
        delivery { channel destination expiresAt retryAfterSeconds } errors { code message path } } }";
    client.run_with(document, json!({ "input": input })).await
}

pub async fn verify(client: &Client, input: Value) -> Answer {
    let document = "mutation ($input: VerifyOtpInput!) { verifyOtp(input: $input) { proof errors { code message path } } }";
    client.run_with(document, json!({ "input": input })).await
}

pub async fn log_in(client: &Client, identifier: &str, code: &str) -> Answer {
    let document = "mutation ($identifier: String!, $code: String!) {
        loginWithOtp(input: { identifier: $identifier, code: $code, device: \"a test\" }) {
          user { userName } session { device current } tokens { accessToken } errors { code message path } } }";
    client.run_with(document, json!({ "identifier": identifier, "code": code })).await
}

/// The newest code that was sent to this address or number.
pub async fn code_to(world: &World, to: &str) -> String {
    let mails = world.mails_to(to).await;
    let (_, rest) = mails.first().and_then(|mail| mail.text.split_once("code: ")).expect("a code");
    rest.chars().take(6).collect()
}

fn another(code: &str) -> &'static str {
    if code == "000000" { "000001" } else { "000000" }
}

#[tokio::test]
async fn codes_that_strangers_asked_for_use_up_no_try_of_the_owners() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let world = World::with(backend, &["--trusted-proxies", "203.0.113.0/24"]).await;
        let owner = world.anonymous();
        world.register("ada").await;
        let (_, code) = world.verification_of("ada@example.org").await;
        for number in 0..4 {
            let stranger = world.anonymous().with_header("x-forwarded-for", &format!("10.0.{number}.1"));
            let asked = json!({ "purpose": "VERIFY_EMAIL", "identifier": "ada@example.org" });
            request(&stranger, asked).await.ok("/requestOtp/delivery");
        }
        world.mails().await;
        let shown =
            |code: &str| json!({ "purpose": "VERIFY_EMAIL", "identifier": "ada@example.org", "code": code });
        for _ in 0..4 {
            let wrong = verify(&owner, shown(another(&code))).await;
            assert_eq!(wrong.faults("verifyOtp"), ["WRONG_CODE at [code]"]);
        }
        assert_eq!(verify(&owner, shown(&code)).await.faults("verifyOtp"), [""; 0], "the fifth try");
    }
}

#[tokio::test]
async fn a_code_logs_in_once() {
    for world in World::each().await {
        world.user("ada").await;
        let anonymous = world.anonymous();
        let asked = request(&anonymous, json!({ "purpose": "LOGIN", "identifier": "Ada@Example.org" })).await;
        assert_eq!(asked.ok("/requestOtp/delivery/destination"), "A•••@example.org");
        let code = code_to(&world, "ada@example.org").await;
        let entered = log_in(&anonymous, "ada@example.org", &format!(" {code} ")).await;
        assert_eq!(entered.ok("/loginWithOtp/user/userName"), "ada");
        let token = entered.ok("/loginWithOtp/tokens/accessToken");
        let ada = anonymous.with_token(token.as_str().expect("a token"));
        assert_eq!(ada.run("{ me { userName } }").await.ok("/me/userName"), "ada");
        assert_eq!(
            log_in(&anonymous, "ada@example.org", &code).await.faults("loginWithOtp"),
            ["WRONG_CODE at [code]"]
        );
        let again = log_in(&world.another_instance().await, "ada@example.org", &code).await;
        assert_eq!(again.faults("loginWithOtp"), ["WRONG_CODE at [code]"]);
        assert_eq!(world.events_of("otp.sent").await, [json!({ "purpose": "login", "channel": "mail" })]);
    }
}

#[tokio::test]
async fn of_two_logins_with_one_code_one_gets_in() {
    for world in World::each().await {
        world.user("ada").await;
        let anonymous = world.anonymous();
        request(&anonymous, json!({ "purpose": "LOGIN", "identifier": "ada" })).await;
        let code = code_to(&world, "ada@example.org").await;
        let answers = join_all((0..5).map(|_| log_in(&anonymous, "ada", &code))).await;
        let inside = answers.iter().filter(|answer| answer.faults("loginWithOtp").is_empty()).count();
        assert_eq!(inside, 1);
    }
}

#[tokio::test]
async fn a_code_is_good_for_one_purpose_one_person_and_ten_minutes() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        world.user("bob").await;
        let anonymous = world.anonymous();
        request(&anonymous, json!({ "purpose": "LOGIN", "identifier": "ada" })).await;
        let code = code_to(&world, "ada@example.org").await;
        assert_eq!(log_in(&anonymous, "bob", &code).await.faults("loginWithOtp"), ["WRONG_CODE at [code]"]);
        let input = json!({ "purpose": "STEP_UP", "code": code });
        assert_eq!(verify(&ada, input).await.faults("verifyOtp"), ["WRONG_CODE at [code]"]);
        for purpose in ["LOGIN", "PASSWORD_RESET"] {
            let input = json!({ "purpose": purpose, "identifier": "ada", "code": code });
            assert_eq!(verify(&anonymous, input).await.faults("verifyOtp"), ["INVALID at [purpose]"]);
        }
        let document = "mutation ($code: String!) { resetPassword(input: { identifier: \"ada\", code: $code, \
            newPassword: \"seven umbrellas in may\" }) { errors { code path } } }";
        let reset = anonymous.run_with(document, json!({ "code": code })).await;
        assert_eq!(reset.faults("resetPassword"), ["WRONG_CODE at [code]"]);
        world.pass(Duration::from_mins(10));
        assert_eq!(log_in(&anonymous, "ada", &code).await.faults("loginWithOtp"), ["EXPIRED at [code]"]);
        assert_eq!(
            log_in(&anonymous, "ada", another(&code)).await.faults("loginWithOtp"),
            ["WRONG_CODE at [code]"]
        );
    }
}

#[tokio::test]
async fn forty_guesses_at_once_are_five_and_nobody_is_like_somebody() {
    for world in World::each().await {
        world.user("ada").await;
        let anonymous = world.anonymous();
        for name in ["ada", "xxx"] {
            let input = json!({ "purpose": "LOGIN", "identifier": name });
            let asked = request(&anonymous, input).await;
            assert_eq!(asked.ok("/requestOtp/delivery/destination"), Value::Null);
            let code =
                if name == "ada" { code_to(&world, "ada@example.org").await } else { "123456".to_owned() };
            let guesses = join_all((0..40).map(|_| log_in(&anonymous, name, another(&code)))).await;
            let wrong = ["WRONG_CODE at [code]"];
            let answered = guesses.iter().filter(|answer| answer.faults("loginWithOtp") == wrong);
            assert_eq!(answered.count(), 5, "{name}");
            assert_eq!(
                log_in(&anonymous, name, &code).await.faults("loginWithOtp"),
                ["TOO_MANY_ATTEMPTS at []"],
                "{name}"
            );
        }
        // A new code brings new tries.
        request(&anonymous, json!({ "purpose": "LOGIN", "identifier": "ada" })).await;
        let code = code_to(&world, "ada@example.org").await;
        assert_eq!(log_in(&anonymous, "ada", &code).await.faults("loginWithOtp"), [""; 0]);
    }
}

#[tokio::test]
async fn what_is_asked_for_costs_the_same_for_everybody() {
    for world in World::each().await {
        world.user("ada").await;
        world.register("uma").await;
        world.mails().await;
        for purpose in ["LOGIN", "PASSWORD_RESET"] {
            let mut said = Vec::new();
            for name in ["ada", "uma", "xxx"] {
                let input = json!({ "purpose": purpose, "identifier": name });
                let (answer, statements) = world.statements(request(&world.anonymous(), input)).await;
                assert_eq!(answer.faults("requestOtp"), [""; 0]);
                said.push((answer.text, statements));
            }
            assert!(said.iter().all(|answer| *answer == said[0]), "{said:?}");
        }
        let to_uma = world.mails_to("uma@example.org").await;
        assert_eq!(to_uma.len(), 1, "nothing but the verification goes to who is not verified");
    }
}

#[tokio::test]
async fn a_step_up_gives_a_proof_that_works_once_and_moves_the_sign_in() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        // Longer than a sign-in stays fresh.
        let world = World::with(backend, &["--access-token-ttl", "1h"]).await;
        let ada = world.user("ada").await;
        let export = "mutation ($proof: String) { exportMyData(input: { proof: $proof }) { data errors { code path } } }";
        let with = |proof: Value| json!({ "proof": proof });
        assert_eq!(ada.run_with(export, with(Value::Null)).await.faults("exportMyData"), [""; 0]);
        world.pass(Duration::from_mins(14));
        request(&ada, json!({ "purpose": "STEP_UP" })).await;
        let code = code_to(&world, "ada@example.org").await;
        world.pass(Duration::from_secs(61));
        let late = ada.run_with(export, with(Value::Null)).await;
        assert_eq!(late.faults("exportMyData"), ["REQUIRED at [proof]"]);
        let id = ada.run("{ me { id } }").await.ok("/me/id");
        let document =
            "mutation ($id: ID!) { deleteUser(input: { userId: $id }) { deletedId errors { code path } } }";
        let refused = ada.run_with(document, json!({ "id": id })).await;
        assert_eq!(refused.faults("deleteUser"), ["REQUIRED at [proof]"]);
        let input = json!({ "purpose": "STEP_UP", "code": code });
        assert_eq!(verify(&world.anonymous(), input.clone()).await.codes(), ["FORBIDDEN"]);
        let proof = verify(&ada, input).await.ok("/verifyOtp/proof");
        assert!(proof.is_string(), "{proof}");
        assert_eq!(ada.run_with(export, with(Value::Null)).await.faults("exportMyData"), [""; 0]);
        let document = "mutation ($proof: String) { changeEmail(input: { newEmail: \"ada@new.example\", proof: $proof }) { errors { code path } } }";
        let other = world.user("bob").await;
        let stolen = other.run_with(document, with(proof.clone())).await;
        assert_eq!(stolen.faults("changeEmail"), ["WRONG_CODE at [proof]"]);
        let answers = join_all((0..5).map(|_| ada.run_with(document, with(proof.clone())))).await;
        assert_eq!(answers.iter().filter(|answer| answer.faults("changeEmail").is_empty()).count(), 1);
        assert_eq!(world.mails_to("ada@new.example").await.len(), 1);
    }
}

#[tokio::test]
async fn the_code_of_a_new_address_proves_it() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let document = "mutation ($password: String!) { changeEmail(input: { newEmail: \"Ada@new.example\", password: $password }) { errors { code } } }";
        ada.run_with(document, json!({ "password": PASSWORD })).await.ok("");
        let code = code_to(&world, "Ada@new.example").await;
        let shown =
            |code: &str| json!({ "purpose": "VERIFY_EMAIL", "identifier": "ada@NEW.example", "code": code });
        assert_eq!(verify(&ada, shown(another(&code))).await.faults("verifyOtp"), ["WRONG_CODE at [code]"]);
        assert_eq!(verify(&ada, shown(&code)).await.faults("verifyOtp"), [""; 0]);
        assert_eq!(ada.run("{ me { email } }").await.ok("/me/email"), "Ada@new.example");
        world.register("eva").await;
        world.mails().await;
        world.pass(Duration::from_secs(1));
        let input = json!({ "purpose": "VERIFY_EMAIL", "identifier": "eva@example.org" });
        assert_eq!(request(&world.anonymous(), input).await.faults("requestOtp"), [""; 0]);
        let code = code_to(&world, "eva@example.org").await;
        let input = json!({ "purpose": "VERIFY_EMAIL", "identifier": "eva@example.org", "code": code });
        assert_eq!(verify(&world.anonymous(), input).await.faults("verifyOtp"), [""; 0]);
        let found = world.superadmin().await.run("{ user(by: { userName: \"eva\" }) { status } }").await;
        assert_eq!(found.ok("/user/status"), "ACTIVE");
    }
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused() {
    let world =
        World::with(Backend::Sqlite, &["--mode", "production", "--smtp-url", "smtp://127.0.0.1:1"]).await;
    for identifier in ["+49301234567", "ada"] {
        let input = json!({ "purpose": "LOGIN", "identifier": identifier, "channel": "SMS" });
        let refused = request(&world.anonymous(), input).await;
        assert_eq!(refused.faults("requestOtp"), ["UNSUPPORTED at [channel]"]);
    }
    let missing = request(&world.anonymous(), json!({ "purpose": "LOGIN" })).await;
    assert_eq!(missing.faults("requestOtp"), ["REQUIRED at [identifier]"]);
    let nul = request(&world.anonymous(), json!({ "purpose": "LOGIN", "identifier": "a\0b" })).await;
    assert_eq!(nul.faults("requestOtp"), ["INVALID at [identifier]"]);
    assert_eq!(request(&world.anonymous(), json!({ "purpose": "STEP_UP" })).await.codes(), ["FORBIDDEN"]);
    for code in ["\0", &"9".repeat(100_000)] {
        let answer = log_in(&world.anonymous(), "\0", code).await;
        assert_eq!(answer.faults("loginWithOtp"), ["WRONG_CODE at [code]"]);
    }
}
