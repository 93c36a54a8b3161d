//! Phone numbers: claimed, proved, logged in with.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    otp::{code_to, request, verify},
    support::{Answer, Client, PASSWORD, World},
};

pub const NUMBER: &str = "+49301234567";

pub async fn change(client: &Client, to: &str) -> Answer {
    let document = "mutation ($input: ChangePhoneInput!) { changePhone(input: $input) {
        delivery { channel destination } errors { code message path } } }";
    client.run_with(document, json!({ "input": { "newPhone": to, "password": PASSWORD } })).await
}

pub fn shown(code: &str) -> Value {
    json!({ "purpose": "VERIFY_PHONE", "identifier": "0049 30 1234567", "code": code })
}

pub async fn phone_of(client: &Client) -> (Value, Value) {
    let me = client.run("{ me { phone phoneVerified } }").await.ok("/me");
    (me["phone"].clone(), me["phoneVerified"].clone())
}

#[tokio::test]
async fn a_number_changes_when_its_code_is_shown_and_then_it_logs_in() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let delivery = change(&ada, "+49 (30) 123-4567").await.ok("/changePhone/delivery");
        assert_eq!(delivery, json!({ "channel": "SMS", "destination": "+49•••••67" }));
        assert_eq!(phone_of(&ada).await, (Value::Null, Value::Null), "nothing changes before the proof");
        let code = code_to(&world, NUMBER).await;
        assert_eq!(verify(&ada, shown(&code)).await.faults("verifyOtp"), [""; 0]);
        assert_eq!(phone_of(&ada).await, (json!(NUMBER), json!(true)));
        assert_eq!(verify(&ada, shown(&code)).await.faults("verifyOtp"), ["WRONG_CODE at [code]"]);
        assert_eq!(world.mails_to("ada@example.org").await[0].subject, "Your phone number was changed");
        world.logged_in("0049 30 / 1234567", PASSWORD).await;
        assert_eq!(world.events_of("phone.changed").await, [Value::Null]);
        assert_eq!(change(&ada, NUMBER).await.faults("changePhone"), ["ALREADY_VERIFIED at [newPhone]"]);
        assert_eq!(change(&ada, "030 1234567").await.faults("changePhone"), ["INVALID at [newPhone]"]);
        let input = json!({ "purpose": "LOGIN", "identifier": NUMBER });
        let asked = request(&world.anonymous(), input).await.ok("/requestOtp/delivery");
        assert_eq!((&asked["channel"], &asked["destination"]), (&json!("SMS"), &json!("+49•••••67")));
        let code = code_to(&world, NUMBER).await;
        let document = "mutation ($code: String!) { loginWithOtp(input: { identifier: \"+49301234567\", code: $code }) { user { userName } errors { code } } }";
        let entered = world.anonymous().run_with(document, json!({ "code": code })).await;
        assert_eq!(entered.ok("/loginWithOtp/user/userName"), "ada");
    }
}

#[tokio::test]
async fn a_claimed_number_is_nobodys_until_it_is_proved() {
    for world in World::each().await {
        let document =
            "mutation ($input: RegisterUserInput!) { registerUser(input: $input) { errors { code path } } }";
        let register = |name: &str, phone: &str| {
            let email = format!("{name}@example.org");
            json!({ "input": { "userName": name, "email": email, "phone": phone, "password": PASSWORD } })
        };
        let bad = world.anonymous().run_with(document, register("bob", "12")).await;
        assert_eq!(bad.faults("registerUser"), ["INVALID at [phone]"]);
        for name in ["mallory", "ada"] {
            world.anonymous().run_with(document, register(name, "+49 30 1234567")).await.ok("");
            let (token, _) = world.verification_of(&format!("{name}@example.org")).await;
            world.verify_by_token(&token).await.ok("");
        }
        assert_eq!(world.login(NUMBER, PASSWORD).await.faults("login"), ["WRONG_CREDENTIALS at []"]);
        let (mallory, ada) =
            (world.logged_in("mallory", PASSWORD).await, world.logged_in("ada", PASSWORD).await);
        assert_eq!(phone_of(&ada).await, (json!(NUMBER), json!(false)));
        assert_eq!(request(&ada, json!({ "purpose": "VERIFY_PHONE" })).await.faults("requestOtp"), [""; 0]);
        let code = code_to(&world, NUMBER).await;
        assert_eq!(verify(&mallory, shown(&code)).await.faults("verifyOtp"), ["WRONG_CODE at [code]"]);
        assert_eq!(verify(&ada, shown(&code)).await.faults("verifyOtp"), [""; 0]);
        world.logged_in(NUMBER, PASSWORD).await;
        assert_eq!(phone_of(&mallory).await, (json!(NUMBER), json!(false)));
    }
}

#[tokio::test]
async fn a_number_goes_to_who_proves_it_first_and_its_owner_hears_of_others() {
    for world in World::each().await {
        let (ada, bob) = (world.user("ada").await, world.user("bob").await);
        change(&ada, NUMBER).await.ok("/changePhone/delivery");
        let of_ada = code_to(&world, NUMBER).await;
        change(&bob, NUMBER).await.ok("/changePhone/delivery");
        let of_bob = code_to(&world, NUMBER).await;
        let answers = join_all([verify(&ada, shown(&of_ada)), verify(&bob, shown(&of_bob))]).await;
        let mut faults: Vec<_> = answers.iter().map(|answer| answer.faults("verifyOtp")).collect();
        faults.sort();
        assert_eq!(faults, [vec![], vec!["TAKEN at [code]".to_owned()]]);
        let eve = world.user("eve").await;
        eve.run("{ me { id } }").await;
        let (known, statements) = world.statements(change(&eve, NUMBER)).await;
        let (unknown, as_many) = world.statements(change(&eve, "+49301234967")).await;
        assert_eq!((&known.text, statements), (&unknown.text, as_many));
        let told = &world.mails_to(NUMBER).await[0];
        assert_eq!((told.channel, told.subject.as_str()), ("SMS", "Somebody wanted to use your number"));
        assert!(!told.text.contains("code") && !told.text.contains("eve"), "{}", told.text);
    }
}

#[tokio::test]
async fn a_number_gets_five_messages_in_ten_minutes() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let answers = join_all((0..12).map(|_| change(&ada, NUMBER))).await;
        let sent = answers.iter().filter(|answer| answer.faults("changePhone").is_empty()).count();
        assert_eq!((sent, world.mails_to(NUMBER).await.len()), (5, 5));
        let text = &world.mails_to(NUMBER).await[0].text;
        assert!(text.len() <= 160, "one text message: {text}");
    }
}
