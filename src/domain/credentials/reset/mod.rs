//! The ways to a new password: with the old one, or with what was sent to the person.
//!
//! Either ends what an intruder may hold: other sessions, and every code and link that waits.

use entity::user;
use sea_orm::EntityTrait;
use uuid::Uuid;

mod changing;
mod resetting;

pub use self::{
    changing::{NewPassword, change_password},
    resetting::{Key, reset_password},
};
use super::policy;
use crate::{
    context::Ctx,
    db::Txn,
    domain::notifications::{
        service::{self as notifications, Notice},
        template::Template,
    },
    error::Result,
};

const FIELD: &str = "newPassword";

/// Refuses a new password that is not good enough for this person. Whoever calls has counted the attempt.
pub async fn judge(ctx: &Ctx, user: &user::Model, password: &str) -> Result<()> {
    let own = own_data(user);
    policy::check(FIELD, password, &own)?;
    ctx.app.hasher.judge(ctx.source(), FIELD, password, own).await
}

/// What a password of this person must not be made of.
fn own_data(user: &user::Model) -> Vec<String> {
    let user::Model { user_name, name, given_name, family_name, email, phone, .. } = user;
    let local = email.as_deref().and_then(|email| email.split('@').next()).map(str::to_owned);
    let texts = [name, given_name, family_name, email, phone, &local];
    std::iter::once(user_name).chain(texts.into_iter().flatten()).cloned().collect()
}

/// Tells the person, at the proved address.
async fn tell(txn: &Txn, ctx: &Ctx, user: &user::Model, application_id: Uuid) -> Result<()> {
    let Some(to) = user.email.clone().filter(|_| user.email_verified_at.is_some()) else {
        return Ok(());
    };
    let template = Template::PasswordChanged { user_name: user.user_name.clone() };
    notifications::send(txn, ctx, Notice { user_id: user.id, application_id, to, template }).await
}

async fn find<C: sea_orm::ConnectionTrait>(db: &C, user_id: Uuid) -> Result<Option<user::Model>> {
    Ok(user::Entity::find_by_id(user_id).one(db).await?)
}
