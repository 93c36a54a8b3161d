//! Finding organisations. As with people: what the caller may not see does not exist.

use std::collections::HashMap;

use entity::{membership, organization};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, Order, PaginatorTrait, QueryFilter, QuerySelect, Select,
    sea_query::{Expr, Query, SelectStatement},
};
use uuid::Uuid;

use super::text;
use crate::{
    authz::{Actor, Permission, Reach},
    context::Ctx,
    db::Txn,
    domain::identity::names,
    error::Result,
    page::{self, Page, PageArgs, Sort},
};

pub enum OrganizationBy {
    Id(Uuid),
    Code(String),
}

#[derive(Default)]
pub struct OrganizationFilter {
    pub codes: Option<Vec<String>>,
    pub active: Option<bool>,
    /// Contained in the code or the name.
    pub text: Option<String>,
}

pub async fn find(ctx: &Ctx, by: OrganizationBy) -> Result<Option<organization::Model>> {
    let which = match by {
        OrganizationBy::Id(id) => organization::Column::Id.eq(id),
        OrganizationBy::Code(code) => organization::Column::CodeKey.eq(names::name_key(&code)),
    };
    Ok(visible(ctx).filter(which).one(ctx.app.db.read()).await?)
}

pub async fn by_ids(
    ctx: &Ctx,
    ids: impl IntoIterator<Item = Uuid>,
) -> Result<HashMap<Uuid, organization::Model>> {
    let ids: Vec<_> = ids.into_iter().collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = visible(ctx).filter(organization::Column::Id.is_in(ids)).all(ctx.app.db.read()).await?;
    Ok(rows.into_iter().map(|org| (org.id, org)).collect())
}

/// All of these, seen through something of theirs that the caller may see: a membership, an invitation.
pub async fn seen_through(
    ctx: &Ctx,
    ids: impl IntoIterator<Item = Uuid>,
) -> Result<HashMap<Uuid, organization::Model>> {
    let rows = organization::Entity::find().filter(organization::Column::Id.is_in(ids));
    Ok(rows.all(ctx.app.db.read()).await?.into_iter().map(|org| (org.id, org)).collect())
}

/// By the key of the code.
pub async fn by_codes(ctx: &Ctx, codes: &[String]) -> Result<HashMap<String, organization::Model>> {
    if codes.is_empty() {
        return Ok(HashMap::new());
    }
    let keys = codes.iter().map(|code| names::name_key(code));
    let rows = visible(ctx).filter(organization::Column::CodeKey.is_in(keys)).all(ctx.app.db.read()).await?;
    Ok(rows.into_iter().map(|org| (org.code_key.clone(), org)).collect())
}

pub async fn list(
    ctx: &Ctx,
    filter: &OrganizationFilter,
    page: &PageArgs,
) -> Result<Page<organization::Model>> {
    check(filter)?;
    let sort = Sort {
        list: "organizations:code",
        column: organization::Column::CodeKey,
        id: organization::Column::Id,
        order: Order::Asc,
    };
    page::fetch(ctx.app.db.read(), visible(ctx).filter(matching(ctx, filter)), &sort, page).await
}

pub async fn count(ctx: &Ctx, filter: &OrganizationFilter) -> Result<u64> {
    check(filter)?;
    Ok(visible(ctx).filter(matching(ctx, filter)).count(ctx.app.db.read()).await?)
}

/// The primary organisations of these users, as far as the caller may see them.
pub async fn primary_of_users(ctx: &Ctx, user_ids: &[Uuid]) -> Result<HashMap<Uuid, organization::Model>> {
    let rows = membership::Entity::find()
        .filter(membership::Column::UserId.is_in(user_ids.iter().copied()))
        .filter(membership::Column::IsPrimary.eq(true))
        .filter(visible_memberships(ctx))
        .find_also_related(organization::Entity)
        .all(ctx.app.db.read())
        .await?;
    Ok(rows.into_iter().filter_map(|(membership, org)| Some((membership.user_id, org?))).collect())
}

/// For which organisation each of these users works in the first place. It asks nobody's leave: for the log.
pub async fn primary_places(txn: &Txn, user_ids: &[Uuid]) -> Result<HashMap<Uuid, Uuid>> {
    let rows: Vec<(Uuid, Uuid)> = membership::Entity::find()
        .select_only()
        .column(membership::Column::UserId)
        .column(membership::Column::OrganizationId)
        .filter(membership::Column::UserId.is_in(user_ids.iter().copied()))
        .filter(membership::Column::IsPrimary.eq(true))
        .into_tuple()
        .all(&**txn)
        .await?;
    Ok(rows.into_iter().collect())
}

fn check(filter: &OrganizationFilter) -> Result<()> {
    let OrganizationFilter { codes, active: _, text } = filter;
    page::check_filter(codes.as_ref().map(Vec::len))?;
    text::check(text.as_deref())
}

/// The memberships that the caller may know of: their own, and those of organisations that they belong to, or in which
/// they read users. That an organisation is listed tells nobody who its members are. Fields and filters ask the same.
pub fn visible_memberships(ctx: &Ctx) -> Condition {
    let Some(id) = ctx.actor.user_id() else {
        let all = matches!(ctx.actor, Actor::System);
        return if all { Condition::all() } else { Condition::any().add(Expr::value(false)) };
    };
    match ctx.actor.reach(Permission::UserRead) {
        Reach::Everywhere => Condition::all(),
        Reach::Orgs(orgs) => Condition::any()
            .add(membership::Column::UserId.eq(id))
            .add(membership::Column::OrganizationId.in_subquery(fellowships(id)))
            .add(membership::Column::OrganizationId.is_in(orgs)),
    }
}

/// The active ones: only in them something can be held, and only in them members see each other.
pub fn active() -> SelectStatement {
    Query::select()
        .column(organization::Column::Id)
        .from(organization::Entity)
        .and_where(organization::Column::Active.eq(true))
        .to_owned()
}

/// The organisations whose members the user sees for belonging to them. (A deactivated one is still the user's own to
/// see, and to leave.)
pub fn fellowships(user_id: Uuid) -> SelectStatement {
    own_organizations(user_id).and_where(membership::Column::OrganizationId.in_subquery(active())).take()
}

fn own_organizations(user_id: Uuid) -> SelectStatement {
    Query::select()
        .column(membership::Column::OrganizationId)
        .from(membership::Entity)
        .and_where(membership::Column::UserId.eq(user_id))
        .to_owned()
}

fn visible(ctx: &Ctx) -> Select<organization::Entity> {
    organization::Entity::find().filter(visibility(ctx))
}

/// Listed ones are for everybody; the others for their members, and for whoever reads organisations there.
fn visibility(ctx: &Ctx) -> Condition {
    let listed = Condition::all()
        .add(organization::Column::Listed.eq(true))
        .add(organization::Column::Active.eq(true));
    let Some(user) = ctx.actor.signed_in() else {
        let all = matches!(ctx.actor, Actor::System);
        return if all { Condition::all() } else { Condition::any().add(listed) };
    };
    let own = own_organizations(user.user_id);
    match ctx.actor.reach(Permission::OrgRead) {
        Reach::Everywhere => Condition::all(),
        Reach::Orgs(orgs) => Condition::any()
            .add(listed)
            .add(organization::Column::Id.in_subquery(own))
            .add(organization::Column::Id.is_in(orgs)),
    }
}

fn matching(ctx: &Ctx, filter: &OrganizationFilter) -> Condition {
    let OrganizationFilter { codes, active, text } = filter;
    let containing = |text: &String| {
        Condition::any().add(text::contains_key(organization::Column::CodeKey, text)).add(text::contains(
            ctx.app.db.backend(),
            organization::Column::Name,
            text,
        ))
    };
    let keys = |codes: &Vec<String>| codes.iter().map(|code| names::name_key(code)).collect::<Vec<_>>();
    Condition::all()
        .add_option(codes.as_ref().map(|codes| organization::Column::CodeKey.is_in(keys(codes))))
        .add_option(active.map(|active| organization::Column::Active.eq(active)))
        .add_option(text.as_ref().map(containing))
}
