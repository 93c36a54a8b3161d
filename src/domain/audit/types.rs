//! Events as GraphQL shows them.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use entity::event;

use super::{
    loaders::{TargetsOf, Whereabouts, Within},
    service,
};
use crate::{
    authz::{Permission, Reach},
    domain::{events::tail::Recorded, orgs::types::Organization},
    graphql::{
        ContextExt,
        connection::PageInfo,
        loader,
        resilient::Resilient,
        scalars::{DateTime, Json},
    },
    ids::{self, Kind},
    page::Page,
};

/// What kind of somebody did it.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "entity::ActorKind")]
pub enum EventActorKind {
    /// A user who was signed in.
    User,
    /// A program with an API key.
    ApiKey,
    /// An application for itself.
    Application,
    /// The service itself.
    System,
    /// Somebody who did not say who they are.
    Anonymous,
}

/// Who did it, as they were known when it happened.
#[derive(SimpleObject)]
pub struct EventActor {
    /// What kind of somebody.
    pub kind: EventActorKind,
    /// The global id; what it names may be gone.
    pub id: Option<ID>,
    /// The name that they had.
    pub name: Option<String>,
}

#[derive(Clone)]
pub struct EventObject {
    row: Arc<event::Model>,
    /// As far as they were read with it.
    targets: Option<Arc<[String]>>,
}

pub type Event = Resilient<EventObject>;

impl From<event::Model> for Event {
    fn from(row: event::Model) -> Self {
        Self(EventObject { row: Arc::new(row), targets: None })
    }
}

impl From<&Recorded> for Event {
    fn from(recorded: &Recorded) -> Self {
        let Recorded { event, targets } = recorded;
        Self(EventObject { row: Arc::clone(event), targets: Some(Arc::clone(targets)) })
    }
}

/// Something that happened. It stays as it is, even when what it tells of is gone.
#[Object(name = "Event")]
impl EventObject {
    /// The global id.
    pub async fn id(&self) -> ID {
        ids::encode(Kind::Event, self.row.id).into()
    }

    /// What happened, as `user.registered`.
    #[graphql(name = "type")]
    fn kind(&self) -> &str {
        &self.row.kind
    }

    /// Who did it.
    fn actor(&self) -> EventActor {
        let kind = match self.row.actor_kind {
            entity::ActorKind::User | entity::ActorKind::ApiKey => Some(Kind::User),
            entity::ActorKind::Application => Some(Kind::Application),
            entity::ActorKind::System | entity::ActorKind::Anonymous => None,
        };
        let id = kind.zip(self.row.actor_id).map(|(kind, id)| ids::encode(kind, id).into());
        EventActor { kind: self.row.actor_kind.into(), id, name: self.row.actor_name.clone() }
    }

    /// The global ids of whom or what it happened to.
    async fn target_ids(&self, ctx: &Context<'_>) -> Result<Vec<ID>> {
        let targets = match &self.targets {
            Some(targets) => targets.to_vec(),
            None => loader::load(ctx, TargetsOf(self.row.id)).await?.unwrap_or_default(),
        };
        Ok(targets.into_iter().map(ID::from).collect())
    }

    /// The organisation in which it happened, if you may see it.
    async fn organization(&self, ctx: &Context<'_>) -> Result<Option<Organization>> {
        match self.row.organization_id {
            Some(id) => Ok(loader::load(ctx, Within(id)).await?.map(Organization::from)),
            None => Ok(None),
        }
    }

    /// What else is worth knowing: what was changed, never a secret.
    fn data(&self) -> Option<Json> {
        self.row.data.clone().map(Json)
    }

    /// The network address that it was asked from. Within an organisation, it is not told of whom you may not see, nor of
    /// who holds something on the platform.
    async fn ip(&self, ctx: &Context<'_>) -> Result<Option<&str>> {
        Ok(if self.tells_where_from(ctx).await? { self.row.ip.as_deref() } else { None })
    }

    /// The program that it was asked with, by its own words. It is told of those of whom `ip` is.
    async fn user_agent(&self, ctx: &Context<'_>) -> Result<Option<&str>> {
        Ok(if self.tells_where_from(ctx).await? { self.row.user_agent.as_deref() } else { None })
    }

    /// The id of the request, as it stands in the logs.
    fn request_id(&self) -> Option<&str> {
        self.row.request_id.as_deref()
    }

    /// When it happened.
    fn occurred_at(&self) -> DateTime {
        DateTime(self.row.occurred_at)
    }
}

impl EventObject {
    /// Whether the caller may know where the actor acted from.
    async fn tells_where_from(&self, ctx: &Context<'_>) -> Result<bool> {
        let caller = &ctx.ctx()?.actor;
        let of_user = match self.row.actor_kind {
            entity::ActorKind::User | entity::ActorKind::ApiKey => self.row.actor_id,
            entity::ActorKind::Application | entity::ActorKind::System | entity::ActorKind::Anonymous => None,
        };
        match of_user {
            Some(id)
                if caller.user_id() != Some(id)
                    && matches!(caller.reach(Permission::EventRead), Reach::Orgs(_)) =>
            {
                Ok(loader::load(ctx, Whereabouts(id)).await?.unwrap_or_default())
            }
            Some(_) | None => Ok(true),
        }
    }
}

/// A page of events.
#[derive(SimpleObject)]
pub struct EventConnection {
    /// The events of this page, each with its cursor.
    pub edges: Option<Vec<Option<EventEdge>>>,
    /// Where this page stands in the list.
    pub page_info: PageInfo,
    /// How many there are in all, on all pages.
    pub total_count: u64,
}

/// An event in a list.
#[derive(SimpleObject)]
pub struct EventEdge {
    /// Says where to go on from here.
    pub cursor: String,
    /// The event.
    pub node: Option<Event>,
}

impl EventConnection {
    pub fn new(page: Page<event::Model>, total_count: u64) -> Self {
        let page_info = PageInfo::of(&page);
        let edge = |(cursor, row): (String, event::Model)| EventEdge { cursor, node: Some(row.into()) };
        Self { edges: Some(page.rows.into_iter().map(edge).map(Some).collect()), page_info, total_count }
    }
}

/// Which events to list; all conditions must hold.
#[derive(InputObject)]
pub struct EventFilter {
    /// Of one of these types, as `user.registered`.
    pub types: Option<Vec<String>>,
    /// Done by one of these users or applications.
    pub actor_ids: Option<Vec<ID>>,
    /// That happened to one of these, of whatever kind.
    pub target_ids: Option<Vec<ID>>,
    /// That happened within one of these organisations.
    pub organization_ids: Option<Vec<ID>>,
    /// After this moment.
    pub occurred_after: Option<DateTime>,
    /// Before this moment.
    pub occurred_before: Option<DateTime>,
}

impl From<EventFilter> for service::EventFilter {
    fn from(filter: EventFilter) -> Self {
        let EventFilter { types, actor_ids, target_ids, organization_ids, occurred_after, occurred_before } =
            filter;
        let texts = |ids: Vec<ID>| ids.into_iter().map(|id| id.0).collect();
        Self {
            types,
            actor_ids: actor_ids.map(texts),
            target_ids: target_ids.map(texts),
            organization_ids: organization_ids.map(texts),
            occurred_after: occurred_after.map(|at| at.0),
            occurred_before: occurred_before.map(|at| at.0),
        }
    }
}
