//! Organisations: making and changing them, who belongs to them, and who may know.

use denizen::ids::{self, Kind};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Answer, Client, World};

mod caps;
mod deactivated;
pub mod invitations;
mod inviters;
mod joining;
mod members;
mod upsert;

const NONE: [&str; 0] = [];

pub async fn upsert(client: &Client, organizations: Value) -> Answer {
    let document =
        "mutation ($list: [OrganizationInput!]!) { upsertOrganizations(input: { organizations: $list }) {
        organizations { id code name description active listed selfRegistration createdAt updatedAt }
        errors { code message path } } }";
    client.run_with(document, json!({ "list": organizations })).await
}

async fn add(client: &Client, organization: &str, members: Value) -> Answer {
    let document = "mutation ($org: ID!, $members: [MemberInput!]!) {
        addMembers(input: { organizationId: $org, members: $members }) {
          memberships { id joinedAt user { userName } organization { code } roles { code } }
          errors { code message path } } }";
    client.run_with(document, json!({ "org": organization, "members": members })).await
}

async fn remove(client: &Client, organization: &str, users: &[String]) -> Answer {
    let document = "mutation ($org: ID!, $users: [ID!]!) {
        removeMembers(input: { organizationId: $org, userIds: $users }) {
          removedUserIds errors { code message path } } }";
    client.run_with(document, json!({ "org": organization, "users": users })).await
}

pub fn org_id(id: Uuid) -> String {
    ids::encode(Kind::Organization, id)
}

impl World {
    /// The global id of who this is.
    async fn id_of(&self, client: &Client) -> String {
        client.run("{ me { id } }").await.ok("/me/id").as_str().unwrap_or_default().to_owned()
    }

    /// Somebody new who belongs to the organisation as `MEMBER`.
    async fn member(&self, name: &str, organization: Uuid) -> Client {
        let client = self.user(name).await;
        let id = self.user_id(&client).await;
        self.join(id, organization).await;
        self.grant(id, "MEMBER", Some(organization)).await;
        client
    }

    /// Which events there are of these types, as `type:organisation's code`, sorted.
    async fn event_types(&self) -> Vec<String> {
        use sea_orm::EntityTrait as _;
        let rows = entity::event::Entity::find().all(self.app.db.read()).await.expect("events");
        let mut kinds: Vec<_> = rows.into_iter().map(|event| event.kind).collect();
        kinds.sort();
        kinds
    }

    async fn count_events(&self, kind: &str) -> usize {
        self.event_types().await.iter().filter(|found| *found == kind).count()
    }
}
