//! Finding people. Every finder takes the caller and looks only where the caller may look: whoever is out of reach
//! does not exist, in whatever way one asks.

use std::collections::{HashMap, HashSet};

use entity::{Timestamp, UserStatus, grant, membership, organization, role, user};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, ExprTrait, Order, PaginatorTrait, QueryFilter,
    QuerySelect, QueryTrait, Select, Value,
    sea_query::{Expr, Query, SelectStatement, SimpleExpr},
};
use uuid::Uuid;

use super::{
    looking::{self, Look, Person},
    names, text,
};
use crate::{
    authz::{Actor, Permission, Reach},
    context::Ctx,
    db::Pace,
    domain::{orgs::service as orgs_of, roles::service as roles_of},
    error::Result,
    page::{self, Page, PageArgs, Sort},
};

/// How to name one user.
pub enum UserBy {
    Id(Uuid),
    UserName(String),
    Email(String),
}

#[derive(Default, PartialEq, Eq)]
pub struct UserFilter {
    pub ids: Option<Vec<Uuid>>,
    pub user_names: Option<Vec<String>>,
    pub emails: Option<Vec<String>>,
    pub role_codes: Option<Vec<String>>,
    pub org_codes: Option<Vec<String>>,
    pub status: Option<Vec<UserStatus>>,
    pub text: Option<String>,
    pub created_after: Option<Timestamp>,
    pub created_before: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserOrderField {
    CreatedAt,
    UserName,
    Name,
    LastLoginAt,
}

pub struct UserOrder {
    pub field: UserOrderField,
    pub order: Order,
}

pub async fn find(ctx: &Ctx, by: UserBy, look: Look) -> Result<Option<Person>> {
    let found = match by {
        UserBy::Id(id) => of_ids(ctx, look, &[id]).await?,
        UserBy::UserName(name) => {
            let key = names::name_key(&name).into();
            by_key(ctx, look, "user_name", key, |key| user::Column::UserNameKey.eq(key)).await?
        }
        UserBy::Email(text) => {
            let Some(email) = names::email(&text) else { return Ok(None) };
            let proved = user::Column::EmailVerifiedAt.is_not_null();
            by_key(ctx, look, "email", email.key.into(), |key| user::Column::EmailKey.eq(key).and(proved))
                .await?
        }
    };
    Ok(found.into_iter().next_back())
}

/// The visible ones of those to whom `which` applies, of whom an index knows.
async fn by_key(
    ctx: &Ctx,
    look: Look,
    name: &'static str,
    value: Value,
    which: impl FnOnce(Value) -> SimpleExpr,
) -> Result<Vec<Person>> {
    if sees_everybody(ctx) {
        let chosen = || among_visible(ctx, which(value.clone()));
        return looking::openly_at(ctx, look, (name, &value), chosen).await;
    }
    // How long it takes to find out who is visible, nobody knows.
    looking::at(ctx, look, among_visible(ctx, which(value)), Pace::Unknown, |_| {}).await
}

/// The visible ones of those with these ids, each of which stands there once.
async fn of_ids(ctx: &Ctx, look: Look, ids: &[Uuid]) -> Result<Vec<Person>> {
    let chosen = |ids: &[Uuid]| among_visible(ctx, ctx.app.db.among(user::Column::Id, ids));
    if sees_everybody(ctx) {
        return looking::openly_of(ctx, look, ids, chosen).await;
    }
    looking::at(ctx, look, chosen(ids), Pace::Unknown, |_| {}).await
}

/// The visible ones of these users, in one statement.
pub async fn by_ids(ctx: &Ctx, ids: impl IntoIterator<Item = Uuid>) -> Result<HashMap<Uuid, user::Model>> {
    let ids: Vec<_> = ids.into_iter().collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = visible(ctx).filter(user::Column::Id.is_in(ids)).all(ctx.app.db.read()).await?;
    Ok(rows.into_iter().map(|user| (user.id, user)).collect())
}

/// The same, with what is looked at of them.
pub async fn look_up(ctx: &Ctx, mut ids: Vec<Uuid>, look: Look) -> Result<Vec<Person>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    ids.sort_unstable();
    ids.dedup();
    of_ids(ctx, look, &ids).await
}

/// Which of these users are visible: asked of the given connection, so that a transaction sees what it holds, and does
/// not wait for a second connection while it holds one.
pub async fn visible_among<C: ConnectionTrait>(db: &C, ctx: &Ctx, ids: &[Uuid]) -> Result<HashSet<Uuid>> {
    let ids = visible(ctx).filter(user::Column::Id.is_in(ids.iter().copied()));
    let ids = ids.select_only().column(user::Column::Id).into_tuple::<Uuid>().all(db).await?;
    Ok(ids.into_iter().collect())
}

/// The visible ones of the users with these names, with the key of the name, in one statement.
pub async fn by_user_names(ctx: &Ctx, names: &[String], mut look: Look) -> Result<Vec<Person>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let keys = names.iter().map(|name| names::name_key(name));
    let which = user::Column::UserNameKey.is_in(keys);
    look.columns.add(user::Column::UserNameKey);
    looking::at(ctx, look, among_visible(ctx, which), Pace::Unknown, |_| {}).await
}

pub async fn list(
    ctx: &Ctx,
    filter: &UserFilter,
    order: &UserOrder,
    page: &PageArgs,
    mut look: Look,
) -> Result<Page<Person>> {
    check(filter)?;
    let (name, column) = match (order.field, &order.order) {
        (UserOrderField::CreatedAt, Order::Asc) => ("users:created", user::Column::CreatedAt),
        (UserOrderField::CreatedAt, _) => ("users:-created", user::Column::CreatedAt),
        (UserOrderField::UserName, Order::Asc) => ("users:user_name", user::Column::UserNameKey),
        (UserOrderField::UserName, _) => ("users:-user_name", user::Column::UserNameKey),
        (UserOrderField::Name, Order::Asc) => ("users:name", user::Column::Name),
        (UserOrderField::Name, _) => ("users:-name", user::Column::Name),
        (UserOrderField::LastLoginAt, Order::Asc) => ("users:login", user::Column::LastLoginAt),
        (UserOrderField::LastLoginAt, _) => ("users:-login", user::Column::LastLoginAt),
    };
    let sort = Sort { list: name, column, id: user::Column::Id, order: order.order.clone() };
    look.columns.add(column);
    let people = page::within(visible(ctx).filter(matching(ctx, filter)), &sort, page)?;
    let people = people.select_only().into_query();
    // In these two orders an index finds the ends; where something is left out, it may be a long way to the next.
    let indexed = matches!(order.field, UserOrderField::CreatedAt | UserOrderField::UserName)
        && page.after.is_none()
        && page.before.is_none();
    let how_long = if indexed && sees_everybody(ctx) && *filter == UserFilter::default() {
        Pace::Quick
    } else {
        Pace::Unknown
    };
    let arrange = |statement: &mut SelectStatement| page::arrange(statement, &sort, page);
    let people = looking::at(ctx, look, people, how_long, arrange).await?;
    page::page_by(people, |person| &*person.row, &sort, page)
}

pub async fn count(ctx: &Ctx, filter: &UserFilter) -> Result<u64> {
    check(filter)?;
    Ok(visible(ctx).filter(matching(ctx, filter)).count(ctx.app.db.read()).await?)
}

fn check(filter: &UserFilter) -> Result<()> {
    let UserFilter {
        ids,
        user_names,
        emails,
        role_codes,
        org_codes,
        status,
        text: _,
        created_after: _,
        created_before: _,
    } = filter;
    let longest = [user_names, emails, role_codes, org_codes].into_iter().flatten().map(Vec::len).max();
    page::check_filter(longest.max(ids.as_ref().map(Vec::len)).max(status.as_ref().map(Vec::len)))
}

/// Everybody whom the caller may read.
fn visible(ctx: &Ctx) -> Select<user::Entity> {
    user::Entity::find().filter(readable(ctx))
}

/// Those of them to whom this applies, without a word on their columns: SeaORM's own selects name them all at first.
fn among_visible(ctx: &Ctx, which: SimpleExpr) -> SelectStatement {
    Query::select().from(user::Entity).cond_where(readable(ctx)).and_where(which).to_owned()
}

/// Whether nothing of users, and of what stands beside them, is hidden from the caller.
fn sees_everybody(ctx: &Ctx) -> bool {
    readable(ctx).is_empty() && looking::is_open(ctx)
}

/// Whom the caller may read: themselves, and whoever is in reach of their `user.read`.
fn readable(ctx: &Ctx) -> Condition {
    let own = ctx.actor.user_id().map(|id| user::Column::Id.eq(id));
    match (&ctx.actor, ctx.actor.reach(Permission::UserRead)) {
        (Actor::Anonymous, _) => Condition::any().add(Expr::value(false)),
        (_, Reach::Everywhere) => Condition::all(),
        (_, Reach::Orgs(orgs)) => Condition::any()
            .add_option(own)
            .add(user::Column::Id.in_subquery(members_of(membership::Column::OrganizationId.is_in(orgs)))),
    }
}

fn members_of(which: SimpleExpr) -> SelectStatement {
    Query::select().column(membership::Column::UserId).from(membership::Entity).and_where(which).to_owned()
}

fn matching(ctx: &Ctx, filter: &UserFilter) -> Condition {
    let UserFilter {
        ids,
        user_names,
        emails,
        role_codes,
        org_codes,
        status,
        text,
        created_after,
        created_before,
    } = filter;
    let keys = |texts: &Vec<String>| texts.iter().map(|text| names::name_key(text)).collect::<Vec<_>>();
    let addresses = |texts: &Vec<String>| {
        texts.iter().filter_map(|text| names::email(text)).map(|email| email.key).collect::<Vec<_>>()
    };
    Condition::all()
        .add_option(ids.as_ref().map(|ids| user::Column::Id.is_in(ids.iter().copied())))
        .add_option(user_names.as_ref().map(|names| user::Column::UserNameKey.is_in(keys(names))))
        .add_option(emails.as_ref().map(|emails| user::Column::EmailKey.is_in(addresses(emails))))
        .add_option(
            role_codes.as_ref().map(|codes| user::Column::Id.in_subquery(holders_of(ctx, keys(codes)))),
        )
        .add_option(
            org_codes.as_ref().map(|codes| user::Column::Id.in_subquery(members_of_codes(ctx, keys(codes)))),
        )
        .add_option(status.as_ref().map(|status| user::Column::Status.is_in(status.iter().copied())))
        .add_option(text.as_ref().map(|text| text::occurs(ctx.app.db.backend(), text)))
        .add_option(created_after.map(|at| user::Column::CreatedAt.gt(at)))
        .add_option(created_before.map(|at| user::Column::CreatedAt.lt(at)))
}

fn holders_of(ctx: &Ctx, role_keys: Vec<String>) -> SelectStatement {
    let roles = role::Entity::find().select_only().column(role::Column::Id);
    let roles = roles.filter(role::Column::CodeKey.is_in(role_keys)).into_query();
    let holders = grant::Entity::find().select_only().column(grant::Column::UserId);
    let holders =
        holders.filter(grant::Column::RoleId.in_subquery(roles)).filter(roles_of::visible_grants(ctx));
    holders.into_query()
}

fn members_of_codes(ctx: &Ctx, org_keys: Vec<String>) -> SelectStatement {
    let orgs = organization::Entity::find().select_only().column(organization::Column::Id);
    let orgs = orgs.filter(organization::Column::CodeKey.is_in(org_keys)).into_query();
    let members = membership::Entity::find().select_only().column(membership::Column::UserId);
    let members = members.filter(membership::Column::OrganizationId.in_subquery(orgs));
    members.filter(orgs_of::visible_memberships(ctx)).into_query()
}
