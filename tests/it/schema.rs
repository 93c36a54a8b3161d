//! The schema as a whole: as committed, as a subgraph, as strangers see it.

use denizen::schema::{
    Suggestions, build,
    sdl::{self, Security},
};
use serde_json::json;

use crate::support::{Backend, World};

/// The names of all fields of the query and the mutation, and of the subscription as `Subscription.name`: there is a query
/// of the same name.
pub async fn root_fields(world: &World) -> Vec<String> {
    let document = "{ __schema { queryType { fields { name } } mutationType { fields { name } }
        subscriptionType { fields { name } } } }";
    let answer = world.anonymous().run(document).await;
    let kinds = [("queryType", ""), ("mutationType", ""), ("subscriptionType", "Subscription.")];
    let names = kinds.iter().flat_map(|(kind, prefix)| {
        let fields = answer.ok(&format!("/__schema/{kind}/fields")).as_array().cloned().unwrap_or_default();
        fields.into_iter().map(move |field| format!("{prefix}{}", field["name"].as_str().unwrap_or_default()))
    });
    names.collect()
}

#[test]
fn the_committed_schema_is_the_one_that_is_served() {
    let committed = include_str!("../../schema.graphql");
    let served = sdl::plain(&build(Suggestions::Given));
    assert!(committed == served, "schema.graphql is out of date: `make schema` writes it");
}

#[test]
fn the_plain_schema_holds_nothing_that_is_for_routers_only() {
    let plain = sdl::plain(&build(Suggestions::Given));
    for word in ["_entities", "_service", "_Any", "_Entity", "_Service", "@key"] {
        assert!(!plain.contains(word), "{word}");
    }
}

#[test]
fn the_subgraph_names_its_entities_by_every_key() {
    let subgraph = sdl::subgraph(&build(Suggestions::Given), Security::Told);
    for line in [
        "type User implements Node @key(fields: \"id\") @key(fields: \"userName\") {",
        "type Organization implements Node @key(fields: \"id\") @key(fields: \"code\") {",
        "type Role implements Node @key(fields: \"id\") @key(fields: \"code\") {",
        "type Model implements Node @key(fields: \"id\") {",
        "type Application implements Node @key(fields: \"id\") {",
        "type PageInfo @shareable {",
        "  ): Node @inaccessible",
        "  email: EmailAddress @authenticated",
        "  me: User",
        "  ): [Node]! @inaccessible",
        "directive @oneOf on INPUT_OBJECT",
    ] {
        assert!(subgraph.lines().any(|found| found == line), "{line} is missing in:\n{subgraph}");
    }
    let of = |start: &str| {
        subgraph.lines().skip_while(|line| *line != start).find(|line| line.starts_with("  ):"))
    };
    let activate = of("  activateUsers(");
    assert_eq!(activate, Some("  ): ActivateUsersPayload @requiresScopes(scopes: [[\"user.activate\"]])"));
    assert!(of("  users(").is_some_and(|line| line.contains("@listSize(") && line.contains("\"user.read\"")));
    assert!(async_graphql::parser::parse_schema(&subgraph).is_ok(), "and it parses");
}

#[test]
fn a_gateway_that_knows_no_security_gets_a_schema_without() {
    let told = sdl::subgraph(&build(Suggestions::Given), Security::Told);
    let untold = sdl::subgraph(&build(Suggestions::Given), Security::Untold);
    for word in ["@authenticated", "@requiresScopes"] {
        assert!(told.contains(word) && !untold.contains(word), "{word}");
    }
}

#[tokio::test]
async fn entities_keep_their_order_and_a_bad_key_harms_no_other() {
    for world in World::each().await {
        let admin = world.superadmin().await;
        let ada = world.user("ada").await;
        world.organization("acme").await;
        let id = ada.run("{ me { id } }").await.ok("/me/id");
        let representations = json!([
            { "__typename": "Organization", "code": "ACME" },
            { "__typename": "User", "id": "user_nonsense" },
            { "__typename": "User", "id": id },
            { "__typename": "Nonsense", "id": id },
            { "__typename": "User", "userName": "Ada" },
            { "__typename": "User" },
            { "__typename": "Organization", "id": id },
            { "id": id },
            { "__typename": "User", "id": 7 },
            { "__typename": "User", "id": id },
        ]);
        let document = "query ($r: [_Any!]!) { _entities(representations: $r) { ... on User { userName } ... on Organization { code } } }";
        let found = admin.run_with(document, json!({ "r": representations })).await.ok("/_entities");
        let ada = json!({ "userName": "ada" });
        assert_eq!(found, json!([{ "code": "acme" }, null, ada, null, ada, null, null, null, null, ada]));
    }
}

#[tokio::test]
async fn roles_and_models_are_entities_of_whoever_is_signed_in() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let root = world.superadmin().await;
        let made = root.run(
            "mutation { upsertModels(input: { models: [{ uuid: \"m1\", sourceLanguage: \"de\", targetLanguage: \"en\" }] }) {
               models { id } } }",
        );
        let model = made.await.ok("/upsertModels/models/0/id");
        let role = ada.run("{ roles { id code } }").await.ok("/roles/0");
        let representations = json!([
            { "__typename": "Model", "id": model },
            { "__typename": "Role", "code": role["code"].as_str().unwrap_or_default().to_lowercase() },
            { "__typename": "Model", "id": role["id"] },
            { "__typename": "Role", "id": role["id"] },
            { "__typename": "Role", "code": "NO\u{0}SUCH" },
            { "__typename": "Model" },
        ]);
        let document = "query ($r: [_Any!]!) { _entities(representations: $r) { ... on Role { code } ... on Model { uuid } } }";
        let ask = |client: crate::support::Client| {
            let variables = json!({ "r": representations });
            async move { client.run_with(document, variables).await.ok("/_entities") }
        };
        let (role, model) = (json!({ "code": role["code"] }), json!({ "uuid": "m1" }));
        assert_eq!(ask(ada).await, json!([model, role, null, role, null, null]));
        assert_eq!(ask(world.anonymous()).await, json!([null, null, null, null, null, null]));
    }
}

#[tokio::test]
async fn the_subgraph_answers_its_sdl() {
    let world = World::on(Backend::Sqlite).await;
    let sdl = world.anonymous().run("{ _service { sdl } }").await.ok("/_service/sdl");
    assert_eq!(sdl, sdl::subgraph(&build(Suggestions::Given), Security::Told));
}

#[tokio::test]
async fn in_production_strangers_learn_nothing_of_the_schema() {
    let secret = "0123456789abcdef0123456789abcdef";
    let world = World::with(Backend::Sqlite, &["--mode", "production", "--router-secret", secret]).await;
    let stranger = world.anonymous();
    let introspection = stranger.run("{ __schema { types { name } } }").await;
    assert!(introspection.data("/__schema").is_null(), "{}", introspection.text);
    assert_eq!(stranger.run("{ _service { sdl } }").await.codes(), ["FORBIDDEN"]);
    let suggestion = stranger.run("{ usr }").await;
    assert!(!suggestion.text.contains("Did you mean"), "{}", suggestion.text);
    let impostor = stranger.with_header("x-router-secret", "0123456789abcdef0123456789abcdeX");
    assert_eq!(impostor.run("{ _service { sdl } }").await.codes(), ["FORBIDDEN"]);
    for insider in [stranger.with_header("x-router-secret", secret), world.superadmin().await] {
        assert!(insider.run("{ _service { sdl } }").await.ok("/_service/sdl").is_string());
        assert!(insider.run("{ __schema { types { name } } }").await.ok("/__schema/types").is_array());
    }
}
