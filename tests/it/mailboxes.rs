//! Whose mailbox it is: attempts that live side by side, and the proof that decides.

use std::time::Duration;

use serde_json::json;

use crate::support::{Answer, PASSWORD, World};

async fn register(world: &World, name: &str, email: &str, password: &str) -> Answer {
    let document = "mutation ($input: RegisterUserInput!) { registerUser(input: $input) { delivery { channel } errors { code path } } }";
    let input = json!({ "userName": name, "email": email, "password": password });
    world.anonymous().run_with(document, json!({ "input": input })).await
}

#[tokio::test]
async fn a_link_dies_after_a_day() {
    for world in World::each().await {
        world.register("ada").await;
        let (token, _) = world.verification_of("ada@example.org").await;
        world.pass(Duration::from_hours(24));
        assert_eq!(world.verify_by_token(&token).await.faults("verifyUser"), ["EXPIRED at [token]"]);
        assert_eq!(
            register(&world, "ada", "another@example.org", PASSWORD).await.faults("registerUser"),
            [""; 0],
            "the name is free again"
        );
    }
}

#[tokio::test]
async fn whoever_proves_the_mailbox_gets_it_and_what_was_planted_dies() {
    for world in World::each().await {
        register(&world, "mallory", "ada@example.org", "planted by mallory").await;
        let (planted, _) = world.verification_of("ada@example.org").await;
        world.pass(Duration::from_secs(1));
        world.user("ada").await;
        assert_eq!(world.verify_by_token(&planted).await.faults("verifyUser"), ["WRONG_CODE at [token]"]);
        assert_eq!(
            world.login("mallory", "planted by mallory").await.faults("login"),
            ["WRONG_CREDENTIALS at []"]
        );
        assert_eq!(
            world.login("ada@example.org", "planted by mallory").await.faults("login"),
            ["WRONG_CREDENTIALS at []"]
        );
    }
}

#[tokio::test]
async fn an_attempt_under_the_same_name_leaves_the_first_alone() {
    for world in World::each().await {
        register(&world, "ada", "ada@example.org", "the words of ada herself").await;
        let (own, own_code) = world.verification_of("ada@example.org").await;
        world.pass(Duration::from_secs(1));
        assert_eq!(
            register(&world, "ADA", "Ada@example.org", "planted by mallory").await.faults("registerUser"),
            [""; 0]
        );
        let (planted, _) = world.verification_of("Ada@example.org").await;
        assert_ne!(own, planted);
        let mails = world.mails().await;
        let told = |mail: &denizen::domain::notifications::channel::Delivered| {
            mail.text.contains("made at 2026-01-01T00:00:00.000Z, from 203.0.113.7")
        };
        assert!(mails.iter().any(told), "a mail says when and from where");
        let verified = if world.backend == crate::support::Backend::Sqlite {
            world.verify(json!({ "token": own, "password": "the words of ada herself" })).await
        } else {
            let password = "the words of ada herself";
            world.verify(json!({ "userName": "ada", "code": own_code, "password": password })).await
        };
        assert_eq!(verified.ok("/verifyUser/user/userName"), "ada");
        assert_eq!(world.verify_by_token(&planted).await.faults("verifyUser"), ["WRONG_CODE at [token]"]);
        world.logged_in("ada", "the words of ada herself").await;
        assert_eq!(
            world.login("ada", "planted by mallory").await.faults("login"),
            ["WRONG_CREDENTIALS at []"]
        );
    }
}

#[tokio::test]
async fn whoever_lost_the_first_mail_takes_the_second_and_keeps_the_name() {
    for world in World::each().await {
        world.register("ada").await;
        world.mails().await;
        world.pass(Duration::from_secs(1));
        world.register("ada").await;
        let (_, code) = world.verification_of("ada@example.org").await;
        let verified = world.verify_by_code("ada", &code).await;
        assert_eq!(verified.ok("/verifyUser/user/userName"), "ada");
        world.logged_in("ada", PASSWORD).await;
        let found = world.superadmin().await.run("{ user(by: { userName: \"ada\" }) { status } }").await;
        assert_eq!(found.ok("/user/status"), "ACTIVE");
    }
}

#[tokio::test]
async fn many_proofs_of_one_mailbox_at_once_leave_one_identity_and_no_error() {
    for world in World::each().await {
        for round in 0..3 {
            let email = format!("ada{round}@example.org");
            let mut tokens = Vec::new();
            for number in 0..6 {
                register(&world, &format!("name{round}-{number}"), &email, PASSWORD).await;
                tokens.push(world.verification_of(&email).await.0);
                world.pass(Duration::from_secs(1));
            }
            let name = format!("name{round}-0");
            let again = register(&world, &name, &email, PASSWORD);
            let proofs =
                futures_util::future::join_all(tokens.iter().map(|token| world.verify_by_token(token)));
            let (answers, again) = tokio::join!(proofs, again);
            let verified =
                answers.iter().filter(|answer| answer.data("/verifyUser/user/status") == "ACTIVE").count();
            let said: Vec<_> = answers.iter().chain([&again]).map(|answer| &answer.text).collect();
            assert_eq!(verified, 1, "{said:?}");
            assert!(
                said.iter().all(|text| !text.contains("INTERNAL") && !text.contains("UNAVAILABLE")),
                "{said:?}"
            );
        }
    }
}

#[tokio::test]
async fn parallel_registrations_of_one_name_and_mailbox_are_all_answered_alike() {
    for world in World::each().await {
        let attempts = (0..5).map(|_| register(&world, "ada", "ada@example.org", PASSWORD));
        for answer in futures_util::future::join_all(attempts).await {
            assert_eq!(answer.faults("registerUser"), [""; 0], "{}", answer.text);
        }
        assert_eq!(world.mails_to("ada@example.org").await.len(), 5);
    }
}

#[tokio::test]
async fn names_that_could_be_taken_for_ours_are_taken() {
    for world in World::each().await {
        for name in ["admin", "ADMIN", "Administrator", "root"] {
            let answer = register(&world, name, "ada@example.org", PASSWORD).await;
            assert_eq!(answer.faults("registerUser"), ["TAKEN at [userName]"], "{name}");
        }
    }
}

#[tokio::test]
async fn texts_that_are_dear_to_judge_cost_little() {
    let world = World::on(crate::support::Backend::Sqlite).await;
    let begun = std::time::Instant::now();
    let dear = "4@8({[<369&#!1|0$5+7%2/".repeat(3);
    register(&world, "ada", "no address", &dear).await;
    register(&world, "ada", "ada@example.org", &dear).await;
    let long = "\u{fdfa}".repeat(200_000);
    world.login(&long, PASSWORD).await;
    world.verify_by_code(&long, "000000").await;
    assert!(begun.elapsed() < Duration::from_secs(5), "it took {:?}", begun.elapsed());
}

#[tokio::test]
async fn a_name_tells_of_no_address() {
    for world in World::each().await {
        let known = "vera@example.org";
        register(&world, known, known, PASSWORD).await;
        let (token, _) = world.verification_of(known).await;
        assert_eq!(world.verify_by_token(&token).await.faults("verifyUser"), [""; 0]);
        register(&world, "pending", "pia@example.org", PASSWORD).await;
        let attempts = [
            (known, known),
            ("other@example.org", "other@example.org"),
            ("pending", "pia@example.org"),
            ("pending", "wrong@example.org"),
            ("pending", known),
        ];
        for (name, email) in attempts {
            let answer = register(&world, name, email, "the words of a stranger").await;
            assert_eq!(answer.faults("registerUser"), [""; 0], "{name} {email}");
        }
        let told = world.mails_to(known).await;
        let heard = told.iter().filter(|mail| mail.subject == "You already have an account");
        assert_eq!(heard.count(), 2, "the owner hears of it");
        assert_eq!(told.iter().filter(|mail| mail.text.contains("token=")).count(), 1, "one's own");
        world.logged_in(known, PASSWORD).await;
    }
}

#[tokio::test]
async fn whoever_proves_first_gets_the_name() {
    for world in World::each().await {
        register(&world, "nina", "first@example.org", PASSWORD).await;
        register(&world, "nina", "second@example.org", PASSWORD).await;
        let (first, _) = world.verification_of("first@example.org").await;
        let (_, code) = world.verification_of("second@example.org").await;
        let verified = world.verify_by_code("nina", &code).await;
        assert_eq!(verified.ok("/verifyUser/user/userName"), "nina");
        world.logged_in("second@example.org", PASSWORD).await;
        assert_eq!(world.verify_by_token(&first).await.faults("verifyUser"), ["TAKEN at [token]"]);
        let late = register(&world, "nina", "third@example.org", PASSWORD).await;
        assert_eq!(late.faults("registerUser"), ["TAKEN at [userName]"], "by an account");
    }
}

#[tokio::test]
async fn proofs_for_one_name_at_once_leave_one_holder_and_no_error() {
    for world in World::each().await {
        let mut tokens = Vec::new();
        for number in 0..6 {
            let email = format!("n{number}@example.org");
            register(&world, "nina", &email, PASSWORD).await;
            tokens.push(world.verification_of(&email).await.0);
        }
        let answers = tokens.iter().map(|token| world.verify_by_token(token));
        let answers = futures_util::future::join_all(answers).await;
        let mut faults: Vec<_> = answers.iter().map(|answer| answer.faults("verifyUser").join(" ")).collect();
        faults.sort();
        assert_eq!(faults[0], "");
        assert!(faults[1..].iter().all(|fault| fault == "TAKEN at [token]"), "{faults:?}");
    }
}
