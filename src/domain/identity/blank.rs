//! A new account of which nothing is known yet but its name: what every way of making one begins with.

use entity::{UserStatus, user};

use super::names;
use crate::context::Ctx;

/// Not in the database yet. It is good for nothing before it is verified.
pub fn account(ctx: &Ctx, user_name: String) -> user::Model {
    let now = ctx.now();
    user::Model {
        id: ctx.new_id(),
        user_name_key: names::name_key(&user_name),
        user_name,
        awaited_name_key: None,
        name: None,
        given_name: None,
        family_name: None,
        gender: None,
        locale: None,
        avatar_url: None,
        status: UserStatus::Unverified,
        email: None,
        email_key: None,
        email_verified_at: None,
        email_proved_at: None,
        phone: None,
        phone_key: None,
        phone_verified_at: None,
        phone_proved_at: None,
        created_at: now,
        updated_at: now,
        last_login_at: None,
    }
}
