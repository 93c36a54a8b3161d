//! Making and changing models.

use std::collections::HashMap;

use entity::{model, user_model};
use sea_orm::{
    ColumnTrait, EntityTrait, ExprTrait, FromQueryResult, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect,
    sea_query::{Alias, Expr, JoinType, LockType, OnConflict, Query},
};
use serde_json::json;
use uuid::Uuid;

use super::service;
use crate::{
    authz::{Permission, Scope},
    bulk::{self, Run},
    change::Change,
    context::Ctx,
    db::Txn,
    domain::{
        events::log::{self, EventType, NewEvent},
        identity::names,
    },
    error::{Error, ErrorCode, Fault, Result},
    ids::Kind,
};

/// One model, as it shall be. What is left out stays, or is as usual for a new model.
pub struct ModelChange {
    pub uuid: String,
    pub source_language: String,
    pub target_language: String,
    pub name: Change<String>,
    pub active: Option<bool>,
}

/// Makes or changes models by their uuids: all of them or none. Answers them in their order; none for a dry run.
///
/// Whoever works with a model whose languages change goes on with it; where they have another one of the new pair, the
/// change is a conflict.
pub async fn upsert(ctx: &Ctx, run: Run, changes: Vec<ModelChange>) -> Result<Vec<model::Model>> {
    ctx.actor.require(Permission::ModelUpsert, Scope::Platform)?;
    bulk::check_size("models", changes.len())?;
    let uuids: Vec<_> = changes.iter().map(|change| change.uuid.trim()).collect();
    bulk::judge("models", "uuid", uuids.iter().zip(changes.iter().map(check)))?;
    let txn = ctx.app.db.begin().await?;
    let present = model::Entity::find()
        .filter(model::Column::Uuid.is_in(uuids))
        .order_by_asc(model::Column::Uuid)
        // Nobody is given them meanwhile.
        .lock(LockType::Update)
        .all(&*txn)
        .await?;
    let present: HashMap<_, _> = present.into_iter().map(|model| (model.uuid.clone(), model)).collect();
    let wanted: Vec<_> = changes.into_iter().map(|change| change.over(ctx, &present)).collect();
    let conflicts = conflicts(&txn, &wanted, &present).await?;
    bulk::refuse(conflicts)?;
    let written = write(&txn, ctx, &wanted, &present).await?;
    let shown = |model: model::Model| written.get(&model.uuid).cloned().unwrap_or(model);
    run.end(txn, wanted.into_iter().map(shown).collect()).await
}

/// Every fault of one item that shows without a look into the database.
fn check(change: &ModelChange) -> Vec<Fault> {
    let ModelChange { uuid, source_language, target_language, name, active: _ } = change;
    let mut faults = Vec::new();
    let problem =
        if uuid.trim().is_empty() { Some("It is empty.") } else { names::text_problem(uuid.trim()) };
    faults.extend(problem.map(|problem| Fault::invalid("uuid", problem)));
    for (field, text) in [("sourceLanguage", source_language), ("targetLanguage", target_language)] {
        if service::language(text).is_none() {
            faults.push(Fault::invalid(field, "This is not a language tag such as `de` or `pt-BR`."));
        }
    }
    if let Some(problem) = name.value().and_then(|text| names::text_problem(text)) {
        faults.push(Fault::invalid("name", problem));
    }
    faults
}

impl ModelChange {
    /// The row as it shall be.
    fn over(self, ctx: &Ctx, present: &HashMap<String, model::Model>) -> model::Model {
        let Self { uuid, source_language, target_language, name, active } = self;
        let now = ctx.now();
        let before = present.get(uuid.trim());
        let mut model = before.cloned().unwrap_or_else(|| model::Model {
            id: ctx.new_id(),
            uuid: uuid.trim().to_owned(),
            name: None,
            source_language: String::new(),
            target_language: String::new(),
            active: true,
            created_at: now,
            updated_at: now,
        });
        model.source_language = service::language(&source_language).unwrap_or_default();
        model.target_language = service::language(&target_language).unwrap_or_default();
        model.name = name.over(model.name);
        model.active = active.unwrap_or(model.active);
        if before.is_some_and(|before| *before != model) {
            model.updated_at = now;
        }
        model
    }
}

/// A model that somebody works with beside one whose pair changes.
#[derive(FromQueryResult)]
struct Beside {
    changed: Uuid,
    other: Uuid,
    source_language: String,
    target_language: String,
}

/// The items whose new pair somebody has already, by another model that has it afterwards.
async fn conflicts(
    txn: &Txn,
    wanted: &[model::Model],
    present: &HashMap<String, model::Model>,
) -> Result<Vec<Fault>> {
    let moves =
        |model: &&model::Model| present.get(&model.uuid).is_some_and(|before| pair(before) != pair(model));
    let moving: Vec<_> = wanted.iter().filter(moves).map(|model| model.id).collect();
    if moving.is_empty() {
        return Ok(Vec::new());
    }
    let (held, beside) = (Alias::new("held"), Alias::new("beside"));
    let column = |table: &Alias, column: user_model::Column| Expr::col((table.clone(), column));
    let same_user =
        column(&held, user_model::Column::UserId).equals((beside.clone(), user_model::Column::UserId));
    let query = Query::select()
        .distinct()
        .expr_as(column(&held, user_model::Column::ModelId), "changed")
        .expr_as(column(&beside, user_model::Column::ModelId), "other")
        .column((beside.clone(), user_model::Column::SourceLanguage))
        .column((beside.clone(), user_model::Column::TargetLanguage))
        .from_as(user_model::Entity, held.clone())
        .join_as(JoinType::InnerJoin, user_model::Entity, beside.clone(), same_user)
        .and_where(column(&held, user_model::Column::ModelId).is_in(moving))
        .and_where(
            column(&held, user_model::Column::ModelId)
                .not_equals((beside.clone(), user_model::Column::ModelId)),
        )
        .to_owned();
    let backend = sea_orm::ConnectionTrait::get_database_backend(&**txn);
    let beside = Beside::find_by_statement(backend.build(&query)).all(&**txn).await?;
    let afterwards: HashMap<_, _> = wanted.iter().map(|model| (model.id, pair(model))).collect();
    let clash = |model: &model::Model| {
        beside.iter().filter(|row| row.changed == model.id).any(|row| {
            let others = (row.source_language.as_str(), row.target_language.as_str());
            *afterwards.get(&row.other).unwrap_or(&others) == pair(model)
        })
    };
    let fault = |index| {
        let message = "Somebody works with this model and with another one of the new pair.";
        Fault::new(ErrorCode::Conflict, &[], message).of_item("models", index)
    };
    Ok(wanted.iter().enumerate().filter(|(_, model)| clash(model)).map(|(index, _)| fault(index)).collect())
}

fn pair(model: &model::Model) -> (&str, &str) {
    (&model.source_language, &model.target_language)
}

/// Writes what differs, and its events; answers it as it is now, by the uuids.
async fn write(
    txn: &Txn,
    ctx: &Ctx,
    wanted: &[model::Model],
    present: &HashMap<String, model::Model>,
) -> Result<HashMap<String, model::Model>> {
    let differing = wanted.iter().filter(|model| present.get(&model.uuid) != Some(*model));
    // In one order, so that two lists with the same models do not wait for each other in a ring.
    let mut differing: Vec<_> = differing.collect();
    differing.sort_by(|left, right| left.uuid.cmp(&right.uuid));
    // Somebody may have made a model of this uuid a moment ago: then this is a change of it.
    let on_conflict = OnConflict::column(model::Column::Uuid)
        .update_columns([
            model::Column::SourceLanguage,
            model::Column::TargetLanguage,
            model::Column::Name,
            model::Column::Active,
            model::Column::UpdatedAt,
        ])
        .to_owned();
    let rows = differing.into_iter().cloned().map(IntoActiveModel::into_active_model);
    let written = model::Entity::insert_many(rows).on_conflict(on_conflict).exec_with_returning(&**txn).await;
    // Two models that change places are in each other's way, row by row.
    let message = "These changes of languages are in each other's way: make them one after the other.";
    let in_the_way = Fault::new(ErrorCode::Conflict, &["models"], message);
    let key = "user_models.user_id.source_language.target_language";
    let written = written.map_err(|error| Error::from(error).on_conflict(key, in_the_way))?;
    let event = |model: &model::Model| {
        let model::Model { id, uuid, name, source_language, target_language, active, .. } = model;
        NewEvent::of(EventType::ModelUpserted).on(Kind::Model, *id).with(json!({
            "uuid": uuid, "name": name, "active": active,
            "sourceLanguage": source_language, "targetLanguage": target_language,
        }))
    };
    log::record_all(txn, ctx, written.iter().map(event).collect()).await?;
    Ok(written.into_iter().map(|model| (model.uuid.clone(), model)).collect())
}
