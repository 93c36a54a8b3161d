//! What each role may do to whom: every mutation that names somebody or something, tried by everybody on what belongs to
//! their own organisation, to another, and to none. The cells are the service's own answers.
//!
//! A new mutation needs one line in [`MUTATIONS`]; one that names nothing of anybody's needs none.

use denizen::{crypto, ids};
use entity::{InvitationStatus, invitation, user};
use sea_orm::{ActiveModelTrait as _, EntityTrait as _, IntoActiveModel as _};
use serde_json::json;
use uuid::Uuid;

use crate::support::{Answer, Client, World};

/// The mutation, and the fields of its input, in which stand
///
/// - `USER`: a user who belongs there, as `MEMBER`;
/// - `LONER`: a user without organisation;
/// - `ORG`: the organisation, and `ORG?` the same or null where there is none;
/// - `ROLE`: a role without permissions that can be granted there, or on the platform where there is none;
/// - `CODE`: its code, or a new one where there is none, and `CODE?` the same or null;
/// - `NAME`: a user name that nobody has;
/// - `INVITATION`, `TOKEN`: an invitation into it, to an address of somebody else, and the token of its link.
///
/// Each try gets new ones. Where there is no organisation, what needs one is not tried.
const MUTATIONS: &[(&str, &str)] = &[
    ("activateUsers", "userIds: [USER]"),
    ("deactivateUsers", "userIds: [USER]"),
    ("deleteUser", "userId: USER"),
    ("endSessions", "userId: USER"),
    (
        "onboardUsers",
        "users: [{ userName: NAME, password: \"tinte kanne wolke\", orgCode: CODE?, roleCodes: [] }]",
    ),
    ("updateUsers", "users: [{ id: USER, name: \"Somebody\" }]"),
    ("grantRoles", "userId: USER, organizationId: ORG?, roleCodes: [ROLE]"),
    ("revokeRoles", "userId: USER, organizationId: ORG?, roleCodes: [ROLE]"),
    ("upsertOrganizations", "organizations: [{ code: CODE, active: true }]"),
    ("addMembers", "organizationId: ORG, members: [{ userId: LONER }]"),
    ("removeMembers", "organizationId: ORG, userIds: [USER]"),
    ("inviteMembers", "organizationId: ORG, invitees: [{ email: \"somebody@example.org\" }]"),
    ("resendInvitation", "invitationId: INVITATION"),
    ("revokeInvitation", "invitationId: INVITATION"),
    ("acceptInvitation", "token: TOKEN"),
    ("declineInvitation", "token: TOKEN"),
];

/// Input fields that name what is somebody's: a mutation that has one of them has a line above.
const NAMING: [&str; 7] =
    ["userId", "userIds", "organizationId", "organizations", "invitationId", "members", "invitees"];

/// Where what is named belongs.
#[derive(Clone, Copy)]
enum Place {
    Own(Uuid),
    Another(Uuid),
    Nowhere,
}

impl Place {
    const fn name(self) -> &'static str {
        match self {
            Self::Own(_) => "acme",
            Self::Another(_) => "another",
            Self::Nowhere => "none",
        }
    }

    const fn organization(self) -> Option<Uuid> {
        match self {
            Self::Own(id) | Self::Another(id) => Some(id),
            Self::Nowhere => None,
        }
    }
}

/// What new rows are copied from.
struct Models {
    user: user::Model,
    invitation: invitation::Model,
    made: u32,
}

impl Models {
    async fn make(world: &World, organization: Uuid) -> Self {
        let id = world.user_id(&world.user("model").await).await;
        let db = world.app.db.read();
        let user = user::Entity::find_by_id(id).one(db).await.expect("users").expect("the user");
        let root = world.superadmin().await;
        let document = "mutation ($org: ID!) { inviteMembers(input: { organizationId: $org,
            invitees: [{ email: \"model-invited@example.org\" }] }) { errors { code } } }";
        let organization = ids::encode(ids::Kind::Organization, organization);
        let invited = root.run_with(document, json!({ "org": organization })).await;
        assert_eq!(invited.faults("inviteMembers"), [""; 0]);
        let invitation = invitation::Entity::find().one(db).await.expect("invitations").expect("one");
        Self { user, invitation, made: 0 }
    }

    async fn user(&mut self, world: &World, organization: Option<Uuid>) -> String {
        self.made += 1;
        let name = format!("made{}", self.made);
        let mut row = self.user.clone();
        row.id = world.system().new_id();
        (row.user_name, row.user_name_key) = (name.clone(), name.clone());
        let address = format!("{name}@example.org");
        (row.email, row.email_key) = (Some(address.clone()), Some(address));
        let id = row.id;
        let txn = world.app.db.begin().await.expect("a transaction");
        row.into_active_model().reset_all().insert(&*txn).await.expect("a user");
        txn.commit().await.expect("a commit");
        if let Some(organization) = organization {
            world.join(id, organization).await;
            world.grant(id, "MEMBER", Some(organization)).await;
        }
        ids::encode(ids::Kind::User, id)
    }

    /// The id and the token of an invitation.
    async fn invitation(&mut self, world: &World, organization: Uuid) -> (String, String) {
        self.made += 1;
        let token = format!("token {}", self.made);
        let mut row = self.invitation.clone();
        (row.id, row.organization_id) = (world.system().new_id(), organization);
        row.email = format!("invited{}@example.org", self.made);
        (row.email_key, row.token_hash) = (row.email.clone(), crypto::token_hash(&token));
        row.status = InvitationStatus::Pending;
        row.expires_at = world.system().now().plus(std::time::Duration::from_hours(24));
        let id = row.id;
        let txn = world.app.db.begin().await.expect("a transaction");
        row.into_active_model().reset_all().insert(&*txn).await.expect("an invitation");
        txn.commit().await.expect("a commit");
        (ids::encode(ids::Kind::Invitation, id), token)
    }

    /// The input with new things in it; `None` where it needs an organisation and there is none.
    async fn filled(&mut self, world: &World, input: &str, place: Place) -> Option<String> {
        let quoted = |text: &str| format!("\"{text}\"");
        let organization = place.organization();
        let org = organization.map(|id| quoted(&ids::encode(ids::Kind::Organization, id)));
        let role = if organization.is_some() { "MEMBER" } else { "EXTENSION" };
        let mut input =
            input.replace("ORG?", org.as_deref().unwrap_or("null")).replace("ROLE", &quoted(role));
        if ["ORG", "INVITATION", "TOKEN"].iter().any(|word| input.contains(word)) {
            input = input.replace("ORG", &org?);
        }
        if input.contains("INVITATION") || input.contains("TOKEN") {
            let (id, token) = self.invitation(world, organization?).await;
            input = input.replace("INVITATION", &quoted(&id)).replace("TOKEN", &quoted(&token));
        }
        if input.contains("USER") {
            input = input.replace("USER", &quoted(&self.user(world, organization).await));
        }
        if input.contains("LONER") {
            input = input.replace("LONER", &quoted(&self.user(world, None).await));
        }
        if input.contains("NAME") {
            self.made += 1;
            input = input.replace("NAME", &quoted(&format!("named{}", self.made)));
        }
        if organization.is_none() {
            input = input.replace("CODE?", "null");
        }
        input = input.replace("CODE?", "CODE");
        if input.contains("CODE") {
            self.made += 1;
            let code = match place {
                Place::Own(_) => "acme".to_owned(),
                Place::Another(_) => "other".to_owned(),
                Place::Nowhere => format!("new{}", self.made),
            };
            input = input.replace("CODE", &quoted(&code));
        }
        Some(input)
    }
}

/// How the service answered.
fn cell(answer: &Answer, mutation: &str) -> String {
    let refused = answer.codes();
    if !refused.is_empty() {
        assert_eq!(refused, ["FORBIDDEN"], "{}", answer.text);
        return "–".to_owned();
    }
    let mut codes: Vec<_> = answer
        .faults(mutation)
        .iter()
        .map(|fault| format!("`{}`", fault.split(' ').next().unwrap_or("?")))
        .collect();
    codes.dedup();
    if codes.is_empty() { "yes".to_owned() } else { codes.join(" ") }
}

/// A row for each mutation and place, a cell for each of these people.
pub async fn rows(world: &World, people: &[(&'static str, Client)]) -> Vec<(String, Vec<String>)> {
    let (acme, other) = (world.organization("acme").await, world.organization("other").await);
    let mut models = Models::make(world, other).await;
    let mut rows = Vec::new();
    for (mutation, input) in MUTATIONS.iter().copied() {
        for place in [Place::Own(acme), Place::Another(other), Place::Nowhere] {
            let mut cells = Vec::new();
            for (_, client) in people {
                let Some(input) = models.filled(world, input, place).await else { break };
                // Each has an address of its own: an address is sent only so many invitations.
                let input = input.replace("somebody@", &format!("somebody{}@", models.made + 10_000));
                models.made += 1;
                let document =
                    format!("mutation {{ {mutation}(input: {{ {input} }}) {{ errors {{ code path }} }} }}");
                cells.push(cell(&client.run(&document).await, mutation));
            }
            if !cells.is_empty() {
                rows.push((format!("`{mutation}` | {}", place.name()), cells));
            }
        }
    }
    rows
}

#[tokio::test]
async fn every_mutation_that_names_what_is_somebodys_is_tried_on_others() {
    let world = World::on(crate::support::Backend::Sqlite).await;
    let document =
        "{ __schema { mutationType { fields { name args { type { ofType { inputFields { name } } } } } } } }";
    let fields = world.anonymous().run(document).await.ok("/__schema/mutationType/fields");
    let mut missing = Vec::new();
    for field in fields.as_array().into_iter().flatten() {
        let name = field["name"].as_str().unwrap_or_default();
        let inputs =
            field["args"][0]["type"]["ofType"]["inputFields"].as_array().cloned().unwrap_or_default();
        let naming = inputs.iter().any(|input| NAMING.iter().any(|naming| input["name"] == *naming));
        if naming && !MUTATIONS.iter().any(|(tried, _)| *tried == name) {
            missing.push(name.to_owned());
        }
    }
    assert!(
        missing.is_empty(),
        "a line in MUTATIONS (tests/it/authz_matrix/targets.rs) for each of {missing:?}"
    );
}
