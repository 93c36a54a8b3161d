//! Who is behind a key, right now: read from the database and remembered for a second, as sessions are. (ADR 0011.)

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use entity::{Timestamp, UserStatus, api_key, user};
use quick_cache::sync::Cache;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, sea_query::Expr};
use uuid::Uuid;

use super::{secret, service};
use crate::{
    app::App,
    authz::SignedIn,
    crypto,
    domain::{applications, sessions::live},
    error::Result,
};

const REMEMBERED: Duration = Duration::from_secs(1);
const CAPACITY: usize = 10_000;
/// How exactly the last use is known.
const MINUTE: Duration = Duration::from_mins(1);

#[derive(Clone)]
struct Entry {
    read_at: Timestamp,
    holder: Arc<SignedIn>,
    last_used_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
}

impl Entry {
    fn is_in_force(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| end > now)
    }
}

/// The keys that were shown lately, and when those were used whose use is not written down yet.
pub struct LiveKeys {
    known: Cache<Uuid, Entry>,
    /// Which key has this hash: for as long as there is the key, that never changes.
    ids: Cache<Vec<u8>, Uuid>,
    used: Mutex<HashMap<Uuid, Timestamp>>,
}

impl Default for LiveKeys {
    fn default() -> Self {
        Self { known: Cache::new(CAPACITY), ids: Cache::new(CAPACITY), used: Mutex::default() }
    }
}

impl LiveKeys {
    /// The next look at this key goes to the database.
    pub fn forget(&self, key_id: Uuid) {
        self.known.remove(&key_id);
    }

    /// As [`LiveKeys::forget`], for all keys of these users: their state or their grants have changed.
    pub fn forget_users(&self, user_ids: &[Uuid]) {
        self.known.retain(|_, entry| !user_ids.contains(&entry.holder.user_id));
    }

    /// As [`LiveKeys::forget`], for all keys.
    pub fn forget_all(&self) {
        self.known.clear();
    }

    fn note(&self, key_id: Uuid, at: Timestamp) {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(key_id, at);
    }
}

/// The user behind the key, with no more than its scopes; `None` when it is no key in force. The session's id is the
/// key's, and its sign-in lies before all time: nothing takes it for a fresh one.
pub async fn find(app: &App, key: &str) -> Result<Option<Arc<SignedIn>>> {
    let entry = look_up(app, key).await?;
    if let Some(entry) = &entry
        && entry.last_used_at.is_none_or(|at| app.clock.now().since(at) >= MINUTE)
    {
        app.live_keys.note(entry.holder.session_id, app.clock.now());
    }
    Ok(entry.map(|entry| entry.holder))
}

/// As [`find`], with the end of the key, and without taking it for a use.
pub async fn find_with_end(app: &App, key: &str) -> Result<Option<(Arc<SignedIn>, Option<Timestamp>)>> {
    Ok(look_up(app, key).await?.map(|entry| (entry.holder, entry.expires_at)))
}

async fn look_up(app: &App, key: &str) -> Result<Option<Entry>> {
    if !secret::is_whole(key) {
        return Ok(None);
    }
    let hash = crypto::token_hash(key);
    if let Some(id) = app.live_keys.ids.get(&hash.0) {
        return by_id(app, id).await;
    }
    let found = read(app, api_key::Column::TokenHash.eq(hash.clone())).await?;
    if let Some(entry) = &found {
        app.live_keys.ids.insert(hash.0, entry.holder.session_id);
    }
    Ok(found)
}

/// The key with this id, while something lives that was begun with it.
pub async fn again(app: &App, key_id: Uuid) -> Result<Option<Arc<SignedIn>>> {
    Ok(by_id(app, key_id).await?.map(|entry| entry.holder))
}

async fn by_id(app: &App, key_id: Uuid) -> Result<Option<Entry>> {
    let now = app.clock.now();
    // A clock that was set back makes everything that was read look new: it is read again.
    let fresh = |entry: &Entry| entry.read_at <= now && now.since(entry.read_at) < REMEMBERED;
    if let Some(entry) = app.live_keys.known.get(&key_id).filter(fresh) {
        return Ok(Some(entry).filter(|entry| entry.is_in_force(now)));
    }
    let found = read(app, api_key::Column::Id.eq(key_id)).await?;
    if found.is_none() {
        app.live_keys.forget(key_id);
    }
    Ok(found)
}

/// Reads the key and remembers it.
async fn read(app: &App, which: Expr) -> Result<Option<Entry>> {
    let now = app.clock.now();
    let found = Box::pin(load(app, which, now)).await?;
    if let Some(entry) = &found {
        app.live_keys.known.insert(entry.holder.session_id, entry.clone());
    }
    Ok(found.filter(|entry| entry.is_in_force(now)))
}

async fn load(app: &App, which: Expr, now: Timestamp) -> Result<Option<Entry>> {
    let found = api_key::Entity::find()
        .filter(which)
        .filter(api_key::Column::ApplicationId.in_subquery(applications::service::active()))
        .find_also_related(user::Entity)
        .one(app.db.read())
        .await?;
    let Some((key, Some(user))) = found else {
        return Ok(None);
    };
    if user.status != UserStatus::Active {
        return Ok(None);
    }
    let grants = live::grants_of(app, user.id).await?.limited_to(service::scopes(&key));
    let holder = Arc::new(SignedIn {
        user_id: user.id,
        user_name: user.user_name,
        session_id: key.id,
        application_id: key.application_id,
        authenticated_at: Timestamp::from_millis(0),
        grants,
    });
    let (last_used_at, expires_at) = (key.last_used_at, key.expires_at);
    Ok(Some(Entry { read_at: now, holder, last_used_at, expires_at }))
}

/// Writes down which keys were used: at most once a minute for each, and never while a request waits.
pub async fn write_down(app: &App) -> Result<()> {
    let used = std::mem::take(&mut *app.live_keys.used.lock().unwrap_or_else(PoisonError::into_inner));
    if used.is_empty() {
        return Ok(());
    }
    let txn = app.db.begin().await?;
    for (id, at) in used {
        let longer_ago = Condition::any()
            .add(api_key::Column::LastUsedAt.is_null())
            .add(api_key::Column::LastUsedAt.lte(at.minus(MINUTE)));
        api_key::Entity::update_many()
            .col_expr(api_key::Column::LastUsedAt, Expr::value(at))
            .filter(api_key::Column::Id.eq(id))
            .filter(longer_ago)
            .exec(&*txn)
            .await?;
    }
    txn.commit().await
}
