//! Attempts to register that come to nothing: they go, and with them what the log knows of where they came from.

use entity::{UserStatus, user};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::account::service as account;
use crate::{db::Txn, error::Result};

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
