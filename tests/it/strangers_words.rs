//! What mails say to people who have not proved their address: nothing that was chosen by whoever caused the mail.

use std::time::Duration;

use denizen::domain::notifications::channel::Delivered;
use entity::organization;
use sea_orm::{ActiveModelTrait as _, EntityTrait as _, IntoActiveModel as _, Set};
use serde_json::json;

use crate::{
    orgs::{invitations::invite, org_id},
    support::{Client, PASSWORD, World},
};

const LURE: &str = "Claim your prize at https://evil.example/prize or call 1800555123";

/// Everything that the reader sees of it.
fn whole(mail: &Delivered) -> String {
    format!("{}\n{}\n{}", mail.subject, mail.text, mail.html)
}

#[track_caller]
fn says_nothing_of_the_lure(mails: &[Delivered]) {
    assert!(!mails.is_empty(), "no mail came");
    for mail in mails {
        let whole = whole(mail).to_lowercase();
        for word in ["evil", "prize", "1800555", "claim"] {
            assert!(!whole.contains(word), "{word} in {}\n{}", mail.subject, mail.text);
        }
    }
}

async fn register(client: &Client, name: &str, email: &str) {
    let document =
        "mutation ($input: RegisterUserInput!) { registerUser(input: $input) { errors { code path } } }";
    let input = json!({ "userName": name, "email": email, "name": LURE, "password": PASSWORD });
    let answer = client.run_with(document, json!({ "input": input })).await;
    assert_eq!(answer.faults("registerUser"), [""; 0]);
}

#[tokio::test]
async fn a_registration_tells_the_address_nothing_of_the_strangers_choosing() {
    for world in World::each().await {
        let stranger = world.anonymous().with_header("user-agent", LURE);
        for (number, name) in ["evil.example", "claim-your-prize-now", "prize.evil.zip", "claim_1800555123"]
            .into_iter()
            .enumerate()
        {
            let email = format!("victim{number}@example.org");
            register(&stranger, name, &email).await;
            says_nothing_of_the_lure(&world.mails_to(&email).await);
        }
        let browser = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0";
        register(&world.anonymous().with_header("user-agent", browser), "ada_1", "ada@example.org").await;
        let mail = &world.mails_to("ada@example.org").await[0];
        assert!(mail.text.starts_with("Hello ada_1,"), "{}", mail.text);
        assert!(mail.text.contains("from 203.0.113.7, with Firefox on Windows"), "{}", mail.text);
    }
}

#[tokio::test]
async fn a_wanted_address_is_told_nothing_of_the_strangers_choosing() {
    for world in World::each().await {
        register(&world.anonymous(), "evil.example", "mallory@example.org").await;
        let (token, _) = world.verification_of("mallory@example.org").await;
        world.verify_by_token(&token).await.ok("/verifyUser/user");
        let mallory = world.logged_in("evil.example", PASSWORD).await.with_header("user-agent", LURE);
        let change = "mutation { changeEmail(input: { newEmail: \"victim@example.org\", password: \"tinte kanne wolke\" }) { errors { code } } }";
        assert_eq!(mallory.run(change).await.faults("changeEmail"), [""; 0]);
        says_nothing_of_the_lure(&world.mails_to("victim@example.org").await);
    }
}

#[tokio::test]
async fn an_organisations_administrator_writes_nothing_to_an_address_that_is_not_proved() {
    for world in World::each().await {
        let anna = world.org_admin("anna", "acme").await.with_header("user-agent", LURE);
        let acme = world.organization("acme").await;
        let row =
            organization::Entity::find_by_id(acme).one(world.app.db.read()).await.expect("it").expect("it");
        let txn = world.app.db.begin().await.expect("a transaction");
        let mut row = row.into_active_model();
        row.name = Set(Some(LURE.to_owned()));
        row.update(&*txn).await.expect("a change");
        txn.commit().await.expect("a commit");
        let document =
            "mutation ($input: OnboardUsersInput!) { onboardUsers(input: $input) { errors { code path } } }";
        let user = json!({ "userName": "evil.example", "email": "victim@example.org", "name": LURE, "orgCode": "acme", "roleCodes": ["MEMBER"] });
        let answer = anna.run_with(document, json!({ "input": { "users": [user] } })).await;
        assert_eq!(answer.faults("onboardUsers"), [""; 0]);
        world.pass(Duration::from_secs(1));
        let forgot =
            "mutation { forgotPassword(input: { identifier: \"evil.example\" }) { errors { code } } }";
        anna.run(forgot).await.ok("/forgotPassword");
        let login = "mutation { requestOtp(input: { purpose: LOGIN, identifier: \"evil.example\" }) { errors { code } } }";
        anna.run(login).await.ok("/requestOtp");
        let answer = invite(&anna, &org_id(acme), json!([{ "email": "victim@example.org" }])).await;
        assert_eq!(answer.faults("inviteMembers"), [""; 0]);
        let mails = world.mails_to("victim@example.org").await;
        assert_eq!(mails.len(), 4, "a password, another, a code and an invitation");
        says_nothing_of_the_lure(&mails);
        assert!(mails.iter().any(|mail| mail.subject == "You are invited to join acme"));
        // The new address is the administrator's choice as well.
        let found = anna.run("{ users { edges { node { id userName } } } }").await.ok("/users/edges");
        let id =
            found.as_array().into_iter().flatten().find(|edge| edge["node"]["userName"] == "evil.example");
        let id = id.map(|edge| edge["node"]["id"].clone());
        let update = "mutation ($id: ID!) { updateUsers(input: { users: [{ id: $id, email: \"claim@prize.evil.example\" }] }) { errors { code path } } }";
        assert_eq!(anna.run_with(update, json!({ "id": id })).await.faults("updateUsers"), [""; 0]);
        let mails = world.mails_to("victim@example.org").await;
        assert_eq!(mails.len(), 5, "the old address is told");
        says_nothing_of_the_lure(&mails);
    }
}

#[tokio::test]
async fn a_login_from_a_new_device_says_what_it_is_and_not_what_it_says_of_itself() {
    for world in World::each().await {
        world.user("ada").await;
        let document = "mutation ($device: String) { login(input: { identifier: \"ada\", password: \"tinte kanne wolke\", device: $device }) { errors { code } } }";
        let agent = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1";
        let client = world.anonymous().with_header("user-agent", agent);
        assert_eq!(client.run_with(document, json!({ "device": LURE })).await.faults("login"), [""; 0]);
        let mails = world.mails_to("ada@example.org").await;
        let told: Vec<_> = mails.into_iter().filter(|mail| mail.subject.contains("new device")).collect();
        says_nothing_of_the_lure(&told);
        assert!(told[0].text.contains("Safari on an iPhone"), "{}", told[0].text);
    }
}
