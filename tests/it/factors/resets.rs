//! What a reset of the password does to second factors: young ones end, older ones stay.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{confirm, enroll, notice, passkey_logins, passkeys, with_app};
use crate::support::{Answer, Authenticator, Client, PASSWORD, World, token_and_code};

const NEW: &str = "quartz meadow violin";

/// By the link that is mailed to ada.
async fn reset(world: &World) -> Answer {
    let anonymous = world.anonymous();
    let forgot = "mutation { forgotPassword(input: { identifier: \"ada\" }) { errors { code path } } }";
    assert_eq!(anonymous.run(forgot).await.faults("forgotPassword"), [""; 0]);
    let mails = world.mails_to("ada@example.org").await;
    let mail = mails.iter().find(|mail| mail.subject == "Set a new password").expect("a mail");
    let document = "mutation ($input: ResetPasswordInput!) { resetPassword(input: $input) {
        user { mfa { enabled recoveryCodesLeft } passkeys { name } } errors { code message path } } }";
    let input = json!({ "token": token_and_code(mail).0, "newPassword": NEW });
    anonymous.run_with(document, json!({ "input": input })).await
}

/// An app and a passkey, as the owner adds them, or an intruder who knows the password.
async fn plant(world: &World, client: &Client) -> Authenticator {
    with_app(world, client).await;
    let mut key = Authenticator::new("a key");
    passkeys::register(client, &mut key).await;
    key
}

async fn log_in_with(world: &World, key: &Authenticator) -> Answer {
    let anonymous = world.anonymous();
    let started = passkey_logins::start(&anonymous, None).await;
    passkey_logins::log_in(&anonymous, &started, key.get(&started["options"])).await
}

#[tokio::test]
async fn a_reset_ends_what_an_intruder_has_planted() {
    for world in World::each().await {
        world.user("ada").await;
        let intruder = world.logged_in("ada", PASSWORD).await;
        let key = plant(&world, &intruder).await;
        assert_eq!(log_in_with(&world, &key).await.faults("loginWithPasskey"), [""; 0]);
        for added in ["is asked for at each login", "was added"] {
            let told = notice(&world, "ada@example.org", added).await.expect("a mail");
            assert!(told.contains("reset your password within 7 days"), "{told}");
        }
        world.pass(Duration::from_hours(7 * 24 - 1));
        let done = reset(&world).await.ok("/resetPassword/user");
        assert_eq!(done["mfa"], json!({ "enabled": false, "recoveryCodesLeft": 0 }));
        assert_eq!(done["passkeys"], json!([]));
        let refused = log_in_with(&world, &key).await.faults("loginWithPasskey");
        assert_eq!(refused, ["WRONG_CREDENTIALS at [passkey]"]);
        world.logged_in("ada", NEW).await;
        assert_eq!(world.events_of("mfa.disabled").await, [json!({ "why": "PASSWORD_RESET" })]);
        let removed = json!({ "name": "Laptop", "why": "PASSWORD_RESET" });
        assert_eq!(world.events_of("passkey.removed").await, [removed]);
        assert!(notice(&world, "ada@example.org", "in the last 7 days are gone").await.is_some());
    }
}

#[tokio::test]
async fn a_reset_leaves_factors_that_have_stood_for_a_week() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let key = plant(&world, &ada).await;
        world.pass(Duration::from_hours(7 * 24));
        let done = reset(&world).await;
        assert_eq!(done.data("/resetPassword/errors"), json!([]), "{}", done.text);
        assert_eq!(log_in_with(&world, &key).await.faults("loginWithPasskey"), [""; 0]);
        let waiting = world.login("ada", NEW).await;
        assert!(waiting.data("/login/tokens").is_null(), "the mailbox alone is no second factor");
        assert_eq!(world.events_of("mfa.disabled").await, [Value::Null; 0]);
        assert_eq!(world.events_of("passkey.removed").await, [Value::Null; 0]);
    }
}

#[tokio::test]
async fn what_was_begun_before_a_reset_becomes_no_factor() {
    for world in World::each().await {
        let intruder = world.user("ada").await;
        let secret = enroll(&intruder, Value::Null).await.ok("/enrollTotp/secret");
        let app = super::App::new(secret.as_str().expect("a secret"));
        let started = passkeys::start(&intruder, "Laptop").await.ok("/startPasskeyRegistration");
        let passkey = Authenticator::new("a key").create(&started["options"]);
        let code = app.code(&world, 0);
        let confirming = join_all((0..3).map(|_| confirm(&intruder, &code)));
        let finishing = passkeys::finish(&intruder, &started["challengeId"], passkey);
        let (done, _, _) = tokio::join!(reset(&world), confirming, finishing);
        assert_eq!(done.faults("resetPassword"), [""; 0]);
        let owner = world.logged_in("ada", NEW).await;
        let own = owner.run("{ me { passkeys { name } mfa { enabled recoveryCodesLeft } } }").await.ok("/me");
        let nothing = json!({ "passkeys": [], "mfa": { "enabled": false, "recoveryCodesLeft": 0 } });
        assert_eq!(own, nothing);
    }
}
