//! Id tokens of extensions: sealed with the key of their application, good for five minutes, and once.

use std::time::Duration;

use crypto_secretbox::{KeyInit as _, XSalsa20Poly1305, aead::Aead as _};
use data_encoding::BASE64;
use denizen::{housekeeping, ids};
use entity::{extension_user, id_token, user};
use futures_util::future::join_all;
use sea_orm::{EntityTrait as _, PaginatorTrait as _};
use serde_json::{Value, json};

use crate::{
    factors::with_app,
    support::{Answer, Client, World, token_and_code},
};

const EXCHANGE: &str = "mutation ($token: String!, $app: ID!) {
    exchangeIdToken(input: { idToken: $token, applicationId: $app }) {
      user { id userName status } session { id } tokens { accessToken refreshToken } challenge { id }
      errors { code path } } }";

/// A registered application, as its extension knows it.
struct Extension {
    app: String,
    key: Vec<u8>,
}

impl Extension {
    async fn of(root: &Client, name: &str) -> Self {
        let document = "mutation ($name: String!) { registerApplication(input: { name: $name }) {
            application { id } extensionKey } }";
        let made = root.run_with(document, json!({ "name": name })).await;
        let text = |at: &str| made.ok(at).as_str().expect("a text").to_owned();
        let key = BASE64.decode(text("/registerApplication/extensionKey").as_bytes()).expect("base64");
        Self { app: text("/registerApplication/application/id"), key }
    }

    /// Sealed with a nonce made of this number.
    fn seal(&self, nonce: u8, plain: &str) -> String {
        let key: [u8; 32] = self.key.clone().try_into().expect("32 bytes");
        let nonce = [nonce; 24];
        let sealed = XSalsa20Poly1305::new(&key.into()).encrypt(&nonce.into(), plain.as_bytes());
        format!("{}:{}", BASE64.encode(&sealed.expect("sealed")), BASE64.encode(&nonce))
    }

    fn token(&self, world: &World, nonce: u8, subject: &str) -> String {
        self.seal(nonce, &format!("{subject}::extension::{}", world.system().now().millis()))
    }

    async fn exchange(&self, world: &World, token: &str) -> Answer {
        exchange(world, token, &self.app).await
    }
}

async fn exchange(world: &World, token: &str, app: &str) -> Answer {
    world.anonymous().run_with(EXCHANGE, json!({ "token": token, "app": app })).await
}

fn user_id(answer: &Answer) -> String {
    let id = answer.ok("/exchangeIdToken/user/id");
    id.as_str().unwrap_or_else(|| panic!("nobody: {}", answer.text)).to_owned()
}

/// Who has come in, as they see themselves.
async fn whoami(world: &World, answer: &Answer) -> Value {
    let token = answer.ok("/exchangeIdToken/tokens/accessToken");
    let client = world.anonymous().with_token(token.as_str().expect("a token"));
    client.run("{ me { id roles { code } } }").await.ok("/me")
}

const WRONG: [&str; 1] = ["WRONG_CREDENTIALS at [idToken]"];

#[tokio::test]
async fn the_first_token_makes_an_account_and_the_next_finds_it() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let reader = Extension::of(&root, "Reader").await;
        let first = reader.exchange(&world, &reader.token(&world, 1, "install-1")).await;
        assert_eq!(first.faults("exchangeIdToken"), [""; 0]);
        assert_eq!(first.ok("/exchangeIdToken/user/status"), "ACTIVE");
        let me = whoami(&world, &first).await;
        assert_eq!(me, json!({ "id": user_id(&first), "roles": [{ "code": "EXTENSION" }] }));
        let again = reader.exchange(&world, &reader.token(&world, 2, "install-1")).await;
        assert_eq!(user_id(&again), user_id(&first));
        let other = reader.exchange(&world, &reader.token(&world, 3, "install-2")).await;
        assert_ne!(user_id(&other), user_id(&first));
        let writer = Extension::of(&root, "Writer").await;
        let elsewhere = writer.exchange(&world, &writer.token(&world, 1, "install-1")).await;
        assert_ne!(user_id(&elsewhere), user_id(&first), "each application has people of its own");
        assert_eq!(world.events_of("user.registered").await, vec![json!({ "how": "ID_TOKEN" }); 3]);
        let started = world.events_of("session.started").await;
        assert_eq!(started.iter().filter(|data| data["how"] == "ID_TOKEN").count(), 4);
    }
}

/// The mailed token, shown to `verifyUser` or `resetPassword`.
async fn mailed(world: &World, subject: &str) -> String {
    let mails = world.mails_to("install@example.org").await;
    let mail = mails.iter().find(|mail| mail.subject.contains(subject));
    token_and_code(mail.unwrap_or_else(|| panic!("no mail {subject}"))).0
}

#[tokio::test]
async fn an_account_that_its_owner_has_taken_over_is_not_the_extensions_any_more() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let reader = Extension::of(&root, "Reader").await;
        let first = reader.exchange(&world, &reader.token(&world, 1, "install-1")).await;
        let client = first.ok("/exchangeIdToken/tokens/accessToken");
        let client = world.anonymous().with_token(client.as_str().expect("a token"));
        let export = "mutation { exportMyData { data } }";
        let held = client.run(export).await.ok("/exportMyData/data/extensionOf/0/applicationId");
        assert_eq!(held, json!(reader.app));
        let (app, _) = with_app(&world, &client).await;
        world.pass(Duration::from_secs(30));
        let step_up =
            "mutation ($code: String!) { verifyOtp(input: { purpose: STEP_UP, code: $code }) { proof } }";
        let proof =
            client.run_with(step_up, json!({ "code": app.code(&world, 0) })).await.ok("/verifyOtp/proof");
        let change = "mutation ($proof: String!) { changeEmail(input: { newEmail: \"install@example.org\",
            proof: $proof }) { errors { code path } } }";
        let changed = client.run_with(change, json!({ "proof": proof })).await;
        assert_eq!(changed.faults("changeEmail"), [""; 0]);
        let again = reader.exchange(&world, &reader.token(&world, 2, "install-1")).await;
        assert!(again.ok("/exchangeIdToken/challenge").is_object(), "nothing is proved yet: {}", again.text);
        let token = mailed(&world, "ddress").await;
        let verify = "mutation ($token: String!) { verifyUser(input: { token: $token }) { user { status } errors { code path } } }";
        let verified = world.anonymous().run_with(verify, json!({ "token": token })).await;
        assert_eq!(verified.faults("verifyUser"), [""; 0]);
        let next = reader.exchange(&world, &reader.token(&world, 3, "install-1")).await;
        assert_ne!(user_id(&next), user_id(&first), "an account of its own");
        let events = world.events_of("user.updated").await;
        assert!(events.contains(&json!({ "fields": ["extension"] })), "{events:?}");
        let held = client.run(export).await.ok("/exportMyData/data/extensionOf");
        assert_eq!(held, json!([]));
    }
}

#[tokio::test]
async fn a_rotated_key_opens_nothing_any_more() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let mut reader = Extension::of(&root, "Reader").await;
        let first = reader.exchange(&world, &reader.token(&world, 1, "install-1")).await;
        let before = reader.token(&world, 2, "install-1");
        let document = "mutation ($app: ID!) { rotateApplicationSecret(input: { applicationId: $app, secret: EXTENSION_KEY }) {
            application { id } clientSecret extensionKey errors { code path } } }";
        let rotated =
            root.run_with(document, json!({ "app": reader.app })).await.ok("/rotateApplicationSecret");
        assert_eq!(
            (&rotated["clientSecret"], &rotated["application"]["id"]),
            (&Value::Null, &json!(reader.app))
        );
        let after = reader.token(&world, 3, "install-1");
        for leaked in [before, after] {
            assert_eq!(reader.exchange(&world, &leaked).await.faults("exchangeIdToken"), WRONG);
        }
        let key = rotated["extensionKey"].as_str().expect("a key");
        reader.key = BASE64.decode(key.as_bytes()).expect("base64");
        let next = reader.exchange(&world, &reader.token(&world, 4, "install-1")).await;
        assert_eq!(user_id(&next), user_id(&first));
        let events = world.events_of("application.updated").await;
        assert_eq!(events, [json!({ "rotated": ["extensionKey"] })]);
        let stranger = world.user("ada").await;
        assert_eq!(stranger.run_with(document, json!({ "app": reader.app })).await.codes(), ["FORBIDDEN"]);
    }
}

#[tokio::test]
async fn an_extension_leads_to_no_account_that_was_made_in_another_way() {
    for world in World::each().await {
        let root = world.superadmin().await;
        world.user("ada").await;
        let admin = ids::encode(ids::Kind::User, world.user_id(&root).await);
        let reader = Extension::of(&root, "Reader").await;
        for (nonce, subject) in ["admin", "ada", "ada@example.org", &admin].into_iter().enumerate() {
            let nonce = u8::try_from(nonce).expect("a few");
            let answer = reader.exchange(&world, &reader.token(&world, nonce, subject)).await;
            let me = whoami(&world, &answer).await;
            assert_eq!(me["roles"], json!([{ "code": "EXTENSION" }]), "{subject}");
            assert_ne!(me["id"], admin);
        }
    }
}

#[tokio::test]
async fn whatever_is_wrong_with_a_token_the_answer_is_one() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let reader = Extension::of(&root, "Reader").await;
        let writer = Extension::of(&root, "Writer").await;
        let now = world.system().now().millis();
        let good = reader.token(&world, 1, "install-1");
        let (sealed, nonce) = good.split_once(':').expect("two parts");
        let flipped = format!("{}{}", if good.starts_with('A') { "B" } else { "A" }, &good[1..]);
        let wrong = [
            String::new(),
            "nonsense".to_owned(),
            "\u{0}:\u{0}".to_owned(),
            sealed.to_owned(),
            format!("{nonce}:{sealed}"),
            format!("{sealed}:{nonce}:"),
            format!("{sealed}:{}", BASE64.encode(&[2; 24])),
            flipped,
            "A".repeat(50_000),
            writer.token(&world, 1, "install-1"),
            reader.seal(1, &format!("install-1::browser::{now}")),
            reader.seal(1, &format!("::extension::{now}")),
            reader.seal(1, &format!("a\u{0}b::extension::{now}")),
            reader.seal(1, &format!("{}::extension::{now}", "x".repeat(201))),
            reader.seal(1, &format!("install-1::extension::{}", now - 5 * 60_000)),
            reader.seal(1, &format!("install-1::extension::{}", now + 60_001)),
            reader.seal(1, &format!("install-1::extension::{}", i64::MAX)),
            reader.seal(1, "install-1::extension::x"),
        ];
        for token in wrong {
            assert_eq!(reader.exchange(&world, &token).await.faults("exchangeIdToken"), WRONG, "{token}");
        }
        let list = root.run("{ applications { edges { node { id } } } }").await;
        let default = list.ok("/applications/edges/0/node/id");
        let answer = exchange(&world, &good, default.as_str().expect("an id")).await;
        assert_eq!(answer.faults("exchangeIdToken"), WRONG, "it has no key");
        for nobody in ["", "app_nothing", "app_01jd0000000000000000000000"] {
            let answer = exchange(&world, &good, nobody).await;
            assert_eq!(answer.faults("exchangeIdToken"), ["NOT_FOUND at [applicationId]"]);
        }
        assert_eq!(
            user::Entity::find().count(world.app.db.read()).await.expect("users"),
            1,
            "nobody is made"
        );
        assert_eq!(world.events_of("session.refused").await.len(), 19);
        assert_eq!(reader.exchange(&world, &good).await.faults("exchangeIdToken"), [""; 0]);
    }
}

#[tokio::test]
async fn a_token_works_for_five_minutes_and_once() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let reader = Extension::of(&root, "Reader").await;
        let (first, second) = (reader.token(&world, 1, "install-1"), reader.token(&world, 2, "install-1"));
        assert_eq!(reader.exchange(&world, &first).await.faults("exchangeIdToken"), [""; 0]);
        assert_eq!(reader.exchange(&world, &first).await.faults("exchangeIdToken"), WRONG);
        world.pass(Duration::from_secs(299));
        assert_eq!(reader.exchange(&world, &first).await.faults("exchangeIdToken"), WRONG);
        assert_eq!(reader.exchange(&world, &second).await.faults("exchangeIdToken"), [""; 0]);
        let third = reader.token(&world, 3, "install-1");
        world.pass(Duration::from_mins(5));
        assert_eq!(reader.exchange(&world, &third).await.faults("exchangeIdToken"), WRONG);
        let kept = || async { id_token::Entity::find().count(world.app.db.read()).await.expect("tokens") };
        assert_eq!(kept().await, 2);
        world.pass(Duration::from_hours(24 * 31));
        housekeeping::tidy(&world.app).await.expect("tidied");
        assert_eq!(kept().await, 0, "what has run out need not be remembered");
    }
}

#[tokio::test]
async fn of_many_at_once_with_one_token_one_comes_in() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let reader = Extension::of(&root, "Reader").await;
        let token = reader.token(&world, 1, "install-1");
        let answers = join_all((0..10).map(|_| reader.exchange(&world, &token))).await;
        let in_ = answers.iter().filter(|answer| answer.faults("exchangeIdToken").is_empty()).count();
        assert_eq!(in_, 1);
        let known = extension_user::Entity::find().count(world.app.db.read()).await.expect("people");
        assert_eq!(known, 1);
    }
}

#[tokio::test]
async fn many_tokens_of_one_new_person_at_once_make_one_account() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let reader = Extension::of(&root, "Reader").await;
        let tokens: Vec<_> = (1..5).map(|nonce| reader.token(&world, nonce, "install-1")).collect();
        let answers = join_all(tokens.iter().map(|token| reader.exchange(&world, token))).await;
        let people: Vec<_> = answers.iter().map(user_id).collect();
        assert!(people.iter().all(|id| *id == people[0]), "{people:?}");
    }
}

#[tokio::test]
async fn a_deactivated_person_is_told_and_kept_out() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let reader = Extension::of(&root, "Reader").await;
        let id = user_id(&reader.exchange(&world, &reader.token(&world, 1, "install-1")).await);
        let document =
            "mutation ($id: ID!) { deactivateUsers(input: { userIds: [$id] }) { errors { code } } }";
        assert_eq!(root.run_with(document, json!({ "id": id })).await.faults("deactivateUsers"), [""; 0]);
        let answer = reader.exchange(&world, &reader.token(&world, 2, "install-1")).await;
        assert_eq!(answer.faults("exchangeIdToken"), ["INACTIVE at []"]);
        let off = "mutation ($id: ID!) { updateApplication(input: { applicationId: $id, active: false }) { errors { code } } }";
        root.run_with(off, json!({ "id": reader.app })).await.ok("/updateApplication");
        let answer = reader.exchange(&world, &reader.token(&world, 3, "install-2")).await;
        assert_eq!(answer.faults("exchangeIdToken"), ["NOT_FOUND at [applicationId]"]);
    }
}

#[tokio::test]
async fn a_leaked_key_makes_no_flood_of_accounts() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let reader = Extension::of(&root, "Reader").await;
        for nonce in 0..100 {
            let token = reader.token(&world, nonce, &format!("install-{nonce}"));
            assert_eq!(reader.exchange(&world, &token).await.faults("exchangeIdToken"), [""; 0], "{nonce}");
        }
        let one_more = reader.exchange(&world, &reader.token(&world, 100, "install-100")).await;
        assert_eq!(one_more.codes(), ["RATE_LIMITED"]);
        world.pass(Duration::from_secs(6));
        let later = reader.exchange(&world, &reader.token(&world, 101, "install-1")).await;
        assert_eq!(later.faults("exchangeIdToken"), [""; 0]);
    }
}
