//! The second step of a login.

use std::time::Duration;

use denizen::{
    domain::events::log::{self, EventType, NewEvent},
    ids::Kind,
};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{App, disable, passkeys::register, password, status, with_app};
use crate::support::{Answer, Authenticator, Backend, Client, PASSWORD, World};

const LOGIN: &str = "mutation ($input: LoginInput!) { login(input: $input) {
    user { id } session { id } tokens { accessToken } deviceToken
    challenge { id methods expiresAt passkeyOptions } errors { code message path } } }";

pub async fn challenge(world: &World, name: &str) -> Value {
    let input = json!({ "identifier": name, "password": PASSWORD, "device": "a phone" });
    let payload = world.anonymous().run_with(LOGIN, json!({ "input": input })).await.ok("/login");
    assert!(payload["tokens"].is_null() && payload["session"].is_null() && payload["user"].is_null());
    assert!(payload["deviceToken"].is_null());
    assert!(payload["challenge"]["id"].is_string(), "{payload}");
    payload["challenge"].clone()
}

async fn complete(client: &Client, challenge: &Value, method: &str, answer: Value) -> Answer {
    let document = "mutation ($input: CompleteLoginInput!) { completeLogin(input: $input) {
        user { userName } session { device } tokens { accessToken } challenge { id }
        errors { code message path retryAfterSeconds } } }";
    let mut input = json!({ "challengeId": challenge["id"], "method": method });
    let field = if method == "PASSKEY" { "passkey" } else { "code" };
    if !answer.is_null() {
        input[field] = answer;
    }
    client.run_with(document, json!({ "input": input })).await
}

async fn send(world: &World, challenge: &Value, method: &str) -> Answer {
    let document = "mutation ($input: SendChallengeCodeInput!) { sendChallengeCode(input: $input) {
        delivery { channel destination expiresAt } errors { code message path retryAfterSeconds } } }";
    let input = json!({ "challengeId": challenge["id"], "method": method });
    world.anonymous().run_with(document, json!({ "input": input })).await
}

/// The code of the newest mail that carries one for a login.
async fn mailed(world: &World, address: &str) -> String {
    let mails = world.mails_to(address).await;
    let mail = mails.iter().find(|mail| mail.subject == "Your code to finish your login").expect("a code");
    let (_, rest) = mail.text.split_once("code: ").expect("a code in the mail");
    rest.chars().take(6).collect()
}

fn other_than(code: &str) -> &'static str {
    if code == "000000" { "000001" } else { "000000" }
}

/// Somebody with an app, long enough ago that its code may be shown again.
async fn ada(world: &World) -> (Client, App, Vec<String>) {
    let client = world.user("ada").await;
    let (app, codes) = with_app(world, &client).await;
    world.pass(Duration::from_mins(1));
    (client, app, codes)
}

#[tokio::test]
async fn a_login_waits_for_the_second_factor_and_a_code_of_the_app_completes_it_once() {
    for world in World::each().await {
        let (_, app, _) = ada(&world).await;
        let waiting = challenge(&world, "ada").await;
        assert_eq!(waiting["methods"], json!(["TOTP", "RECOVERY_CODE", "EMAIL_CODE"]));
        assert_eq!(waiting["expiresAt"], "2026-01-01T00:06:00.000Z");
        assert_eq!(waiting["passkeyOptions"], Value::Null);
        let code = app.code(&world, 0);
        let completed = complete(&world.anonymous(), &waiting, "TOTP", json!(code)).await;
        let payload = completed.ok("/completeLogin");
        assert_eq!(payload["user"]["userName"], "ada");
        assert_eq!(payload["session"]["device"], "a phone", "what was said at the first step is kept");
        let token = payload["tokens"]["accessToken"].as_str().expect("a token");
        let me = world.anonymous().with_token(token).run("{ me { userName } }").await;
        assert_eq!(me.ok("/me/userName"), "ada");

        let again = complete(&world.anonymous(), &waiting, "TOTP", json!(app.code(&world, 1))).await;
        assert_eq!(again.faults("completeLogin"), ["ALREADY_USED at [challengeId]"]);
        let another = challenge(&world, "ada").await;
        let replayed = complete(&world.anonymous(), &another, "TOTP", json!(code)).await;
        assert_eq!(replayed.faults("completeLogin"), ["WRONG_CODE at [code]"], "a code works once");
        let next = complete(&world.anonymous(), &another, "TOTP", json!(app.code(&world, 1))).await;
        assert_eq!(next.faults("completeLogin"), [""; 0], "the next one works");
    }
}

#[tokio::test]
async fn parallel_answers_open_one_session() {
    for world in World::each().await {
        let (_, app, codes) = ada(&world).await;
        let (one, two) = (challenge(&world, "ada").await, challenge(&world, "ada").await);
        let code = json!(app.code(&world, 0));
        let client = world.anonymous();
        let tries =
            [&one, &two, &one, &two].map(|challenge| complete(&client, challenge, "TOTP", code.clone()));
        let opened =
            join_all(tries).await.iter().filter(|done| done.faults("completeLogin").is_empty()).count();
        assert_eq!(opened, 1, "one code, two challenges");
        let (one, two) = (challenge(&world, "ada").await, challenge(&world, "ada").await);
        let code = json!(codes[0]);
        let tries = [&one, &two, &one, &two]
            .map(|challenge| complete(&client, challenge, "RECOVERY_CODE", code.clone()));
        let opened =
            join_all(tries).await.iter().filter(|done| done.faults("completeLogin").is_empty()).count();
        assert_eq!(opened, 1, "one recovery code, two challenges");
    }
}

#[tokio::test]
async fn a_challenge_takes_five_tries_however_they_come() {
    for world in World::each().await {
        let (_, app, _) = ada(&world).await;
        let waiting = challenge(&world, "ada").await;
        let wrong = app.wrong(&world);
        let client = world.anonymous();
        let tries = join_all((0..20).map(|_| complete(&client, &waiting, "TOTP", json!(wrong)))).await;
        let judged =
            tries.iter().filter(|done| done.faults("completeLogin") == ["WRONG_CODE at [code]"]).count();
        assert_eq!(judged, 5);
        let right = complete(&client, &waiting, "TOTP", json!(app.code(&world, 0))).await;
        assert_eq!(right.faults("completeLogin"), ["TOO_MANY_ATTEMPTS at [challengeId]"]);
        let another = challenge(&world, "ada").await;
        for _ in 0..5 {
            complete(&client, &another, "TOTP", json!(wrong)).await;
        }
        let third = challenge(&world, "ada").await;
        let right = complete(&client, &third, "TOTP", json!(app.code(&world, 0))).await;
        assert_eq!(
            right.faults("completeLogin"),
            ["TOO_MANY_ATTEMPTS at []"],
            "new challenges bring no new tries without end"
        );
        assert_eq!(world.events_of("session.refused").await.len(), 10);
        world.pass(Duration::from_mins(4));
        let right = complete(&client, &third, "TOTP", json!(app.code(&world, 0))).await;
        assert_eq!(right.faults("completeLogin"), [""; 0]);
    }
}

#[tokio::test]
async fn a_recovery_code_stands_in_once_in_any_spelling() {
    for world in World::each().await {
        let (client, _, codes) = ada(&world).await;
        let spelled = format!(" {} ", codes[3].to_uppercase().replace('-', " "));
        let waiting = challenge(&world, "ada").await;
        let done = complete(&world.anonymous(), &waiting, "RECOVERY_CODE", json!(spelled)).await;
        assert_eq!(done.faults("completeLogin"), [""; 0]);
        assert_eq!(status(&client).await["recoveryCodesLeft"], 9);
        let waiting = challenge(&world, "ada").await;
        let again = complete(&world.anonymous(), &waiting, "RECOVERY_CODE", json!(codes[3])).await;
        assert_eq!(again.faults("completeLogin"), ["WRONG_CODE at [code]"]);

        let bert = world.user("bert").await;
        let (_, berts) = with_app(&world, &bert).await;
        let theirs = complete(&world.anonymous(), &waiting, "RECOVERY_CODE", json!(berts[0])).await;
        assert_eq!(theirs.faults("completeLogin"), ["WRONG_CODE at [code]"], "somebody else's opens nothing");
    }
}

#[tokio::test]
async fn a_mailed_code_is_for_one_challenge_and_for_one_use() {
    for world in World::each().await {
        let (_, _, _) = ada(&world).await;
        let (one, two) = (challenge(&world, "ada").await, challenge(&world, "ada").await);
        let unsent = complete(&world.anonymous(), &one, "EMAIL_CODE", json!("000000")).await;
        assert_eq!(unsent.faults("completeLogin"), ["WRONG_CODE at [code]"]);
        let delivery = send(&world, &one, "EMAIL_CODE").await.ok("/sendChallengeCode/delivery");
        assert_eq!(delivery["destination"], "a•••@example.org");
        assert_eq!(delivery["expiresAt"], one["expiresAt"], "no code outlives its challenge");
        let code = mailed(&world, "ada@example.org").await;
        for (challenge, method) in [(&two, "EMAIL_CODE"), (&one, "TOTP"), (&one, "RECOVERY_CODE")] {
            let done = complete(&world.anonymous(), challenge, method, json!(code)).await;
            assert_eq!(done.faults("completeLogin"), ["WRONG_CODE at [code]"], "{method}");
        }
        let wrong = complete(&world.anonymous(), &one, "EMAIL_CODE", json!(other_than(&code))).await;
        assert_eq!(wrong.faults("completeLogin"), ["WRONG_CODE at [code]"]);
        let done = complete(&world.anonymous(), &one, "EMAIL_CODE", json!(code)).await;
        assert_eq!(done.faults("completeLogin"), [""; 0]);
        let told = json!({ "purpose": "second_factor", "method": "EMAIL_CODE" });
        assert_eq!(world.events_of("otp.sent").await, [told]);
        assert_eq!(
            send(&world, &one, "EMAIL_CODE").await.faults("sendChallengeCode"),
            ["ALREADY_USED at [challengeId]"]
        );
        for method in ["TOTP", "SMS_CODE", "PASSKEY"] {
            assert_eq!(
                send(&world, &two, method).await.faults("sendChallengeCode"),
                ["NOT_ALLOWED at [method]"]
            );
        }
        let sent = join_all((0..10).map(|_| send(&world, &two, "EMAIL_CODE"))).await;
        let sent = sent.iter().filter(|answer| answer.faults("sendChallengeCode").is_empty()).count();
        assert_eq!(sent, 4, "five mails at once reach one mailbox, however many are asked for");
    }
}

#[tokio::test]
async fn a_challenge_dies_with_its_time_the_account_and_the_factor() {
    for world in World::each().await {
        let (client, app, _) = ada(&world).await;
        let waiting = challenge(&world, "ada").await;
        world.pass(Duration::from_mins(5));
        let late = complete(&world.anonymous(), &waiting, "TOTP", json!(app.code(&world, 0))).await;
        assert_eq!(late.faults("completeLogin"), ["EXPIRED at [challengeId]"]);

        let waiting = challenge(&world, "ada").await;
        let admin = world.superadmin().await;
        let id = client.run("{ me { id } }").await.ok("/me/id");
        let document =
            "mutation ($ids: [ID!]!) { deactivateUsers(input: { userIds: $ids }) { errors { code } } }";
        admin.run_with(document, json!({ "ids": [id] })).await.ok("/deactivateUsers");
        let dead = complete(&world.anonymous(), &waiting, "TOTP", json!(app.code(&world, 0))).await;
        assert_eq!(dead.faults("completeLogin"), ["ALREADY_USED at [challengeId]"]);

        let bert = world.user("bert").await;
        let (app, _) = with_app(&world, &bert).await;
        world.pass(Duration::from_mins(1));
        let waiting = challenge(&world, "bert").await;
        assert_eq!(disable(&bert, password()).await.faults("disableTotp"), [""; 0]);
        let dead = complete(&world.anonymous(), &waiting, "TOTP", json!(app.code(&world, 0))).await;
        assert_eq!(dead.faults("completeLogin"), ["ALREADY_USED at [challengeId]"]);
        world.logged_in("bert", PASSWORD).await;
    }
}

#[tokio::test]
async fn a_password_that_the_mailbox_set_is_not_completed_by_the_mailbox() {
    for world in World::each().await {
        let (client, _, _) = ada(&world).await;
        let id = world.user_id(&client).await;
        let record = async |kind| {
            let txn = world.app.db.begin().await.expect("a transaction");
            log::record(&txn, &world.system(), NewEvent::of(kind).on(Kind::User, id))
                .await
                .expect("an event");
            txn.commit().await.expect("a commit");
            world.pass(Duration::from_millis(1));
        };
        record(EventType::PasswordReset).await;
        let waiting = challenge(&world, "ada").await;
        assert_eq!(waiting["methods"], json!(["TOTP", "RECOVERY_CODE"]));
        assert_eq!(
            send(&world, &waiting, "EMAIL_CODE").await.faults("sendChallengeCode"),
            ["NOT_ALLOWED at [method]"]
        );
        let done = complete(&world.anonymous(), &waiting, "EMAIL_CODE", json!("000000")).await;
        assert_eq!(done.faults("completeLogin"), ["NOT_ALLOWED at [method]"]);
        record(EventType::PasswordChanged).await;
        let waiting = challenge(&world, "ada").await;
        assert_eq!(waiting["methods"], json!(["TOTP", "RECOVERY_CODE", "EMAIL_CODE"]));
    }
}

#[tokio::test]
async fn a_passkey_completes_a_login_and_another_persons_does_not() {
    for world in World::each().await {
        let (client, _, _) = ada(&world).await;
        let mut key = Authenticator::new("ada's key");
        register(&client, &mut key).await;
        let mut other = Authenticator::new("bert's key");
        register(&world.user("bert").await, &mut other).await;
        let waiting = challenge(&world, "ada").await;
        assert_eq!(waiting["methods"], json!(["TOTP", "PASSKEY", "RECOVERY_CODE", "EMAIL_CODE"]));
        let options = &waiting["passkeyOptions"];
        let anonymous = world.anonymous();
        let faults = async |answer: Value| {
            complete(&anonymous, &waiting, "PASSKEY", answer).await.faults("completeLogin")
        };
        assert_eq!(faults(Value::Null).await, ["REQUIRED at [passkey]"]);
        assert_eq!(faults(json!({})).await, ["INVALID at [passkey]"]);
        assert_eq!(faults(other.get(options)).await, ["WRONG_CODE at [passkey]"]);
        let another = challenge(&world, "ada").await;
        assert_eq!(faults(key.get(&another["passkeyOptions"])).await, ["WRONG_CODE at [passkey]"]);
        assert_eq!(faults(key.get(options)).await, [""; 0]);
        let without = complete(&anonymous, &another, "TOTP", Value::Null).await;
        assert_eq!(without.faults("completeLogin"), ["REQUIRED at [code]"]);
    }
}

#[tokio::test]
async fn a_text_message_completes_a_login_where_the_number_is_proved() {
    for world in World::each().await {
        let (client, _, _) = ada(&world).await;
        let id = world.user_id(&client).await;
        prove_number(&world, id, "+4915112345678").await;
        let waiting = challenge(&world, "ada").await;
        assert_eq!(waiting["methods"], json!(["TOTP", "RECOVERY_CODE", "EMAIL_CODE", "SMS_CODE"]));
        let delivery = send(&world, &waiting, "SMS_CODE").await.ok("/sendChallengeCode/delivery");
        assert_eq!(delivery["channel"], "SMS");
        let code = mailed(&world, "+4915112345678").await;
        let done = complete(&world.anonymous(), &waiting, "EMAIL_CODE", json!(code)).await;
        assert_eq!(done.faults("completeLogin"), ["WRONG_CODE at [code]"], "it came another way");
        let done = complete(&world.anonymous(), &waiting, "SMS_CODE", json!(code)).await;
        assert_eq!(done.faults("completeLogin"), [""; 0]);
    }
}

async fn prove_number(world: &World, id: uuid::Uuid, number: &str) {
    use entity::user;
    use sea_orm::{ActiveModelTrait as _, Set};
    let txn = world.app.db.begin().await.expect("a transaction");
    let row = user::ActiveModel {
        id: Set(id),
        phone: Set(Some(number.to_owned())),
        phone_key: Set(Some(number.to_owned())),
        phone_verified_at: Set(Some(world.system().now())),
        phone_proved_at: Set(Some(world.system().now())),
        ..Default::default()
    };
    row.update(&*txn).await.expect("a number");
    txn.commit().await.expect("a commit");
}

#[tokio::test]
async fn hostile_answers_are_faults() {
    for world in World::each().await {
        ada(&world).await;
        let waiting = challenge(&world, "ada").await;
        let long = "9".repeat(100_000);
        for (method, code) in
            [("TOTP", "\0\0\0\0\0\0"), ("RECOVERY_CODE", long.as_str()), ("EMAIL_CODE", "１２３４５６")]
        {
            let done = complete(&world.anonymous(), &waiting, method, json!(code)).await;
            assert_eq!(done.faults("completeLogin"), ["WRONG_CODE at [code]"], "{method}");
        }
        for id in
            ["", "challenge_", "user_01h455vb4pex5vsknk084sn02q", "challenge_01h455vb4pex5vsknk084sn02q"]
        {
            let done = complete(&world.anonymous(), &json!({ "id": id }), "TOTP", json!("000000")).await;
            assert_eq!(done.faults("completeLogin"), ["NOT_FOUND at [challengeId]"]);
        }
    }
}

#[tokio::test]
async fn another_instance_completes_what_this_one_asked() {
    let world = World::on(Backend::Postgres).await;
    let (_, app, _) = ada(&world).await;
    let waiting = challenge(&world, "ada").await;
    let elsewhere = world.another_instance().await;
    let done = complete(&elsewhere, &waiting, "TOTP", json!(app.code(&world, 0))).await;
    assert_eq!(done.faults("completeLogin"), [""; 0]);
}
