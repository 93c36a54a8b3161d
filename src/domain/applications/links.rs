//! Whom an extension means by an id of its own: the link between that id and an account.
//!
//! An extension opens the accounts that it has brought in, as long as they are nothing but that. Whoever proves an address
//! or a number for one, or sets a password, makes it their own: from then on the extension's key does not open it.

use entity::{Secret, extension_user as link};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::{
    clock::rfc3339,
    context::Ctx,
    db::Txn,
    domain::events::log::{self, EventType, NewEvent},
    error::Result,
    ids::{self, Kind},
};

/// The id as it is kept: who has only the database cannot try which ids there are.
pub fn subject_hash(ctx: &Ctx, application_id: Uuid, subject: &str) -> Result<Secret> {
    ctx.app.vault.code_hash(&[b"extension".as_slice(), application_id.as_bytes()].concat(), subject)
}

/// The account is the person's from now on. The next token of the extension makes another.
pub async fn release(txn: &Txn, ctx: &Ctx, user_id: Uuid) -> Result<()> {
    let own = link::Entity::delete_many().filter(link::Column::UserId.eq(user_id));
    if own.exec(&**txn).await?.rows_affected == 0 {
        return Ok(());
    }
    let event = NewEvent::of(EventType::UserUpdated).on(Kind::User, user_id);
    log::record(txn, ctx, event.with(json!({ "fields": ["extension"] }))).await
}

/// The applications whose extensions open the account, for who takes their data along.
pub async fn exported<C: ConnectionTrait>(db: &C, user_id: Uuid) -> Result<Vec<Json>> {
    let rows = link::Entity::find().filter(link::Column::UserId.eq(user_id)).all(db).await?;
    let entry = |row: link::Model| {
        json!({
            "applicationId": ids::encode(Kind::Application, row.application_id),
            "createdAt": rfc3339(row.created_at),
        })
    };
    Ok(rows.into_iter().map(entry).collect())
}
