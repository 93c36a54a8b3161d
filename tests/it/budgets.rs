//! Whoever asks for somebody else's mails and codes, or guesses at them, keeps none from their owner.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    otp,
    support::{Answer, Backend, Client, PASSWORD, World, token_and_code},
};

const NEW: &str = "seven umbrellas in may";

/// A world behind a proxy that says where each request comes from.
pub async fn each() -> Vec<World> {
    let mut worlds = Vec::new();
    for backend in [Backend::Sqlite, Backend::Postgres] {
        worlds.push(World::with(backend, &["--trusted-proxies", "203.0.113.0/24"]).await);
    }
    worlds
}

pub fn from(world: &World, ip: &str) -> Client {
    world.anonymous().with_header("x-forwarded-for", ip)
}

/// Somewhere in a network of its own.
pub fn network(world: &World, number: usize) -> Client {
    from(world, &format!("10.{}.{}.1", number / 256, number % 256))
}

async fn register(client: &Client, name: &str, email: &str) -> Answer {
    let document = "mutation ($input: RegisterUserInput!) { registerUser(input: $input) {
        delivery { channel destination } errors { code path } } }";
    let input = json!({ "userName": name, "email": email, "password": PASSWORD });
    client.run_with(document, json!({ "input": input })).await
}

async fn resend(client: &Client, identifier: &str) -> Answer {
    let document =
        "mutation ($identifier: String!) { resendVerification(input: { identifier: $identifier }) {
        delivery { channel destination } errors { code path } } }";
    client.run_with(document, json!({ "identifier": identifier })).await
}

async fn forgot(client: &Client, identifier: &str) -> Answer {
    let document = "mutation ($identifier: String!) { forgotPassword(input: { identifier: $identifier }) {
        delivery { channel destination } errors { code path } } }";
    client.run_with(document, json!({ "identifier": identifier })).await
}

async fn reset(client: &Client, key: Value) -> Answer {
    let document =
        "mutation ($input: ResetPasswordInput!) { resetPassword(input: $input) { errors { code path } } }";
    let mut input = json!({ "newPassword": NEW });
    for (name, value) in key.as_object().into_iter().flatten() {
        input[name] = value.clone();
    }
    client.run_with(document, json!({ "input": input })).await
}

pub async fn log_in(client: &Client, identifier: &str, code: &str) -> Answer {
    let document = "mutation ($identifier: String!, $code: String!) {
        loginWithOtp(input: { identifier: $identifier, code: $code }) { tokens { accessToken } errors { code path } } }";
    client.run_with(document, json!({ "identifier": identifier, "code": code })).await
}

pub async fn ask(client: &Client, purpose: &str, identifier: &str) -> Answer {
    otp::request(client, json!({ "purpose": purpose, "identifier": identifier })).await
}

fn wrong(code: &str) -> &'static str {
    if code == "000000" { "000001" } else { "000000" }
}

async fn count(world: &World, address: &str) -> usize {
    world.mails_to(address).await.len()
}

#[tokio::test]
async fn strangers_registrations_do_not_keep_the_owners_mail_away() {
    for world in each().await {
        for number in 0..24 {
            let answer =
                register(&network(&world, number), &format!("name{number}"), "ada@example.org").await;
            assert_eq!(answer.faults("registerUser"), [""; 0]);
        }
        let before = count(&world, "ada@example.org").await;
        let answer = register(&from(&world, "198.51.100.9"), "ada", "Ada@example.org").await;
        assert_eq!(answer.faults("registerUser"), [""; 0]);
        assert_eq!(world.mails_to("Ada@example.org").await.len(), 1, "the owner's own, after {before}");
        // Another one, too: with a link of the attempt that is asked for.
        let answer = resend(&from(&world, "2001:db8:7::1"), "ada").await;
        assert_eq!(answer.faults("resendVerification"), [""; 0]);
        assert_eq!(world.mails_to("Ada@example.org").await.len(), 2);
    }
}

#[tokio::test]
async fn a_source_uses_up_its_own_share_of_a_target_and_no_more() {
    for world in each().await {
        world.user("ada").await;
        let before = count(&world, "ada@example.org").await;
        for number in 0..9 {
            // One network each, whatever the last part of the address is.
            let one = from(&world, &format!("198.51.100.{number}"));
            let other = from(&world, &format!("2001:db8:0:7::{number}"));
            for client in [one, other] {
                let answer = register(&client, &format!("name{number}"), "ada@example.org").await;
                assert_eq!(answer.ok("/registerUser/delivery/destination"), "a•••@example.org");
            }
        }
        assert_eq!(count(&world, "ada@example.org").await - before, 10, "five for each of two networks");
        register(&from(&world, "198.51.101.1"), "eve", "ada@example.org").await;
        register(&from(&world, "2001:db8:0:8::1"), "eva", "ada@example.org").await;
        assert_eq!(count(&world, "ada@example.org").await - before, 12, "the neighbours have their own");
        world.pass(Duration::from_mins(10));
        register(&from(&world, "198.51.100.1"), "later", "ada@example.org").await;
        assert_eq!(count(&world, "ada@example.org").await - before, 13);
    }
}

#[tokio::test]
async fn a_target_gets_twenty_and_then_some_of_each_new_source_up_to_a_hundred_sources_a_day() {
    for world in each().await {
        world.user("ada").await;
        let before = count(&world, "ada@example.org").await;
        let sent = async || count(&world, "ada@example.org").await - before;
        for number in 0..20 {
            forgot(&network(&world, number / 5), "ada").await;
        }
        assert_eq!(sent().await, 20);
        for number in 4..30 {
            let answer = forgot(&network(&world, number), "ada@example.org").await;
            assert_eq!(answer.ok("/forgotPassword/delivery/destination"), "a•••@example.org");
            let again = forgot(&network(&world, number), "ada@example.org").await;
            assert_eq!(again.text, answer.text, "what is not sent is announced alike");
            if number == 6 {
                assert_eq!(sent().await, 26, "what is new gets more than one");
            }
        }
        assert_eq!(sent().await, 60, "twenty sources of one /16");
        for number in 0..80 {
            forgot(&from(&world, &format!("172.{number}.0.1")), "ada").await;
        }
        assert_eq!(sent().await, 140, "a hundred sources");
        forgot(&from(&world, "198.51.100.9"), "ada").await;
        assert_eq!(sent().await, 140);
        forgot(&from(&world, "172.7.0.1"), "ada").await;
        assert_eq!(sent().await, 141, "who was let in stays so");
        let unknown = forgot(&network(&world, 5_000), "eve@example.org").await;
        assert_eq!(unknown.ok("/forgotPassword/delivery/destination"), "e•••@example.org");
        // Codes for logins have a budget of their own.
        ask(&network(&world, 1), "LOGIN", "ada").await;
        assert_eq!(sent().await, 142);
        world.pass(Duration::from_hours(24));
        forgot(&network(&world, 1), "ada").await;
        assert_eq!(sent().await, 143);
    }
}

/// The owner comes last, and gets five of a day.
async fn owner_gets_five(world: &World, owner: &Client) {
    let before = count(world, "ada@example.org").await;
    for number in 1..=5 {
        world.pass(Duration::from_secs(1));
        ask(owner, "LOGIN", "ada").await;
        assert_eq!(count(world, "ada@example.org").await - before, number, "the owner, who comes last");
    }
}

#[tokio::test]
async fn whoever_holds_one_allocation_of_addresses_keeps_no_mail_from_the_owner() {
    for (block, newcomers) in [("2001:db8:7", 5), ("10.7", 20)] {
        for world in each().await {
            world.user("ada").await;
            let before = count(&world, "ada@example.org").await;
            for number in 0..20 {
                ask(&network(&world, number / 5), "LOGIN", "ada").await;
            }
            for number in 0..104 {
                let ip = if block.contains(':') {
                    format!("{block}:{number:x}::1")
                } else {
                    format!("{block}.{number}.1")
                };
                ask(&from(&world, &ip), "LOGIN", "ada").await;
            }
            assert_eq!(count(&world, "ada@example.org").await - before, 20 + newcomers, "{block}");
            owner_gets_five(&world, &from(&world, "198.51.100.9")).await;
        }
    }
}

#[tokio::test]
async fn whoever_asks_for_hours_keeps_no_mail_from_the_owner() {
    for world in each().await {
        world.user("ada").await;
        let before = count(&world, "ada@example.org").await;
        for round in 0..6 {
            for number in 0..20 {
                let name = format!("name{round}x{number}");
                register(&network(&world, number / 5), &name, "ada@example.org").await;
            }
            world.pass(Duration::from_mins(11));
        }
        let after = count(&world, "ada@example.org").await;
        assert_eq!(after - before, 100, "the proofs of an address are guessed at: a hundred a day");
        let owner = from(&world, "198.51.100.9");
        for number in 1..=6 {
            register(&owner, &format!("ada{number}"), "ada@example.org").await;
            world.pass(Duration::from_mins(11));
            let sent = count(&world, "ada@example.org").await - after;
            assert_eq!(sent, number.min(5), "the owner's first five");
        }
    }
}

#[tokio::test]
async fn what_counts_wrong_guesses_in_a_row_has_no_end_in_a_day() {
    for world in each().await {
        world.user("ada").await;
        let before = count(&world, "ada@example.org").await;
        for round in 0..6 {
            for number in 0..20 {
                forgot(&network(&world, round * 4 + number / 5), "ada").await;
            }
            world.pass(Duration::from_mins(11));
        }
        assert_eq!(count(&world, "ada@example.org").await - before, 120);
        for number in 1..=7 {
            forgot(&from(&world, "198.51.100.9"), "ada").await;
            world.pass(Duration::from_mins(11));
            assert_eq!(count(&world, "ada@example.org").await - before, 120 + number);
        }
    }
}

#[tokio::test]
async fn strangers_end_neither_the_owners_code_nor_the_owners_link() {
    for world in each().await {
        world.user("ada").await;
        let owner = from(&world, "198.51.100.9");
        ask(&owner, "LOGIN", "ada").await;
        let code = otp::code_to(&world, "ada@example.org").await;
        forgot(&owner, "ada").await;
        let link = token_and_code(&world.mails_to("ada@example.org").await[0]).0;
        world.pass(Duration::from_secs(1));
        for number in 0..6 {
            ask(&network(&world, number), "LOGIN", "ada").await;
            forgot(&network(&world, number), "ada").await;
        }
        world.mails().await;
        assert_eq!(log_in(&owner, "ada", &code).await.faults("loginWithOtp"), [""; 0]);
        assert_eq!(reset(&owner, json!({ "token": link })).await.faults("resetPassword"), [""; 0]);
    }
}

#[tokio::test]
async fn a_new_code_ends_the_earlier_one_of_the_same_source() {
    for world in each().await {
        world.user("ada").await;
        let owner = from(&world, "198.51.100.9");
        ask(&owner, "LOGIN", "ada").await;
        let first = otp::code_to(&world, "ada@example.org").await;
        world.pass(Duration::from_secs(1));
        ask(&owner, "LOGIN", "ada").await;
        let second = otp::code_to(&world, "ada@example.org").await;
        if first != second {
            assert_eq!(log_in(&owner, "ada", &first).await.faults("loginWithOtp"), ["WRONG_CODE at [code]"]);
        }
        // Whoever has moved on to another network gets in with the newest.
        let elsewhere = from(&world, "198.51.101.9");
        assert_eq!(log_in(&elsewhere, "ada", &second).await.faults("loginWithOtp"), [""; 0]);
        // One login ends what else was sent for one.
        world.pass(Duration::from_secs(1));
        ask(&owner, "LOGIN", "ada").await;
        let third = otp::code_to(&world, "ada@example.org").await;
        world.pass(Duration::from_secs(1));
        ask(&elsewhere, "LOGIN", "ada").await;
        let fourth = otp::code_to(&world, "ada@example.org").await;
        assert_eq!(log_in(&elsewhere, "ada", &fourth).await.faults("loginWithOtp"), [""; 0]);
        assert_eq!(log_in(&owner, "ada", &third).await.faults("loginWithOtp"), ["WRONG_CODE at [code]"]);
    }
}

#[tokio::test]
async fn strangers_guesses_close_no_code_for_its_owner() {
    for world in each().await {
        world.user("ada").await;
        let owner = from(&world, "198.51.100.9");
        forgot(&owner, "ada").await;
        let (_, code) = token_and_code(&world.mails_to("ada@example.org").await[0]);
        ask(&owner, "LOGIN", "ada").await;
        let login = otp::code_to(&world, "ada@example.org").await;
        for name in ["ada", "xxx"] {
            for number in 0..3 {
                let stranger = network(&world, number);
                for _ in 0..5 {
                    let key = json!({ "identifier": name, "code": wrong(&code) });
                    assert_eq!(reset(&stranger, key).await.faults("resetPassword"), ["WRONG_CODE at [code]"]);
                    let guessed = log_in(&stranger, name, wrong(&login)).await;
                    assert_eq!(guessed.faults("loginWithOtp"), ["WRONG_CODE at [code]"], "{name} {number}");
                }
                let key = json!({ "identifier": name, "code": code });
                let closed = ["TOO_MANY_ATTEMPTS at []"];
                assert_eq!(
                    reset(&stranger, key).await.faults("resetPassword"),
                    closed,
                    "five for each source"
                );
            }
        }
        // Five of all others together: whoever comes fresh guesses no more.
        let fresh = network(&world, 9);
        assert_eq!(log_in(&fresh, "ada", &login).await.faults("loginWithOtp"), ["WRONG_CODE at [code]"]);
        for _ in 0..4 {
            log_in(&owner, "ada", wrong(&login)).await;
        }
        assert_eq!(
            log_in(&owner, "ada", &login).await.faults("loginWithOtp"),
            [""; 0],
            "the fifth of the owner"
        );
        let key = json!({ "identifier": "ada", "code": code });
        assert_eq!(reset(&owner, key).await.faults("resetPassword"), [""; 0]);
    }
}

#[tokio::test]
async fn many_attempts_of_strangers_hide_no_code_of_the_owners_attempt() {
    for world in each().await {
        let owner = from(&world, "198.51.100.9");
        register(&owner, "ada", "ada@example.org").await;
        let (_, code) = world.verification_of("ada@example.org").await;
        for number in 0..24 {
            world.pass(Duration::from_secs(1));
            register(&network(&world, number), "ada", "ada@example.org").await;
        }
        let shown = json!({ "purpose": "VERIFY_EMAIL", "identifier": "ada@example.org", "code": code });
        assert_eq!(otp::verify(&owner, shown).await.faults("verifyOtp"), [""; 0]);
    }
}

#[tokio::test]
async fn whoever_wants_somebodys_number_keeps_no_message_from_its_owner() {
    for world in each().await {
        let change = "mutation ($phone: PhoneNumber!) { changePhone(input: { newPhone: $phone, password: \"tinte kanne wolke\" }) {
            delivery { channel } errors { code path } } }";
        let number = "+491701234567";
        let mallory = world.user("mallory").await;
        let before = world.mails_to(number).await.len();
        for source in 0..5 {
            let client = mallory.with_header("x-forwarded-for", &format!("10.0.{source}.1"));
            client.run_with(change, json!({ "phone": number })).await.ok("/changePhone/delivery");
        }
        assert_eq!(world.mails_to(number).await.len() - before, 5);
        let ada = world.user("ada").await.with_header("x-forwarded-for", "198.51.100.9");
        let changed = ada.run_with(change, json!({ "phone": number })).await;
        assert_eq!(changed.faults("changePhone"), [""; 0]);
        let code = otp::code_to(&world, number).await;
        let input = json!({ "purpose": "VERIFY_PHONE", "code": code });
        assert_eq!(otp::verify(&ada, input).await.faults("verifyOtp"), [""; 0]);
    }
}

#[tokio::test]
async fn what_is_refused_takes_as_many_statements_for_nobody_as_for_somebody() {
    for world in each().await {
        world.user("ada").await;
        world.mails().await;
        for round in 0..8 {
            let mut took = Vec::new();
            for name in ["ada", "xxx"] {
                let client = from(&world, "198.51.100.9");
                let work = async {
                    ask(&client, "LOGIN", name).await;
                    log_in(&client, name, "000000").await;
                    register(&client, &format!("{name}{round}"), &format!("{name}@example.org")).await;
                };
                took.push(world.statements(work).await.1);
            }
            assert_eq!(took[0], took[1], "round {round} on {:?}", world.backend);
        }
    }
}
