//! What the log keeps of attempts that failed: of which kind they were, and never what was shown.
//!
//! A wrong attempt is written down each time, for the limits bound how many there are. That a limit refuses is written down
//! once an hour: whoever hammers on a closed door fills no log.

use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::{
    context::Ctx,
    db::Txn,
    domain::{
        events::log::{self, EventType, NewEvent},
        limits::{
            rules::{self, Rule},
            service as limits,
        },
    },
    error::{Error, Result},
    ids::Kind,
};

/// Somebody was refused, or nobody: time does not tell.
pub async fn note(ctx: &Ctx, user_id: Option<Uuid>, what: impl Into<Option<Json>>) -> Result<()> {
    let txn = ctx.app.db.begin().await?;
    record(&txn, ctx, user_id, what.into()).await?;
    txn.commit().await
}

/// The same, together with what else is written of it.
pub async fn record(txn: &Txn, ctx: &Ctx, user_id: Option<Uuid>, what: Option<Json>) -> Result<()> {
    let mut event = NewEvent::of(EventType::SessionRefused);
    if let Some(what) = what {
        event = event.with(what);
    }
    match user_id {
        Some(id) => event = event.on(Kind::User, id),
        None => log::look_for_nobody(txn).await?,
    }
    log::record(txn, ctx, event).await
}

/// One more attempt of this person, or the fault that says when.
pub async fn bounded(ctx: &Ctx, rule: &Rule, subject: &str, user_id: Option<Uuid>) -> Result<()> {
    let Err(wait) = limits::take(ctx, rule, subject).await? else {
        return Ok(());
    };
    if limits::is_news(ctx, rule, Some(subject)).await? {
        note(ctx, user_id, json!({ "limit": rule.name })).await?;
    }
    Err(limits::too_many(wait).into())
}

/// One more attempt at a password or a code from where the request comes from, or the refusal that says when.
pub async fn bounded_source(ctx: &Ctx) -> Result<()> {
    let rule = &rules::SOURCE;
    let taken = limits::for_source(ctx, rule).await;
    if matches!(taken, Err(Error::Refused { .. })) && limits::is_news(ctx, rule, None).await? {
        note(ctx, None, json!({ "limit": rule.name })).await?;
    }
    taken
}
