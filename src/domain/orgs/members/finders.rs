//! Finding memberships. They are seen by those who belong to the organisation, by those who read organisations or
//! users there, and one's own by oneself.

use std::collections::{HashMap, HashSet};

use entity::{grant, membership, role, user};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, Order, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select,
    sea_query::{Expr, ExprTrait as _, SelectStatement},
};
use uuid::Uuid;

use super::super::{
    finders::{active, fellowships},
    text,
};
use crate::{
    authz::{Actor, Permission, Reach},
    context::Ctx,
    domain::identity::names,
    error::Result,
    page::{self, Page, PageArgs, Sort},
};

/// Which members; all conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct MemberFilter {
    pub role_codes: Option<Vec<String>>,
    pub text: Option<String>,
}

const SORT: Sort<membership::Column> = Sort {
    list: "members:joined",
    column: membership::Column::JoinedAt,
    id: membership::Column::Id,
    order: Order::Asc,
};

pub async fn by_ids(
    ctx: &Ctx,
    ids: impl IntoIterator<Item = Uuid>,
) -> Result<HashMap<Uuid, membership::Model>> {
    let ids: Vec<_> = ids.into_iter().collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = visible(ctx).filter(membership::Column::Id.is_in(ids)).all(ctx.app.db.read()).await?;
    Ok(rows.into_iter().map(|membership| (membership.id, membership)).collect())
}

/// The same page of each organisation's members, in one statement.
pub async fn of_organizations(
    ctx: &Ctx,
    ids: &[Uuid],
    filter: &MemberFilter,
    page: &PageArgs,
) -> Result<HashMap<Uuid, Page<membership::Model>>> {
    check(filter)?;
    let select = visible(ctx)
        .filter(membership::Column::OrganizationId.is_in(ids.iter().copied()))
        .filter(matching(ctx, filter));
    let parent = (membership::Column::OrganizationId, |row: &membership::Model| row.organization_id);
    page::fetch_each(ctx.app.db.read(), select, parent, &SORT, page).await
}

pub async fn count_of_organizations(
    ctx: &Ctx,
    ids: &[Uuid],
    filter: &MemberFilter,
) -> Result<HashMap<Uuid, u64>> {
    check(filter)?;
    let select = visible(ctx)
        .filter(membership::Column::OrganizationId.is_in(ids.iter().copied()))
        .filter(matching(ctx, filter));
    counts(ctx, select, membership::Column::OrganizationId).await
}

/// The same page of each user's memberships, in one statement.
pub async fn of_users(
    ctx: &Ctx,
    ids: &[Uuid],
    page: &PageArgs,
) -> Result<HashMap<Uuid, Page<membership::Model>>> {
    let select = visible(ctx).filter(membership::Column::UserId.is_in(ids.iter().copied()));
    let parent = (membership::Column::UserId, |row: &membership::Model| row.user_id);
    page::fetch_each(ctx.app.db.read(), select, parent, &SORT, page).await
}

pub async fn count_of_users(ctx: &Ctx, ids: &[Uuid]) -> Result<HashMap<Uuid, u64>> {
    let select = visible(ctx).filter(membership::Column::UserId.is_in(ids.iter().copied()));
    counts(ctx, select, membership::Column::UserId).await
}

async fn counts(
    ctx: &Ctx,
    select: Select<membership::Entity>,
    parent: membership::Column,
) -> Result<HashMap<Uuid, u64>> {
    let rows: Vec<(Uuid, i64)> = select
        .select_only()
        .column(parent)
        .column_as(membership::Column::Id.count(), "count")
        .group_by(parent)
        .into_tuple()
        .all(ctx.app.db.read())
        .await?;
    Ok(rows.into_iter().map(|(id, count)| (id, u64::try_from(count).unwrap_or_default())).collect())
}

/// In which of these organisations the caller sees the members.
pub async fn open_to(ctx: &Ctx, ids: &[Uuid]) -> Result<HashSet<Uuid>> {
    let reached = match reach(ctx) {
        Reach::Everywhere => return Ok(ids.iter().copied().collect()),
        Reach::Orgs(orgs) => orgs,
    };
    let Some(user_id) = ctx.actor.user_id() else {
        return Ok(HashSet::new());
    };
    let own: Vec<Uuid> = membership::Entity::find()
        .select_only()
        .column(membership::Column::OrganizationId)
        .filter(membership::Column::UserId.eq(user_id))
        .filter(membership::Column::OrganizationId.is_in(ids.iter().copied()))
        .filter(membership::Column::OrganizationId.in_subquery(active()))
        .into_tuple()
        .all(ctx.app.db.read())
        .await?;
    Ok(own.into_iter().chain(reached).collect())
}

/// The roles that each of these members holds in their organisation, as far as the caller may know of them.
pub async fn roles_of(
    ctx: &Ctx,
    members: &[(Uuid, Uuid)],
) -> Result<HashMap<(Uuid, Uuid), Vec<role::Model>>> {
    let rows = grant::Entity::find()
        .filter(grant::Column::OrganizationId.is_in(members.iter().map(|(organization, _)| *organization)))
        .filter(grant::Column::UserId.is_in(members.iter().map(|(_, user)| *user)))
        .filter(known_grants(ctx))
        .find_also_related(role::Entity)
        .order_by_asc(role::Column::CodeKey)
        .all(ctx.app.db.read())
        .await?;
    let mut roles: HashMap<_, Vec<_>> = HashMap::new();
    for (grant, role) in rows {
        if let (Some(organization), Some(role)) = (grant.organization_id, role) {
            roles.entry((organization, grant.user_id)).or_default().push(role);
        }
    }
    Ok(roles)
}

fn check(filter: &MemberFilter) -> Result<()> {
    let MemberFilter { role_codes, text } = filter;
    page::check_filter(role_codes.as_ref().map(Vec::len))?;
    text::check(text.as_deref())
}

/// Where the caller reads organisations or users by a grant.
fn reach(ctx: &Ctx) -> Reach {
    match (ctx.actor.reach(Permission::OrgRead), ctx.actor.reach(Permission::UserRead)) {
        (Reach::Orgs(mut orgs), Reach::Orgs(more)) => {
            orgs.extend(more);
            Reach::Orgs(orgs)
        }
        _ => Reach::Everywhere,
    }
}

fn visible(ctx: &Ctx) -> Select<membership::Entity> {
    let all = membership::Entity::find();
    let reached = match (&ctx.actor, reach(ctx)) {
        (Actor::Anonymous, _) => return all.filter(Expr::value(false)),
        (_, Reach::Everywhere) => return all,
        (_, Reach::Orgs(orgs)) => orgs,
    };
    let Some(me) = ctx.actor.user_id() else { return all.filter(Expr::value(false)) };
    let fellows = Condition::any()
        .add(membership::Column::UserId.eq(me))
        .add(membership::Column::OrganizationId.in_subquery(fellowships(me)))
        .add(membership::Column::OrganizationId.is_in(reached));
    all.filter(fellows)
}

/// Who holds what is for the holders, and for those who read organisations or users there.
fn known_grants(ctx: &Ctx) -> Condition {
    match reach(ctx) {
        Reach::Everywhere => Condition::all(),
        Reach::Orgs(orgs) => Condition::any()
            .add_option(ctx.actor.user_id().map(|id| grant::Column::UserId.eq(id)))
            .add(grant::Column::OrganizationId.is_in(orgs)),
    }
}

fn matching(ctx: &Ctx, filter: &MemberFilter) -> Condition {
    let MemberFilter { role_codes, text } = filter;
    Condition::all()
        .add_option(role_codes.as_ref().map(|codes| Expr::exists(holding(ctx, codes))))
        .add_option(text.as_ref().map(|text| membership::Column::UserId.in_subquery(named(ctx, text))))
}

/// The grant, in the organisation of the membership, of one of these roles: only such as the caller may know of, or the
/// filter would tell.
fn holding(ctx: &Ctx, codes: &[String]) -> SelectStatement {
    grant::Entity::find()
        .select_only()
        .column(grant::Column::Id)
        .inner_join(role::Entity)
        .filter(role::Column::CodeKey.is_in(codes.iter().map(|code| names::name_key(code))))
        .filter(
            Expr::col((grant::Entity, grant::Column::UserId))
                .equals((membership::Entity, membership::Column::UserId)),
        )
        .filter(
            Expr::col((grant::Entity, grant::Column::OrganizationId))
                .equals((membership::Entity, membership::Column::OrganizationId)),
        )
        .filter(known_grants(ctx))
        .into_query()
}

/// By what everybody sees of a user; never by the address, which the answers would tell.
fn named(ctx: &Ctx, text: &str) -> SelectStatement {
    user::Entity::find()
        .select_only()
        .column(user::Column::Id)
        .filter(
            Condition::any().add(text::contains_key(user::Column::UserNameKey, text)).add(text::contains(
                ctx.app.db.backend(),
                user::Column::Name,
                text,
            )),
        )
        .into_query()
}
