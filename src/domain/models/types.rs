//! Models as GraphQL shows them.

use std::sync::Arc;

use async_graphql::{ID, InputObject, Object, SimpleObject};
use entity::model;

use super::service;
use crate::{
    graphql::{connection::PageInfo, resilient::Resilient},
    ids::{self, Kind},
    page::Page,
};

#[derive(Clone)]
pub struct ModelObject(Arc<model::Model>);

pub type Model = Resilient<ModelObject>;

impl From<model::Model> for Model {
    fn from(row: model::Model) -> Self {
        Self(ModelObject(Arc::new(row)))
    }
}

/// A language model of the product: it translates from one language into another.
#[Object(name = "Model")]
impl ModelObject {
    /// The global id.
    pub async fn id(&self) -> ID {
        ids::encode(Kind::Model, self.0.id).into()
    }

    /// The product's own identifier of the model.
    fn uuid(&self) -> &str {
        &self.0.uuid
    }

    /// The name as people say it.
    fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// The language that it translates from, as a BCP 47 tag.
    fn source_language(&self) -> &str {
        &self.0.source_language
    }

    /// The language that it translates into, as a BCP 47 tag.
    fn target_language(&self) -> &str {
        &self.0.target_language
    }

    /// Whether the model is in use: one that is not is given to nobody any more.
    fn active(&self) -> bool {
        self.0.active
    }
}

/// A page of models.
#[derive(SimpleObject)]
pub struct ModelConnection {
    /// The models of this page, each with its cursor.
    pub edges: Option<Vec<Option<ModelEdge>>>,
    /// Where this page stands in the list.
    pub page_info: PageInfo,
    /// How many there are in all, on all pages.
    pub total_count: u64,
}

/// A model in a list.
#[derive(SimpleObject)]
pub struct ModelEdge {
    /// Says where to go on from here.
    pub cursor: String,
    /// The model.
    pub node: Option<Model>,
}

impl ModelConnection {
    pub fn new(page: Page<model::Model>, total_count: u64) -> Self {
        let page_info = PageInfo::of(&page);
        let edge = |(cursor, row): (String, model::Model)| ModelEdge { cursor, node: Some(row.into()) };
        Self { edges: Some(page.rows.into_iter().map(edge).map(Some).collect()), page_info, total_count }
    }
}

/// Which models to list; all conditions must hold.
#[derive(InputObject)]
pub struct ModelFilter {
    /// That translate from this language.
    pub source_language: Option<String>,
    /// That translate into this language.
    pub target_language: Option<String>,
    /// Only those in use, or only those that are not.
    pub active: Option<bool>,
}

impl From<ModelFilter> for service::ModelFilter {
    fn from(filter: ModelFilter) -> Self {
        let ModelFilter { source_language, target_language, active } = filter;
        Self { source_language, target_language, active }
    }
}

/// A model for a user, with its pair of languages.
#[derive(InputObject)]
pub struct ModelInput {
    /// The language that it translates from, as the model says.
    pub source_language: String,
    /// The language that it translates into, as the model says.
    pub target_language: String,
    /// The product's own identifier of the model.
    pub uuid: String,
}

impl From<ModelInput> for service::ModelInput {
    fn from(input: ModelInput) -> Self {
        let ModelInput { source_language, target_language, uuid } = input;
        Self { source_language, target_language, uuid }
    }
}
