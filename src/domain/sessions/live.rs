//! Who is behind a session, right now.
//!
//! A token says who somebody was when it was signed. What they may do, and whether the session still lives, is read
//! from the database and remembered for a second: so a request costs no query, and an ended session, a deactivated
//! account or a removed grant is felt on every instance within two seconds. On the instance that makes the change,
//! [`LiveSessions::forget`] makes it felt at once.

use std::{sync::Arc, time::Duration};

use entity::{Timestamp, UserStatus, session, user};
use quick_cache::sync::Cache;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use crate::{
    app::App,
    authz::{Grants, SignedIn},
    domain::{applications, roles},
    error::Result,
};

const REMEMBERED: Duration = Duration::from_secs(1);
const CAPACITY: usize = 10_000;

#[derive(Clone)]
struct Entry {
    read_at: Timestamp,
    user: Option<Arc<SignedIn>>,
}

pub struct LiveSessions(Cache<Uuid, Entry>);

impl Default for LiveSessions {
    fn default() -> Self {
        Self(Cache::new(CAPACITY))
    }
}

impl LiveSessions {
    /// The next look goes to the database.
    pub fn forget(&self, session_id: Uuid) {
        self.0.remove(&session_id);
    }

    /// As [`LiveSessions::forget`], for all sessions of these users: their state or their grants have changed.
    pub fn forget_users(&self, user_ids: &[Uuid]) {
        self.0.retain(|_, entry| entry.user.as_ref().is_none_or(|user| !user_ids.contains(&user.user_id)));
    }

    /// As [`LiveSessions::forget`], for all sessions.
    pub fn forget_all(&self) {
        self.0.clear();
    }
}

/// The user behind the session, or `None` when it is over.
pub async fn find(app: &App, session_id: Uuid, user_id: Uuid) -> Result<Option<Arc<SignedIn>>> {
    let now = app.clock.now();
    if let Some(entry) = app.live_sessions.0.get(&session_id)
        // A clock that was set back makes everything that was read look new: it is read again.
        && entry.read_at <= now
        && now.since(entry.read_at) < REMEMBERED
    {
        return Ok(entry.user.filter(|user| user.user_id == user_id));
    }
    // Once a second and session: not every request is to carry its room.
    let user = Box::pin(load(app, session_id, now)).await?.map(Arc::new);
    app.live_sessions.0.insert(session_id, Entry { read_at: now, user: user.clone() });
    Ok(user.filter(|user| user.user_id == user_id))
}

async fn load(app: &App, session_id: Uuid, now: Timestamp) -> Result<Option<SignedIn>> {
    let found = session::Entity::find_by_id(session_id)
        .filter(session::Column::EndedAt.is_null())
        .filter(session::Column::ExpiresAt.gt(now))
        .filter(session::Column::IdleExpiresAt.gt(now))
        .filter(session::Column::ApplicationId.in_subquery(applications::service::active()))
        .find_also_related(user::Entity)
        .one(app.db.read())
        .await?;
    let Some((session, Some(user))) = found else {
        return Ok(None);
    };
    if user.status != UserStatus::Active {
        return Ok(None);
    }
    Ok(Some(SignedIn {
        user_id: user.id,
        user_name: user.user_name,
        session_id,
        application_id: session.application_id,
        authenticated_at: session.authenticated_at,
        grants: grants_of(app, user.id).await?,
    }))
}

/// What the user holds, by all active roles granted to them.
pub async fn grants_of(app: &App, user_id: Uuid) -> Result<Grants> {
    let mut granted = roles::authority::granted(app.db.read(), &[user_id]).await?;
    Ok(granted.remove(&user_id).unwrap_or_default())
}
