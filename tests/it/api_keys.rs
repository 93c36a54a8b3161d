//! API keys: no more than their makers, never the person, and dead within two seconds of their end.

use std::time::Duration;

use denizen::{domain::api_keys, ids};
use serde_json::{Value, json};

use crate::support::{Answer, Client, PASSWORD, World, token_and_code};

const CREATE: &str = "mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) {
    secret apiKey { id name prefix scopes lastUsedAt expiresAt } errors { code path } } }";
const REVOKE: &str =
    "mutation ($id: ID!) { revokeApiKey(input: { apiKeyId: $id }) { deletedId errors { code path } } }";
const INFO: &str =
    "query ($token: String!) { tokenInfo(token: $token) { active kind expiresAt scopes user { userName } } }";

async fn create(client: &Client, input: Value) -> Answer {
    client.run_with(CREATE, json!({ "input": input })).await
}

/// A client that shows a new key, and the key's id.
async fn key(world: &World, client: &Client, scopes: &[&str]) -> (Client, String) {
    let made = create(client, json!({ "name": "a key", "scopes": scopes })).await;
    let secret = made.ok("/createApiKey/secret");
    let id = made.ok("/createApiKey/apiKey/id");
    let secret = secret.as_str().unwrap_or_else(|| panic!("no key: {}", made.text));
    (world.anonymous().with_token(secret), id.as_str().expect("an id").to_owned())
}

#[tokio::test]
async fn a_key_acts_as_its_user_with_no_more_than_its_scopes() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let (reader, _) = key(&world, &root, &["user.read"]).await;
        let (nothing, _) = key(&world, &root, &[]).await;
        assert_eq!(reader.run("{ me { userName } users { totalCount } }").await.ok("/users/totalCount"), 1);
        let answer = nothing.run("{ me { userName } users { totalCount } }").await;
        assert_eq!(
            (answer.codes(), answer.data("/me/userName")),
            (vec!["FORBIDDEN".to_owned()], json!("admin"))
        );
        let answer = reader.run("mutation { upsertRoles(input: { roles: [] }) { errors { code } } }").await;
        assert_eq!(answer.codes(), ["FORBIDDEN"]);
        for scopes in [json!(["user.fly"]), json!([""]), json!(["user.read", "\u{0}"])] {
            let answer = create(&root, json!({ "name": "k", "scopes": scopes })).await;
            assert!(answer.faults("createApiKey")[0].starts_with("INVALID at [scopes."), "{}", answer.text);
        }
        let ada = world.user("ada").await;
        let answer = create(
            &ada,
            json!({ "name": " ", "scopes": ["user.read"], "expiresAt": "2020-01-01T00:00:00Z" }),
        )
        .await;
        assert_eq!(
            answer.faults("createApiKey"),
            ["REQUIRED at [name]", "NOT_ALLOWED at [scopes.0]", "INVALID at [expiresAt]"]
        );
    }
}

#[tokio::test]
async fn a_key_loses_what_its_user_loses() {
    use entity::grant;
    use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
    for world in World::each().await {
        let anna = world.org_admin("anna", "acme").await;
        let (reader, _) = key(&world, &anna, &["user.read"]).await;
        assert_eq!(reader.run("{ users { totalCount } }").await.ok("/users/totalCount"), 1);
        let id = world.user_id(&anna).await;
        let txn = world.app.db.begin().await.expect("a transaction");
        grant::Entity::delete_many().filter(grant::Column::UserId.eq(id)).exec(&*txn).await.expect("gone");
        txn.commit().await.expect("a commit");
        world.pass(Duration::from_secs(2));
        assert_eq!(reader.run("{ users { totalCount } }").await.codes(), ["FORBIDDEN"]);
    }
}

#[tokio::test]
async fn a_key_is_never_the_person() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let (program, id) = key(&world, &root, &["user.read", "session.end"]).await;
        let user = ids::encode(ids::Kind::User, world.user_id(&root).await);
        for document in [
            "mutation { createApiKey(input: { name: \"another\", scopes: [] }) { errors { code } } }".to_owned(),
            format!("mutation {{ revokeApiKey(input: {{ apiKeyId: \"{id}\" }}) {{ errors {{ code }} }} }}"),
            format!("mutation {{ endSessions(input: {{ userId: \"{user}\" }}) {{ errors {{ code }} }} }}"),
            "mutation { changeEmail(input: { newEmail: \"x@example.org\", password: \"x\" }) { errors { code } } }".to_owned(),
            format!("mutation {{ deleteUser(input: {{ userId: \"{user}\" }}) {{ errors {{ code }} }} }}"),
            "mutation { exportMyData { errors { code } } }".to_owned(),
        ] {
            assert_eq!(program.run(&document).await.codes(), ["FORBIDDEN"], "{document}");
        }
        let answer = program
            .run("mutation { logout(input: { everywhere: true }) { endedSessions errors { code } } }")
            .await;
        assert_eq!(answer.ok("/logout/errors/0/code"), "REQUIRED");
        assert_eq!(root.run("{ __typename }").await.status, 200);
        let (program, _) = key(&world, &root, &["role.upsert"]).await;
        let role = "mutation { upsertRoles(input: { roles: [{ code: \"EDITOR\" }] }) { errors { code } } }";
        assert_eq!(program.run(role).await.faults("upsertRoles"), [""; 0]);
        let events = root.run("{ events(filter: { types: [\"role.upserted\"] }) { edges { node { actor { kind name } } } } }").await;
        assert_eq!(events.ok("/events/edges/0/node/actor"), json!({ "kind": "API_KEY", "name": "admin" }));
    }
}

const LEAVE: &str = "mutation ($org: ID!, $user: ID!) {
    removeMembers(input: { organizationId: $org, userIds: [$user] }) { removedUserIds errors { code path } } }";

#[tokio::test]
async fn a_key_without_scopes_changes_nothing_for_its_person() {
    for world in World::each().await {
        let anna = world.org_admin("anna", "acme").await;
        let org = ids::encode(ids::Kind::Organization, world.organization("acme").await);
        let member = world.user("mia").await;
        world.join(world.user_id(&member).await, world.organization("acme").await).await;
        let (nothing, _) = key(&world, &anna, &[]).await;
        let (remover, _) = key(&world, &anna, &["org.member.remove"]).await;
        let id = async |client: &Client| ids::encode(ids::Kind::User, world.user_id(client).await);
        let leave = async |client: &Client, user: &str| {
            client.run_with(LEAVE, json!({ "org": org, "user": user })).await
        };
        assert_eq!(leave(&nothing, &id(&anna).await).await.codes(), ["FORBIDDEN"]);
        let rename = "mutation { updateProfile(input: { name: \"Somebody\" }) { errors { code } } }";
        for program in [&nothing, &remover] {
            assert_eq!(program.run(rename).await.codes(), ["FORBIDDEN"]);
        }
        // With the scope it does what its person may do to others: and that is not leaving for them.
        let own = leave(&remover, &id(&anna).await).await;
        assert_eq!(own.faults("removeMembers"), ["NOT_ALLOWED at [userIds.0]"]);
        assert_eq!(leave(&remover, &id(&member).await).await.faults("removeMembers"), [""; 0]);
        assert_eq!(
            anna.run("{ me { userName memberships { totalCount } } }").await.ok("/me"),
            json!({
            "userName": "anna", "memberships": { "totalCount": 1 } })
        );
    }
}

#[tokio::test]
async fn a_key_of_a_closed_account_is_revoked_for_good() {
    const SET: [&str; 2] = ["deactivateUsers", "activateUsers"];
    for world in World::each().await {
        let root = world.superadmin().await;
        let ada = world.user("ada").await;
        let (program, _) = key(&world, &ada, &[]).await;
        let (another, _) = key(&world, &ada, &[]).await;
        let (others, _) = key(&world, &world.user("bob").await, &[]).await;
        let id = ids::encode(ids::Kind::User, world.user_id(&ada).await);
        assert_eq!(program.run("{ me { userName } }").await.ok("/me/userName"), "ada");
        for mutation in SET {
            let document = format!(
                "mutation ($id: ID!) {{ {mutation}(input: {{ userIds: [$id] }}) {{ errors {{ code }} }} }}"
            );
            let answer = root.run_with(&document, json!({ "id": id })).await;
            assert_eq!(answer.faults(mutation), [""; 0]);
            for dead in [&program, &another] {
                assert_eq!(dead.run("{ __typename }").await.status, 401, "at once after {mutation}");
            }
        }
        world.pass(Duration::from_secs(2));
        assert_eq!(program.run("{ __typename }").await.status, 401);
        let reason = json!({ "reason": "deactivated" });
        assert_eq!(world.events_of("api_key.revoked").await, [reason.clone(), reason]);
        assert_eq!(others.run("{ me { userName } }").await.ok("/me/userName"), "bob");
    }
}

/// An instance of the previous version leaves the keys of an account that it closes.
#[tokio::test]
async fn a_key_that_a_closed_account_still_has_is_revoked_when_it_is_opened() {
    use entity::{UserStatus, user};
    use sea_orm::{ActiveModelTrait as _, Set};
    for world in World::each().await {
        let root = world.superadmin().await;
        let ada = world.user("ada").await;
        let (program, _) = key(&world, &ada, &[]).await;
        let id = world.user_id(&ada).await;
        let closed =
            user::ActiveModel { id: Set(id), status: Set(UserStatus::Deactivated), ..Default::default() };
        closed.update(world.app.db.owner()).await.expect("closed");
        world.pass(Duration::from_secs(2));
        let document = "mutation ($id: ID!) { activateUsers(input: { userIds: [$id] }) { errors { code } } }";
        let answer = root.run_with(document, json!({ "id": ids::encode(ids::Kind::User, id) })).await;
        assert_eq!(answer.faults("activateUsers"), [""; 0]);
        assert_eq!(program.run("{ __typename }").await.status, 401);
        assert_eq!(world.events_of("api_key.revoked").await.len(), 1);
    }
}

#[tokio::test]
async fn a_key_feels_what_is_taken_from_its_user_at_once_on_the_same_instance() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let anna = world.org_admin("anna", "acme").await;
        world.org_admin("eve", "acme").await;
        let (reader, _) = key(&world, &anna, &["user.read"]).await;
        assert_eq!(reader.run("{ users { totalCount } }").await.ok("/users/totalCount"), 2);
        let variables = json!({
            "user": ids::encode(ids::Kind::User, world.user_id(&anna).await),
            "org": ids::encode(ids::Kind::Organization, world.organization("acme").await),
        });
        let revoke =
            "mutation ($user: ID!, $org: ID!) { revokeRoles(input: { userId: $user, organizationId: $org,
            roleCodes: [\"ADMIN\"] }) { errors { code path } } }";
        assert_eq!(root.run_with(revoke, variables).await.faults("revokeRoles"), [""; 0]);
        assert_eq!(reader.run("{ users { totalCount } }").await.codes(), ["FORBIDDEN"]);
    }
}

#[tokio::test]
async fn a_revoked_or_expired_key_is_dead_on_every_instance_within_two_seconds() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let (program, id) = key(&world, &ada, &[]).await;
        let elsewhere = world.another_instance().await.with_token(program.token.as_deref().expect("a key"));
        assert_eq!(elsewhere.run("{ me { userName } }").await.ok("/me/userName"), "ada");
        let bob = world.user("bob").await;
        let foreign = bob.run_with(REVOKE, json!({ "id": id })).await;
        assert_eq!(foreign.faults("revokeApiKey"), ["NOT_FOUND at [apiKeyId]"]);
        assert_eq!(ada.run_with(REVOKE, json!({ "id": id })).await.ok("/revokeApiKey/deletedId"), id);
        assert_eq!(program.run("{ __typename }").await.status, 401, "here at once");
        world.pass(Duration::from_secs(2));
        assert_eq!(elsewhere.run("{ __typename }").await.status, 401);
        let made =
            create(&ada, json!({ "name": "short", "scopes": [], "expiresAt": "2026-01-01T01:00:00Z" })).await;
        let short = world.anonymous().with_token(made.ok("/createApiKey/secret").as_str().expect("a key"));
        assert_eq!(short.run("{ __typename }").await.status, 200);
        world.pass(Duration::from_hours(1));
        assert_eq!(short.run("{ __typename }").await.status, 401);
    }
}

#[tokio::test]
async fn keys_are_listed_to_their_user_alone_and_never_in_full() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let (program, id) = key(&world, &ada, &[]).await;
        let secret = program.token.clone().expect("a key");
        assert_eq!(program.run("{ __typename }").await.status, 200);
        api_keys::live::write_down(&world.app).await.expect("written down");
        let list = "{ me { apiKeys { totalCount edges { node { id prefix lastUsedAt } } } } }";
        let answer = ada.run(list).await;
        let node = answer.ok("/me/apiKeys/edges/0/node");
        assert_eq!((&node["id"], node["lastUsedAt"].is_string()), (&json!(id), true));
        assert!(!answer.text.contains(&secret[12..]), "{}", answer.text);
        let root = world.superadmin().await;
        let seen = root.run("{ user(by: { userName: \"ada\" }) { apiKeys { totalCount } } }").await;
        assert_eq!(seen.codes(), ["FORBIDDEN"]);
        let node = root.run_with("query ($id: ID!) { node(id: $id) { id } }", json!({ "id": id })).await;
        assert!(node.ok("/node").is_null());
        let dump = format!("{:?}", world.events_of("api_key.created").await);
        assert!(!dump.contains(&secret[12..]), "{dump}");
    }
}

#[tokio::test]
async fn an_old_sign_in_makes_no_key_without_a_proof() {
    for world in World::each().await {
        let world = World::with(world.backend, &["--access-token-ttl", "1h"]).await;
        let ada = world.user("ada").await;
        world.pass(Duration::from_mins(16));
        let answer = create(&ada, json!({ "name": "k", "scopes": [] })).await;
        assert_eq!(answer.faults("createApiKey"), ["REQUIRED at [proof]"]);
        let answer = create(&ada, json!({ "name": "k", "scopes": [], "proof": "nonsense" })).await;
        assert_eq!(answer.faults("createApiKey"), ["WRONG_CODE at [proof]"]);
    }
}

#[tokio::test]
async fn token_info_knows_tokens_and_keys_and_nothing_else() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let (program, id) = key(&world, &ada, &[]).await;
        let access = ada.token.clone().expect("a token");
        let secret = program.token.clone().expect("a key");
        let stranger = world.anonymous();
        for (token, kind) in [(&access, "ACCESS"), (&secret, "API_KEY")] {
            let info = stranger.run_with(INFO, json!({ "token": token })).await.ok("/tokenInfo");
            assert_eq!((&info["active"], &info["kind"]), (&json!(true), &json!(kind)));
            assert_eq!(info["user"]["userName"], "ada");
        }
        let refresh = world.login("ada", PASSWORD).await.ok("/login/tokens/refreshToken");
        ada.run_with(REVOKE, json!({ "id": id })).await;
        ada.run("mutation { logout { endedSessions } }").await;
        let dead =
            [access.as_str(), &secret, refresh.as_str().expect("a token"), "", "nonsense", "dzn_", "\u{0}"];
        for token in dead {
            let info = stranger.run_with(INFO, json!({ "token": token })).await.ok("/tokenInfo");
            assert_eq!(
                info,
                json!({ "active": false, "kind": null, "expiresAt": null, "scopes": [], "user": null })
            );
        }
    }
}

#[tokio::test]
async fn a_changed_password_keeps_the_keys_and_a_reset_one_ends_them() {
    const NEW: &str = "seven umbrellas in may";
    for world in World::each().await {
        let ada = world.user("ada").await;
        let (program, _) = key(&world, &ada, &[]).await;
        let (others, _) = key(&world, &world.user("bob").await, &[]).await;
        let document = "mutation ($old: String!, $new: String!) { changePassword(input: {
            currentPassword: $old, newPassword: $new }) { errors { code path } } }";
        let changed = ada.run_with(document, json!({ "old": PASSWORD, "new": NEW })).await;
        assert_eq!(changed.faults("changePassword"), [""; 0]);
        assert_eq!(program.run("{ me { userName } }").await.ok("/me/userName"), "ada");
        let instance = world.another_instance().await.with_token(program.token.as_deref().expect("a key"));
        assert_eq!(instance.run("{ me { userName } }").await.ok("/me/userName"), "ada");
        let forgot = "mutation { forgotPassword(input: { identifier: \"ada\" }) { errors { code } } }";
        let asked = world.anonymous().run(forgot).await;
        assert_eq!(asked.faults("forgotPassword"), [""; 0]);
        let mails = world.mails_to("ada@example.org").await;
        let mail = mails.iter().find(|mail| mail.subject == "Set a new password").expect("a mail");
        let document = "mutation ($token: String!, $new: String!) { resetPassword(input: { token: $token, newPassword: $new }) {
            user { apiKeys { totalCount } } errors { code path } } }";
        let variables = json!({ "token": token_and_code(mail).0, "new": PASSWORD });
        let reset = world.anonymous().run_with(document, variables).await;
        assert_eq!(reset.ok("/resetPassword/user/apiKeys/totalCount"), 0);
        assert_eq!(program.run("{ __typename }").await.status, 401, "here at once");
        world.pass(Duration::from_secs(2));
        assert_eq!(instance.run("{ __typename }").await.status, 401, "everywhere within two seconds");
        assert_eq!(others.run("{ me { userName } }").await.ok("/me/userName"), "bob");
        assert_eq!(world.events_of("api_key.revoked").await, [json!({ "reason": "password_reset" })]);
    }
}
