//! Closing accounts and opening them again.

use std::time::Duration;

use denizen::ids;
use futures_util::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Answer, Client, PASSWORD, World};

async fn set(client: &Client, mutation: &str, users: &[String], dry_run: Option<bool>) -> Answer {
    let kind = if mutation == "activateUsers" { "ActivateUsersInput" } else { "DeactivateUsersInput" };
    let document = format!(
        "mutation ($input: {kind}!) {{ {mutation}(input: $input) {{ users {{ userName status }} errors {{ code message path }} }} }}"
    );
    client.run_with(&document, json!({ "input": { "userIds": users, "dryRun": dry_run } })).await
}

pub async fn deactivate(client: &Client, users: &[String]) -> Answer {
    set(client, "deactivateUsers", users, None).await
}

async fn activate(client: &Client, users: &[String]) -> Answer {
    set(client, "activateUsers", users, None).await
}

fn public(id: Uuid) -> String {
    ids::encode(ids::Kind::User, id)
}

async fn id_of(world: &World, client: &Client) -> String {
    public(world.user_id(client).await)
}

#[tokio::test]
async fn a_closed_account_is_closed_everywhere_within_two_seconds() {
    for world in World::each().await {
        let admin = world.superadmin().await;
        let ada = world.user("ada").await;
        let elsewhere = world.another_instance().await.with_token(ada.token.as_deref().expect("a token"));
        elsewhere.run("{ me { id } }").await.ok("/me/id");
        let id = id_of(&world, &ada).await;
        let answer = deactivate(&admin, std::slice::from_ref(&id)).await;
        assert_eq!(answer.faults("deactivateUsers"), [""; 0]);
        assert_eq!(
            answer.ok("/deactivateUsers/users"),
            json!([{ "userName": "ada", "status": "DEACTIVATED" }])
        );
        assert_eq!(ada.run("{ me { id } }").await.status, 401, "at once where it was done");
        world.pass(Duration::from_secs(2));
        assert_eq!(elsewhere.run("{ me { id } }").await.status, 401, "and soon elsewhere");
        assert_eq!(world.login("ada", PASSWORD).await.faults("login"), ["INACTIVE at []"]);
        assert_eq!(world.events_of("user.deactivated").await.len(), 1);
        assert_eq!(world.events_of("session.ended").await, [json!({ "reason": "deactivated" })]);

        assert_eq!(activate(&admin, &[id]).await.faults("activateUsers"), [""; 0]);
        assert_eq!(ada.run("{ me { id } }").await.status, 401, "what was ended stays so");
        world.logged_in("ada", PASSWORD).await;
    }
}

#[tokio::test]
async fn the_order_is_that_of_the_input_and_who_is_there_already_stays() {
    for world in World::each().await {
        let admin = world.superadmin().await;
        let mut ids = Vec::new();
        for name in ["bob", "ada", "carol"] {
            ids.push(id_of(&world, &world.user(name).await).await);
        }
        deactivate(&admin, &ids[1..2]).await.ok("");
        let again = [ids[0].clone(), ids[1].clone(), ids[2].clone(), ids[0].clone()];
        let users = deactivate(&admin, &again).await.ok("/deactivateUsers/users");
        let names: Vec<_> = users.as_array().into_iter().flatten().map(|user| &user["userName"]).collect();
        assert_eq!(names, ["bob", "ada", "carol", "bob"]);
        assert_eq!(world.events_of("user.deactivated").await.len(), 3, "one for each change");
        let (_, few) = world.statements(activate(&admin, &ids[..1])).await;
        deactivate(&admin, &ids).await.ok("");
        let (_, many) = world.statements(activate(&admin, &ids)).await;
        assert_eq!(few, many, "the number of statements does not grow");
    }
}

#[tokio::test]
async fn a_dry_run_says_what_would_be_wrong_and_changes_nothing() {
    for world in World::each().await {
        let admin = world.superadmin().await;
        let ada = world.user("ada").await;
        let id = id_of(&world, &ada).await;
        let answer = set(&admin, "deactivateUsers", std::slice::from_ref(&id), Some(true)).await;
        assert_eq!(answer.faults("deactivateUsers"), [""; 0]);
        assert_eq!(answer.ok("/deactivateUsers/users"), json!([]));
        ada.run("{ me { id } }").await.ok("/me/id");
        let users = [id, "user_nonsense".to_owned()];
        let answer = set(&admin, "deactivateUsers", &users, Some(true)).await;
        assert_eq!(answer.faults("deactivateUsers"), ["NOT_FOUND at [userIds.1]"]);
        assert_eq!(world.events_of("user.deactivated").await, [] as [Value; 0]);
    }
}

#[tokio::test]
async fn all_or_none_and_every_fault_at_once() {
    for world in World::each().await {
        let anna = world.org_admin("anna", "acme").await;
        let acme = world.organization("acme").await;
        let other = world.organization("other").await;
        let colleague = world.user_id(&world.user("clara").await).await;
        world.join(colleague, acme).await;
        let stranger = world.user_id(&world.user("otto").await).await;
        world.join(stranger, other).await;
        let loner = world.user_id(&world.user("lena").await).await;
        let root = world.user_id(&world.superadmin().await).await;
        world.join(root, acme).await;
        let unknown = "user_01kdy0000000000000000000zz".to_owned();
        let org = ids::encode(ids::Kind::Organization, acme);
        let users = [
            public(colleague),
            public(stranger),
            public(loner),
            public(root),
            id_of(&world, &anna).await,
            unknown,
            org,
        ];
        let faults = [
            "NOT_FOUND at [userIds.1]",
            "NOT_FOUND at [userIds.2]",
            "NOT_ALLOWED at [userIds.3]",
            "NOT_ALLOWED at [userIds.4]",
            "NOT_FOUND at [userIds.5]",
            "NOT_FOUND at [userIds.6]",
        ];
        assert_eq!(deactivate(&anna, &users).await.faults("deactivateUsers"), faults);
        world.logged_in("clara", PASSWORD).await;
        assert_eq!(deactivate(&anna, &users[..1]).await.faults("deactivateUsers"), [""; 0]);
        assert_eq!(
            activate(&world.user("ursula").await, &users[..1]).await.codes(),
            ["FORBIDDEN"],
            "who may not does not learn more"
        );
        let many = vec![public(colleague); 101];
        assert_eq!(deactivate(&anna, &many).await.faults("deactivateUsers"), ["TOO_MANY_ITEMS at [userIds]"]);
    }
}

#[tokio::test]
async fn who_is_a_member_elsewhere_too_is_out_of_an_organisations_reach() {
    for world in World::each().await {
        let anna = world.org_admin("anna", "acme").await;
        let clara = world.user_id(&world.user("clara").await).await;
        world.join(clara, world.organization("acme").await).await;
        world.join_also(clara, world.organization("other").await).await;
        assert_eq!(
            deactivate(&anna, &[public(clara)]).await.faults("deactivateUsers"),
            ["NOT_ALLOWED at [userIds.0]"]
        );
    }
}

#[tokio::test]
async fn only_the_proof_of_the_mailbox_opens_an_account() {
    for world in World::each().await {
        let admin = world.superadmin().await;
        world.register("mallory").await;
        let document = "{ user(by: { userName: \"mallory\" }) { id status emailVerified } }";
        let mallory = admin.run(document).await.ok("/user");
        let id = [mallory["id"].as_str().expect("an id").to_owned()];
        let not_verified = ["NOT_VERIFIED at [userIds.0]"];
        assert_eq!(activate(&admin, &id).await.faults("activateUsers"), not_verified);
        assert_eq!(deactivate(&admin, &id).await.faults("deactivateUsers"), not_verified);
        assert_eq!(admin.run(document).await.ok("/user"), mallory);
    }
}

#[tokio::test]
async fn the_last_owner_stays_even_when_two_go_at_once() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let anna = id_of(&world, &world.org_admin("anna", "acme").await).await;
        let arne = id_of(&world, &world.org_admin("arne", "acme").await).await;
        let both = [anna.clone(), arne.clone()];
        let faults = ["LAST_OWNER at [userIds.0]", "LAST_OWNER at [userIds.1]"];
        assert_eq!(deactivate(&root, &both).await.faults("deactivateUsers"), faults);
        let (one, two) = ([anna], [arne]);
        let answers = join_all([deactivate(&root, &one), deactivate(&root, &two)]).await;
        let mut faults: Vec<_> = answers.iter().map(|answer| answer.faults("deactivateUsers")).collect();
        faults.sort();
        assert_eq!(faults, [vec![], vec!["LAST_OWNER at [userIds.0]".to_owned()]]);
    }
}

#[tokio::test]
async fn the_platform_keeps_a_super_administrator() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let rita = world.user("rita").await;
        let ruth = world.user("ruth").await;
        for client in [&rita, &ruth] {
            world.grant(world.user_id(client).await, "SUPERADMIN", None).await;
        }
        world.pass(Duration::from_secs(2));
        let of = [id_of(&world, &root).await, id_of(&world, &rita).await, id_of(&world, &ruth).await];
        // Everybody closes the next one's account, at once.
        let answers = join_all([
            deactivate(&root, &of[1..2]),
            deactivate(&rita, &of[2..3]),
            deactivate(&ruth, &of[0..1]),
        ])
        .await;
        let refused = answers
            .iter()
            .filter(|answer| answer.status == 401 || !answer.faults("deactivateUsers").is_empty())
            .count();
        assert!(refused >= 1, "{answers:?}");
    }
}

#[tokio::test]
async fn parallel_bulk_calls_in_any_order_do_not_block_each_other_for_good() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let mut ids = Vec::new();
        for name in ["ada", "bob", "carol", "dave"] {
            ids.push(id_of(&world, &world.user(name).await).await);
        }
        let mut backwards = ids.clone();
        backwards.reverse();
        let calls = (0..12).map(|turn| {
            let users = if turn % 2 == 0 { &ids } else { &backwards };
            let mutation = if turn % 3 == 0 { "activateUsers" } else { "deactivateUsers" };
            let root = root.clone();
            async move { set(&root, mutation, users, None).await.faults(mutation) }
        });
        for faults in join_all(calls).await {
            assert_eq!(faults, [""; 0]);
        }
    }
}
