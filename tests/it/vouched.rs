//! Addresses for which only an organisation's administrator vouches: in force, and worth nothing towards others.

use entity::{event, invitation};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde_json::{Value, json};
use uuid::Uuid;

use denizen::ids::{self, Kind};

use crate::{
    change_email::{change, proof_at},
    erasure::delete,
    onboarding::onboard,
    orgs::invitations::{accept, invite},
    support::{Client, PASSWORD, World},
    update_users::update,
};

const NONE: [&str; 0] = [];

fn org_id(id: Uuid) -> String {
    ids::encode(Kind::Organization, id)
}

/// Anna of `acme` has invited the address, and eve is the administrator of another tenant.
async fn invited(world: &World, address: &str) -> (Client, Value) {
    let anna = world.org_admin("anna", "acme").await;
    let acme = org_id(world.organization("acme").await);
    let sent = invite(&anna, &acme, json!([{ "email": address }])).await;
    let id = sent.ok("/inviteMembers/invitations/0/id");
    (world.org_admin("eve", "evil").await, id)
}

/// The account that eve makes with this address.
async fn puppet(eve: &Client, address: &str) -> String {
    let user = json!({ "userName": "puppet", "email": address, "password": PASSWORD, "orgCode": "evil", "roleCodes": [] });
    let made = onboard(eve, json!([user])).await;
    assert_eq!(made.faults("onboardUsers"), NONE);
    assert_eq!(made.ok("/onboardUsers/users/0/emailVerified"), true);
    made.ok("/onboardUsers/users/0/id").as_str().expect("an id").to_owned()
}

/// The events that tell that invitations were sent.
async fn sent(world: &World) -> Vec<event::Model> {
    let sent = event::Entity::find().filter(event::Column::Kind.eq("invitation.sent"));
    sent.all(world.app.db.read()).await.expect("events")
}

#[tokio::test]
async fn another_tenants_invitations_and_log_are_not_erased_with_a_puppet() {
    for world in World::each().await {
        let (eve, _) = invited(&world, "pat@example.org").await;
        let before = sent(&world).await;
        let id = puppet(&eve, "pat@example.org").await;
        assert_eq!(delete(&eve, &id).await.faults("deleteUser"), NONE);
        assert_eq!(sent(&world).await, before);
        let rows = invitation::Entity::find().all(world.app.db.read()).await.expect("invitations");
        assert_eq!(rows.len(), 1);
    }
}

#[tokio::test]
async fn erasing_the_invited_leaves_who_invited_them_in_the_log() {
    for world in World::each().await {
        invited(&world, "pat@example.org").await;
        let pat = world.user("pat").await;
        let id = ids::encode(Kind::User, world.user_id(&pat).await);
        assert_eq!(delete(&pat, &id).await.faults("deleteUser"), NONE);
        let sent = sent(&world).await.remove(0);
        assert_eq!((sent.actor_name.as_deref(), sent.ip.as_deref()), (Some("anna"), Some("203.0.113.7")));
        assert!(sent.data.is_none());
    }
}

#[tokio::test]
async fn an_address_that_nobody_proved_opens_no_invitation() {
    for world in World::each().await {
        let (eve, invitation) = invited(&world, "pat@example.org").await;
        puppet(&eve, "pat@example.org").await;
        let puppet = world.logged_in("puppet", PASSWORD).await;
        let token = world.invitation_of("pat@example.org").await;
        let document = "query ($id: ID!) { me { invitations { totalCount } } node(id: $id) { id } }";
        let seen = puppet.run_with(document, json!({ "id": invitation })).await.ok("");
        assert_eq!(seen, json!({ "me": { "invitations": { "totalCount": 0 } }, "node": null }));
        let export = "mutation { exportMyData { data } }";
        let export = puppet.run(export).await;
        assert!(!export.text.contains("inv_"), "{}", export.text);
        assert_eq!(accept(&puppet, &token).await.faults("acceptInvitation"), ["NOT_VERIFIED at [token]"]);

        // Whoever reads the mail there can prove it.
        let asked = change(&puppet, "pat@example.org", PASSWORD).await;
        assert_eq!(asked.faults("changeEmail"), NONE);
        let (proof, _) = proof_at(&world, "pat@example.org").await;
        assert_eq!(world.verify_by_token(&proof).await.faults("verifyUser"), NONE);
        assert_eq!(world.events_of("email.changed").await.len(), 0, "it is the same address");
        let seen = puppet.run_with(document, json!({ "id": invitation })).await.ok("");
        assert_eq!(seen["me"]["invitations"]["totalCount"], 1);
        assert_eq!(accept(&puppet, &token).await.faults("acceptInvitation"), NONE);
    }
}

#[tokio::test]
async fn whoever_proves_the_mailbox_takes_it_from_who_was_only_vouched_for() {
    for world in World::each().await {
        let eve = world.org_admin("eve", "evil").await;
        assert_eq!(world.register("pat").await.faults("registerUser"), NONE);
        let (token, _) = world.verification_of("pat@example.org").await;
        let id = puppet(&eve, "pat@example.org").await;
        assert_eq!(world.verify_by_token(&token).await.faults("verifyUser"), NONE);
        world.logged_in("pat@example.org", PASSWORD).await;
        let document = "query ($id: ID!) { user(by: { id: $id }) { userName email emailVerified } }";
        let left = eve.run_with(document, json!({ "id": id })).await.ok("/user");
        assert_eq!(left, json!({ "userName": "puppet", "email": null, "emailVerified": null }));

        // An address that is vouched for keeps nobody from registering, nor ends what they have begun.
        assert_eq!(world.register("quinn").await.faults("registerUser"), NONE);
        let moved = update(&eve, json!([{ "id": id, "email": "quinn@example.org" }])).await;
        assert_eq!(moved.faults("updateUsers"), NONE);
        let again = world.register("quinn").await;
        assert_eq!(again.faults("registerUser"), NONE);
        let (token, _) = world.verification_of("quinn@example.org").await;
        assert_eq!(world.verify_by_token(&token).await.faults("verifyUser"), NONE);
        world.logged_in("quinn@example.org", PASSWORD).await;
        let late = update(&eve, json!([{ "id": id, "email": "quinn@example.org" }])).await;
        assert_eq!(late.faults("updateUsers").len(), 1, "what is proved stays");
    }
}

#[tokio::test]
async fn the_word_of_the_platforms_administrators_counts() {
    for world in World::each().await {
        let (eve, invitation) = invited(&world, "pat@example.org").await;
        let id = puppet(&eve, "pat@example.org").await;
        let root = world.superadmin().await;
        let told = update(&root, json!([{ "id": id, "email": "pat@example.org" }])).await;
        assert_eq!(told.faults("updateUsers"), NONE);
        let puppet = world.logged_in("puppet", PASSWORD).await;
        let document = "query ($id: ID!) { node(id: $id) { id } }";
        assert_eq!(puppet.run_with(document, json!({ "id": invitation })).await.ok("/node/id"), invitation);
    }
}

#[tokio::test]
async fn no_list_is_read_off_by_guessing_addresses() {
    for world in World::each().await {
        let eve = world.org_admin("eve", "evil").await;
        world.user("vera").await;
        let id = puppet(&eve, "puppet@example.org").await;
        let dry = |input: Value| json!({ "dryRun": true, "users": input });
        let of = |email: &str| json!([{ "userName": "fresh", "email": email, "password": PASSWORD, "orgCode": "evil", "roleCodes": [] }]);
        let onboard_dry =
            "mutation ($input: OnboardUsersInput!) { onboardUsers(input: $input) { errors { code path } } }";
        let update_dry =
            "mutation ($input: UpdateUsersInput!) { updateUsers(input: $input) { errors { code path } } }";
        for email in ["vera@example.org", "nobody@example.org"] {
            let answer = eve.run_with(onboard_dry, json!({ "input": dry(of(email)) })).await;
            assert_eq!(answer.faults("onboardUsers"), NONE, "{email}");
            let change = json!([{ "id": id, "email": email }]);
            let answer = eve.run_with(update_dry, json!({ "input": dry(change) })).await;
            assert_eq!(answer.faults("updateUsers"), NONE, "{email}");
        }
        let own = eve.run_with(onboard_dry, json!({ "input": dry(of("puppet@example.org")) })).await;
        assert_eq!(own.faults("onboardUsers"), ["TAKEN at [users.0.email]"]);
        let change = json!([{ "id": id, "email": "vera@example.org" }]);
        for _ in 0..10 {
            let answer = onboard(&eve, of("vera@example.org")).await;
            assert_eq!(answer.faults("onboardUsers"), ["TAKEN at [users.0.email]"]);
            assert_eq!(
                update(&eve, change.clone()).await.faults("updateUsers"),
                ["TAKEN at [users.0.email]"]
            );
        }
        assert_eq!(
            onboard(&eve, of("vera@example.org")).await.faults("onboardUsers"),
            ["TOO_MANY_ATTEMPTS at []"]
        );
        assert_eq!(update(&eve, change).await.faults("updateUsers"), ["TOO_MANY_ATTEMPTS at []"]);
    }
}
