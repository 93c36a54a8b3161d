//! Applications as GraphQL shows them. Their secrets are no fields.

use std::sync::Arc;

use async_graphql::{Enum, ID, Object, SimpleObject};
use entity::{IdentityBackend, application};

use super::service::SecretKind;
use crate::{
    graphql::{
        connection::PageInfo,
        resilient::Resilient,
        scalars::{DateTime, Url},
    },
    ids::{self, Kind},
    page::Page,
};

/// Where the identities of an application are kept.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "IdentityBackend")]
pub enum IdentityBackendKind {
    /// Here.
    Native,
    /// In a `FusionAuth` of the application's own.
    #[graphql(name = "FUSIONAUTH")]
    FusionAuth,
}

/// One of the secrets of an application.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "SecretKind")]
pub enum ApplicationSecretKind {
    /// With what the application proves who it is.
    #[graphql(name = "CLIENT_SECRET")]
    Client,
    /// With what its extensions seal id tokens.
    ExtensionKey,
}

#[derive(Clone)]
pub struct ApplicationObject(Arc<application::Model>);

pub type Application = Resilient<ApplicationObject>;

impl From<application::Model> for Application {
    fn from(row: application::Model) -> Self {
        Self(ApplicationObject(Arc::new(row)))
    }
}

/// An application that shares this service. Seen by those who may register some.
#[Object(name = "Application")]
impl ApplicationObject {
    /// The global id: what a login names as its `applicationId`.
    pub async fn id(&self) -> ID {
        ids::encode(Kind::Application, self.0.id).into()
    }

    /// The name, which no other application has.
    fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether it is in use: one that is not lets nobody in, and nobody stay.
    fn active(&self) -> bool {
        self.0.active
    }

    /// Where its identities are kept.
    fn backend(&self) -> IdentityBackendKind {
        self.0.backend.into()
    }

    /// Where it may send people back to.
    fn redirect_urls(&self) -> Vec<Url> {
        let urls =
            self.0.redirect_urls.as_array().into_iter().flatten().filter_map(serde_json::Value::as_str);
        urls.map(|url| Url(url.to_owned())).collect()
    }

    /// When it was registered.
    fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When it was last changed.
    fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }
}

/// A page of applications.
#[derive(SimpleObject)]
pub struct ApplicationConnection {
    /// The applications of this page, each with its cursor.
    pub edges: Option<Vec<Option<ApplicationEdge>>>,
    /// Where this page stands in the list.
    pub page_info: PageInfo,
    /// How many there are in all, on all pages.
    pub total_count: u64,
}

/// An application in a list.
#[derive(SimpleObject)]
pub struct ApplicationEdge {
    /// Says where to go on from here.
    pub cursor: String,
    /// The application.
    pub node: Option<Application>,
}

impl ApplicationConnection {
    pub fn new(page: Page<application::Model>, total_count: u64) -> Self {
        let page_info = PageInfo::of(&page);
        let edge =
            |(cursor, row): (String, application::Model)| ApplicationEdge { cursor, node: Some(row.into()) };
        Self { edges: Some(page.rows.into_iter().map(edge).map(Some).collect()), page_info, total_count }
    }
}
