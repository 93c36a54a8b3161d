//! Finding events. As with people: what the caller may not see did not happen.

use std::collections::{HashMap, HashSet};

use entity::{ActorKind, Timestamp, event, event_target, grant, membership};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, Order, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait, Select, sea_query::Query,
};
use uuid::Uuid;

use crate::{
    authz::{Permission, Reach},
    context::Ctx,
    error::Result,
    ids::{self, Kind},
    page::{self, Page, PageArgs, Sort},
};

/// Which events; all conditions must hold. Ids are as the outside writes them: what is none, or of another kind, is found
/// nowhere.
#[derive(Default)]
pub struct EventFilter {
    pub types: Option<Vec<String>>,
    pub actor_ids: Option<Vec<String>>,
    pub target_ids: Option<Vec<String>>,
    pub organization_ids: Option<Vec<String>>,
    pub occurred_after: Option<Timestamp>,
    pub occurred_before: Option<Timestamp>,
}

/// The newest first.
pub async fn list(ctx: &Ctx, filter: &EventFilter, page: &PageArgs) -> Result<Page<event::Model>> {
    check(filter)?;
    let sort = Sort {
        list: "events:-occurred",
        column: event::Column::OccurredAt,
        id: event::Column::Id,
        order: Order::Desc,
    };
    page::fetch(ctx.app.db.read(), visible(ctx).filter(matching(filter)), &sort, page).await
}

pub async fn count(ctx: &Ctx, filter: &EventFilter) -> Result<u64> {
    check(filter)?;
    Ok(visible(ctx).filter(matching(filter)).count(ctx.app.db.read()).await?)
}

/// The visible ones of these events, in one statement.
pub async fn by_ids(ctx: &Ctx, ids: impl IntoIterator<Item = Uuid>) -> Result<HashMap<Uuid, event::Model>> {
    let ids: Vec<_> = ids.into_iter().collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = visible(ctx).filter(event::Column::Id.is_in(ids)).all(ctx.app.db.read()).await?;
    Ok(rows.into_iter().map(|event| (event.id, event)).collect())
}

/// The targets of these events, each in the order in which the event names them. For events that were found here.
pub async fn targets_of(ctx: &Ctx, event_ids: &[Uuid]) -> Result<HashMap<Uuid, Vec<String>>> {
    let rows = event_target::Entity::find()
        .filter(event_target::Column::EventId.is_in(event_ids.iter().copied()))
        .order_by_asc(event_target::Column::Position)
        .all(ctx.app.db.read())
        .await?;
    let mut targets: HashMap<Uuid, Vec<String>> = HashMap::new();
    for row in rows {
        targets.entry(row.event_id).or_default().push(row.target_id);
    }
    Ok(targets)
}

/// Of which of these users the caller may know where they act from, in one statement: people of organisations in which the
/// caller reads people, and not those who hold something on the platform. Its administrators act in every organisation, and
/// their network is no business of a tenant.
pub async fn whereabouts_known(ctx: &Ctx, user_ids: &[Uuid]) -> Result<HashSet<Uuid>> {
    let on_platform = grant::Entity::find()
        .select_only()
        .column(grant::Column::UserId)
        .filter(grant::Column::UserId.is_in(user_ids.iter().copied()))
        .filter(grant::Column::OrganizationId.is_null());
    let mut theirs = membership::Entity::find()
        .select_only()
        .column(membership::Column::UserId)
        .filter(membership::Column::UserId.is_in(user_ids.iter().copied()))
        .filter(membership::Column::UserId.not_in_subquery(on_platform.into_query()));
    if let Reach::Orgs(orgs) = ctx.actor.reach(Permission::UserRead) {
        theirs = theirs.filter(membership::Column::OrganizationId.is_in(orgs));
    }
    Ok(theirs.into_tuple::<Uuid>().all(ctx.app.db.read()).await?.into_iter().collect())
}

pub(super) fn check(filter: &EventFilter) -> Result<()> {
    let EventFilter { types, actor_ids, target_ids, organization_ids, occurred_after: _, occurred_before: _ } =
        filter;
    let lists = [types, actor_ids, target_ids, organization_ids];
    page::check_filter(lists.into_iter().flatten().map(Vec::len).max())
}

/// On the platform all of them; within organisations those that happened there. What happens to a member elsewhere (a
/// login, a change of the address) is the member's own matter and the platform's.
fn visible(ctx: &Ctx) -> Select<event::Entity> {
    match ctx.actor.reach(Permission::EventRead) {
        Reach::Everywhere => event::Entity::find(),
        Reach::Orgs(orgs) => event::Entity::find().filter(event::Column::OrganizationId.is_in(orgs)),
    }
}

fn matching(filter: &EventFilter) -> Condition {
    let EventFilter { types, actor_ids, target_ids, organization_ids, occurred_after, occurred_before } =
        filter;
    // PostgreSQL takes no NUL even in a comparison, and no type holds one.
    let storable =
        |texts: &Vec<String>| texts.iter().filter(|text| !text.contains('\0')).cloned().collect::<Vec<_>>();
    let organizations = |texts: &Vec<String>| {
        texts.iter().filter_map(|text| ids::decode_as(Kind::Organization, text)).collect::<Vec<_>>()
    };
    Condition::all()
        .add_option(types.as_ref().map(|types| event::Column::Kind.is_in(storable(types))))
        .add_option(actor_ids.as_ref().map(|actors| by_actors(actors)))
        .add_option(target_ids.as_ref().map(|targets| {
            let about = Query::select()
                .column(event_target::Column::EventId)
                .from(event_target::Entity)
                .and_where(event_target::Column::TargetId.is_in(storable(targets)))
                .to_owned();
            event::Column::Id.in_subquery(about)
        }))
        .add_option(
            organization_ids.as_ref().map(|ids| event::Column::OrganizationId.is_in(organizations(ids))),
        )
        .add_option(occurred_after.map(|at| event::Column::OccurredAt.gt(at)))
        .add_option(occurred_before.map(|at| event::Column::OccurredAt.lt(at)))
}

/// An actor's column holds the bytes only; what they are an id of, the kind beside them says.
fn by_actors(texts: &[String]) -> Condition {
    [(ActorKind::User, Kind::User), (ActorKind::Application, Kind::Application)].into_iter().fold(
        Condition::any(),
        |any, (actor, kind)| {
            let ids = texts.iter().filter_map(|text| ids::decode_as(kind, text));
            let these = event::Column::ActorId.is_in(ids);
            any.add(Condition::all().add(event::Column::ActorKind.eq(actor)).add(these))
        },
    )
}
