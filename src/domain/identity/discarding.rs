//! Attempts to register that come to nothing: they go, and with them what the log knows of where they came from.
//! When somebody else proves the mailbox; or when nobody has done so for long.

use entity::{Timestamp, UserStatus, one_time_code as code, user};
use sea_orm::{
    ColumnTrait, Condition, DbBackend, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    sea_query::{LockBehavior, LockType},
};
use uuid::Uuid;

use super::account::service as account;
use crate::{app::App, db::Txn, error::Result};

/// A statement holds only so many values.
const AT_ONCE: usize = 500;

/// Ends those of these accounts that nobody has proved.
pub async fn discard(txn: &Txn, which: Condition) -> Result<()> {
    let attempts: Vec<Uuid> = user::Entity::find()
        .select_only()
        .column(user::Column::Id)
        .filter(user::Column::Status.eq(UserStatus::Unverified))
        .filter(which)
        .into_tuple()
        .all(&**txn)
        .await?;
    for ids in attempts.chunks(AT_ONCE) {
        account::forget(txn, ids).await?;
        user::Entity::delete_many()
            .filter(user::Column::Id.is_in(ids.iter().copied()))
            .filter(user::Column::Status.eq(UserStatus::Unverified))
            .exec(&**txn)
            .await?;
    }
    Ok(())
}

/// How many batches one round has: what is left has time until the next.
const ROUNDS: usize = 100;

/// Ends the attempts that were begun before this moment, and whose last link had run out by then.
pub async fn sweep(app: &App, before: Timestamp) -> Result<()> {
    let waiting = code::Entity::find()
        .select_only()
        .column(code::Column::UserId)
        .filter(code::Column::LinkExpiresAt.gte(before))
        .into_query();
    for _ in 0..ROUNDS {
        let txn = app.db.begin().await?;
        let mut over = user::Entity::find()
            .select_only()
            .column(user::Column::Id)
            .filter(user::Column::Status.eq(UserStatus::Unverified))
            .filter(user::Column::CreatedAt.lt(before))
            .filter(user::Column::Id.not_in_subquery(waiting.clone()))
            .order_by_asc(user::Column::Id)
            .limit(AT_ONCE as u64);
        if app.db.backend() == DbBackend::Postgres {
            // Whoever proves one at this moment comes first, and keeps it.
            over = over.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
        }
        let over: Vec<Uuid> = over.into_tuple().all(&*txn).await?;
        discard(&txn, Condition::all().add(user::Column::Id.is_in(over.iter().copied()))).await?;
        txn.commit().await?;
        if over.len() < AT_ONCE {
            break;
        }
    }
    Ok(())
}
