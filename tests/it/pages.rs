//! The plain pages behind mailed links.

use axum::{
    body::Body,
    http::{Request, header},
};

use serde_json::json;

use crate::{
    change_email::{change, proof_at},
    support::{Answer, Backend, PASSWORD, World},
};

/// Sends one of the forms of `/verify`.
async fn press_the_button(world: &World, fields: &str) -> Answer {
    let form = Request::post("/verify").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    world.anonymous().send(form.body(Body::from(fields.to_owned())).expect("a request")).await
}

fn fields(token: &str, field: &str, value: &str) -> String {
    format!("token={token}&{field}={}", value.replace(' ', "+"))
}

#[tokio::test]
async fn opening_the_page_uses_nothing_up_and_the_password_that_was_chosen_verifies() {
    for world in World::each().await {
        world.register("ada").await;
        let (token, _) = world.verification_of("ada@example.org").await;
        for _ in 0..3 {
            let page = world.anonymous().get(&format!("/verify?token={token}")).await;
            assert_eq!(page.status, 200);
            assert!(page.text.contains(&token) && !page.text.contains("<script"));
        }
        assert_eq!(world.login("ada", PASSWORD).await.faults("login"), ["WRONG_CREDENTIALS at []"]);
        let bare = press_the_button(&world, &format!("token={token}")).await;
        assert_eq!(bare.status, 422, "the button alone says nothing of the password");
        let wrong = press_the_button(&world, &fields(&token, "password", "not the password")).await;
        assert_eq!(wrong.status, 422);
        assert!(wrong.text.contains("role=\"alert\"") && wrong.text.contains(&token), "{}", wrong.text);
        let done = press_the_button(&world, &fields(&token, "password", PASSWORD)).await;
        assert_eq!(done.status, 200, "{}", done.text);
        assert!(done.text.contains("Thank you, ada."));
        let again = press_the_button(&world, &fields(&token, "password", PASSWORD)).await;
        assert_eq!(again.status, 422);
        assert!(again.text.contains("used already"), "{}", again.text);
        world.logged_in("ada", PASSWORD).await;
    }
}

#[tokio::test]
async fn a_form_that_is_too_large_is_refused_before_it_is_read() {
    let world = World::on(Backend::Sqlite).await;
    for path in ["/verify", "/reset", "/invitation"] {
        let form = |length: usize, announced: bool| {
            let request =
                Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
            let text = format!("token={}", "x".repeat(length));
            if announced {
                return request.body(Body::from(text)).expect("a request");
            }
            let pieces = text.into_bytes().chunks(64 * 1024).map(<[u8]>::to_vec).collect::<Vec<_>>();
            let pieces = pieces.into_iter().map(Ok::<_, std::io::Error>);
            request.body(Body::from_stream(futures_util::stream::iter(pieces))).expect("a request")
        };
        for announced in [true, false] {
            for length in [1024 * 1024, 50 * 1024 * 1024] {
                let answer = world.anonymous().send(form(length, announced)).await;
                assert_eq!(answer.status, 413, "{path} {length}: {}", answer.text);
            }
            assert_eq!(world.anonymous().send(form(500_000, announced)).await.status, 422, "{path}");
        }
        // Nobody waits for what was only announced.
        let announced = Request::post(path).header(header::CONTENT_LENGTH, "52428800");
        let never = Body::from_stream(futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>());
        let answer = world.anonymous().send(announced.body(never).expect("a request")).await;
        assert_eq!(answer.status, 413, "{path}");
    }
}

#[tokio::test]
async fn whoever_did_not_choose_the_password_chooses_another_on_the_page() {
    for world in World::each().await {
        world.register("ada").await;
        let (token, _) = world.verification_of("ada@example.org").await;
        let weak = press_the_button(&world, &fields(&token, "newPassword", "password")).await;
        assert_eq!(weak.status, 422);
        assert!(weak.text.contains(&token), "the link is still good: {}", weak.text);
        let done = press_the_button(&world, &fields(&token, "newPassword", "quartz meadow violin")).await;
        assert_eq!(done.status, 200, "{}", done.text);
        assert_eq!(world.login("ada", PASSWORD).await.faults("login"), ["WRONG_CREDENTIALS at []"]);
        world.logged_in("ada", "quartz meadow violin").await;
        assert_eq!(world.events_of("user.verified").await, [json!({ "password": "REPLACED" })]);
    }
}

#[tokio::test]
async fn a_changed_address_is_confirmed_with_the_button_alone_and_the_page_names_the_account() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        change(&ada, "ada@new.example", PASSWORD).await.ok("");
        let (token, _) = proof_at(&world, "ada@new.example").await;
        let page = world.anonymous().get(&format!("/verify?token={token}")).await;
        assert!(page.text.contains("<strong>ada</strong>") && page.text.contains("ada@new.example"));
        assert!(!page.text.contains("type=\"password\""), "{}", page.text);
        assert_eq!(press_the_button(&world, &format!("token={token}")).await.status, 200);
        world.logged_in("ada@new.example", PASSWORD).await;
    }
}

#[tokio::test]
async fn a_link_from_a_stranger_cannot_put_anything_into_the_page() {
    for world in World::each().await {
        for path in ["verify", "reset", "invitation"] {
            let hostile = format!("/{path}?token=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E");
            let page = world.anonymous().get(&hostile).await;
            assert!(!page.text.contains("<script"), "{}", page.text);
            let policy = page.headers["content-security-policy"].to_str().expect("a header");
            assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
            assert_eq!(page.headers["referrer-policy"], "no-referrer");
        }
        for path in ["/verify", "/verify?token=a&token=b", "/verify?%ff"] {
            assert_eq!(world.anonymous().get(path).await.status, 200, "{path}");
        }
        assert_eq!(press_the_button(&world, "token=nonsense").await.status, 422);
    }
}

#[tokio::test]
async fn every_page_says_whose_it_is_and_how_to_go_on() {
    for world in World::each().await {
        world.register("ada").await;
        let (token, _) = world.verification_of("ada@example.org").await;
        let anonymous = world.anonymous();
        let mut pages = vec![
            anonymous.get(&format!("/verify?token={token}")).await,
            anonymous.get("/reset?token=nonsense").await,
        ];
        let mut dead_ends = vec![
            anonymous.get("/verify?token=nonsense").await,
            anonymous.get("/invitation?token=nonsense").await,
        ];
        for (path, body) in [
            ("/verify", "token=nonsense"),
            ("/reset", "token=nonsense&password=quartz+meadow+violin"),
            ("/invitation", "token=nonsense"),
        ] {
            let form = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
            let answer = anonymous.send(form.body(Body::from(body)).expect("a request")).await;
            assert_eq!(answer.status, 422, "{path}");
            dead_ends.push(answer);
        }
        for page in &dead_ends {
            assert!(page.text.contains("another"), "how to get another: {}", page.text);
        }
        pages.append(&mut dead_ends);
        for page in pages {
            for part in ["<html lang=\"en\">", "<h1>", "Denizen", "href=\"http://denizen.test\"", "<main>"] {
                assert!(page.text.contains(part), "{part} in {}", page.text);
            }
            assert!(
                page.text.contains(":root{color-scheme:light dark"),
                "on the whole page, not the body alone"
            );
        }
    }
}

#[tokio::test]
async fn links_carry_the_configured_address_whatever_the_request_says() {
    for world in World::each().await {
        let document = "mutation { registerUser(input: { email: \"ada@example.org\", password: \"tinte kanne wolke\" }) { errors { code } } }";
        let mallory = world
            .anonymous()
            .with_header("host", "evil.example")
            .with_header("x-forwarded-host", "evil.example");
        mallory.run(document).await;
        let mail = &world.mails_to("ada@example.org").await[0];
        assert!(
            mail.text.contains("http://denizen.test/verify?token=") && !mail.text.contains("evil"),
            "{}",
            mail.text
        );
    }
}
