//! What an organisation's administrator vouches for opens no account to which somebody else has proved to be the owner, and
//! none that belongs to another organisation.

use std::time::Duration;

use entity::membership;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde_json::{Value, json};
use uuid::Uuid;

use denizen::ids::{self, Kind};

use crate::{
    factors::{status, with_app},
    numbers::{NEW, forgot, reset_by_mail, set_password},
    onboarding::onboard,
    otp::{code_to, log_in, request, verify},
    phones::{NUMBER, change, shown},
    support::{Client, PASSWORD, World},
    update_users::update,
};

const NONE: [&str; 0] = [];

/// Mallory, administrator of the organisation `o` only, and the id of alice, whom she has onboarded with her own number.
async fn planted(world: &World, password: Option<&str>) -> (Client, Uuid) {
    let mallory = world.org_admin("mallory", "o").await;
    let alice = json!({ "userName": "alice", "email": "alice@example.org", "phone": NUMBER, "password": password,
        "orgCode": "o", "roleCodes": [] });
    let made = onboard(&mallory, json!([alice])).await;
    assert_eq!(made.faults("onboardUsers"), NONE);
    let id = made.ok("/onboardUsers/users/0/id");
    let id = ids::decode_as(Kind::User, id.as_str().unwrap_or_default()).expect("an id");
    (mallory, id)
}

async fn make_admin_of_p(world: &World, alice: Uuid) {
    let p = world.organization("p").await;
    world.join_also(alice, p).await;
    world.grant(alice, "ADMIN", Some(p)).await;
    world.pass(Duration::from_secs(2));
}

/// How many messages get to that address or number when each way in is asked for, by it and by the name.
async fn let_in(world: &World, target: &str, channel: &str) -> usize {
    world.pass(Duration::from_mins(11));
    let before = world.mails_to(target).await.len();
    for purpose in ["LOGIN", "PASSWORD_RESET"] {
        for identifier in [target, "alice"] {
            let input = json!({ "purpose": purpose, "identifier": identifier, "channel": channel });
            let asked = request(&world.anonymous(), input).await;
            assert_eq!(asked.faults("requestOtp"), NONE, "as for whoever is not known");
        }
    }
    world.mails_to(target).await.len() - before
}

/// What two codes for the number that wait come to: a login and a new password.
async fn shown_codes(world: &World, login: &str, reset: &str) -> [Vec<String>; 2] {
    let entered = log_in(&world.anonymous(), NUMBER, login).await;
    let input = json!({ "identifier": NUMBER, "code": reset, "newPassword": NEW });
    [entered.faults("loginWithOtp"), set_password(world, input).await.faults("resetPassword")]
}

async fn code_for(world: &World, purpose: &str) -> String {
    request(&world.anonymous(), json!({ "purpose": purpose, "identifier": NUMBER })).await.ok("/requestOtp");
    code_to(world, NUMBER).await
}

#[tokio::test]
async fn a_vouched_number_opens_nothing_once_the_mailbox_is_proved() {
    for world in World::each().await {
        let (mallory, id) = planted(&world, None).await;
        let done = reset_by_mail(&world, "alice@example.org", "Choose your password").await;
        assert_eq!(done.faults("resetPassword"), NONE);
        assert_eq!(let_in(&world, NUMBER, "SMS").await, 0, "in the one organisation as well");
        make_admin_of_p(&world, id).await;
        let move_mailbox = json!([{ "id": ids::encode(Kind::User, id), "email": "m2@example.org" }]);
        assert_eq!(update(&mallory, move_mailbox).await.faults("updateUsers").len(), 1);
        assert_eq!(let_in(&world, NUMBER, "SMS").await, 0);

        let alice = world.logged_in("alice", NEW).await;
        let step_up = json!({ "purpose": "STEP_UP", "channel": "SMS" });
        assert_eq!(request(&alice, step_up).await.faults("requestOtp"), ["NOT_VERIFIED at [channel]"]);
        assert!(let_in(&world, "alice@example.org", "EMAIL").await > 0, "her mailbox does");

        // Where it is hers, she proves it, and then it does.
        request(&alice, json!({ "purpose": "VERIFY_PHONE" })).await.ok("/requestOtp/delivery");
        let code = code_to(&world, NUMBER).await;
        assert_eq!(verify(&alice, shown(&code)).await.faults("verifyOtp"), NONE);
        assert!(let_in(&world, NUMBER, "SMS").await > 0);
        let code = code_for(&world, "LOGIN").await;
        assert_eq!(log_in(&world.anonymous(), NUMBER, &code).await.faults("loginWithOtp"), NONE);
    }
}

#[tokio::test]
async fn a_vouched_number_opens_nothing_once_the_account_belongs_to_another_organisation_too() {
    for world in World::each().await {
        let (_, id) = planted(&world, Some(PASSWORD)).await;
        assert_eq!(let_in(&world, NUMBER, "SMS").await, 4, "within the organisation it does");
        world.pass(Duration::from_mins(11));
        let (login, reset) = (code_for(&world, "LOGIN").await, code_for(&world, "PASSWORD_RESET").await);
        make_admin_of_p(&world, id).await;
        let codes = shown_codes(&world, &login, &reset).await;
        assert_eq!(codes, [["WRONG_CODE at [code]"], ["ALREADY_USED at [code]"]]);
        assert_eq!(let_in(&world, NUMBER, "SMS").await, 0);
        assert_eq!(let_in(&world, "alice@example.org", "EMAIL").await, 0, "as with an address");
        world.logged_in("alice", PASSWORD).await;
    }
}

#[tokio::test]
async fn a_vouched_number_opens_nothing_once_the_account_has_left_the_organisation() {
    for world in World::each().await {
        let (_, id) = planted(&world, Some(PASSWORD)).await;
        world.pass(Duration::from_hours(1));
        let txn = world.app.db.begin().await.expect("a transaction");
        let of_alice = membership::Entity::delete_many().filter(membership::Column::UserId.eq(id));
        of_alice.exec(&*txn).await.expect("a membership less");
        txn.commit().await.expect("a commit");
        assert_eq!(let_in(&world, NUMBER, "SMS").await, 0, "in no organisation");
        world.join(id, world.organization("p").await).await;
        assert_eq!(let_in(&world, NUMBER, "SMS").await, 0, "in another one alone");
    }
}

#[tokio::test]
async fn a_vouched_number_opens_nothing_that_reaches_the_whole_platform() {
    for world in World::each().await {
        let (_, id) = planted(&world, Some(PASSWORD)).await;
        world.grant(id, "SUPERADMIN", None).await;
        assert_eq!(let_in(&world, NUMBER, "SMS").await, 0);
    }
}

#[tokio::test]
async fn a_vouched_address_opens_nothing_once_the_number_is_proved() {
    for world in World::each().await {
        let (mallory, id) = planted(&world, Some(PASSWORD)).await;
        let alice = world.logged_in("alice", PASSWORD).await;
        change(&alice, NUMBER).await.ok("/changePhone/delivery");
        let code = code_to(&world, NUMBER).await;
        assert_eq!(verify(&alice, shown(&code)).await.faults("verifyOtp"), NONE);
        let moved = json!([{ "id": ids::encode(Kind::User, id), "email": "m2@example.org" }]);
        assert_eq!(update(&mallory, moved).await.faults("updateUsers"), NONE);
        make_admin_of_p(&world, id).await;
        assert_eq!(let_in(&world, "m2@example.org", "EMAIL").await, 0);
        let before = world.mails_to("m2@example.org").await.len();
        forgot(&world, "alice").await;
        assert_eq!(world.mails_to("m2@example.org").await.len(), before, "no link either");
        assert!(let_in(&world, NUMBER, "SMS").await > 0);
    }
}

#[tokio::test]
async fn what_is_only_vouched_for_is_no_second_factor() {
    for world in World::each().await {
        planted(&world, Some(PASSWORD)).await;
        let alice = world.logged_in("alice", PASSWORD).await;
        with_app(&world, &alice).await;
        assert_eq!(status(&alice).await["methods"], json!(["TOTP", "RECOVERY_CODE"]));
        let document = "mutation ($p: String!) { login(input: { identifier: \"alice\", password: $p }) { challenge { id methods } errors { code } } }";
        let asked = world.anonymous().run_with(document, json!({ "p": PASSWORD })).await;
        let challenge: Value = asked.ok("/login/challenge");
        assert_eq!(challenge["methods"], json!(["TOTP", "RECOVERY_CODE"]));
    }
}
