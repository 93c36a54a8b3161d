//! Authenticator apps and recovery codes: putting them in force and taking them away.

use std::time::Duration;

use entity::{challenge, passkey, recovery_code, totp_secret};
use futures_util::future::join_all;
use sea_orm::{ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _};
use serde_json::{Value, json};

use super::{App, confirm, disable, enroll, notice, password, status, with_app};
use crate::support::{Authenticator, Backend, PASSWORD, World};

async fn regenerate(client: &crate::support::Client, input: Value) -> crate::support::Answer {
    let document =
        "mutation ($input: RegenerateRecoveryCodesInput!) { regenerateRecoveryCodes(input: $input) {
        recoveryCodes errors { code message path } } }";
    client.run_with(document, json!({ "input": input })).await
}

#[tokio::test]
async fn an_app_is_in_force_once_a_code_of_it_was_seen_and_the_owner_is_told() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let off = json!({ "enabled": false, "methods": [], "recoveryCodesLeft": 0 });
        assert_eq!(status(&ada).await, off);
        let enrolled = enroll(&ada, json!({ "label": "work: ada" })).await.ok("/enrollTotp");
        let secret = enrolled["secret"].as_str().expect("a secret");
        assert_eq!(
            enrolled["uri"],
            format!(
                "otpauth://totp/denizen.test:work%3A%20ada?secret={secret}&issuer=denizen.test&algorithm=SHA1&digits=6\
                 &period=30"
            )
        );
        assert!(enrolled["qrSvg"].as_str().is_some_and(|svg| svg.contains("<svg")));
        assert_eq!(status(&ada).await, off, "nothing is in force before it is confirmed");

        let app = App::new(secret);
        assert_eq!(confirm(&ada, &app.wrong(&world)).await.faults("confirmTotp"), ["WRONG_CODE at [code]"]);
        let codes = confirm(&ada, &app.code(&world, 0)).await.ok("/confirmTotp/recoveryCodes");
        assert_eq!(codes.as_array().map(Vec::len), Some(10));
        assert_eq!(
            status(&ada).await,
            json!({ "enabled": true, "methods": ["TOTP", "RECOVERY_CODE", "EMAIL_CODE"], "recoveryCodesLeft": 10 })
        );
        assert_eq!(confirm(&ada, &app.code(&world, 1)).await.faults("confirmTotp"), ["IN_USE at []"]);
        assert_eq!(enroll(&ada, json!({})).await.faults("enrollTotp"), ["IN_USE at []"]);
        assert_eq!(world.events_of("mfa.enabled").await, [Value::Null]);
        let told = notice(&world, "ada@example.org", "is asked for at each login").await;
        assert!(told.is_some_and(|text| !text.contains(secret)));
    }
}

#[tokio::test]
async fn an_enrolment_asks_for_a_fresh_sign_in_and_does_not_wait_for_ever() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let world = World::with(backend, &["--access-token-ttl", "1h"]).await;
        let ada = world.user("ada").await;
        let secret = enroll(&ada, Value::Null).await.ok("/enrollTotp/secret");
        let first = App::new(secret.as_str().expect("a secret"));
        let secret = enroll(&ada, Value::Null).await.ok("/enrollTotp/secret");
        let second = App::new(secret.as_str().expect("a secret"));
        assert_eq!(
            confirm(&ada, &first.code(&world, 0)).await.faults("confirmTotp"),
            ["WRONG_CODE at [code]"],
            "a second enrolment takes the place of the first"
        );
        world.pass(Duration::from_mins(15));
        assert_eq!(confirm(&ada, &second.code(&world, 0)).await.faults("confirmTotp"), ["EXPIRED at []"]);
        world.pass(Duration::from_secs(1));
        assert_eq!(enroll(&ada, Value::Null).await.faults("enrollTotp"), ["REQUIRED at [proof]"]);
        let wrong = json!({ "proof": "nonsense" });
        assert_eq!(enroll(&ada, wrong).await.faults("enrollTotp"), ["WRONG_CODE at [proof]"]);
        assert_eq!(confirm(&world.anonymous(), "000000").await.codes(), ["FORBIDDEN"]);
        let bert = world.user("bert").await;
        assert_eq!(confirm(&bert, "000000").await.faults("confirmTotp"), ["NOT_FOUND at []"]);
    }
}

#[tokio::test]
async fn labels_are_judged() {
    let world = World::on(Backend::Sqlite).await;
    let ada = world.user("ada").await;
    for label in ["", "  ", "a\0b", "new\nline", &"x".repeat(65)] {
        let faults = enroll(&ada, json!({ "label": label })).await.faults("enrollTotp");
        assert_eq!(faults, ["INVALID at [label]"], "{label:?}");
    }
    let longest = "🦀".repeat(64);
    let svg = enroll(&ada, json!({ "label": longest })).await.ok("/enrollTotp/qrSvg");
    assert!(svg.as_str().is_some_and(|svg| svg.contains("<svg")), "the longest still fits into a QR code");
}

#[tokio::test]
async fn taking_the_app_away_asks_for_the_password_and_takes_the_recovery_codes_along() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        assert_eq!(disable(&ada, password()).await.faults("disableTotp"), ["NOT_FOUND at []"]);
        assert_eq!(
            regenerate(&ada, password()).await.faults("regenerateRecoveryCodes"),
            ["NOT_ALLOWED at []"]
        );
        with_app(&world, &ada).await;
        assert_eq!(disable(&ada, json!({})).await.faults("disableTotp"), ["REQUIRED at [password]"]);
        let wrong = json!({ "password": "wrong" });
        assert_eq!(disable(&ada, wrong).await.faults("disableTotp"), ["WRONG_CREDENTIALS at [password]"]);
        let wrong = json!({ "proof": "nonsense" });
        assert_eq!(disable(&ada, wrong).await.faults("disableTotp"), ["WRONG_CODE at [proof]"]);
        let user = disable(&ada, password()).await.ok("/disableTotp/user");
        assert_eq!(user["mfa"], json!({ "enabled": false, "methods": [], "recoveryCodesLeft": 0 }));
        assert_eq!(world.events_of("mfa.disabled").await, [Value::Null]);
        assert!(notice(&world, "ada@example.org", "no authenticator app").await.is_some());
    }
}

#[tokio::test]
async fn new_recovery_codes_replace_the_old_ones() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let (_, old) = with_app(&world, &ada).await;
        assert_eq!(
            regenerate(&ada, json!({})).await.faults("regenerateRecoveryCodes"),
            ["REQUIRED at [password]"]
        );
        let new = regenerate(&ada, password()).await.ok("/regenerateRecoveryCodes/recoveryCodes");
        let new = new.as_array().expect("codes");
        assert_eq!(new.len(), 10);
        assert!(old.iter().all(|code| !new.contains(&json!(code))));
        assert_eq!(status(&ada).await["recoveryCodesLeft"], 10);
    }
}

#[tokio::test]
async fn of_two_confirmations_at_once_one_hands_out_the_codes() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let secret = enroll(&ada, Value::Null).await.ok("/enrollTotp/secret");
        let app = App::new(secret.as_str().expect("a secret"));
        let code = app.code(&world, 0);
        let answers = join_all((0..5).map(|_| confirm(&ada, &code))).await;
        let right = answers.iter().filter(|answer| answer.faults("confirmTotp").is_empty()).count();
        assert_eq!(right, 1);
        assert_eq!(status(&ada).await["recoveryCodesLeft"], 10);
    }
}

#[tokio::test]
async fn the_status_is_for_oneself_and_for_who_may_update_one() {
    for world in World::each().await {
        let (org, other) = (world.organization("acme").await, world.organization("other").await);
        let ada = world.user("ada").await;
        with_app(&world, &ada).await;
        let ada_id = world.user_id(&ada).await;
        world.join(ada_id, org).await;
        let anna = world.org_admin("anna", "acme").await;
        let rosa = world.user("rosa").await;
        let rosa_id = world.user_id(&rosa).await;
        world.join(rosa_id, org).await;
        world.grant(rosa_id, "REVIEWER", Some(org)).await;
        world.pass(Duration::from_secs(2));
        let ask = "{ user(by: { userName: \"ada\" }) { userName mfa { enabled } passkeys { id } } }";
        let seen = anna.run(ask).await.ok("/user");
        assert_eq!((&seen["mfa"]["enabled"], &seen["passkeys"]), (&json!(true), &Value::Null));
        let seen = rosa.run(ask).await.ok("/user");
        assert_eq!(
            (&seen["userName"], &seen["mfa"]),
            (&json!("ada"), &Value::Null),
            "reading is not updating"
        );
        world.join_also(ada_id, other).await;
        let seen = anna.run(ask).await.ok("/user");
        assert_eq!(
            seen["mfa"],
            Value::Null,
            "somebody who is also a member elsewhere is not anna's to update"
        );
    }
}

#[tokio::test]
async fn the_export_tells_of_factors_and_no_secret_and_erasing_takes_them_away() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let (_, codes) = with_app(&world, &ada).await;
        super::passkeys::register(&ada, &mut Authenticator::new("a key")).await;
        world.login("ada", PASSWORD).await;
        let data = ada.run("mutation { exportMyData { data } }").await.ok("/exportMyData/data");
        let factors = &data["secondFactors"];
        assert_eq!(
            (&factors["passkeys"][0]["name"], &factors["recoveryCodesLeft"]),
            (&json!("Laptop"), &json!(10))
        );
        assert!(factors["authenticatorApp"]["confirmedAt"].is_string());
        assert!(!data.to_string().contains(&codes[0]));
        let id = ada.run("{ me { id } }").await.ok("/me/id");
        let document = "mutation ($id: ID!) { deleteUser(input: { userId: $id }) { errors { code } } }";
        ada.run_with(document, json!({ "id": id })).await.ok("/deleteUser");
        let db = world.app.db.read();
        assert_eq!(totp_secret::Entity::find().count(db).await.unwrap(), 0);
        assert_eq!(recovery_code::Entity::find().count(db).await.unwrap(), 0);
        assert_eq!(passkey::Entity::find().count(db).await.unwrap(), 0);
        let waiting = challenge::Entity::find().filter(challenge::Column::UserId.is_not_null());
        assert_eq!(waiting.count(db).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_step_up_takes_a_code_of_the_app_once_and_wrong_ones_are_counted() {
    let document = "mutation ($code: String!) { verifyOtp(input: { purpose: STEP_UP, code: $code }) {
        proof errors { code path } } }";
    for world in World::each().await {
        let (ada, bert) = (world.user("ada").await, world.user("bert").await);
        let step_up = async |client: &crate::support::Client, code: String| {
            client.run_with(document, json!({ "code": code })).await
        };
        let (app, _) = with_app(&world, &ada).await;
        let code = app.code(&world, 1);
        assert_eq!(step_up(&bert, code.clone()).await.faults("verifyOtp"), ["WRONG_CODE at [code]"]);
        let proof = step_up(&ada, code.clone()).await.ok("/verifyOtp/proof");
        assert!(proof.is_string(), "{proof}");
        assert_eq!(step_up(&ada, code).await.faults("verifyOtp"), ["WRONG_CODE at [code]"], "once");
        for _ in 0..4 {
            let answer = step_up(&ada, app.wrong(&world)).await;
            assert_eq!(answer.faults("verifyOtp"), ["WRONG_CODE at [code]"]);
        }
        world.pass(Duration::from_mins(1));
        let answer = step_up(&ada, app.code(&world, 0)).await;
        assert_eq!(answer.faults("verifyOtp"), ["TOO_MANY_ATTEMPTS at []"], "right ones, too");
        world.pass(Duration::from_mins(1));
        assert!(step_up(&ada, app.code(&world, 0)).await.ok("/verifyOtp/proof").is_string());
        let changed = disable(&ada, json!({ "proof": proof })).await;
        assert_eq!(changed.faults("disableTotp"), [""; 0], "the proof works");
        assert_eq!(step_up(&ada, app.code(&world, 1)).await.faults("verifyOtp"), ["WRONG_CODE at [code]"]);
    }
}
