//! How many invitations went to an address lately: nobody's mailbox is flooded, not even by many organisations.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use entity::{event, event_target, invitation};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::inviting::TTL;
use crate::{
    context::Ctx,
    db::Txn,
    domain::events::log::EventType,
    error::{ErrorCode, Fault, Result},
    ids::{self, Kind},
};

/// So many are enough for one address in the time below.
const MOST: usize = 5;
const WITHIN: Duration = Duration::from_mins(10);

pub fn too_many(path: &[&str]) -> Fault {
    let message = "This address was sent too many invitations: wait a while.";
    let mut fault = Fault::new(ErrorCode::TooManyAttempts, path, message);
    fault.retry_after = Some(WITHIN);
    fault
}

/// Those of these addresses, by their keys, that had enough. Whoever asks queues for them until the transaction ends.
///
/// Each sending is an event of its invitation, and so the log is what is counted: the row of an invitation says only when
/// it was sent last.
pub async fn flooded(txn: &Txn, ctx: &Ctx, email_keys: &[&str]) -> Result<HashSet<String>> {
    txn.queue_for(email_keys).await?;
    let recent: Vec<(Uuid, String)> = invitation::Entity::find()
        .select_only()
        .column(invitation::Column::Id)
        .column(invitation::Column::EmailKey)
        .filter(invitation::Column::EmailKey.is_in(email_keys.iter().copied()))
        .filter(invitation::Column::ExpiresAt.gt(ctx.now().plus(TTL).minus(WITHIN)))
        .into_tuple()
        .all(&**txn)
        .await?;
    let addresses: HashMap<String, String> =
        recent.into_iter().map(|(id, key)| (ids::encode(Kind::Invitation, id), key)).collect();
    let sent: Vec<String> = event_target::Entity::find()
        .select_only()
        .column(event_target::Column::TargetId)
        .inner_join(event::Entity)
        .filter(event_target::Column::TargetId.is_in(addresses.keys().map(String::as_str)))
        .filter(event::Column::Kind.eq(EventType::InvitationSent.code()))
        .filter(event::Column::OccurredAt.gt(ctx.now().minus(WITHIN)))
        .into_tuple()
        .all(&**txn)
        .await?;
    let mut counts: HashMap<&String, usize> = HashMap::new();
    for key in sent.iter().filter_map(|target| addresses.get(target)) {
        *counts.entry(key).or_default() += 1;
    }
    Ok(counts.into_iter().filter(|(_, count)| *count >= MOST).map(|(key, _)| key.clone()).collect())
}
