//! Finding the application that a request names.

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
    let Some(text) = id else {
        return Ok(ctx.app.default_application);
    };
    let found = match ids::decode_as(Kind::Application, text) {
        Some(id) => application::Entity::find_by_id(id).one(ctx.app.db.read()).await?,
        None => None,
    };
    match found.filter(|application| application.active) {
        Some(application) => Ok(application.id),
        None => {
            Err(Fault::new(ErrorCode::NotFound, &["applicationId"], "There is no such application.").into())
        }
    }
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
