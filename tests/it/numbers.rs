//! Whose a phone number is: of who proves it in person. A stranger's claim, an intruder's proof and an administrator's word are
//! worth less.

use std::time::Duration;

use entity::user;
use futures_util::future::join_all;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde_json::{Value, json};

use crate::{
    onboarding::onboard,
    otp::{code_to, request, verify},
    phones::{NUMBER, change, phone_of, shown},
    support::{Answer, Client, PASSWORD, World},
};

const NONE: [&str; 0] = [];
pub const NEW: &str = "quartz meadow violin";

/// Proves the number, as its owner or an intruder who knows the password.
async fn prove(world: &World, client: &Client) -> Answer {
    assert_eq!(change(client, NUMBER).await.faults("changePhone"), NONE);
    let code = code_to(world, NUMBER).await;
    verify(client, shown(&code)).await
}

/// By the link that is mailed to the address.
pub async fn reset_by_mail(world: &World, address: &str, subject: &str) -> Answer {
    let mails = world.mails_to(address).await;
    let mail = mails.iter().find(|mail| mail.subject == subject).expect("a mail");
    let (_, rest) = mail.text.split_once("token=").expect("a link");
    let token = rest.split_whitespace().next().unwrap_or_default();
    set_password(world, json!({ "token": token, "newPassword": NEW })).await
}

pub async fn forgot(world: &World, identifier: &str) {
    let document = "mutation ($i: String!) { forgotPassword(input: { identifier: $i }) { errors { code } } }";
    world.anonymous().run_with(document, json!({ "i": identifier })).await.ok("");
}

pub async fn set_password(world: &World, input: Value) -> Answer {
    let document = "mutation ($input: ResetPasswordInput!) { resetPassword(input: $input) {
        user { userName phone phoneVerified } errors { code path } } }";
    world.anonymous().run_with(document, json!({ "input": input })).await
}

async fn log_in(world: &World, identifier: &str, password: &str) -> Value {
    world.login(identifier, password).await.ok("/login/user/userName")
}

#[tokio::test]
async fn nobody_but_its_signed_in_owner_proves_a_claimed_number() {
    for world in World::each().await {
        let document =
            "mutation ($input: RegisterUserInput!) { registerUser(input: $input) { errors { code path } } }";
        let input =
            json!({ "userName": "ada", "email": "ada@example.org", "phone": NUMBER, "password": PASSWORD });
        world.anonymous().run_with(document, json!({ "input": input })).await.ok("");
        let (token, _) = world.verification_of("ada@example.org").await;
        assert_eq!(world.verify_by_token(&token).await.faults("verifyUser"), NONE);
        let ada = world.logged_in("ada", PASSWORD).await;
        let key =
            "mutation { createApiKey(input: { name: \"a key\", scopes: [] }) { secret errors { code } } }";
        let key = ada.run(key).await.ok("/createApiKey/secret");
        let key = world.anonymous().with_token(key.as_str().expect("a key"));
        let bob = world.user("bob").await;

        let asked = json!({ "purpose": "VERIFY_PHONE", "identifier": NUMBER });
        for stranger in [&world.anonymous(), &key] {
            assert_eq!(request(stranger, asked.clone()).await.codes(), ["FORBIDDEN"]);
        }
        assert_eq!(request(&bob, asked.clone()).await.faults("requestOtp"), ["NOT_FOUND at [identifier]"]);
        assert_eq!(world.mails_to(NUMBER).await.len(), 0);
        assert_eq!(request(&ada, asked).await.faults("requestOtp"), NONE);
        let code = code_to(&world, NUMBER).await;
        for stranger in [&world.anonymous(), &key] {
            assert_eq!(verify(stranger, shown(&code)).await.codes(), ["FORBIDDEN"]);
        }
        // What others guess wrongly uses up nothing of the owner's.
        for _ in 0..6 {
            verify(&bob, shown(&code)).await;
        }
        assert_eq!(verify(&ada, shown(&code)).await.faults("verifyOtp"), NONE);
        assert_eq!(phone_of(&ada).await, (json!(NUMBER), json!(true)));
    }
}

#[tokio::test]
async fn a_reset_takes_away_the_number_that_an_intruder_has_proved() {
    for world in World::each().await {
        let intruder = world.user("ada").await;
        assert_eq!(prove(&world, &intruder).await.faults("verifyOtp"), NONE);
        assert_eq!(log_in(&world, NUMBER, PASSWORD).await, "ada");
        world.pass(Duration::from_hours(7 * 24 - 1));
        forgot(&world, "ada").await;
        let done = reset_by_mail(&world, "ada@example.org", "Set a new password").await;
        assert_eq!(done.faults("resetPassword"), NONE);
        assert_eq!(done.ok("/resetPassword/user/phone"), Value::Null);
        assert_eq!(log_in(&world, NUMBER, NEW).await, Value::Null);
        let before = world.mails_to(NUMBER).await.len();
        request(&world.anonymous(), json!({ "purpose": "LOGIN", "identifier": NUMBER })).await.ok("");
        assert_eq!(world.mails_to(NUMBER).await.len(), before, "no code goes there");
        let events = world.events_of("phone.changed").await;
        assert_eq!(events, [Value::Null, json!({ "why": "PASSWORD_RESET" })]);
        let told = world.mails_to("ada@example.org").await;
        assert!(told.iter().any(|mail| mail.text.contains("in the last 7 days are gone")));
        // The number is free, for whoever proves it.
        let owner = world.user("bob").await;
        assert_eq!(prove(&world, &owner).await.faults("verifyOtp"), NONE);
    }
}

#[tokio::test]
async fn a_reset_leaves_a_number_that_has_stood_for_a_week_and_one_that_an_administrator_set() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        assert_eq!(prove(&world, &ada).await.faults("verifyOtp"), NONE);
        world.pass(Duration::from_hours(7 * 24));
        forgot(&world, "ada").await;
        let done = reset_by_mail(&world, "ada@example.org", "Set a new password").await;
        assert_eq!(done.ok("/resetPassword/user/phone"), NUMBER);

        let root = world.superadmin().await;
        let other = "+49307654321";
        let bob = json!({ "userName": "bob", "email": "bob@example.org", "phone": other, "roleCodes": [] });
        assert_eq!(onboard(&root, json!([bob])).await.faults("onboardUsers"), NONE);
        let done = reset_by_mail(&world, "bob@example.org", "Choose your password").await;
        assert_eq!(done.ok("/resetPassword/user/phone"), other);
        assert_eq!(log_in(&world, other, NEW).await, "bob");
    }
}

#[tokio::test]
async fn a_reset_by_the_only_contact_of_an_account_leaves_it() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let ada = json!({ "userName": "ada", "password": PASSWORD, "roleCodes": [] });
        assert_eq!(onboard(&root, json!([ada])).await.faults("onboardUsers"), NONE);
        let ada = world.logged_in("ada", PASSWORD).await;
        assert_eq!(prove(&world, &ada).await.faults("verifyOtp"), NONE);
        request(&world.anonymous(), json!({ "purpose": "PASSWORD_RESET", "identifier": NUMBER }))
            .await
            .ok("");
        let code = code_to(&world, NUMBER).await;
        let input = json!({ "identifier": NUMBER, "code": code, "newPassword": NEW });
        assert_eq!(set_password(&world, input).await.faults("resetPassword"), NONE);
        assert_eq!(log_in(&world, NUMBER, NEW).await, "ada");
    }
}

/// The account that eve, administrator of a tenant, makes with this number.
async fn puppet(eve: &Client) -> Answer {
    let user = json!({ "userName": "puppet", "phone": NUMBER, "password": PASSWORD, "orgCode": "evil", "roleCodes": [] });
    onboard(eve, json!([user])).await
}

#[tokio::test]
async fn whoever_proves_a_number_takes_it_from_who_was_only_vouched_for() {
    for world in World::each().await {
        let eve = world.org_admin("eve", "evil").await;
        let made = puppet(&eve).await;
        assert_eq!(made.faults("onboardUsers"), NONE);
        assert_eq!(log_in(&world, NUMBER, PASSWORD).await, "puppet", "as with an address");
        let row = user::Entity::find().filter(user::Column::UserNameKey.eq("puppet"));
        let row = row.one(world.app.db.read()).await.expect("users").expect("a row");
        assert!(row.phone_verified_at.is_some() && row.phone_proved_at.is_none());
        request(&world.anonymous(), json!({ "purpose": "LOGIN", "identifier": NUMBER })).await.ok("");
        let theirs = code_to(&world, NUMBER).await;

        let ada = world.user("ada").await;
        assert_eq!(prove(&world, &ada).await.faults("verifyOtp"), NONE);
        assert_eq!(phone_of(&ada).await, (json!(NUMBER), json!(true)));
        assert_eq!(log_in(&world, NUMBER, PASSWORD).await, "ada");
        let puppet_now = world.logged_in("puppet", PASSWORD).await;
        assert_eq!(phone_of(&puppet_now).await, (Value::Null, Value::Null));
        let document = "mutation ($code: String!) { loginWithOtp(input: { identifier: \"puppet\", code: $code }) { user { id } errors { code path } } }";
        let late = world.anonymous().run_with(document, json!({ "code": theirs })).await;
        assert_eq!(late.faults("loginWithOtp"), ["WRONG_CODE at [code]"], "what was sent for it is dead");

        let again = json!({ "userName": "second", "phone": NUMBER, "password": PASSWORD, "orgCode": "evil", "roleCodes": [] });
        let again = onboard(&eve, json!([again])).await;
        assert_eq!(again.faults("onboardUsers"), ["TAKEN at [users.0.phone]"], "what is proved stays");
    }
}

#[tokio::test]
async fn a_vouched_number_is_proved_by_its_holder_or_by_what_was_sent_there() {
    for world in World::each().await {
        let eve = world.org_admin("eve", "evil").await;
        assert_eq!(puppet(&eve).await.faults("onboardUsers"), NONE);
        let client = world.logged_in("puppet", PASSWORD).await;
        if world.backend == crate::support::Backend::Sqlite {
            assert_eq!(
                request(&client, json!({ "purpose": "VERIFY_PHONE" })).await.faults("requestOtp"),
                NONE
            );
            let code = code_to(&world, NUMBER).await;
            assert_eq!(verify(&client, shown(&code)).await.faults("verifyOtp"), NONE);
        } else {
            let input = json!({ "purpose": "PASSWORD_RESET", "identifier": NUMBER });
            request(&world.anonymous(), input).await.ok("");
            let code = code_to(&world, NUMBER).await;
            let input = json!({ "identifier": NUMBER, "code": code, "newPassword": PASSWORD });
            assert_eq!(set_password(&world, input).await.faults("resetPassword"), NONE);
        }
        let ada = world.user("ada").await;
        change(&ada, NUMBER).await.ok("/changePhone/delivery");
        assert_eq!(world.mails_to(NUMBER).await[0].subject, "Somebody wanted to use your number");
        let client = world.logged_in("puppet", PASSWORD).await;
        assert_eq!(change(&client, NUMBER).await.faults("changePhone"), ["ALREADY_VERIFIED at [newPhone]"]);
    }
}

#[tokio::test]
async fn the_word_of_the_platforms_administrators_counts_for_a_number() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let bob = json!({ "userName": "bob", "phone": NUMBER, "password": PASSWORD, "roleCodes": [] });
        assert_eq!(onboard(&root, json!([bob])).await.faults("onboardUsers"), NONE);
        let ada = world.user("ada").await;
        change(&ada, NUMBER).await.ok("/changePhone/delivery");
        assert_eq!(world.mails_to(NUMBER).await[0].subject, "Somebody wanted to use your number");
        assert_eq!(log_in(&world, NUMBER, PASSWORD).await, "bob");
    }
}

#[tokio::test]
async fn proofs_of_a_vouched_number_at_once_leave_one_owner_and_no_error() {
    for world in World::each().await {
        let eve = world.org_admin("eve", "evil").await;
        assert_eq!(puppet(&eve).await.faults("onboardUsers"), NONE);
        let mut waiting = Vec::new();
        for name in ["ada", "bob", "carl"] {
            let client = world.user(name).await;
            change(&client, NUMBER).await.ok("/changePhone/delivery");
            let code = code_to(&world, NUMBER).await;
            waiting.push((client, code));
        }
        let puppet = world.logged_in("puppet", PASSWORD).await;
        request(&puppet, json!({ "purpose": "VERIFY_PHONE" })).await.ok("/requestOtp/delivery");
        let code = code_to(&world, NUMBER).await;
        waiting.push((puppet, code));
        let answers =
            join_all(waiting.iter().map(async |(client, code)| verify(client, shown(code)).await)).await;
        let faults: Vec<_> = answers.iter().map(|answer| answer.faults("verifyOtp").join(" ")).collect();
        assert_eq!(faults.iter().filter(|fault| fault.is_empty()).count(), 1, "{faults:?}");
        let holders = user::Entity::find().filter(user::Column::PhoneKey.eq(NUMBER));
        assert_eq!(holders.all(world.app.db.read()).await.expect("users").len(), 1);
    }
}
