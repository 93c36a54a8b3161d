//! The plain pages behind mailed links.

use axum::{
    body::Body,
    http::{Request, header},
};

use crate::support::{Answer, Backend, PASSWORD, World};

async fn press_the_button(world: &World, token: &str) -> Answer {
    let form = Request::post("/verify").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    world.anonymous().send(form.body(Body::from(format!("token={token}"))).expect("a request")).await
}

#[tokio::test]
async fn opening_the_page_uses_nothing_up_and_the_button_verifies() {
    for world in World::each().await {
        world.register("ada").await;
        let (token, _) = world.verification_of("ada@example.org").await;
        for _ in 0..3 {
            let page = world.anonymous().get(&format!("/verify?token={token}")).await;
            assert_eq!(page.status, 200);
            assert!(page.text.contains(&token) && !page.text.contains("<script"));
        }
        assert_eq!(world.login("ada", PASSWORD).await.faults("login"), ["WRONG_CREDENTIALS at []"]);
        let done = press_the_button(&world, &token).await;
        assert_eq!(done.status, 200, "{}", done.text);
        assert!(done.text.contains("Thank you, ada."));
        let again = press_the_button(&world, &token).await;
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
async fn a_link_from_a_stranger_cannot_put_anything_into_the_page() {
    for world in World::each().await {
        let page = world.anonymous().get("/verify?token=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E").await;
        assert!(!page.text.contains("<script"), "{}", page.text);
        let policy = page.headers["content-security-policy"].to_str().expect("a header");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        assert_eq!(page.headers["referrer-policy"], "no-referrer");
        for path in ["/verify", "/verify?token=a&token=b", "/verify?%ff"] {
            assert_eq!(world.anonymous().get(path).await.status, 200, "{path}");
        }
        assert_eq!(press_the_button(&world, "nonsense").await.status, 422);
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
