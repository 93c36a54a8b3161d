//! The account of somebody who comes in through the extension of an application: nothing is known of them but that.

use entity::{UserStatus, user};
use sea_orm::{ActiveModelTrait, IntoActiveModel};
use serde_json::json;

use super::blank;
use crate::{
    context::Ctx,
    db::Txn,
    domain::{
        events::log::{self, EventType, NewEvent},
        roles,
    },
    error::Result,
    ids::Kind,
};

/// Active at once, with the role `EXTENSION`, and without a password. The name is made of the account's own id: one of the
/// extension's choosing could be taken for somebody else's.
pub async fn make_extension_user(txn: &Txn, ctx: &Ctx) -> Result<user::Model> {
    let id = ctx.new_id();
    let account = blank::account(ctx, format!("extension-{}", id.simple()));
    let account = user::Model { id, status: UserStatus::Active, ..account };
    let user = account.into_active_model().insert(&**txn).await?;
    let event = NewEvent::of(EventType::UserRegistered).on(Kind::User, user.id);
    log::record(txn, ctx, event.with(json!({ "how": "ID_TOKEN" }))).await?;
    roles::service::grant_built_in(txn, ctx, user.id, "EXTENSION").await?;
    Ok(user)
}
