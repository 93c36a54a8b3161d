//! Making and changing models, as a GraphQL mutation.

use async_graphql::{Context, InputObject, MaybeUndefined, Object, Result, SimpleObject};

use super::{
    service::{self, ModelChange},
    types::Model,
};
use crate::{
    authz::Permission,
    bulk::Run,
    graphql::{
        ContextExt,
        errors::{UserError, payload},
        guard::Require,
    },
};

#[derive(Default)]
pub struct ModelsMutation;

#[Object(guard = "crate::graphql::guard::Closed")]
impl ModelsMutation {
    /// Makes or changes language models by their uuids. When the languages of a model change, those who work with it go
    /// on with it, unless they have another one of the new pair already.
    #[graphql(guard = "Require(Permission::ModelUpsert)")]
    async fn upsert_models(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The models as they shall be.")] input: UpsertModelsInput,
    ) -> Result<Option<UpsertModelsPayload>> {
        let UpsertModelsInput { models, dry_run } = input;
        let changes = models.into_iter().map(ModelChange::from).collect();
        let (models, errors) = payload(service::upsert(ctx.ctx()?, Run::unless_dry(dry_run), changes).await)?;
        let models = models.unwrap_or_default().into_iter().map(Model::from).map(Some).collect();
        Ok(Some(UpsertModelsPayload { models, errors }))
    }
}

/// A model as it shall be. In a model that is there, what is left out stays.
#[derive(InputObject)]
pub struct UpsertModelInput {
    /// The product's own identifier of the model.
    uuid: String,
    /// The language that it translates from, as `de` or `pt-BR`.
    source_language: String,
    /// The language that it translates into.
    target_language: String,
    /// The name as people say it; null clears it.
    name: MaybeUndefined<String>,
    /// Whether the model is in use; a new one is when this is left out.
    active: Option<bool>,
}

impl From<UpsertModelInput> for ModelChange {
    fn from(input: UpsertModelInput) -> Self {
        let UpsertModelInput { uuid, source_language, target_language, name, active } = input;
        Self { uuid, source_language, target_language, name: name.into(), active }
    }
}

/// Models to make or to change.
#[derive(InputObject)]
pub struct UpsertModelsInput {
    /// The models, 100 at most: all of them, or none.
    models: Vec<UpsertModelInput>,
    /// Only checks, and changes nothing.
    dry_run: Option<bool>,
}

/// What became of the models.
#[derive(SimpleObject)]
pub struct UpsertModelsPayload {
    /// The models in the order of the input; empty when anything is at fault, and for a dry run.
    models: Vec<Option<Model>>,
    /// What you can mend.
    errors: Vec<UserError>,
}
