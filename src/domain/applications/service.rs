//! Finding the application that a request names.

use std::collections::{BTreeSet, HashSet};

use entity::application;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use crate::{
    context::Ctx,
    db::Db,
    error::{Error, ErrorCode, Fault, Result},
    ids::{self, Kind},
};

/// The active application with this public id, or the default one when none is named.
pub async fn named(ctx: &Ctx, id: Option<&str>) -> Result<Uuid> {
    let found = named_all(ctx, &[id]).await?.into_iter().next();
    Ok(found.unwrap_or_else(|| Err(no_such_application()))?)
}

/// The same of each of these, in one statement.
pub async fn named_all(ctx: &Ctx, texts: &[Option<&str>]) -> Result<Vec<Result<Uuid, Fault>>> {
    let ids: Vec<_> =
        texts.iter().map(|text| text.map(|text| ids::decode_as(Kind::Application, text))).collect();
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

fn no_such_application() -> Fault {
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
