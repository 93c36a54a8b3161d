//! The product's language models, and who works with which.

use denizen::{
    domain::models::service::{self, ModelInput, Wanted},
    error::Error,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Answer, Client, World};

async fn upsert(client: &Client, input: Value) -> Answer {
    let document = "mutation ($input: UpsertModelsInput!) { upsertModels(input: $input) {
        models { id uuid name sourceLanguage targetLanguage active } errors { code message path } } }";
    client.run_with(document, json!({ "input": input })).await
}

fn model(uuid: &str, source: &str, target: &str) -> Value {
    json!({ "uuid": uuid, "sourceLanguage": source, "targetLanguage": target })
}

async fn give(world: &World, user_id: Uuid, models: &[(&str, &str, &str)]) -> Result<Vec<Uuid>, Vec<String>> {
    let models = models.iter().map(|(uuid, source, target)| ModelInput {
        source_language: (*source).to_owned(),
        target_language: (*target).to_owned(),
        uuid: (*uuid).to_owned(),
    });
    let wanted = Wanted { user_id, models: models.collect(), path: vec!["models".to_owned()] };
    let txn = world.app.db.begin().await.expect("a transaction");
    let changed = match service::replace_for_user(&txn, wanted).await {
        Ok(changed) => changed,
        Err(Error::Faults(faults)) => {
            let told =
                faults.iter().map(|fault| format!("{} at {}", fault.code.as_str(), fault.path.join(".")));
            return Err(told.collect());
        }
        Err(other) => panic!("{other}"),
    };
    txn.commit().await.expect("a commit");
    Ok(changed)
}

#[tokio::test]
async fn models_are_made_changed_and_listed() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let models = json!([model(" mt-2 ", "DE", "pt-br"), { "uuid": "mt-1", "sourceLanguage": "en", "targetLanguage": "de", "name": "First", "active": false }]);
        let dry = upsert(&root, json!({ "models": models, "dryRun": true })).await;
        assert_eq!((dry.faults("upsertModels").len(), dry.ok("/upsertModels/models")), (0, json!([])));
        assert_eq!(root.run("{ models { totalCount } }").await.ok("/models/totalCount"), 0);
        let made = upsert(&root, json!({ "models": models })).await.ok("/upsertModels/models");
        assert_eq!(
            (&made[0]["uuid"], &made[0]["sourceLanguage"], &made[0]["targetLanguage"]),
            (&json!("mt-2"), &json!("de"), &json!("pt-BR"))
        );
        let again = upsert(&root, json!({ "models": [{ "uuid": "mt-1", "sourceLanguage": "en", "targetLanguage": "de", "name": null }] })).await;
        let again = again.ok("/upsertModels/models/0");
        assert_eq!(
            (&again["id"], &again["name"], &again["active"]),
            (&made[1]["id"], &Value::Null, &json!(false))
        );

        let ada = world.user("ada").await;
        let list = |filter: Value| {
            let ada = &ada;
            async move {
                let query =
                    "query ($f: ModelFilter) { models(filter: $f) { totalCount edges { node { uuid } } } }";
                let found = ada.run_with(query, json!({ "f": filter })).await.ok("/models");
                let edges = found["edges"].as_array().cloned().unwrap_or_default();
                assert_eq!(found["totalCount"], edges.len());
                edges
                    .iter()
                    .map(|edge| edge["node"]["uuid"].as_str().unwrap_or("?").to_owned())
                    .collect::<Vec<_>>()
            }
        };
        assert_eq!(list(json!({})).await, ["mt-1", "mt-2"]);
        assert_eq!(list(json!({ "active": true })).await, ["mt-2"]);
        assert_eq!(list(json!({ "sourceLanguage": "De" })).await, ["mt-2"]);
        assert_eq!(list(json!({ "targetLanguage": "PT-BR" })).await, ["mt-2"]);
        assert_eq!(list(json!({ "sourceLanguage": "x\u{0}" })).await, [""; 0]);
        let node = json!({ "id": made[0]["id"] });
        let query = "query ($id: ID!) { node(id: $id) { ... on Model { uuid } } }";
        assert_eq!(ada.run_with(query, node.clone()).await.ok("/node/uuid"), "mt-2");
        assert!(world.anonymous().run_with(query, node).await.ok("/node").is_null());
        assert_eq!(world.anonymous().run("{ models { totalCount } }").await.codes(), ["FORBIDDEN"]);
        assert_eq!(upsert(&ada, json!({ "models": [] })).await.codes(), ["FORBIDDEN"]);
    }
}

#[tokio::test]
async fn every_faulty_model_is_reported() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let long = "x".repeat(201);
        let models = json!([
            model("fine", "de", "en"),
            model(" ", "de", "en"),
            model("a\u{0}b", "german!", ""),
            { "uuid": long, "sourceLanguage": "de", "targetLanguage": "en", "name": long },
            model(" fine ", "en", "de"),
        ]);
        let answer = upsert(&root, json!({ "models": models })).await;
        assert_eq!(
            answer.faults("upsertModels"),
            [
                "INVALID at [models.1.uuid]",
                "INVALID at [models.2.uuid]",
                "INVALID at [models.2.sourceLanguage]",
                "INVALID at [models.2.targetLanguage]",
                "INVALID at [models.3.uuid]",
                "INVALID at [models.3.name]",
                "TAKEN at [models.4.uuid]",
            ]
        );
        let many: Vec<_> = (0..101).map(|number| model(&format!("m{number}"), "de", "en")).collect();
        assert_eq!(
            upsert(&root, json!({ "models": many })).await.faults("upsertModels"),
            ["TOO_MANY_ITEMS at [models]"]
        );
        let (_, few) = world.statements(upsert(&root, json!({ "models": many[..1] }))).await;
        let (answer, most) = world.statements(upsert(&root, json!({ "models": many[..100] }))).await;
        assert_eq!(answer.faults("upsertModels"), [""; 0]);
        assert!(most <= few, "{most} statements rather than {few}");
    }
}

#[tokio::test]
async fn a_user_has_one_model_for_each_pair() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let models = json!([model("de-en-1", "de", "en"), model("de-en-2", "de", "en"), model("en-de", "en", "de"),
            { "uuid": "old", "sourceLanguage": "fr", "targetLanguage": "de", "active": false }]);
        upsert(&root, json!({ "models": models })).await.ok("/upsertModels");
        let ada = world.user("ada").await;
        let id = world.user_id(&ada).await;
        let query = "{ me { models { uuid sourceLanguage } } }";
        assert_eq!(ada.run(query).await.ok("/me/models"), json!([]));
        assert_eq!(give(&world, id, &[("en-de", "EN", "de"), ("de-en-1", "de", "en")]).await, Ok(vec![id]));
        let both = json!([{ "uuid": "de-en-1", "sourceLanguage": "de" }, { "uuid": "en-de", "sourceLanguage": "en" }]);
        assert_eq!(ada.run(query).await.ok("/me/models"), both);
        assert_eq!(give(&world, id, &[("de-en-1", "de", "en"), ("en-de", "en", "de")]).await, Ok(vec![]));
        let wrong = [
            ("de-en-1", "de", "en"),
            ("de-en-2", "de", "en"),
            ("nothing", "de", "en"),
            ("old", "fr", "de"),
            ("en-de", "en", "fr"),
            ("a\0", "x", "y"),
        ];
        assert_eq!(
            give(&world, id, &wrong).await,
            Err(vec![
                "INVALID at models.1".to_owned(),
                "NOT_FOUND at models.2.uuid".to_owned(),
                "INACTIVE at models.3.uuid".to_owned(),
                "INVALID at models.4.targetLanguage".to_owned(),
                "NOT_FOUND at models.5.uuid".to_owned(),
            ])
        );
        assert_eq!(ada.run(query).await.ok("/me/models"), both);

        // The languages of a model move with it, but not into a pair that somebody has already.
        let moved = upsert(&root, json!({ "models": [model("en-de", "en", "fr")] })).await;
        assert_eq!(moved.faults("upsertModels"), [""; 0]);
        assert_eq!(
            ada.run("{ me { models { targetLanguage } } }").await.ok("/me/models/1/targetLanguage"),
            "fr"
        );
        let clash = json!({ "models": [model("de-en-2", "it", "en"), model("en-de", "de", "en")] });
        assert_eq!(upsert(&root, clash).await.faults("upsertModels"), ["CONFLICT at [models.1]"]);
        let apart = json!({ "models": [model("de-en-1", "de", "it"), model("en-de", "de", "en")] });
        assert_eq!(upsert(&root, apart).await.faults("upsertModels"), [""; 0]);
        let swapped = json!({ "models": [model("de-en-1", "de", "en"), model("en-de", "de", "it")] });
        let swapped = upsert(&root, swapped).await.faults("upsertModels");
        assert!(swapped.is_empty() || swapped == ["CONFLICT at [models]"], "{swapped:?}");
        assert_eq!(give(&world, id, &[]).await, Ok(vec![id]));
        assert_eq!(ada.run(query).await.ok("/me/models"), json!([]));
    }
}

#[tokio::test]
async fn the_same_lists_in_other_orders_at_once_are_all_written() {
    for world in World::each().await {
        let root = world.superadmin().await;
        for round in 0..4 {
            let models: Vec<_> = (0..40)
                .map(|n| json!({ "uuid": format!("m{round}-{n}"), "sourceLanguage": "en", "targetLanguage": "de" }))
                .collect();
            let roles: Vec<_> = (0..40).map(|n| json!({ "code": format!("R{round}-{n}") })).collect();
            let of = |list: &[Value], turned: usize| {
                let mut list = list.to_vec();
                list.rotate_left(turned * 13);
                if turned % 2 == 1 {
                    list.reverse();
                }
                json!({ "list": list })
            };
            let write = |turned: usize| {
                let (root, models, roles) = (root.clone(), of(&models, turned), of(&roles, turned));
                async move {
                    let document = "mutation ($list: [ModelInput!]!) { upsertModels(input: { models: $list }) { errors { code } } }";
                    assert_eq!(root.run_with(document, models).await.faults("upsertModels"), [""; 0]);
                    let document = "mutation ($list: [RoleInput!]!) { upsertRoles(input: { roles: $list }) { errors { code } } }";
                    assert_eq!(root.run_with(document, roles).await.faults("upsertRoles"), [""; 0]);
                }
            };
            futures_util::future::join_all((0..3).map(write)).await;
        }
    }
}
