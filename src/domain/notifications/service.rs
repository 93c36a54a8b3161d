//! Sending: the message is sealed beside the change that causes it, and a job carries it out.

use entity::{notification, one_time_code::Channel};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set, sea_query::Expr};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{channel::Outgoing, template::Template};
use crate::{
    context::Ctx,
    crypto::Purpose,
    db::Txn,
    domain::{
        credentials::otp::Way,
        events::jobs::{self, Job},
        identity::names,
    },
    error::{Error, Result},
};

pub struct Notice {
    pub user_id: Uuid,
    pub application_id: Uuid,
    /// The stored address: never one that only the request named.
    pub to: String,
    pub template: Template,
}

/// What is sealed: it names a person and may carry a code.
#[derive(Serialize, Deserialize)]
struct Sealed {
    to: String,
    template: Template,
}

/// A message to an address, behind which somebody may or may not have an account.
pub struct Letter {
    pub user_id: Option<Uuid>,
    pub application_id: Uuid,
    /// The stored address: never one that only the request named.
    pub to: String,
    pub template: Template,
}

pub async fn send(txn: &Txn, ctx: &Ctx, notice: Notice) -> Result<()> {
    send_by(txn, ctx, Channel::Email, notice).await
}

/// To an address or to a number, as the channel says.
pub async fn send_by(txn: &Txn, ctx: &Ctx, channel: Channel, notice: Notice) -> Result<()> {
    let Notice { user_id, application_id, to, template } = notice;
    let letter = Letter { user_id: Some(user_id), application_id, to, template };
    put(txn, ctx, channel, vec![letter]).await
}

/// Many mails at once, in two statements.
pub async fn send_all(txn: &Txn, ctx: &Ctx, letters: Vec<Letter>) -> Result<()> {
    put(txn, ctx, Channel::Email, letters).await
}

/// The one place where a message begins, and where a notice that is switched off ends.
async fn put(txn: &Txn, ctx: &Ctx, channel: Channel, letters: Vec<Letter>) -> Result<()> {
    let wanted = |letter: &Letter| {
        letter.template.notice().is_none_or(|kind| ctx.app.config.mail.notices.contains(&kind))
    };
    let letters: Vec<_> = letters.into_iter().filter(wanted).collect();
    if letters.is_empty() {
        return Ok(());
    }
    let way = match channel {
        Channel::Email => Way::Mail,
        Channel::Sms => Way::Text,
    };
    let (mut rows, mut jobs) = (Vec::new(), Vec::new());
    for Letter { user_id, application_id, to, template } in letters {
        let id = ctx.new_id();
        let name = template.name().to_owned();
        let plain = serde_json::to_vec(&Sealed { to, template }).map_err(Error::internal)?;
        rows.push(notification::ActiveModel {
            id: Set(id),
            user_id: Set(user_id),
            application_id: Set(application_id),
            channel: Set(channel),
            template: Set(name),
            locale: Set(None),
            sealed: Set(Some(ctx.app.vault.seal(Purpose::Notification, &plain, ctx.app.random.as_ref())?)),
            state: Set(notification::NotificationState::Pending),
            created_at: Set(ctx.now()),
            sent_at: Set(None),
        });
        jobs.push(Job::DeliverNotification { notification_id: id, way: Some(way) });
    }
    notification::Entity::insert_many(rows).exec_without_returning(&**txn).await?;
    jobs::enqueue_all(txn, ctx, &jobs).await
}

/// The job: sends the message and wipes it. One that is gone or sent already is done.
pub async fn deliver(ctx: &Ctx, id: Uuid) -> Result<()> {
    let row = notification::Entity::find_by_id(id).one(ctx.app.db.read()).await?;
    let Some((channel, sealed)) = row.and_then(|row| Some((row.channel, row.sealed?))) else {
        return Ok(());
    };
    let plain = ctx.app.vault.open(Purpose::Notification, &sealed);
    let plain =
        plain.ok_or_else(|| Error::internal("the notification was sealed with another DENIZEN_SECRET"))?;
    let Sealed { to, template } = serde_json::from_slice(&plain).map_err(Error::internal)?;
    let at = ctx.now();
    let name = id.to_string();
    let outgoing = Outgoing { id: &name, to: &to, message: template.render(), at };
    match channel {
        Channel::Email => ctx.app.mailer.send(outgoing).await?,
        Channel::Sms => ctx.app.texter.send(outgoing).await?,
    }
    notification::Entity::update_many()
        .col_expr(notification::Column::State, Expr::value(notification::NotificationState::Sent))
        .col_expr(notification::Column::Sealed, Expr::value(None::<entity::Secret>))
        .col_expr(notification::Column::SentAt, Expr::value(at))
        .filter(notification::Column::Id.eq(id))
        .exec(ctx.app.db.alone())
        .await?;
    Ok(())
}

/// What waits to be mailed to this address, to nobody in particular, is not sent any more. Only what it says tells to
/// whom it goes, and that is sealed: what waits is few.
pub async fn withdraw(txn: &Txn, ctx: &Ctx, email_key: &str) -> Result<()> {
    let waiting = notification::Entity::find()
        .filter(notification::Column::UserId.is_null())
        .filter(notification::Column::Sealed.is_not_null())
        .all(&**txn)
        .await?;
    let theirs = |row: &notification::Model| {
        let plain = row.sealed.as_ref().and_then(|sealed| ctx.app.vault.open(Purpose::Notification, sealed));
        let letter = plain.and_then(|plain| serde_json::from_slice::<Sealed>(&plain).ok());
        letter.is_some_and(|letter| names::name_key(&letter.to) == email_key)
    };
    let ids: Vec<Uuid> = waiting.iter().filter(|row| theirs(row)).map(|row| row.id).collect();
    if !ids.is_empty() {
        end(txn, &ids).await?;
    }
    Ok(())
}

async fn end(txn: &Txn, ids: &[Uuid]) -> Result<()> {
    notification::Entity::update_many()
        .col_expr(notification::Column::State, Expr::value(notification::NotificationState::Failed))
        .col_expr(notification::Column::Sealed, Expr::value(None::<entity::Secret>))
        .filter(notification::Column::Id.is_in(ids.iter().copied()))
        .exec(&**txn)
        .await?;
    Ok(())
}

/// The job is dead: the message is given up, and nothing of what it said remains.
pub async fn give_up(ctx: &Ctx, id: Uuid) -> Result<()> {
    let txn = ctx.app.db.begin().await?;
    end(&txn, &[id]).await?;
    txn.commit().await
}
