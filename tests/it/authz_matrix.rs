//! The published matrix: every operation for every role, and who sees whom. `docs/permissions.md` is made from what
//! the service really answers; an operation without a row fails here.

mod fields;
mod targets;

use std::{fmt::Write as _, fs, path::Path};

use denizen::{
    authz::{BUILT_IN_ROLES, Permission},
    domain::identity::service::{self as identity, Look, UserBy},
    ids,
};
use serde_json::json;

use crate::support::{Backend, Client, World};

/// How to try each operation. What matters is whether it is refused, not what it finds.
const OPERATIONS: &[(&str, &str)] = &[
    ("me", "{ me { id } }"),
    ("user", "{ user(by: { userName: \"nobody\" }) { id } }"),
    ("users", "{ users { totalCount } }"),
    ("organization", "{ organization(by: { code: \"nothing\" }) { id } }"),
    ("organizations", "{ organizations { totalCount } }"),
    ("roles", "{ roles { code } }"),
    ("tokenInfo", "{ tokenInfo(token: \"nonsense\") { active } }"),
    ("models", "{ models { totalCount } }"),
    ("applications", "{ applications { totalCount } }"),
    ("events", "{ events { totalCount } }"),
    ("node", "{ node(id: \"user_nobody\") { id } }"),
    ("nodes", "{ nodes(ids: []) { id } }"),
    ("_service", "{ _service { sdl } }"),
    ("_entities", "{ _entities(representations: []) { __typename } }"),
    ("registerUser", "mutation { registerUser(input: { password: \"x\" }) { errors { code } } }"),
    (
        "registerUsers",
        "mutation { registerUsers(input: { users: [{ password: \"x\" }] }) { errors { code } } }",
    ),
    (
        "resendVerification",
        "mutation { resendVerification(input: { identifier: \"nobody\" }) { errors { code } } }",
    ),
    ("updateProfile", "mutation { updateProfile(input: {}) { errors { code } } }"),
    ("changeEmail", "mutation { changeEmail(input: { newEmail: \"x\" }) { errors { code } } }"),
    ("changePhone", "mutation { changePhone(input: { newPhone: \"x\" }) { errors { code } } }"),
    (
        "forgotPassword",
        "mutation { forgotPassword(input: { identifier: \"a\\u0000b\" }) { errors { code } } }",
    ),
    ("resetPassword", "mutation { resetPassword(input: { newPassword: \"x\" }) { errors { code } } }"),
    (
        "changePassword",
        "mutation { changePassword(input: { currentPassword: \"x\", newPassword: \"y\" }) { errors { code } } }",
    ),
    ("requestOtp", "mutation { requestOtp(input: { purpose: LOGIN }) { errors { code } } }"),
    ("verifyOtp", "mutation { verifyOtp(input: { purpose: LOGIN, code: \"x\" }) { errors { code } } }"),
    (
        "loginWithOtp",
        "mutation { loginWithOtp(input: { identifier: \"nobody\", code: \"x\", device: \"\\u0000\" }) { errors { code } } }",
    ),
    ("activateUsers", "mutation { activateUsers(input: { userIds: [] }) { errors { code } } }"),
    ("deactivateUsers", "mutation { deactivateUsers(input: { userIds: [] }) { errors { code } } }"),
    ("onboardUsers", "mutation { onboardUsers(input: { users: [] }) { errors { code } } }"),
    ("updateUsers", "mutation { updateUsers(input: { users: [] }) { errors { code } } }"),
    ("deleteUser", "mutation { deleteUser(input: { userId: \"user_nobody\" }) { errors { code } } }"),
    ("exportMyData", "mutation { exportMyData { errors { code } } }"),
    ("verifyUser", "mutation { verifyUser(input: {}) { errors { code } } }"),
    (
        "upsertOrganizations",
        "mutation { upsertOrganizations(input: { organizations: [] }) { errors { code } } }",
    ),
    (
        "addMembers",
        "mutation { addMembers(input: { organizationId: \"x\", members: [] }) { errors { code } } }",
    ),
    (
        "removeMembers",
        "mutation { removeMembers(input: { organizationId: \"x\", userIds: [] }) { errors { code } } }",
    ),
    ("invitation", "{ invitation(token: \"nonsense\") { id } }"),
    (
        "inviteMembers",
        "mutation { inviteMembers(input: { organizationId: \"x\", invitees: [] }) { errors { code } } }",
    ),
    ("resendInvitation", "mutation { resendInvitation(input: { invitationId: \"x\" }) { errors { code } } }"),
    ("revokeInvitation", "mutation { revokeInvitation(input: { invitationId: \"x\" }) { errors { code } } }"),
    ("acceptInvitation", "mutation { acceptInvitation(input: { token: \"x\" }) { errors { code } } }"),
    ("declineInvitation", "mutation { declineInvitation(input: { token: \"x\" }) { errors { code } } }"),
    ("login", "mutation { login(input: { identifier: \"x\", password: \"y\" }) { errors { code } } }"),
    ("logout", "mutation { logout(input: { refreshToken: \"nonsense\" }) { endedSessions } }"),
    ("enrollTotp", "mutation { enrollTotp { errors { code } } }"),
    ("confirmTotp", "mutation { confirmTotp(input: { code: \"x\" }) { errors { code } } }"),
    ("disableTotp", "mutation { disableTotp(input: {}) { errors { code } } }"),
    ("regenerateRecoveryCodes", "mutation { regenerateRecoveryCodes(input: {}) { errors { code } } }"),
    (
        "startPasskeyRegistration",
        "mutation { startPasskeyRegistration(input: { name: \"\" }) { errors { code } } }",
    ),
    (
        "finishPasskeyRegistration",
        "mutation { finishPasskeyRegistration(input: { challengeId: \"x\", passkey: {} }) { errors { code } } }",
    ),
    ("removePasskey", "mutation { removePasskey(input: { passkeyId: \"x\" }) { errors { code } } }"),
    (
        "sendChallengeCode",
        "mutation { sendChallengeCode(input: { challengeId: \"x\", method: EMAIL_CODE }) { errors { code } } }",
    ),
    (
        "completeLogin",
        "mutation { completeLogin(input: { challengeId: \"x\", method: TOTP, code: \"x\" }) { errors { code } } }",
    ),
    ("startPasskeyLogin", "mutation { startPasskeyLogin { errors { code } } }"),
    (
        "loginWithPasskey",
        "mutation { loginWithPasskey(input: { challengeId: \"x\", passkey: {} }) { errors { code } } }",
    ),
    (
        "refreshTokens",
        "mutation { refreshTokens(input: { refreshToken: \"nonsense\" }) { errors { code } } }",
    ),
    ("endSessions", "mutation { endSessions(input: { userId: \"user_nobody\" }) { errors { code } } }"),
    (
        "exchangeIdToken",
        "mutation { exchangeIdToken(input: { idToken: \"x\", applicationId: \"x\" }) { errors { code } } }",
    ),
    ("registerApplication", "mutation { registerApplication(input: { name: \"\" }) { errors { code } } }"),
    (
        "updateApplication",
        "mutation { updateApplication(input: { applicationId: \"x\" }) { errors { code } } }",
    ),
    (
        "rotateApplicationSecret",
        "mutation { rotateApplicationSecret(input: { applicationId: \"x\" }) { errors { code } } }",
    ),
    ("createApiKey", "mutation { createApiKey(input: { name: \"\", scopes: [] }) { errors { code } } }"),
    ("revokeApiKey", "mutation { revokeApiKey(input: { apiKeyId: \"x\" }) { errors { code } } }"),
    ("upsertRoles", "mutation { upsertRoles(input: { roles: [] }) { errors { code } } }"),
    ("upsertModels", "mutation { upsertModels(input: { models: [] }) { errors { code } } }"),
    ("grantRoles", "mutation { grantRoles(input: { userId: \"x\", roleCodes: [] }) { errors { code } } }"),
    ("Subscription.events", "subscription { events { id } }"),
    ("revokeRoles", "mutation { revokeRoles(input: { userId: \"x\", roleCodes: [] }) { errors { code } } }"),
];

/// Somebody of every kind, with the name of their column.
async fn everybody(world: &World) -> Vec<(&'static str, Client)> {
    let mut people = vec![("anonymous", world.anonymous())];
    let org = world.organization("acme").await;
    for (column, name, role, organization) in [
        ("user", "ursula", None, None),
        ("MEMBER in acme", "mia", Some("MEMBER"), Some(org)),
        ("TRANSLATOR in acme", "tina", Some("TRANSLATOR"), Some(org)),
        ("ANNOTATOR in acme", "ayla", Some("ANNOTATOR"), Some(org)),
        ("SCHOLAR in acme", "sven", Some("SCHOLAR"), Some(org)),
        ("REVIEWER in acme", "rosa", Some("REVIEWER"), Some(org)),
        ("ADMIN in acme", "anna", Some("ADMIN"), Some(org)),
        ("EXTENSION", "emil", Some("EXTENSION"), None),
        ("ADMIN", "paula", Some("ADMIN"), None),
    ] {
        let client = world.user(name).await;
        let id = world.user_id(&client).await;
        if let Some(organization) = organization {
            world.join(id, organization).await;
        }
        if let Some(role) = role {
            world.grant(id, role, organization).await;
        }
        people.push((column, client));
    }
    people.push(("SUPERADMIN", world.superadmin().await));
    world.pass(std::time::Duration::from_secs(2));
    people
}

/// API keys of the SUPERADMIN: one with every scope, and one with none.
async fn programs(world: &World) -> Vec<(&'static str, Client)> {
    let root = world.superadmin().await;
    let all: Vec<_> = Permission::ALL.iter().map(|permission| permission.code()).collect();
    let mut programs = Vec::new();
    for (column, scopes) in [("API key with every scope", all), ("API key without scopes", Vec::new())] {
        let document = "mutation ($scopes: [String!]!) {
            createApiKey(input: { name: \"a program\", scopes: $scopes }) { secret errors { code } } }";
        let made = root.run_with(document, json!({ "scopes": scopes })).await.ok("/createApiKey/secret");
        programs.push((column, world.anonymous().with_token(made.as_str().expect("a key"))));
    }
    programs
}

fn table(first: &str, columns: &[&str], rows: &[(String, Vec<String>)]) -> String {
    let mut text =
        format!("| {first} | {} |\n| --- |{}\n", columns.join(" | "), " --- |".repeat(columns.len()));
    for (name, cells) in rows {
        let _ = writeln!(text, "| {name} | {} |", cells.join(" | "));
    }
    text
}

async fn operations(people: &[(&'static str, Client)]) -> Vec<(String, Vec<String>)> {
    let mut rows = Vec::new();
    for (name, document) in OPERATIONS.iter().copied() {
        let mut cells = Vec::new();
        for (_, client) in people {
            // `logout` would end the session that the next row needs: a stranger's token is tried on its own client.
            let codes = if document.starts_with("subscription") {
                client.follow(document, json!({})).await.refusal().await
            } else {
                client.run(document).await.codes()
            };
            let refused = codes.iter().any(|code| code == "FORBIDDEN");
            assert!(refused || codes.is_empty(), "{name}: {codes:?}");
            cells.push(if refused { "–" } else { "yes" }.to_owned());
        }
        rows.push((format!("`{name}`"), cells));
    }
    rows
}

/// Who sees whom, in every way of naming them.
async fn sight(world: &World, people: &[(&'static str, Client)]) -> Vec<(String, Vec<String>)> {
    let other = world.organization("other").await;
    let stranger = world.user("otto").await;
    let stranger_id = world.user_id(&stranger).await;
    world.join(stranger_id, other).await;
    let colleague = world.user("clara").await;
    let colleague_id = world.user_id(&colleague).await;
    world.join(colleague_id, world.organization("acme").await).await;
    let loner = world.user_id(&world.user("lena").await).await;
    let mut rows = Vec::new();
    let targets = [
        ("a member of acme", colleague_id, "clara"),
        ("a member of another organisation", stranger_id, "otto"),
        ("a user without organisation", loner, "lena"),
    ];
    for (whom, id, name) in targets {
        let id = ids::encode(ids::Kind::User, id);
        let document = format!(
            "{{ byId: user(by: {{ id: \"{id}\" }}) {{ email }} byName: user(by: {{ userName: \"{name}\" }}) {{ email }}
               byEmail: user(by: {{ email: \"{name}@example.org\" }}) {{ email }} node(id: \"{id}\") {{ id }}
               _entities(representations: [{{ __typename: \"User\", id: \"{id}\" }}]) {{ __typename }} }}"
        );
        let mut cells = Vec::new();
        for (_, client) in people {
            let answer = client.run(&document).await;
            let ways = ["/byId", "/byName", "/byEmail", "/node", "/_entities/0"]
                .map(|way| !answer.data(way).is_null());
            assert!(
                ways.iter().all(|seen| *seen == ways[0]),
                "every way of asking answers alike: {}",
                answer.text
            );
            cells.push(if ways[0] { "yes" } else { "–" }.to_owned());
        }
        rows.push((whom.to_owned(), cells));
    }
    let mut cells = Vec::new();
    for (_, client) in people {
        cells.push(
            if client.run("{ me { email } }").await.ok("/me").is_null() { "–" } else { "yes" }.to_owned(),
        );
    }
    rows.push(("oneself".to_owned(), cells));
    rows
}

fn roles() -> String {
    let columns: Vec<_> = BUILT_IN_ROLES.iter().map(|role| role.code).collect();
    let rows: Vec<_> = Permission::ALL
        .into_iter()
        .map(|permission| {
            let has = |role: &denizen::authz::BuiltInRole| {
                if role.permissions.contains(permission) { "yes" } else { "–" }
            };
            (format!("`{permission}`"), BUILT_IN_ROLES.iter().map(|role| has(role).to_owned()).collect())
        })
        .collect();
    table("Permission", &columns, &rows)
}

#[tokio::test]
async fn the_published_matrix_is_what_the_service_answers() {
    let mut printed = Vec::new();
    for world in World::each().await {
        let people = everybody(&world).await;
        let columns: Vec<_> = people.iter().map(|(column, _)| *column).collect();
        let programs = programs(&world).await;
        let askers: Vec<_> = people.iter().cloned().chain(programs).collect();
        let asking: Vec<_> = askers.iter().map(|(column, _)| *column).collect();
        let operations = operations(&askers).await;
        let sight = sight(&world, &people).await;
        let clara =
            identity::find(&world.system(), UserBy::UserName("clara".to_owned()), Look::default()).await;
        let clara = clara.expect("users").expect("clara").row.id;
        let fields = fields::rows(&world, &people, clara).await;
        let targets = targets::rows(&world, &people).await;
        printed.push(format!(
            "# Who may do what\n\n\
             This page is made by a test from what the service answers (`make permissions` writes it anew).\n\n\
             A role is granted on the platform or within one organisation; within one it reaches only that organisation's users.\n\n\
             ## Operations\n\n`yes`: open; what it finds or changes, the service decides for each object. `–`: refused with `FORBIDDEN`. \
             The API keys are a SUPERADMIN's: what is done in person, none of them does.\n\n{}\n\
             ## Who sees whom\n\nBy id, user name or address, as a node or as an entity: every way of asking answers alike. \
             What one may not see does not exist.\n\n{}\n\
             ## What is shown of a user\n\n`yes`: of a member of acme whom one finds by oneself. `met`: of the same member, \
             met in the list of the organisation. Oneself sees all.\n\n{}\n\
             ## To whom, and where\n\nEach mutation that names somebody or something, tried on what belongs to acme, to another \
             organisation, and to none: on a new one each time. A code in the cell is the answer in the payload's `errors`; `–` is \
             `FORBIDDEN`. The other mutations act on the caller alone, or on nobody's. (An invitation is accepted by the address that \
             it was sent to, which is nobody's here, and declined by whoever holds its link. Everybody may delete their own account, and leave.)\n\n{}\n\
             ## What the built-in roles hold\n\n{}",
            table("Operation", &asking, &operations),
            table("Whom", &columns, &sight),
            table("Field", &columns, &fields),
            table("Mutation | Of", &columns, &targets).replacen("| --- |", "| --- | --- |", 1),
            roles(),
        ));
    }
    assert_eq!(printed[0], printed[1], "both databases answer alike");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/permissions.md");
    if std::env::var_os("DENIZEN_UPDATE").is_some() {
        fs::write(&path, &printed[0]).expect("the page should be written");
    }
    let published = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        published == printed[0],
        "docs/permissions.md is out of date: `make permissions` writes it. Now it would be:\n{}",
        printed[0]
    );
}

#[tokio::test]
async fn every_operation_has_its_row() {
    let world = World::on(Backend::Sqlite).await;
    let mut fields = crate::schema::root_fields(&world).await;
    fields.sort();
    let mut rows: Vec<_> = OPERATIONS.iter().map(|(name, _)| (*name).to_owned()).collect();
    rows.sort();
    assert_eq!(rows, fields);
}

#[tokio::test]
async fn a_stranger_reads_no_private_field_of_a_user() {
    for world in World::each().await {
        let introspection = world
            .anonymous()
            .run("{ __type(name: \"User\") { fields { name } } }")
            .await
            .ok("/__type/fields");
        let fields: Vec<_> = introspection
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|field| field["name"].as_str())
            .collect();
        assert!(fields.len() >= 18, "{fields:?}");
        let ada = world.user("ada").await;
        let ada_id = ids::encode(ids::Kind::User, world.user_id(&ada).await);
        for stranger in [world.anonymous(), world.user("bob").await] {
            for field in &fields {
                let selection = if ["organization", "roles"].contains(field) {
                    format!("{field} {{ code }}")
                } else if *field == "models" {
                    "models { uuid }".to_owned()
                } else if *field == "mfa" {
                    "mfa { enabled }".to_owned()
                } else if *field == "passkeys" {
                    "passkeys { id }".to_owned()
                } else if ["apiKeys", "invitations", "memberships", "sessions"].contains(field) {
                    format!("{field} {{ totalCount }}")
                } else {
                    (*field).to_owned()
                };
                let document =
                    format!("query ($id: ID!) {{ node(id: $id) {{ ... on User {{ {selection} }} }} }}");
                let answer = stranger.run_with(&document, json!({ "id": ada_id })).await;
                assert!(answer.ok("/node").is_null(), "{field}");
            }
        }
    }
}
