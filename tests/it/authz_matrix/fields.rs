//! Each field of a user, as everybody sees it: of a fellow member whom one meets in the organisation's list, and of whom
//! one finds by oneself.

use denizen::ids;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Client, World};

/// The fields of `User`, each with a selection below it where it needs one.
async fn fields(world: &World) -> Vec<(String, String)> {
    let document = "{ __type(name: \"User\") { fields { name type { kind ofType { kind ofType { kind ofType { kind } } } } } } }";
    let fields = world.anonymous().run(document).await.ok("/__type/fields");
    let is_object = |kind: &Value| {
        let mut kind = kind;
        while !kind["ofType"].is_null() {
            kind = &kind["ofType"];
        }
        kind["kind"] == "OBJECT"
    };
    let field = |field: &Value| {
        let name = field["name"].as_str().unwrap_or_default().to_owned();
        let selection =
            if is_object(&field["type"]) { format!("{name} {{ __typename }}") } else { name.clone() };
        (name, selection)
    };
    fields.as_array().into_iter().flatten().map(field).collect()
}

/// `yes`: of whomever one finds; `met`: where one meets them; `–`: refused, or there is nobody to be seen.
async fn cell(client: &Client, user: Uuid, organization: Uuid, selection: &str) -> &'static str {
    let variables = json!({
        "id": ids::encode(ids::Kind::User, user),
        "org": ids::encode(ids::Kind::Organization, organization),
    });
    let found = format!("query ($id: ID!) {{ user(by: {{ id: $id }}) {{ {selection} }} }}");
    let answer = client.run_with(&found, variables.clone()).await;
    if answer.codes().is_empty() && !answer.data("/user").is_null() {
        return "yes";
    }
    let met = format!(
        "query ($org: ID!) {{ organization(by: {{ id: $org }}) {{ members(filter: {{ text: \"clara\" }}) {{
           edges {{ node {{ user {{ {selection} }} }} }} }} }} }}"
    );
    let answer = client.run_with(&met, variables).await;
    let someone = !answer.data("/organization/members/edges/0/node/user").is_null();
    if someone && answer.codes().is_empty() { "met" } else { "–" }
}

pub async fn rows(
    world: &World,
    people: &[(&'static str, Client)],
    fellow: Uuid,
) -> Vec<(String, Vec<String>)> {
    let acme = world.organization("acme").await;
    let mut rows = Vec::new();
    for (name, selection) in fields(world).await {
        let mut cells = Vec::new();
        for (_, client) in people {
            cells.push(cell(client, fellow, acme, &selection).await.to_owned());
        }
        rows.push((format!("`{name}`"), cells));
    }
    assert!(rows.len() >= 18, "{rows:?}");
    rows
}
