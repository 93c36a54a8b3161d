//! That a factor was changed: recorded, and told to its owner by mail.

use entity::user;
use serde_json::Value as Json;
use uuid::Uuid;

use super::undoing::DAYS;
use crate::{
    context::Ctx,
    db::Txn,
    domain::{
        events::log::{self, NewEvent},
        notifications::{
            foreign_text,
            service::{self as notifications, Notice},
            template::Template,
        },
    },
    error::Result,
    ids::Kind,
};

/// `what` goes on as "on your account, …".
pub async fn tell(txn: &Txn, ctx: &Ctx, user: &user::Model, event: NewEvent, what: &str) -> Result<()> {
    log::record(txn, ctx, event.on(Kind::User, user.id)).await?;
    announce(txn, ctx, user, what).await
}

/// The same of a factor that is new: how its addition is undone is said as well.
pub async fn tell_added(txn: &Txn, ctx: &Ctx, user: &user::Model, event: NewEvent, what: &str) -> Result<()> {
    log::record(txn, ctx, event.on(Kind::User, user.id)).await?;
    let (user_name, what) = (user.user_name.clone(), what.to_owned());
    mail(txn, ctx, user, Template::FactorAdded { user_name, what, days: DAYS }).await
}

/// The mail alone.
pub async fn announce(txn: &Txn, ctx: &Ctx, user: &user::Model, what: &str) -> Result<()> {
    let (user_name, what) = (user.user_name.clone(), what.to_owned());
    mail(txn, ctx, user, Template::FactorChanged { user_name, what }).await
}

async fn mail(txn: &Txn, ctx: &Ctx, user: &user::Model, template: Template) -> Result<()> {
    let Some(to) = user.email.clone().filter(|_| user.email_verified_at.is_some()) else {
        return Ok(());
    };
    let application_id = application(ctx);
    notifications::send(txn, ctx, Notice { user_id: user.id, application_id, to, template }).await
}

fn application(ctx: &Ctx) -> Uuid {
    ctx.actor.signed_in().map_or(ctx.app.default_application, |caller| caller.application_id)
}

/// How a mail calls a passkey: by its name, if that is no more than a name.
pub fn called(passkey: &str) -> String {
    foreign_text::title(passkey)
        .map_or_else(|| "a passkey".to_owned(), |name| format!("the passkey “{name}”"))
}

/// For events that say a little more.
pub fn named(name: &str) -> Json {
    serde_json::json!({ "name": name })
}
