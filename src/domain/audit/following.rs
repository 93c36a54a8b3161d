//! Following the log: each event as it comes, to whoever may see it at that moment.
//!
//! The same rules as for listing (`service`), asked of one event in memory instead of the table: a hundred followers cost
//! no more statements than one. A test holds both against each other.

use std::{collections::HashSet, sync::Arc, time::Duration};

use entity::{ActorKind, event};
use tokio::time::{Interval, MissedTickBehavior, interval};
use uuid::Uuid;

use super::service::{self, EventFilter};
use crate::{
    authz::{Permission, Reach},
    context::Ctx,
    domain::{
        events::tail::{self, Follower, Recorded, TooSlow},
        sessions,
    },
    error::{Error, ErrorCode, Result},
    ids::{self, Kind},
};

const RECHECK_EVERY: Duration = Duration::from_secs(1);

/// Somebody who follows the log.
pub struct Following {
    ctx: Ctx,
    wanted: Wanted,
    follower: Follower,
    /// Who may read nothing any more is told so, also when nothing happens.
    rechecks: Interval,
    over: bool,
}

/// Begins with what is committed from now on.
pub async fn follow(ctx: &Ctx, filter: &EventFilter) -> Result<Following> {
    service::check(filter)?;
    let follower = tail::follow(&ctx.app).await?;
    let mut rechecks = interval(RECHECK_EVERY);
    rechecks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    Ok(Following { ctx: ctx.clone(), wanted: Wanted::of(filter), follower, rechecks, over: false })
}

impl Following {
    /// The next event that the caller may see, with the caller as they are now. An error is the last thing that comes.
    pub async fn next(&mut self) -> Option<Result<(Ctx, Arc<Recorded>)>> {
        while !self.over {
            let found = tokio::select! {
                next = self.follower.next() => match next? {
                    Ok(recorded) => self.show(recorded).await,
                    Err(TooSlow) => Err(too_slow()),
                },
                _ = self.rechecks.tick() => self.reader().await.map(|_| None),
            };
            self.over = found.is_err();
            if let Some(found) = found.transpose() {
                return Some(found);
            }
        }
        None
    }

    async fn show(&self, recorded: Arc<Recorded>) -> Result<Option<(Ctx, Arc<Recorded>)>> {
        // What nobody asked for costs no look at who they are.
        if !self.wanted.holds(&recorded) {
            return Ok(None);
        }
        let ctx = self.reader().await?;
        Ok(is_visible(&ctx, &recorded.event).then_some((ctx, recorded)))
    }

    /// The caller as they are now, if they still read events anywhere.
    async fn reader(&self) -> Result<Ctx> {
        let Some(ctx) = sessions::service::renewed(&self.ctx).await? else {
            return Err(ended());
        };
        ctx.actor.may_somewhere(Permission::EventRead).then_some(ctx).ok_or_else(Error::forbidden)
    }
}

fn too_slow() -> Error {
    let message = "Events came faster than you took them, and some were dropped: list what you missed, and follow again.";
    Error::Refused { code: ErrorCode::Overloaded, message: message.into(), retry_after: None }
}

fn ended() -> Error {
    let message = "The access token is not valid any more, or its session has ended.";
    Error::Refused { code: ErrorCode::Unauthenticated, message: message.into(), retry_after: None }
}

fn is_visible(ctx: &Ctx, event: &event::Model) -> bool {
    match ctx.actor.reach(Permission::EventRead) {
        Reach::Everywhere => true,
        Reach::Orgs(orgs) => event.organization_id.is_some_and(|id| orgs.contains(&id)),
    }
}

/// A filter, made ready to be asked for each event.
struct Wanted {
    types: Option<HashSet<String>>,
    actors: Option<HashSet<(ActorKind, Uuid)>>,
    targets: Option<HashSet<String>>,
    organizations: Option<HashSet<Uuid>>,
    after: Option<entity::Timestamp>,
    before: Option<entity::Timestamp>,
}

impl Wanted {
    fn of(filter: &EventFilter) -> Self {
        let EventFilter { types, actor_ids, target_ids, organization_ids, occurred_after, occurred_before } =
            filter;
        let set = |texts: &Option<Vec<String>>| texts.clone().map(HashSet::from_iter);
        let actors = |texts: &Vec<String>| texts.iter().filter_map(|text| actor(text)).collect();
        let organizations = |texts: &Vec<String>| {
            texts.iter().filter_map(|id| ids::decode_as(Kind::Organization, id)).collect()
        };
        Self {
            types: set(types),
            actors: actor_ids.as_ref().map(actors),
            targets: set(target_ids),
            organizations: organization_ids.as_ref().map(organizations),
            after: *occurred_after,
            before: *occurred_before,
        }
    }

    fn holds(&self, recorded: &Recorded) -> bool {
        let Self { types, actors, targets, organizations, after, before } = self;
        let event = &recorded.event;
        let actor = event.actor_id.map(|id| (event.actor_kind, id));
        types.as_ref().is_none_or(|types| types.contains(&event.kind))
            && actors.as_ref().is_none_or(|actors| actor.is_some_and(|actor| actors.contains(&actor)))
            && targets.as_ref().is_none_or(|wanted| recorded.targets.iter().any(|id| wanted.contains(id)))
            && organizations
                .as_ref()
                .is_none_or(|orgs| event.organization_id.is_some_and(|id| orgs.contains(&id)))
            && after.is_none_or(|after| event.occurred_at > after)
            && before.is_none_or(|before| event.occurred_at < before)
    }
}

fn actor(text: &str) -> Option<(ActorKind, Uuid)> {
    match ids::decode(text)? {
        (Kind::User, id) => Some((ActorKind::User, id)),
        (Kind::Application, id) => Some((ActorKind::Application, id)),
        _ => None,
    }
}
