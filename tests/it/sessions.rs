//! Logging in, being known, logging out.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::support::{Backend, PASSWORD, World};

#[tokio::test]
async fn unknown_wrong_and_unverified_are_one_answer() {
    for world in World::each().await {
        world.user("ada").await;
        world.register("bob").await;
        let answers = [
            world.login("nobody", PASSWORD).await,
            world.login("ada", "not the password").await,
            world.login("bob", PASSWORD).await,
            world.login("ada\u{0}", PASSWORD).await,
            world.login("ada", &format!("{PASSWORD}\u{0}")).await,
            world.login("ada", &"x".repeat(5_000)).await,
            world.login("", "").await,
        ];
        for answer in &answers {
            assert_eq!(answer.text, answers[0].text);
        }
        insta::allow_duplicates! { insta::assert_snapshot!(answers[0].text, @r#"{"data":{"login":{"user":null,"session":null,"tokens":null,"errors":[{"code":"WRONG_CREDENTIALS","message":"The name or the password is wrong.","path":[]}]}}}"#); }
    }
}

#[tokio::test]
async fn one_logs_in_by_name_or_address_in_any_spelling() {
    for world in World::each().await {
        world.user("ada").await;
        for identifier in ["ada", " ADA ", "ａｄａ", "ada@example.org", "Ada@Example.ORG"] {
            assert_eq!(
                world.login(identifier, PASSWORD).await.ok("/login/user/userName"),
                "ada",
                "{identifier}"
            );
        }
    }
}

#[tokio::test]
async fn a_token_says_who_and_which_session_and_nothing_secret() {
    for world in World::each().await {
        world.user("ada").await;
        let login = world.login("ada", PASSWORD).await;
        let token = login.ok("/login/tokens/accessToken");
        let parts: Vec<_> = token.as_str().expect("a token").split('.').collect();
        let decoded = |part: &str| -> Value {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64")).expect("JSON")
        };
        let (header, claims) = (decoded(parts[0]), decoded(parts[1]));
        assert_eq!((&header["alg"], &header["typ"]), (&json!("ES256"), &json!("at+jwt")));
        let names: Vec<_> = claims.as_object().expect("claims").keys().map(String::as_str).collect();
        assert_eq!(names, ["aud", "client_id", "exp", "iat", "iss", "jti", "nbf", "scope", "sid", "sub"]);
        assert_eq!(
            (&claims["sub"], &claims["sid"]),
            (&login.ok("/login/user/id"), &login.ok("/login/session/id"))
        );
        assert_eq!(claims["exp"].as_i64().unwrap_or(0) - claims["iat"].as_i64().unwrap_or(0), 900);
        let keys = world.anonymous().get("/.well-known/jwks.json").await.body;
        assert_eq!(keys["keys"][0]["kid"], header["kid"]);
        assert!(keys["keys"][0].get("d").is_none());
        let configuration = world.anonymous().get("/.well-known/openid-configuration").await.body;
        assert_eq!(configuration["issuer"], claims["iss"]);
    }
}

#[tokio::test]
async fn what_there_is_of_oauth_is_said_and_no_more() {
    let world = World::on(Backend::Sqlite).await;
    let answer = world.anonymous().get("/.well-known/oauth-authorization-server").await;
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(
        answer.body,
        json!({
            "issuer": "http://denizen.test",
            "jwks_uri": "http://denizen.test/.well-known/jwks.json",
            "response_types_supported": [],
            "grant_types_supported": [],
        })
    );
}

#[tokio::test]
async fn a_dead_or_forged_token_fails_the_whole_request() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let token = ada.token.clone().expect("a token");
        let parts: Vec<_> = token.split('.').collect();
        let with_header = |header: Value| {
            format!("{}.{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), parts[1], parts[2])
        };
        let original: Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[0]).expect("base64")).expect("JSON");
        let kid = original["kid"].clone();
        let mut claims: Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).expect("base64")).expect("JSON");
        claims["exp"] = json!(9_999_999_999_u64);
        let forged = [
            "nonsense".to_owned(),
            String::new(),
            "a.b.c".to_owned(),
            format!("{}.{}.", parts[0], parts[1]),
            format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(claims.to_string()), parts[2]),
            with_header(json!({ "alg": "none", "typ": "at+jwt", "kid": kid })),
            with_header(json!({ "alg": "HS256", "typ": "at+jwt", "kid": kid })),
            with_header(json!({ "alg": "ES256", "typ": "JWT", "kid": kid })),
            with_header(json!({ "alg": "ES256", "typ": "at+jwt", "kid": "another" })),
            with_header(json!({ "alg": "ES256", "typ": "at+jwt" })),
        ];
        for token in forged {
            let answer = world.anonymous().with_token(&token).run("{ __typename }").await;
            assert_eq!(
                (answer.status.as_u16(), answer.codes()),
                (401, vec!["UNAUTHENTICATED".to_owned()]),
                "{token}: {}",
                answer.text
            );
        }
        assert_eq!(ada.run("{ me { userName } }").await.ok("/me/userName"), "ada");
        world.pass(Duration::from_mins(15));
        assert_eq!(ada.run("{ __typename }").await.status.as_u16(), 401, "its time has run out");
    }
}

#[tokio::test]
async fn logout_reaches_every_instance_within_two_seconds() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let token = ada.token.clone().expect("a token");
        let elsewhere = world.another_instance().await.with_token(&token);
        assert_eq!(elsewhere.run("{ me { userName } }").await.ok("/me/userName"), "ada");
        assert_eq!(
            ada.run("mutation { logout { endedSessions errors { code } } }")
                .await
                .ok("/logout/endedSessions"),
            1
        );
        assert_eq!(ada.run("{ __typename }").await.status.as_u16(), 401, "here at once");
        world.pass(Duration::from_secs(2));
        assert_eq!(elsewhere.run("{ __typename }").await.status.as_u16(), 401, "there within two seconds");
    }
}

#[tokio::test]
async fn logout_everywhere_ends_all_sessions_of_the_user_and_of_nobody_else() {
    for world in World::each().await {
        let first = world.user("ada").await;
        let second = world.logged_in("ada", PASSWORD).await;
        let bob = world.user("bob").await;
        let ended = second.run("mutation { logout(input: { everywhere: true }) { endedSessions } }").await;
        assert_eq!(ended.ok("/logout/endedSessions"), 2);
        assert_eq!(first.run("{ __typename }").await.status.as_u16(), 401);
        assert_eq!(second.run("{ __typename }").await.status.as_u16(), 401);
        assert_eq!(bob.run("{ me { userName } }").await.ok("/me/userName"), "bob");
    }
}

#[tokio::test]
async fn the_refresh_token_logs_out_a_session_whose_access_token_is_gone() {
    for world in World::each().await {
        world.user("ada").await;
        let login = world.login("ada", PASSWORD).await;
        let (access, refresh) =
            (login.ok("/login/tokens/accessToken"), login.ok("/login/tokens/refreshToken"));
        let logout = "mutation ($token: String!) { logout(input: { refreshToken: $token }) { endedSessions errors { code path } } }";
        let ended = world.anonymous().run_with(logout, json!({ "token": refresh })).await;
        assert_eq!(ended.ok("/logout/endedSessions"), 1);
        let ada = world.anonymous().with_token(access.as_str().expect("a token"));
        assert_eq!(ada.run("{ __typename }").await.status.as_u16(), 401);
        let unknown = world.anonymous().run_with(logout, json!({ "token": "nonsense" })).await;
        assert_eq!(unknown.ok("/logout"), json!({ "endedSessions": 0, "errors": [] }), "and says no more");
        let second = world.logged_in("ada", PASSWORD).await;
        let everywhere = "mutation ($token: String!) { logout(input: { refreshToken: $token, everywhere: true }) { endedSessions } }";
        let dead = world.anonymous().run_with(everywhere, json!({ "token": refresh })).await;
        assert_eq!(dead.ok("/logout/endedSessions"), 0, "the token of an ended session ends no other");
        assert_eq!(second.run("{ me { userName } }").await.ok("/me/userName"), "ada");
        let nobody =
            world.anonymous().run("mutation { logout { endedSessions errors { code path } } }").await;
        assert_eq!(nobody.faults("logout"), ["REQUIRED at [refreshToken]"]);
    }
}

#[tokio::test]
async fn the_refresh_token_before_the_one_in_force_logs_out_too() {
    for world in World::each().await {
        world.user("ada").await;
        let first = world.login("ada", PASSWORD).await.ok("/login/tokens/refreshToken");
        let refresh = "mutation ($token: String!) { refreshTokens(input: { refreshToken: $token }) { tokens { accessToken } } }";
        let refreshed = world.anonymous().run_with(refresh, json!({ "token": first })).await;
        let access = refreshed.ok("/refreshTokens/tokens/accessToken");
        // Its answer was lost: the client has the first one still.
        let logout =
            "mutation ($token: String!) { logout(input: { refreshToken: $token }) { endedSessions } }";
        let ended = world.anonymous().run_with(logout, json!({ "token": first })).await;
        assert_eq!(ended.ok("/logout/endedSessions"), 1);
        let ada = world.anonymous().with_token(access.as_str().expect("a token"));
        assert_eq!(ada.run("{ __typename }").await.status.as_u16(), 401);
    }
}

#[tokio::test]
async fn a_deactivated_user_is_out_and_only_the_right_password_learns_why() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        deactivate(&world, "ada").await;
        world.pass(Duration::from_secs(2));
        assert_eq!(ada.run("{ __typename }").await.status.as_u16(), 401);
        assert_eq!(world.login("ada", PASSWORD).await.faults("login"), ["INACTIVE at []"]);
        assert_eq!(world.login("ada", "not the password").await.faults("login"), ["WRONG_CREDENTIALS at []"]);
    }
}

async fn deactivate(world: &World, user_name: &str) {
    use entity::{UserStatus, user};
    use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, sea_query::Expr};
    let txn = world.app.db.begin().await.expect("a transaction");
    user::Entity::update_many()
        .col_expr(user::Column::Status, Expr::value(UserStatus::Deactivated))
        .filter(user::Column::UserName.eq(user_name))
        .exec(&*txn)
        .await
        .expect("a deactivation");
    txn.commit().await.expect("a commit");
}

#[tokio::test]
async fn a_session_ends_when_it_is_not_used() {
    for world in World::each().await {
        let world =
            World::with(world.backend, &["--session-idle-ttl", "5m", "--access-token-ttl", "15m"]).await;
        let ada = world.user("ada").await;
        world.pass(Duration::from_mins(5));
        assert_eq!(ada.run("{ __typename }").await.status.as_u16(), 401);
    }
}

#[tokio::test]
async fn tokens_of_every_algorithm_are_taken_back() {
    for world in World::each().await {
        for algorithm in ["EdDSA", "RS256"] {
            let world = World::with(world.backend, &["--token-alg", algorithm]).await;
            let admin = world.superadmin().await;
            assert_eq!(admin.run("{ me { userName } }").await.ok("/me/userName"), "admin", "{algorithm}");
        }
    }
}

#[tokio::test]
async fn logins_and_refusals_are_recorded_without_any_secret() {
    use entity::{event, event_target};
    use sea_orm::{EntityTrait as _, QueryOrder as _};
    for world in World::each().await {
        let ada = world.user("ada").await;
        world.login("ada", "not the password").await;
        ada.run("mutation { logout { endedSessions } }").await;
        let events = event::Entity::find()
            .order_by_asc(event::Column::Id)
            .all(world.app.db.read())
            .await
            .expect("events");
        let mut kinds: Vec<_> =
            events.iter().map(|event| event.kind.as_str()).filter(|kind| !kind.starts_with("key.")).collect();
        kinds.sort_unstable();
        assert_eq!(
            kinds,
            [
                "role.granted",
                "session.ended",
                "session.refused",
                "session.started",
                "user.onboarded",
                "user.registered",
                "user.verified"
            ]
        );
        let text = format!("{events:?}");
        assert!(!text.contains(PASSWORD) && !text.contains("not the password"), "{text}");
        let started = events.iter().find(|event| event.kind == "session.started").expect("the login");
        assert_eq!(
            (started.actor_name.as_deref(), started.ip.as_deref()),
            (Some("ada"), Some("203.0.113.7"))
        );
        let targets = event_target::Entity::find().all(world.app.db.read()).await.expect("targets");
        assert!(
            targets
                .iter()
                .any(|target| target.event_id == started.id && target.target_id.starts_with("session_"))
        );
    }
}
