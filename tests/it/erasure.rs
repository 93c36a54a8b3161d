//! Erasing an account, and taking one's data along.

use std::{fmt::Write as _, time::Duration};

use denizen::{domain::events::log, ids};
use futures_util::future::join_all;
use sea_orm::{ConnectionTrait as _, Statement};
use serde_json::{Value, json};

use crate::{
    change_email,
    orgs::invitations,
    support::{Answer, Client, PASSWORD, World},
};

pub async fn delete(client: &Client, user_id: &str) -> Answer {
    let document = "mutation ($id: ID!) { deleteUser(input: { userId: $id }) { deletedId errors { code message path } } }";
    client.run_with(document, json!({ "id": user_id })).await
}

async fn id_of(client: &Client) -> String {
    client.run("{ me { id } }").await.ok("/me/id").as_str().expect("an id").to_owned()
}

/// Every row of every table, as text: what a reader of the database would see.
async fn dump(world: &World) -> String {
    let db = world.app.db.read();
    let tables = [
        "users",
        "passwords",
        "registrations",
        "memberships",
        "grants",
        "sessions",
        "refresh_tokens",
        "one_time_codes",
        "notifications",
        "jobs",
        "events",
        "event_targets",
        "invitations",
        "pending_memberships",
        "totp_secrets",
        "recovery_codes",
        "passkeys",
        "challenges",
        "failures",
    ];
    let mut text = String::new();
    for table in tables {
        let columns: Vec<String> = match world.backend {
            crate::support::Backend::Postgres => vec!["to_jsonb(t)::text AS line".to_owned()],
            crate::support::Backend::Sqlite => {
                let sql = format!("SELECT name FROM pragma_table_info('{table}')");
                let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await;
                let names = rows.expect("columns");
                let quoted = names.iter().map(|row| {
                    format!("quote(t.\"{}\")", row.try_get::<String>("", "name").expect("a name"))
                });
                vec![format!("{} AS line", quoted.collect::<Vec<_>>().join(" || ',' || "))]
            }
        };
        let sql = format!("SELECT {} FROM {table} t", columns[0]);
        let rows =
            db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.expect("rows");
        for row in rows {
            let line: String = row.try_get("", "line").expect("a line");
            let _ = writeln!(text, "{table}: {line}");
        }
    }
    text
}

#[tokio::test]
async fn nothing_personal_remains_of_an_erased_account() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let ada = world.user("ada").await.with_header("user-agent", "the browser of ada lovelace");
        let ada_id = world.user_id(&ada).await;
        let public = ids::encode(ids::Kind::User, ada_id);
        world.join(ada_id, world.organization("acme").await).await;
        world.grant(ada_id, "MEMBER", Some(world.organization("acme").await)).await;
        ada.run("mutation { updateProfile(input: { name: \"Ada Lovelace\", gender: \"f\" }) { errors { code } } }").await.ok("");
        let document = format!(
            "mutation {{ changeEmail(input: {{ newEmail: \"ada@new.example\", password: \"{PASSWORD}\" }}) {{ errors {{ code }} }} }}"
        );
        ada.run(&document).await.ok("");
        world.login("ada", "not the password").await;
        let before = dump(&world).await.to_lowercase();
        assert!(before.contains("lovelace") && before.contains("ada@example.org"));
        let count = |text: &str| text.lines().filter(|line| line.starts_with("events:")).count();

        let deleted = delete(&root, &public).await;
        assert_eq!(deleted.ok("/deleteUser/deletedId"), json!(public));
        let after = dump(&world).await.to_lowercase();
        for trace in ["lovelace", "ada@", "'ada'", "\"ada\""] {
            assert!(!after.contains(trace), "{trace} in {after}");
        }
        assert_eq!(count(&after), count(&before) + 1, "the events stay, and one says what was done");
        assert!(after.contains("user.registered") && after.contains("session.started"));
        assert_eq!(
            after.matches(&format!("{public}\"")).count() + after.matches(&format!("{public}'")).count(),
            world.targets(&public).await
        );
        let sent = world.mails_to("ada@new.example").await;
        assert!(sent.is_empty(), "what waited is not sent any more");
        assert_eq!(
            root.run(&format!("{{ node(id: \"{public}\") {{ id }} }}")).await.ok("/node"),
            Value::Null
        );
        let found = root.run("{ users(filter: { text: \"lovelace\" }) { totalCount } }").await;
        assert_eq!(found.ok("/users/totalCount"), 0);
        assert_eq!(delete(&root, &public).await.faults("deleteUser"), ["NOT_FOUND at [userId]"]);
        world.user("ada").await;
    }
}

#[tokio::test]
async fn who_erases_themself_is_gone_at_once_and_soon_everywhere() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let elsewhere = world.another_instance().await.with_token(ada.token.as_deref().expect("a token"));
        let id = id_of(&elsewhere).await;
        assert_eq!(delete(&ada, &id).await.ok("/deleteUser/deletedId"), json!(id));
        assert_eq!(ada.run("{ me { id } }").await.status, 401);
        let meanwhile =
            elsewhere.run("mutation { updateProfile(input: { name: \"x\" }) { errors { code } } }").await;
        assert!(meanwhile.status == 401 || meanwhile.codes() == ["UNAUTHENTICATED"], "{}", meanwhile.text);
        world.pass(Duration::from_secs(2));
        assert_eq!(elsewhere.run("{ me { id } }").await.status, 401);
        assert_eq!(world.login("ada", PASSWORD).await.faults("login"), ["WRONG_CREDENTIALS at []"]);
        let root = world.superadmin().await;
        assert!(!dump(&world).await.contains("'ada'"));
        root.run("{ me { id } }").await.ok("/me/id");
    }
}

#[tokio::test]
async fn nobody_erases_whom_they_may_not() {
    for world in World::each().await {
        let anna = world.org_admin("anna", "acme").await;
        let clara = world.user("clara").await;
        world.join(world.user_id(&clara).await, world.organization("acme").await).await;
        let otto = world.user("otto").await;
        world.join(world.user_id(&otto).await, world.organization("other").await).await;
        let root = world.superadmin().await;
        let root_id = world.user_id(&root).await;
        world.join(root_id, world.organization("acme").await).await;
        let not_found = ["NOT_FOUND at [userId]"];
        let (of_clara, of_otto) = (id_of(&clara).await, id_of(&otto).await);
        for id in [of_clara.as_str(), "user_nonsense", "org_x", ""] {
            assert_eq!(delete(&otto, id).await.faults("deleteUser"), not_found, "{id}");
        }
        assert_eq!(delete(&clara, &id_of(&anna).await).await.faults("deleteUser"), not_found);
        assert_eq!(delete(&anna, &of_otto).await.faults("deleteUser"), not_found);
        let root_id = ids::encode(ids::Kind::User, root_id);
        assert_eq!(delete(&anna, &root_id).await.faults("deleteUser"), ["NOT_ALLOWED at [userId]"]);
        assert_eq!(delete(&world.anonymous(), &of_otto).await.codes(), ["FORBIDDEN"]);
        assert_eq!(delete(&anna, &of_clara).await.faults("deleteUser"), [""; 0]);
    }
}

#[tokio::test]
async fn the_last_owner_is_not_erased_even_when_two_go_at_once() {
    for world in World::each().await {
        let root = world.superadmin().await;
        assert_eq!(delete(&root, &id_of(&root).await).await.faults("deleteUser"), ["LAST_OWNER at [userId]"]);
        let (anna, arne) = (world.org_admin("anna", "acme").await, world.org_admin("arne", "acme").await);
        let (of_anna, of_arne) = (id_of(&anna).await, id_of(&arne).await);
        let answers = join_all([delete(&anna, &of_anna), delete(&arne, &of_arne)]).await;
        let mut faults: Vec<_> = answers.iter().map(|answer| answer.faults("deleteUser")).collect();
        faults.sort();
        assert_eq!(faults, [vec![], vec!["LAST_OWNER at [userId]".to_owned()]]);
    }
}

#[tokio::test]
async fn one_erasure_of_two_at_once_is_done() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let id = id_of(&world.user("ada").await).await;
        let answers = join_all((0..4).map(|_| delete(&root, &id))).await;
        let done = answers.iter().filter(|answer| answer.faults("deleteUser").is_empty()).count();
        assert_eq!(done, 1);
    }
}

#[tokio::test]
async fn ones_data_is_complete_and_opens_nothing() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let ada_id = world.user_id(&ada).await;
        world.join(ada_id, world.organization("acme").await).await;
        world.grant(ada_id, "MEMBER", Some(world.organization("acme").await)).await;
        let document = format!(
            "mutation {{ changeEmail(input: {{ newEmail: \"ada@new.example\", password: \"{PASSWORD}\" }}) {{ errors {{ code }} }} }}"
        );
        ada.run(&document).await.ok("");
        let answer = ada.run("mutation { exportMyData { data errors { code } } }").await;
        let data = answer.ok("/exportMyData/data");
        assert_eq!(data["profile"]["email"], "ada@example.org");
        assert_eq!(data["profile"]["id"], ids::encode(ids::Kind::User, ada_id));
        assert_eq!(data["memberships"][0]["organization"], "acme");
        assert_eq!(data["roles"][0]["role"], "MEMBER");
        assert_eq!(data["sessions"][0]["device"], "a test");
        assert_eq!(
            (&data["codes"][0]["purpose"], &data["codes"][0]["sentTo"]),
            (&json!("ChangeEmail"), &json!("ada@new.example"))
        );
        let types: Vec<_> = data["events"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|event| event["type"].as_str())
            .collect();
        for kind in ["user.registered", "user.verified", "session.started"] {
            assert!(types.contains(&kind), "{types:?}");
        }
        for secret in ["hash", "token", "$2b$", "sealed"] {
            assert!(!answer.text.to_lowercase().contains(secret), "{secret} in {}", answer.text);
        }
        assert!(!answer.text.contains("203.0.113.8"));
        let bob = world.user("bob").await;
        let of_bob = bob.run("mutation { exportMyData { data } }").await;
        assert!(!of_bob.text.contains("ada"), "{}", of_bob.text);
        assert_eq!(world.anonymous().run("mutation { exportMyData { data } }").await.codes(), ["FORBIDDEN"]);
    }
}

#[tokio::test]
async fn an_invitation_to_an_earlier_address_goes_with_who_accepted_it() {
    for world in World::each().await {
        let anna = world.org_admin("anna", "acme").await;
        let acme = ids::encode(ids::Kind::Organization, world.organization("acme").await);
        let list = json!([{ "email": "ada@example.org" }]);
        invitations::invite(&anna, &acme, list).await.ok("/inviteMembers/invitations/0/id");
        let ada = world.user("ada").await;
        let token = world.invitation_of("ada@example.org").await;
        assert_eq!(invitations::accept(&ada, &token).await.faults("acceptInvitation"), [""; 0]);
        change_email::change(&ada, "ada@new.example", PASSWORD).await.ok("/changeEmail/delivery");
        let (proof, _) = change_email::proof_at(&world, "ada@new.example").await;
        assert_eq!(world.verify_by_token(&proof).await.faults("verifyUser"), [""; 0]);
        let id = id_of(&ada).await;
        assert_eq!(delete(&ada, &id).await.faults("deleteUser"), [""; 0]);
        assert!(!dump(&world).await.contains("ada@"));
    }
}

#[tokio::test]
async fn an_invitation_that_waits_to_be_mailed_is_not_sent_to_the_erased() {
    for world in World::each().await {
        let anna = world.org_admin("anna", "acme").await;
        let acme = ids::encode(ids::Kind::Organization, world.organization("acme").await);
        let ada = world.user("ada").await;
        let list = json!([{ "email": "ada@example.org" }, { "email": "bob@example.org" }]);
        invitations::invite(&anna, &acme, list).await.ok("/inviteMembers/invitations/0/id");
        let id = id_of(&ada).await;
        assert_eq!(delete(&ada, &id).await.faults("deleteUser"), [""; 0]);
        let invited =
            world.mails().await.into_iter().filter(|mail| mail.subject.starts_with("You are invited"));
        assert_eq!(invited.map(|mail| mail.to).collect::<Vec<_>>(), ["bob@example.org"]);
    }
}

#[tokio::test]
async fn nothing_is_known_of_attempts_that_were_given_up() {
    for world in World::each().await {
        let document =
            "mutation ($input: RegisterUserInput!) { registerUser(input: $input) { errors { code } } }";
        let input = json!({ "userName": "planted", "email": "ada@example.org", "password": PASSWORD });
        let mallory = world.anonymous().with_header("user-agent", "the browser of mallory");
        mallory.run_with(document, json!({ "input": input })).await.ok("/registerUser");
        world.mails().await;
        assert!(dump(&world).await.contains("the browser of mallory"));
        world.user("ada").await;
        assert!(!dump(&world).await.contains("the browser of mallory"));
    }
}

#[tokio::test]
async fn what_is_written_of_the_erased_afterwards_is_blanked_too() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let (id, user_id) = (id_of(&ada).await, world.user_id(&ada).await);
        assert_eq!(delete(&ada, &id).await.faults("deleteUser"), [""; 0]);
        let txn = world.app.db.begin().await.expect("a transaction");
        let late = log::NewEvent::of(log::EventType::SessionRefused).on(ids::Kind::User, user_id);
        log::record(&txn, &world.system(), late.with(json!({ "of": "ada" }))).await.expect("an event");
        txn.commit().await.expect("a commit");
        world.pass(Duration::from_mins(3));
        world.mails().await;
        let told = world.events_of("session.refused").await;
        assert_eq!(told, [Value::Null]);
    }
}

#[tokio::test]
async fn the_text_index_forgets_the_erased() {
    let world = World::on(crate::support::Backend::Sqlite).await;
    let ada = world.user("ada").await;
    ada.run("mutation { updateProfile(input: { name: \"Qzx\" }) { errors { code } } }").await.ok("");
    let id = id_of(&ada).await;
    let indexed = async || {
        let sql = "SELECT count(*) AS n FROM users_text_data WHERE instr(block, CAST('qzx' AS BLOB)) > 0";
        let statement = Statement::from_string(sea_orm::DbBackend::Sqlite, sql);
        let row = world.app.db.read().query_one_raw(statement).await.expect("the index").expect("a count");
        row.try_get::<i64>("", "n").expect("a number")
    };
    assert!(indexed().await > 0);
    assert_eq!(delete(&ada, &id).await.faults("deleteUser"), [""; 0]);
    world.pass(Duration::from_mins(3));
    world.mails().await;
    assert_eq!(indexed().await, 0);
}
