//! Finding applications: the one that a request names, and those that an administrator looks at.

use std::collections::{BTreeSet, HashMap, HashSet};

use entity::application;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, Order, PaginatorTrait, QueryFilter, QuerySelect, QueryTrait,
    sea_query::SelectStatement,
};
use uuid::Uuid;

pub use super::{
    changing::{ApplicationChange, Backend, NewApplication, Registered, register, rotate_secret, update},
    links::{exported as exported_links, release},
    secrets::SecretKind,
};
use crate::{
    authz::{Permission, Scope},
    context::Ctx,
    db::Db,
    error::{Error, ErrorCode, Fault, Result},
    ids::{self, Kind},
    page::{self, Page, PageArgs, Sort},
};

/// The active application with this public id, or with the one that the request's header names, or the default one when
/// none is named.
pub async fn named(ctx: &Ctx, id: Option<&str>) -> Result<Uuid> {
    let found = named_all(ctx, &[id]).await?.into_iter().next();
    Ok(found.unwrap_or_else(|| Err(no_such_application()))?)
}

/// The same of each of these, in one statement.
pub async fn named_all(ctx: &Ctx, texts: &[Option<&str>]) -> Result<Vec<Result<Uuid, Fault>>> {
    let of_request = ctx.request.application.as_deref();
    let ids: Vec<_> = texts
        .iter()
        .map(|text| text.or(of_request).map(|text| ids::decode_as(Kind::Application, text)))
        .collect();
    let known: BTreeSet<_> = ids.iter().flatten().flatten().copied().collect();
    let active: HashSet<Uuid> = if known.is_empty() {
        HashSet::new()
    } else {
        let rows = application::Entity::find()
            .select_only()
            .column(application::Column::Id)
            .filter(application::Column::Id.is_in(known))
            .filter(application::Column::Active.eq(true));
        rows.into_tuple().all(ctx.app.db.read()).await?.into_iter().collect()
    };
    let answer = |id: Option<Option<Uuid>>| match id {
        None => Ok(ctx.app.default_application),
        Some(id) => id.filter(|id| active.contains(id)).ok_or_else(no_such_application),
    };
    Ok(ids.into_iter().map(answer).collect())
}

/// The ids of those that are active, as a part of a statement: a session counts only while its application does.
pub fn active() -> SelectStatement {
    let ids = application::Entity::find().select_only().column(application::Column::Id);
    ids.filter(application::Column::Active.eq(true)).into_query()
}

/// Refuses to let anybody in for an application that has been switched off meanwhile.
pub async fn require_active<C: ConnectionTrait>(db: &C, id: Uuid) -> Result<()> {
    let found = application::Entity::find_by_id(id).filter(application::Column::Active.eq(true));
    if found.count(db).await? == 0 { Err(no_such_application().into()) } else { Ok(()) }
}

pub(super) fn no_such_application() -> Fault {
    Fault::new(ErrorCode::NotFound, &["applicationId"], "There is no such application.")
}

pub async fn default_application(db: &Db) -> Result<Uuid> {
    application::Entity::find()
        .select_only()
        .column(application::Column::Id)
        .filter(application::Column::IsDefault.eq(true))
        .into_tuple()
        .one(db.read())
        .await?
        .ok_or_else(|| Error::internal("the default application is missing"))
}

/// All of them, by name.
pub async fn list(ctx: &Ctx, page: &PageArgs) -> Result<Page<application::Model>> {
    ctx.actor.require(Permission::AppRegister, Scope::Platform)?;
    let sort = Sort {
        list: "applications:name",
        column: application::Column::NameKey,
        id: application::Column::Id,
        order: Order::Asc,
    };
    page::fetch(ctx.app.db.read(), application::Entity::find(), &sort, page).await
}

pub async fn count(ctx: &Ctx) -> Result<u64> {
    ctx.actor.require(Permission::AppRegister, Scope::Platform)?;
    Ok(application::Entity::find().count(ctx.app.db.read()).await?)
}

/// None at all for whoever may not register any.
pub async fn by_ids(
    ctx: &Ctx,
    ids: impl IntoIterator<Item = Uuid>,
) -> Result<HashMap<Uuid, application::Model>> {
    let ids: Vec<_> = ids.into_iter().collect();
    if ids.is_empty() || !ctx.actor.may(Permission::AppRegister, Scope::Platform) {
        return Ok(HashMap::new());
    }
    let rows = application::Entity::find().filter(application::Column::Id.is_in(ids));
    let rows = rows.all(ctx.app.db.read()).await?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}
