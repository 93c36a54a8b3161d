//! Where password hashes are kept, and the only functions that read them.

use entity::{Secret, password};
use sea_orm::{ConnectionTrait, EntityTrait, Set, sea_query::OnConflict};
use uuid::Uuid;

use crate::{context::Ctx, db::Txn, error::Result};

/// Sets the password; an earlier one is gone.
pub async fn set(txn: &Txn, ctx: &Ctx, user_id: Uuid, hash: Secret) -> Result<()> {
    let row = password::ActiveModel { user_id: Set(user_id), hash: Set(hash), changed_at: Set(ctx.now()) };
    let replace = OnConflict::column(password::Column::UserId)
        .update_columns([password::Column::Hash, password::Column::ChangedAt])
        .to_owned();
    password::Entity::insert(row).on_conflict(replace).exec_without_returning(&**txn).await?;
    Ok(())
}

/// Sets the passwords of accounts that have none yet, in one statement.
pub async fn set_first(txn: &Txn, ctx: &Ctx, hashes: Vec<(Uuid, Secret)>) -> Result<()> {
    if hashes.is_empty() {
        return Ok(());
    }
    let row = |(user_id, hash)| password::ActiveModel {
        user_id: Set(user_id),
        hash: Set(hash),
        changed_at: Set(ctx.now()),
    };
    password::Entity::insert_many(hashes.into_iter().map(row)).exec_without_returning(&**txn).await?;
    Ok(())
}

pub async fn hash_of<C: ConnectionTrait>(db: &C, user_id: Uuid) -> Result<Option<Secret>> {
    Ok(password::Entity::find_by_id(user_id).one(db).await?.map(|row| row.hash))
}
