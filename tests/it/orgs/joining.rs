//! Joining while registering: only once the address is proved, only where that is open, and without telling anything.

use serde_json::{Value, json};

use super::{NONE, upsert};
use crate::support::{Answer, PASSWORD, World};

async fn register(world: &World, name: &str, more: &Value) -> Answer {
    let mut input = json!({ "userName": name, "email": format!("{name}@example.org"), "password": PASSWORD });
    for (key, value) in more.as_object().into_iter().flatten() {
        input[key] = value.clone();
    }
    let document = "mutation ($input: RegisterUserInput!) { registerUser(input: $input) {
        delivery { channel expiresAt retryAfterSeconds } errors { code message path } } }";
    world.anonymous().run_with(document, json!({ "input": input })).await
}

const MINE: &str = "{ me { organization { code } memberships { edges { node { organization { code } roles { code } } } } } }";

async fn open_world(world: &World) {
    let list = json!([
        { "code": "open", "active": true, "selfRegistration": true },
        { "code": "shut", "active": true, "listed": true },
        { "code": "closed", "active": false, "selfRegistration": true },
    ]);
    upsert(&world.superadmin().await, list).await.ok("");
}

async fn prove(world: &World, name: &str) -> Value {
    let (token, _) = world.verification_of(&format!("{name}@example.org")).await;
    assert_eq!(world.verify_by_token(&token).await.faults("verifyUser"), NONE);
    world.logged_in(name, PASSWORD).await.run(MINE).await.ok("/me")
}

#[tokio::test]
async fn an_open_organisation_is_joined_once_the_address_is_proved() {
    for world in World::each().await {
        open_world(&world).await;
        let wish = json!({ "orgCode": "OPEN", "roleCodes": ["translator"] });
        assert_eq!(register(&world, "ada", &wish).await.faults("registerUser"), NONE);
        assert_eq!(world.count_events("member.added").await, 0, "nothing before the proof");
        let me = prove(&world, "ada").await;
        assert_eq!(me["organization"]["code"], "open");
        let roles = &me["memberships"]["edges"][0]["node"]["roles"];
        assert_eq!(roles, &json!([{ "code": "MEMBER" }, { "code": "TRANSLATOR" }]));

        assert_eq!(register(&world, "bob", &json!({ "orgCode": "open" })).await.faults("registerUser"), NONE);
        let list = json!([{ "code": "open", "active": true, "selfRegistration": false }]);
        upsert(&world.superadmin().await, list).await.ok("");
        let me = prove(&world, "bob").await;
        assert_eq!(me["memberships"]["edges"], json!([]), "it has closed since");
    }
}

#[tokio::test]
async fn nobody_asks_for_more_than_is_open_and_nothing_tells_what_exists() {
    for world in World::each().await {
        open_world(&world).await;
        world.organization("hidden").await;
        world.user("known").await;
        let mut answers = Vec::new();
        for code in ["shut", "closed", "hidden", "nothing", "nul\u{0}"] {
            let answer = register(&world, "ada", &json!({ "orgCode": code })).await;
            assert_eq!(answer.faults("registerUser"), ["NOT_FOUND at [orgCode]"], "{code}");
            answers.push(answer.text);
        }
        answers.dedup();
        assert_eq!(answers.len(), 1);
        let wish = json!({ "orgCode": "open", "roleCodes": ["MEMBER", "ADMIN", "SUPERADMIN", "REVIEWER"] });
        let faults = ["1", "2", "3"].map(|index| format!("NOT_ALLOWED at [roleCodes.{index}]"));
        assert_eq!(register(&world, "ada", &wish).await.faults("registerUser"), faults);
        let alone = register(&world, "ada", &json!({ "roleCodes": ["MEMBER"] })).await;
        assert_eq!(alone.faults("registerUser"), ["NOT_ALLOWED at [roleCodes.0]"]);
        let wish = json!({ "orgCode": "open" });
        let known =
            register(&world, "another", &json!({ "orgCode": "open", "email": "known@example.org" })).await;
        assert_eq!(known.text, register(&world, "unknown", &wish).await.text);
        assert_eq!(world.count_events("member.added").await, 0);
    }
}

#[tokio::test]
async fn an_invitation_is_accepted_by_registering_with_its_address() {
    for world in World::each().await {
        let acme = super::org_id(world.organization("acme").await);
        let anna = world.org_admin("anna", "acme").await;
        for name in ["ada", "bob"] {
            let document = "mutation ($org: ID!, $email: EmailAddress!) { inviteMembers(input: { organizationId: $org,
                invitees: [{ email: $email, roleCodes: [\"SCHOLAR\"] }] }) { invitations { id } errors { code path } } }";
            let email = format!("{name}@example.org");
            anna.run_with(document, json!({ "org": acme, "email": email })).await.ok("");
        }
        let token = world.invitation_of("ada@example.org").await;
        let wish = json!({ "invitationToken": token });
        let other = register(&world, "mallory", &wish).await;
        assert_eq!(other.faults("registerUser"), ["WRONG_CODE at [invitationToken]"]);
        assert_eq!(register(&world, "ada", &wish).await.faults("registerUser"), NONE);
        let me = prove(&world, "ada").await;
        let joined = &me["memberships"]["edges"][0]["node"];
        assert_eq!(joined, &json!({ "organization": { "code": "acme" }, "roles": [{ "code": "SCHOLAR" }] }));
        assert_eq!(world.count_events("invitation.accepted").await, 1);
        let again =
            register(&world, "ada2", &json!({ "invitationToken": token, "email": "ada@example.org" })).await;
        assert_eq!(again.faults("registerUser"), ["ALREADY_USED at [invitationToken]"]);

        // Taken back between registering and proving: no membership, and the account lives.
        let token = world.invitation_of("bob@example.org").await;
        assert_eq!(
            register(&world, "bob", &json!({ "invitationToken": token })).await.faults("registerUser"),
            NONE
        );
        let decline =
            "mutation ($t: String!) { declineInvitation(input: { token: $t }) { errors { code } } }";
        world.anonymous().run_with(decline, json!({ "t": token })).await.ok("");
        assert_eq!(prove(&world, "bob").await["memberships"]["edges"], json!([]));
    }
}
