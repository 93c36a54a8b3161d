//! That a factor was changed: recorded, and told to its owner by mail.

use entity::user;
use serde_json::Value as Json;
use uuid::Uuid;

use crate::{
    context::Ctx,
    db::Txn,
    domain::{
        events::log::{self, NewEvent},
        notifications::{
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
    let Some(to) = user.email.clone().filter(|_| user.email_verified_at.is_some()) else {
        return Ok(());
    };
    let application_id = application(ctx);
    let template = Template::FactorChanged { user_name: user.user_name.clone(), what: what.to_owned() };
    notifications::send(txn, ctx, Notice { user_id: user.id, application_id, to, template }).await
}

fn application(ctx: &Ctx) -> Uuid {
    ctx.actor.signed_in().map_or(ctx.app.default_application, |caller| caller.application_id)
}

/// For events that say a little more.
pub fn named(name: &str) -> Json {
    serde_json::json!({ "name": name })
}
