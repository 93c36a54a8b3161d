//! Changing one's address.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Answer, Client, PASSWORD, World, token_and_code};

pub async fn change(client: &Client, to: &str, password: &str) -> Answer {
    let document = "mutation ($input: ChangeEmailInput!) { changeEmail(input: $input) {
        delivery { channel destination expiresAt retryAfterSeconds } errors { code message path } } }";
    client.run_with(document, json!({ "input": { "newEmail": to, "password": password } })).await
}

pub async fn proof_at(world: &World, address: &str) -> (String, String) {
    let mails = world.mails_to(address).await;
    token_and_code(mails.iter().find(|mail| mail.subject == "Confirm your new address").expect("a mail"))
}

async fn email_of(client: &Client) -> Value {
    client.run("{ me { email } }").await.ok("/me/email")
}

#[tokio::test]
async fn the_address_changes_when_the_new_mailbox_is_proved_and_the_old_one_is_told() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let delivery = change(&ada, "Ada@New.example", PASSWORD).await.ok("/changeEmail/delivery");
        assert_eq!(delivery["destination"], "A•••@new.example");
        assert_eq!(email_of(&ada).await, "ada@example.org", "nothing changes before the proof");
        let (token, _) = proof_at(&world, "Ada@new.example").await;
        let user = world.verify_by_token(&token).await.ok("/verifyUser/user");
        assert_eq!((&user["email"], &user["emailVerified"]), (&json!("Ada@new.example"), &json!(true)));
        let told = world.mails_to("ada@example.org").await;
        assert_eq!(told[0].subject, "Your address was changed");
        assert!(
            told[0].text.contains("A•••@new.example") && !told[0].text.contains("Ada@new"),
            "{}",
            told[0].text
        );
        world.logged_in("ada@new.example", PASSWORD).await;
        assert_eq!(
            world.login("ada@example.org", PASSWORD).await.faults("login"),
            ["WRONG_CREDENTIALS at []"]
        );
        assert_eq!(world.verify_by_token(&token).await.faults("verifyUser"), ["ALREADY_USED at [token]"]);
        assert_eq!(world.events_of("email.changed").await, [Value::Null], "no address stands in the log");
        world.user("adam").await;
        world.register("ada2").await;
    }
}

#[tokio::test]
async fn the_code_of_the_mail_proves_as_well_and_guesses_are_counted() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        change(&ada, "ada@new.example", PASSWORD).await.ok("/changeEmail/delivery");
        let (_, code) = proof_at(&world, "ada@new.example").await;
        assert_eq!(world.verify_by_code("ADA", &code).await.faults("verifyUser"), [""; 0]);
        assert_eq!(email_of(&ada).await, "ada@new.example");

        change(&ada, "ada@newer.example", PASSWORD).await.ok("/changeEmail/delivery");
        let (token, code) = proof_at(&world, "ada@newer.example").await;
        let wrong = if code == "000000" { "000001" } else { "000000" };
        let guesses = join_all((0..20).map(|_| world.verify_by_code("ada", wrong))).await;
        let looked_at =
            guesses.iter().filter(|answer| answer.faults("verifyUser") == ["WRONG_CODE at [code]"]).count();
        assert_eq!(looked_at, 5);
        assert_eq!(
            world.verify_by_code("ada", &code).await.faults("verifyUser"),
            ["TOO_MANY_ATTEMPTS at []"]
        );
        let answers = join_all((0..2).map(|_| world.verify_by_token(&token))).await;
        let mut faults: Vec<_> = answers.iter().map(|answer| answer.faults("verifyUser")).collect();
        faults.sort();
        assert_eq!(faults, [vec![], vec!["ALREADY_USED at [token]".to_owned()]], "the link works once");
    }
}

#[tokio::test]
async fn the_answer_does_not_tell_whether_the_address_is_somebodys() {
    for world in World::each().await {
        world.user("bob").await;
        let ada = world.user("ada").await;
        email_of(&ada).await;
        let (known, statements) = world.statements(change(&ada, "bob@example.org", PASSWORD)).await;
        let (unknown, as_many) = world.statements(change(&ada, "bxb@example.org", PASSWORD)).await;
        assert_eq!((&known.text, statements), (&unknown.text, as_many));
        let mail = &world.mails_to("bob@example.org").await[0];
        assert_eq!(mail.subject, "Somebody wanted to use your address");
        assert!(!mail.text.contains("token=") && !mail.text.contains("ada"), "{}", mail.text);
    }
}

#[tokio::test]
async fn an_address_goes_to_who_proves_it_first() {
    for world in World::each().await {
        let (ada, bob) = (world.user("ada").await, world.user("bob").await);
        change(&ada, "both@new.example", PASSWORD).await.ok("/changeEmail/delivery");
        let (of_ada, _) = proof_at(&world, "both@new.example").await;
        change(&bob, "BOTH@new.example", PASSWORD).await.ok("/changeEmail/delivery");
        let (of_bob, _) = proof_at(&world, "BOTH@new.example").await;
        let answers = join_all([world.verify_by_token(&of_ada), world.verify_by_token(&of_bob)]).await;
        let mut faults: Vec<_> = answers.iter().map(|answer| answer.faults("verifyUser")).collect();
        faults.sort();
        assert_eq!(faults, [vec![], vec!["TAKEN at [token]".to_owned()]]);
    }
}

#[tokio::test]
async fn what_was_planted_on_the_new_address_dies_and_so_do_other_links() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let document = "mutation { registerUser(input: { userName: \"mallory\", email: \"ada@new.example\", \
            password: \"planted by mallory\" }) { errors { code } } }";
        world.anonymous().run(document).await.ok("");
        let (planted, _) = world.verification_of("ada@new.example").await;
        change(&ada, "first@new.example", PASSWORD).await.ok("/changeEmail/delivery");
        let (first, _) = proof_at(&world, "first@new.example").await;
        change(&ada, "ada@new.example", PASSWORD).await.ok("/changeEmail/delivery");
        assert_eq!(world.verify_by_token(&first).await.faults("verifyUser"), ["ALREADY_USED at [token]"]);
        let (token, _) = proof_at(&world, "ada@new.example").await;
        assert_eq!(world.verify_by_token(&token).await.faults("verifyUser"), [""; 0]);
        assert_eq!(world.verify_by_token(&planted).await.faults("verifyUser"), ["WRONG_CODE at [token]"]);
    }
}

#[tokio::test]
async fn a_change_needs_the_password_an_address_and_patience() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let wrong = change(&ada, "ada@new.example", "not the password").await;
        assert_eq!(wrong.faults("changeEmail"), ["WRONG_CREDENTIALS at [password]"]);
        assert_eq!(
            change(&ada, "nonsense\u{0}", PASSWORD).await.faults("changeEmail"),
            ["INVALID at [newEmail]"]
        );
        let same = change(&ada, "ADA@example.org", PASSWORD).await;
        assert_eq!(same.faults("changeEmail"), ["ALREADY_VERIFIED at [newEmail]"]);
        let document = "mutation { changeEmail(input: { newEmail: \"x\" }) { errors { code path } } }";
        assert_eq!(
            ada.run(document).await.faults("changeEmail"),
            ["INVALID at [newEmail]", "REQUIRED at [password]"]
        );
        assert_eq!(world.anonymous().run(document).await.codes(), ["FORBIDDEN"]);
        for _ in 0..5 {
            change(&ada, "ada@new.example", PASSWORD).await.ok("/changeEmail/delivery");
        }
        let sixth = change(&ada, "ada@new.example", PASSWORD).await;
        assert_eq!(sixth.faults("changeEmail"), ["TOO_MANY_ATTEMPTS at []"]);
        assert_eq!(world.mails_to("ada@new.example").await.len(), 5);
        world.pass(Duration::from_mins(11));
        let ada = world.logged_in("ada", PASSWORD).await;
        assert_eq!(change(&ada, "ada@new.example", PASSWORD).await.faults("changeEmail"), [""; 0]);
    }
}

#[tokio::test]
async fn a_deactivated_account_changes_nothing() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let id = ada.run("{ me { id } }").await.ok("/me/id");
        change(&ada, "ada@new.example", PASSWORD).await.ok("/changeEmail/delivery");
        let (token, code) = proof_at(&world, "ada@new.example").await;
        let document = |mutation| {
            format!("mutation {{ {mutation}(input: {{ userIds: [{id}] }}) {{ errors {{ code }} }} }}")
        };
        world.superadmin().await.run(&document("deactivateUsers")).await.ok("");
        assert_eq!(world.verify_by_token(&token).await.faults("verifyUser"), ["ALREADY_USED at [token]"]);
        assert_eq!(world.verify_by_code("ada", &code).await.faults("verifyUser"), ["WRONG_CODE at [code]"]);
        world.superadmin().await.run(&document("activateUsers")).await.ok("");
        assert_eq!(world.verify_by_token(&token).await.faults("verifyUser"), ["ALREADY_USED at [token]"]);
    }
}
