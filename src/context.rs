//! What every service function gets first: the app, who is asking, and about which request it is.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

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

/// Who shares what there is: one household or machine, or the service itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// Jobs, the command line, the first start.
    Inside,
    V4(Ipv4Addr),
    /// The 64 leading bits of an address of version 6.
    V6(u64),
}

/// Who may well be one holder: a provider gives up to 48 leading bits of version 6 to one customer, which are 65,536 sources.
/// Of version 4 it is 24 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Block {
    Inside,
    V4([u8; 3]),
    V6(u64),
}

impl Source {
    pub const fn block(self) -> Block {
        match self {
            Self::Inside => Block::Inside,
            Self::V4(ip) => {
                let [first, second, third, _] = ip.octets();
                Block::V4([first, second, third])
            }
            Self::V6(network) => Block::V6(network >> 16),
        }
    }
}

impl From<IpAddr> for Source {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip),
            IpAddr::V6(ip) => Self::V6(u64::try_from(ip.to_bits() >> 64).unwrap_or_default()),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inside => out.write_str("inside"),
            Self::V4(ip) => ip.fmt(out),
            Self::V6(network) => write!(out, "{network:x}/64"),
        }
    }
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

    /// From where the request comes. Behind a router that passes no addresses on, that is one for everybody.
    pub fn source(&self) -> Source {
        self.request.ip.map_or(Source::Inside, Source::from)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_has_many_sources_and_no_stranger() {
        let of = |text: &str| Source::from(text.parse::<IpAddr>().unwrap());
        let alike = |one, other| (of(one) == of(other), of(one).block() == of(other).block());
        assert_eq!(alike("2001:db8:1:2::1", "2001:db8:1:2:3::4"), (true, true));
        assert_eq!(alike("2001:db8:1:2::1", "2001:db8:1:ffff::1"), (false, true));
        assert_eq!(alike("2001:db8:1:2::1", "2001:db8:2:2::1"), (false, false));
        assert_eq!(alike("198.51.100.1", "198.51.100.2"), (false, true));
        assert_eq!(alike("198.51.100.1", "::ffff:198.51.100.1"), (true, true));
        assert_eq!(alike("198.51.100.1", "198.51.101.1"), (false, false));
    }
}
