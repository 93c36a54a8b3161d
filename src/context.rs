//! What every service function gets first: the app, who is asking, and about which request it is.

use std::{net::IpAddr, sync::Arc};

use entity::Timestamp;
use uuid::Uuid;

use crate::{app::App, authz::Actor};

#[derive(Clone)]
pub struct Ctx {
    pub app: Arc<App>,
    pub actor: Actor,
    pub request: Arc<RequestInfo>,
}

/// Where a request came from: made once, at the door.
#[derive(Clone, Debug, Default)]
pub struct RequestInfo {
    pub id: Option<String>,
    pub ip: Option<IpAddr>,
    pub user_agent: Option<String>,
    /// The application that it names in its header, as it was sent.
    pub application: Option<String>,
    /// Whether it was proved to come through the supergraph's router.
    pub from_router: bool,
}

impl Ctx {
    pub fn new(app: Arc<App>, actor: Actor, request: RequestInfo) -> Self {
        Self { app, actor, request: Arc::new(request) }
    }

    /// The service acting for itself: jobs, the command line, the first start.
    pub fn system(app: &Arc<App>) -> Self {
        Self::new(Arc::clone(app), Actor::System, RequestInfo::default())
    }

    /// The same request, asked by somebody else: who has just proved who they are.
    #[must_use]
    pub fn acting_as(&self, actor: Actor) -> Self {
        Self { actor, ..self.clone() }
    }

    pub fn now(&self) -> Timestamp {
        self.app.clock.now()
    }

    pub fn new_id(&self) -> Uuid {
        self.app.new_id()
    }
}
