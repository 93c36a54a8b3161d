//! What every service function gets first: the app, who is asking, and about which request it is.

use std::{net::IpAddr, sync::Arc};

use entity::Timestamp;
use uuid::Uuid;

use crate::{app::App, authz::Actor, db::Txn};

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

    /// The transaction changes what these people are or may do: when it is committed, this instance reads it anew for their
    /// sessions and API keys. Others do within a second. (ADR 0011.)
    pub fn forget_users(&self, txn: &Txn, user_ids: &[Uuid]) {
        let (app, ids) = (Arc::clone(&self.app), user_ids.to_vec());
        txn.forget(move || {
            app.live_sessions.forget_users(&ids);
            app.live_keys.forget_users(&ids);
        });
    }

    /// As [`Ctx::forget_users`] for everybody, where naming them would cost more than reading a few sessions anew.
    pub fn forget_everybody(&self, txn: &Txn) {
        let app = Arc::clone(&self.app);
        txn.forget(move || {
            app.live_sessions.forget_all();
            app.live_keys.forget_all();
        });
    }

    pub fn now(&self) -> Timestamp {
        self.app.clock.now()
    }

    pub fn new_id(&self) -> Uuid {
        self.app.new_id()
    }
}
