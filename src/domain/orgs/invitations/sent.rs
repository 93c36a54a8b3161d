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

/// Who of these addresses had enough.
pub struct Flooded {
    /// By what the organisation itself sent: it is told so.
    pub by_us: HashSet<String>,
    /// By what all organisations together sent: nobody is told, for it would tell of the others. The invitation stands, and
    /// shows to whoever proves the address; only no mail is sent.
    pub by_all: HashSet<String>,
}

/// Counts for these addresses, by their keys. Whoever asks queues for them until the transaction ends.
///
/// Each sending is an event of its invitation, and so the log is what is counted: the row of an invitation says only when
/// it was sent last.
pub async fn flooded(txn: &Txn, ctx: &Ctx, organization: Uuid, email_keys: &[&str]) -> Result<Flooded> {
    txn.queue_for(email_keys).await?;
    let recent: Vec<(Uuid, Uuid, String)> = invitation::Entity::find()
        .select_only()
        .column(invitation::Column::Id)
        .column(invitation::Column::OrganizationId)
        .column(invitation::Column::EmailKey)
        .filter(invitation::Column::EmailKey.is_in(email_keys.iter().copied()))
        .filter(invitation::Column::ExpiresAt.gt(ctx.now().plus(TTL).minus(WITHIN)))
        .into_tuple()
        .all(&**txn)
        .await?;
    let places: HashMap<String, (Uuid, String)> = recent
        .into_iter()
        .map(|(id, organization, key)| (ids::encode(Kind::Invitation, id), (organization, key)))
        .collect();
    let sent: Vec<String> = event_target::Entity::find()
        .select_only()
        .column(event_target::Column::TargetId)
        .inner_join(event::Entity)
        .filter(event_target::Column::TargetId.is_in(places.keys().map(String::as_str)))
        .filter(event::Column::Kind.eq(EventType::InvitationSent.code()))
        .filter(event::Column::OccurredAt.gt(ctx.now().minus(WITHIN)))
        .into_tuple()
        .all(&**txn)
        .await?;
    let (mut ours, mut all): (HashMap<&String, usize>, HashMap<&String, usize>) = Default::default();
    for (sender, key) in sent.iter().filter_map(|target| places.get(target)) {
        *all.entry(key).or_default() += 1;
        if *sender == organization {
            *ours.entry(key).or_default() += 1;
        }
    }
    let enough = |counts: HashMap<&String, usize>| {
        counts.into_iter().filter(|(_, count)| *count >= MOST).map(|(key, _)| key.clone()).collect()
    };
    Ok(Flooded { by_us: enough(ours), by_all: enough(all) })
}
