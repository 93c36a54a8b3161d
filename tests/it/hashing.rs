//! Hashing and judging passwords: what one source may ask for, and what the time of an answer tells.

use std::{
    net::IpAddr,
    thread::available_parallelism,
    time::{Duration, Instant},
};

use denizen::{
    context::Source,
    domain::{
        credentials::passwords,
        limits::{rules, service as limits},
    },
    error::Error,
};
use entity::{Secret, password};
use futures_util::{FutureExt as _, TryFutureExt as _, future::BoxFuture};
use sea_orm::{ActiveModelTrait as _, EntityTrait as _, Set};
use serde_json::json;
use tokio::task::unconstrained;
use uuid::Uuid;

use crate::{
    onboarding::onboard,
    support::{Answer, Backend, Client, PASSWORD, World, token_and_code},
};

/// Long enough, not made of own data, and among those that everybody tries: only judging it finds that out.
pub const COMMON: &str = "password123";
/// Flags with which `x-forwarded-for` tells where a request comes from.
const BEHIND_A_PROXY: [&str; 2] = ["--trusted-proxies", "203.0.113.0/24"];

pub async fn each() -> Vec<World> {
    vec![
        World::with(Backend::Sqlite, &BEHIND_A_PROXY).await,
        World::with(Backend::Postgres, &BEHIND_A_PROXY).await,
    ]
}

pub fn from(world: &World, address: &str) -> Client {
    world.anonymous().with_header("x-forwarded-for", address)
}

pub async fn login(client: &Client, name: &str, password: &str) -> Answer {
    let document = "mutation ($name: String!, $password: String!) {
        login(input: { identifier: $name, password: $password }) { tokens { accessToken } errors { code path } } }";
    client.run_with(document, json!({ "name": name, "password": password })).await
}

pub async fn register(client: &Client, address: &str, password: &str) -> Answer {
    let document =
        "mutation ($input: RegisterUserInput!) { registerUser(input: $input) { errors { code path } } }";
    client.run_with(document, json!({ "input": { "email": address, "password": password } })).await
}

#[tokio::test]
async fn registrations_that_are_refused_for_their_password_are_counted_for_their_source() {
    for world in each().await {
        let attacker = from(&world, "198.51.100.1");
        for number in 0..100 {
            let answer = register(&attacker, "eve@example.org", COMMON).await;
            assert_eq!(answer.faults("registerUser"), ["BREACHED_PASSWORD at [password]"], "{number}");
        }
        assert_eq!(register(&attacker, "eve@example.org", COMMON).await.codes(), ["RATE_LIMITED"]);
        let many = "mutation ($users: [RegisterUserInput!]!) { registerUsers(input: { users: $users }) { errors { code } } }";
        let users = json!([{ "email": "eve@example.org", "password": COMMON }]);
        assert_eq!(attacker.run_with(many, json!({ "users": users })).await.codes(), ["RATE_LIMITED"]);
        let other = register(&from(&world, "198.51.100.2"), "ada@example.org", PASSWORD).await;
        assert_eq!(other.faults("registerUser"), [""; 0], "somebody else registers");
    }
}

#[tokio::test]
async fn what_is_refused_without_judging_the_password_is_not_counted() {
    for world in World::each().await {
        for _ in 0..105 {
            let answer = register(&world.anonymous(), "no address", COMMON).await;
            assert_eq!(answer.faults("registerUser"), ["INVALID at [email]"]);
        }
        assert_eq!(world.register("ada").await.faults("registerUser"), [""; 0]);
    }
}

#[tokio::test]
async fn new_passwords_that_are_refused_are_counted_for_whoever_chooses_them() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let change = "mutation ($new: String!, $old: String!) {
            changePassword(input: { currentPassword: $old, newPassword: $new }) { errors { code path } } }";
        let changed = |new| ada.run_with(change, json!({ "old": PASSWORD, "new": new }));
        for number in 0..20 {
            let answer = changed(COMMON).await;
            assert_eq!(answer.faults("changePassword"), ["BREACHED_PASSWORD at [newPassword]"], "{number}");
        }
        assert_eq!(changed(COMMON).await.faults("changePassword"), ["TOO_MANY_ATTEMPTS at []"]);
        world.pass(Duration::from_mins(1));
        assert_eq!(changed("seven umbrellas in may").await.faults("changePassword"), [""; 0]);
    }
}

#[tokio::test]
async fn a_reset_whose_password_is_refused_again_and_again_is_counted_for_its_source() {
    for world in World::each().await {
        world.user("ada").await;
        let asked = "mutation { forgotPassword(input: { identifier: \"ada\" }) { errors { code } } }";
        assert_eq!(world.anonymous().run(asked).await.faults("forgotPassword"), [""; 0]);
        let mails = world.mails_to("ada@example.org").await;
        let mail = mails.iter().find(|mail| mail.subject == "Set a new password").expect("a mail");
        let token = token_and_code(mail).0;
        let document = "mutation ($token: String!, $new: String!) {
            resetPassword(input: { token: $token, newPassword: $new }) { errors { code path } } }";
        let client = world.anonymous();
        let reset = |new| client.run_with(document, json!({ "token": token, "new": new }));
        for number in 0..100 {
            let answer = reset(COMMON).await;
            assert_eq!(answer.faults("resetPassword"), ["BREACHED_PASSWORD at [newPassword]"], "{number}");
        }
        assert_eq!(reset(COMMON).await.codes(), ["RATE_LIMITED"]);
        world.pass(Duration::from_secs(6));
        assert_eq!(
            reset("seven umbrellas in may").await.faults("resetPassword"),
            [""; 0],
            "the link is good still"
        );
    }
}

/// A password that is to be hashed or judged.
type Asking<'a> = BoxFuture<'a, Result<(), Error>>;

/// Asks until the newest is turned away.
fn ask_until_full<'a>(mut ask: impl FnMut() -> Asking<'a>) -> Vec<Asking<'a>> {
    let mut crowd = Vec::new();
    loop {
        let mut one = ask();
        // Else the runtime holds answers back from a task that asks for so many.
        match unconstrained(one.as_mut()).now_or_never() {
            Some(answer) => {
                assert!(matches!(answer, Err(Error::Refused { .. })), "no room");
                return crowd;
            }
            None => crowd.push(one),
        }
    }
}

/// Takes every thread and every place, until the crowd is dropped: each of the first ones has a thread, and does nothing
/// with it, because nobody looks after it.
async fn take_all<'a>(threads: usize, mut ask: impl FnMut() -> Asking<'a>) -> Vec<Asking<'a>> {
    let mut crowd = ask_until_full(&mut ask);
    for begun in crowd.drain(..threads) {
        begun.await.expect("there was a thread at once");
    }
    crowd.extend(ask_until_full(ask));
    crowd
}

/// Waits until the newest of the crowd is turned away for another one, and then lets two go: where there is one thread only,
/// the crowd has the first turn.
async fn give_way(mut crowd: Vec<Asking<'_>>) -> Vec<Asking<'_>> {
    let newest = crowd.pop().expect("a crowd");
    assert!(newest.await.is_err(), "it gives way");
    drop(crowd.drain(..2));
    crowd
}

#[tokio::test]
async fn a_flood_from_one_address_or_one_block_keeps_nobody_else_out() {
    let flags = [&BEHIND_A_PROXY[..], &["--rate-limits", "off"]].concat();
    let world = World::with(Backend::Sqlite, &flags).await;
    let (hasher, random) = (&world.app.hasher, world.app.random.as_ref());
    let threads = available_parallelism().map_or(1, usize::from);
    let address = |_: u16| IpAddr::from([198, 51, 100, 1]);
    let block = |number: u16| IpAddr::from([0x2001, 0xdb8, 1, number, 0, 0, 0, 1]);
    for attacker in [address as fn(u16) -> IpAddr, block] {
        let mut sources = (0..).map(|number| Source::from(attacker(number)));
        let mut source = || sources.next().expect("a source");
        let hashing =
            take_all(threads, || hasher.hash(source(), PASSWORD, random).map_ok(drop).boxed()).await;
        let judging = take_all((threads / 2).max(1), || {
            hasher.judge(source(), "password", PASSWORD, Vec::new()).boxed()
        })
        .await;
        let more = from(&world, &attacker(u16::MAX).to_string());
        assert_eq!(login(&more, "nobody", "a wrong guess").await.codes(), ["OVERLOADED"]);
        assert_eq!(register(&more, "eve@example.org", COMMON).await.codes(), ["OVERLOADED"]);
        let other = from(&world, "198.51.100.2");
        let right = login(&other, "admin", "seven lanterns on a bridge");
        let (answer, hashing) = tokio::join!(right, give_way(hashing));
        assert!(answer.ok("/login/tokens").is_object());
        let common = register(&other, "eve@example.org", COMMON);
        let (answer, judging) = tokio::join!(common, give_way(judging));
        assert_eq!(answer.faults("registerUser"), ["BREACHED_PASSWORD at [password]"], "judged, too");
        drop((hashing, judging));
    }
}

/// Imports one account for each of these hashes, as the super-administrator.
async fn import(world: &World, hashes: &[(&str, String)]) {
    let user = |(name, hash): &(&str, String)| json!({ "userName": name, "email": format!("{name}@example.org"), "passwordHash": hash, "roleCodes": [] });
    let users: Vec<_> = hashes.iter().map(user).collect();
    let answer = onboard(&world.superadmin().await, json!(users)).await;
    assert_eq!(answer.faults("onboardUsers"), [""; 0]);
}

async fn stored(world: &World, id: Uuid) -> String {
    let row = password::Entity::find_by_id(id).one(world.app.db.read()).await.expect("passwords");
    String::from_utf8(row.expect("a password").hash.0).expect("text")
}

/// A bcrypt hash of no password, at this cost.
fn bcrypt_at(cost: u32) -> String {
    format!("$2b${cost:02}${}", ".".repeat(53))
}

const ARGON: &str = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";

#[tokio::test]
async fn a_wrong_password_is_answered_as_late_as_for_the_dearest_hash() {
    let world = World::with(Backend::Sqlite, &["--bcrypt-cost", "6", "--rate-limits", "off"]).await;
    let imported = [
        ("cheap", bcrypt_at(4)),
        ("own", bcrypt_at(6)),
        ("argon", ARGON.to_owned()),
        ("dear", bcrypt_at(12)),
    ];
    import(&world, &imported).await;
    let hasher = &world.app.hasher;
    for (name, work) in [("cheap", 64), ("own", 64), ("argon", 64), ("nobody", 64), ("dear", 4096)] {
        let (delay, before, begun) = (hasher.delay(), hasher.rounds(), Instant::now());
        assert!(delay > Duration::ZERO, "there is a dear one");
        let answer = login(&world.anonymous(), name, "a wrong guess").await;
        assert_eq!(answer.faults("login"), ["WRONG_CREDENTIALS at []"]);
        // A busy machine takes longer, and no machine takes less.
        assert!(begun.elapsed() >= delay, "{name} was answered before the {delay:?} of the dear one");
        assert_eq!(hasher.rounds() - before, work, "{name}");
    }
}

#[tokio::test]
async fn a_dear_hash_opens_the_account_and_is_replaced() {
    for world in World::each().await {
        let hash = bcrypt::hash_with_salt("tinte kanne wolke", 9, [3; 16]).expect("a hash").to_string();
        import(&world, &[("ada", hash)]).await;
        let ada = world.logged_in("ada", PASSWORD).await;
        let renewed = stored(&world, world.user_id(&ada).await).await;
        assert!(renewed.starts_with("$2b$04$"), "{renewed}");
    }
}

#[tokio::test]
async fn guesses_at_a_dear_hash_count_several() {
    for world in World::each().await {
        let hash = bcrypt::hash_with_salt("tinte kanne wolke", 8, [3; 16]).expect("a hash").to_string();
        import(&world, &[("ada", hash)]).await;
        for _ in 0..18 {
            let answer = login(&world.anonymous(), "ada", "a wrong guess").await;
            assert_eq!(answer.faults("login"), ["WRONG_CREDENTIALS at []"]);
            world.pass(Duration::from_mins(3));
        }
        let right = login(&world.anonymous(), "ada", PASSWORD).await;
        assert_eq!(right.faults("login"), ["WRONG_CREDENTIALS at []"], "guessed at too often");
    }
}

#[tokio::test]
async fn administrators_of_an_organisation_import_only_bounded_hashes() {
    for world in World::each().await {
        let (root, admin) = (world.superadmin().await, world.org_admin("zora", "acme").await);
        let dear = [
            bcrypt_at(12),
            "$argon2id$v=19$m=262144,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
                .to_owned(),
            "$scrypt$ln=17,r=8,p=2$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4".to_owned(),
            "$pbkdf2-sha512$i=2000000$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4".to_owned(),
        ];
        let user = |number: usize, hash: &String| json!({ "userName": format!("user-{number}"), "email": format!("u{number}@example.org"), "passwordHash": hash, "orgCode": "acme", "roleCodes": [] });
        let users: Vec<_> = dear.iter().enumerate().map(|(number, hash)| user(number, hash)).collect();
        let refused = onboard(&admin, json!(users)).await;
        let expected: Vec<_> =
            (0..4).map(|number| format!("INVALID at [users.{number}.passwordHash]")).collect();
        assert_eq!(refused.faults("onboardUsers"), expected);
        let bounded = user(9, &bcrypt_at(11));
        assert_eq!(onboard(&admin, json!([bounded])).await.faults("onboardUsers"), [""; 0]);
        assert_eq!(
            onboard(&root, json!(users)).await.faults("onboardUsers"),
            [""; 0],
            "the platform's own may"
        );
    }
}

#[tokio::test]
async fn an_argon2id_hash_without_a_version_is_of_the_first_one() {
    for world in World::each().await {
        let params = argon2::Params::new(256, 2, 1, Some(32)).expect("settings");
        let argon = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x10, params);
        let mut output = [0; 32];
        argon.hash_password_into(PASSWORD.as_bytes(), b"somesalt", &mut output).expect("a hash");
        let output = data_encoding::BASE64_NOPAD.encode(&output);
        import(&world, &[("ada", format!("$argon2id$m=256,t=2,p=1$c29tZXNhbHQ${output}"))]).await;
        assert_eq!(
            login(&world.anonymous(), "ada", "a wrong guess").await.faults("login"),
            ["WRONG_CREDENTIALS at []"]
        );
        world.logged_in("ada", PASSWORD).await;
    }
}

#[tokio::test]
async fn hashes_of_other_times_are_looked_for_and_forgotten() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let id = world.user_id(&ada).await;
        passwords::look_for_dear(&world.app).await.expect("a look");
        assert_eq!(world.app.hasher.delay(), Duration::ZERO, "all are our own");
        for hash in [bcrypt_at(6), ARGON.replace("m=256", "m=4096")] {
            store(&world, id, &hash).await;
            passwords::look_for_dear(&world.app).await.expect("a look");
            assert!(world.app.hasher.delay() > Duration::ZERO, "{hash}");
        }
        store(&world, id, &bcrypt_at(4)).await;
        passwords::look_for_dear(&world.app).await.expect("a look");
        assert_eq!(world.app.hasher.delay(), Duration::ZERO, "it is gone");
    }
}

/// Puts a hash there that nobody was told of.
async fn store(world: &World, user_id: Uuid, hash: &str) {
    let txn = world.app.db.begin().await.expect("a transaction");
    let row = password::ActiveModel {
        failures: Set(0),
        user_id: Set(user_id),
        hash: Set(Secret::from(hash.as_bytes().to_vec())),
        changed_at: Set(world.system().now()),
    };
    row.update(&*txn).await.expect("a hash");
    txn.commit().await.expect("a commit");
}

#[tokio::test]
async fn a_wrong_password_costs_the_work_of_a_hash_of_our_own() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let world = World::with(backend, &["--bcrypt-cost", "6", "--rate-limits", "off"]).await;
        world.user("eve").await;
        world.register("unverified").await;
        import(&world, &[("cheap", bcrypt_at(4)), ("cheaper", bcrypt_at(5))]).await;
        for name in ["nobody", "eve", "unverified", "cheap", "cheaper"] {
            let (hasher, guess) =
                (&world.app.hasher, if name == "unverified" { PASSWORD } else { "a wrong guess" });
            let before = hasher.rounds();
            let answer = login(&world.anonymous(), name, guess).await;
            assert_eq!(answer.faults("login"), ["WRONG_CREDENTIALS at []"]);
            assert_eq!(hasher.rounds() - before, 64, "{name}");
        }
    }
}

#[tokio::test]
async fn passwords_that_an_administrator_chooses_are_counted_before_they_are_judged() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let id = world.user_id(&root).await.to_string();
        for _ in 0..1_000 {
            let taken = limits::take(&world.system(), &rules::ONBOARD_PASSWORD, &id).await;
            assert!(taken.expect("a limit").is_ok());
        }
        let user =
            json!([{ "userName": "ada", "email": "ada@example.org", "password": COMMON, "roleCodes": [] }]);
        assert_eq!(onboard(&root, user.clone()).await.codes(), ["RATE_LIMITED"]);
        world.pass(Duration::from_millis(100));
        let judged = onboard(&root, user).await;
        assert_eq!(judged.faults("onboardUsers"), ["BREACHED_PASSWORD at [users.0.password]"]);
    }
}
