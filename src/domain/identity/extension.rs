//! The account of somebody who comes in through the extension of an application: nothing is known of them but that.

use entity::{UserStatus, user};
use sea_orm::{ActiveModelTrait, Set};
use serde_json::json;

use super::names;
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
    let (id, now) = (ctx.new_id(), ctx.now());
    let user_name = format!("extension-{}", id.simple());
    let user = user::ActiveModel {
        id: Set(id),
        user_name_key: Set(names::name_key(&user_name)),
        user_name: Set(user_name),
        awaited_name_key: Set(None),
        name: Set(None),
        given_name: Set(None),
        family_name: Set(None),
        gender: Set(None),
        locale: Set(None),
        avatar_url: Set(None),
        status: Set(UserStatus::Active),
        email: Set(None),
        email_key: Set(None),
        email_verified_at: Set(None),
        email_proved_at: Set(None),
        phone: Set(None),
        phone_key: Set(None),
        phone_verified_at: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
        last_login_at: Set(None),
    };
    let user = user.insert(&**txn).await?;
    let event = NewEvent::of(EventType::UserRegistered).on(Kind::User, user.id);
    log::record(txn, ctx, event.with(json!({ "how": "ID_TOKEN" }))).await?;
    roles::service::grant_built_in(txn, ctx, user.id, "EXTENSION").await?;
    Ok(user)
}
