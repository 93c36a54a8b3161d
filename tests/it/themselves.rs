//! Whoever proves who they are in a mutation is shown what they see of themselves, in its very answer.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    factors::with_app,
    otp,
    support::{Answer, Client, PASSWORD, World, token_and_code},
};

/// What of oneself one is shown only as oneself.
const MYSELF: &str = "user { email roles { code } organization { code } memberships { totalCount }
    sessions { totalCount edges { node { current } } } apiKeys { totalCount } passkeys { name } mfa { enabled } }";

async fn ask(client: &Client, mutation: &str, input: &str, fields: &str, variables: Value) -> Answer {
    let document = format!(
        "mutation ($input: {input}!) {{ {mutation}(input: $input) {{ {fields} errors {{ code path }} }} }}"
    );
    client.run_with(&document, json!({ "input": variables })).await
}

async fn log_in(client: &Client) -> Answer {
    let fields = format!("{MYSELF} session {{ current }} challenge {{ id }}");
    let input = json!({ "identifier": "ada", "password": PASSWORD });
    ask(client, "login", "LoginInput", &fields, input).await
}

async fn reset(world: &World, password: &str) -> Answer {
    let input = json!({ "identifier": "ada" });
    let fields = "delivery { channel }";
    let asked = ask(&world.anonymous(), "forgotPassword", "ForgotPasswordInput", fields, input).await;
    assert_eq!(asked.faults("forgotPassword"), [""; 0]);
    let mails = world.mails_to("ada@example.org").await;
    let mail = mails.iter().find(|mail| mail.subject == "Set a new password").expect("a mail");
    let input = json!({ "token": token_and_code(mail).0, "newPassword": password });
    ask(&world.anonymous(), "resetPassword", "ResetPasswordInput", MYSELF, input).await
}

/// Ada belongs to an organisation, in which she may do what administrators may.
async fn ada(world: &World) -> Client {
    world.org_admin("ada", "acme").await
}

#[tokio::test]
async fn a_login_shows_users_as_they_see_themselves() {
    for world in World::each().await {
        ada(&world).await;
        let bob = world.user("bob").await;
        for client in [world.anonymous(), bob] {
            let done = log_in(&client).await.ok("/login");
            let user = &done["user"];
            assert_eq!(user["roles"], json!([{ "code": "ADMIN" }]), "{done}");
            assert_eq!(user["organization"]["code"], "acme");
            assert_eq!(user["memberships"]["totalCount"], 1);
            assert_eq!((&user["apiKeys"]["totalCount"], &user["passkeys"]), (&json!(0), &json!([])));
            assert_eq!(user["mfa"], json!({ "enabled": false }));
            assert_eq!(user["sessions"]["edges"][0]["node"]["current"], true, "the one that was opened");
            assert_eq!(done["session"]["current"], true);
        }
    }
}

#[tokio::test]
async fn codes_and_second_factors_show_the_same() {
    for world in World::each().await {
        let client = ada(&world).await;
        let anonymous = world.anonymous();
        otp::request(&anonymous, json!({ "purpose": "LOGIN", "identifier": "ada" })).await;
        let code = otp::code_to(&world, "ada@example.org").await;
        let input = json!({ "identifier": "ada", "code": code });
        let done = ask(&anonymous, "loginWithOtp", "LoginWithOtpInput", MYSELF, input).await;
        assert_eq!(done.ok("/loginWithOtp/user/roles"), json!([{ "code": "ADMIN" }]));
        let (app, _) = with_app(&world, &client).await;
        let challenge = log_in(&anonymous).await.ok("/login/challenge/id");
        world.pass(Duration::from_secs(30));
        let input = json!({ "challengeId": challenge, "method": "TOTP", "code": app.code(&world, 0) });
        let done = ask(&anonymous, "completeLogin", "CompleteLoginInput", MYSELF, input).await;
        assert_eq!(done.ok("/completeLogin/user/roles"), json!([{ "code": "ADMIN" }]));
        assert_eq!(done.ok("/completeLogin/user/mfa/enabled"), true);
    }
}

#[tokio::test]
async fn what_is_not_yet_proved_is_not_shown() {
    for world in World::each().await {
        let client = ada(&world).await;
        let done = reset(&world, "seven umbrellas in may").await.ok("/resetPassword");
        assert_eq!(done["user"]["roles"], json!([{ "code": "ADMIN" }]), "{done}");
        assert_eq!(done["user"]["sessions"]["totalCount"], 0);
        assert_eq!(client.run("{ __typename }").await.status, 401);
        let client = world.logged_in("ada", "seven umbrellas in may").await;
        with_app(&world, &client).await;
        // A younger one would end with the reset.
        world.pass(Duration::from_hours(8 * 24));
        let done = reset(&world, "eight umbrellas in june").await;
        assert_eq!(done.data("/resetPassword/errors"), json!([]), "{}", done.text);
        for hidden in ["email", "mfa", "organization", "roles", "sessions", "apiKeys", "passkeys"] {
            assert!(done.data(&format!("/resetPassword/user/{hidden}")).is_null(), "{hidden}: {}", done.text);
        }
        let input = json!({ "identifier": "ada", "password": "eight umbrellas in june" });
        let done = ask(&world.anonymous(), "login", "LoginInput", "challenge { methods }", input).await;
        assert!(done.data("/login/challenge").is_object(), "the second factor is in force: {}", done.text);
    }
}

#[tokio::test]
async fn whoever_verifies_sees_themselves() {
    for world in World::each().await {
        world.register("ada").await;
        let (token, _) = world.verification_of("ada@example.org").await;
        let fields = "user { status roles { code } sessions { totalCount } mfa { enabled } }";
        let input = json!({ "token": token });
        let done = ask(&world.anonymous(), "verifyUser", "VerifyUserInput", fields, input).await;
        let expected = json!({ "status": "ACTIVE", "roles": [], "sessions": { "totalCount": 0 }, "mfa": { "enabled": false } });
        assert_eq!(done.ok("/verifyUser/user"), expected);
    }
}
