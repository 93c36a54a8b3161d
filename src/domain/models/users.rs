//! Which models each person works with.

use std::collections::HashMap;

use entity::{model, user_model};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set, sea_query::LockType};
use uuid::Uuid;

use super::service;
use crate::{
    db::Txn,
    error::{Error, ErrorCode, Fault, Result},
};

/// One model for a person, named by its uuid. The pair must be the model's own.
#[derive(Clone, Debug)]
pub struct ModelInput {
    pub source_language: String,
    pub target_language: String,
    pub uuid: String,
}

/// The models that somebody shall work with: these and no others.
pub struct Wanted {
    pub user_id: Uuid,
    pub models: Vec<ModelInput>,
    /// Leads to the list: `["users", "3", "models"]`.
    pub path: Vec<String>,
}

/// [`replace`] for one user.
pub async fn replace_for_user(txn: &Txn, wanted: Wanted) -> Result<Vec<Uuid>> {
    replace(txn, &[wanted]).await
}

/// What stands against giving these models: for whoever has more to judge before anything is written.
pub async fn faults(txn: &Txn, wanted: &[Wanted]) -> Result<Vec<Fault>> {
    let models = hold(txn, wanted).await?;
    Ok(wanted.iter().flat_map(|item| item.faults(&models)).collect())
}

/// The models that are named, by their uuids.
async fn hold(txn: &Txn, wanted: &[Wanted]) -> Result<HashMap<String, model::Model>> {
    let named = wanted.iter().flat_map(|item| item.models.iter().take(MODELS_EACH));
    let uuids = named.map(|input| input.uuid.trim());
    let models = model::Entity::find()
        .filter(model::Column::Uuid.is_in(uuids.filter(|uuid| !uuid.contains('\0'))))
        .order_by_asc(model::Column::Uuid)
        // Their languages stay what they are until the end.
        .lock(LockType::Share)
        .all(&**txn)
        .await?;
    Ok(models.into_iter().map(|model| (model.uuid.clone(), model)).collect())
}

/// The most that one person works with: a statement holds only so many values.
const MODELS_EACH: usize = 50;

/// Gives these users these models and no others, in a constant number of statements. Answers whose models have changed:
/// the event is their caller's, and so is the question whether these users may be touched.
pub async fn replace(txn: &Txn, wanted: &[Wanted]) -> Result<Vec<Uuid>> {
    let models = hold(txn, wanted).await?;
    let faults: Vec<_> = wanted.iter().flat_map(|item| item.faults(&models)).collect();
    if !faults.is_empty() {
        return Err(Error::Faults(faults));
    }
    let of_these = || user_model::Column::UserId.is_in(wanted.iter().map(|item| item.user_id));
    let mut held: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
    for row in user_model::Entity::find().filter(of_these()).all(&**txn).await? {
        held.entry(row.user_id).or_default().push(row.model_id);
    }
    let changed = wanted.iter().filter_map(|item| {
        let named = item.models.iter().filter_map(|input| models.get(input.uuid.trim()));
        let mut named: Vec<_> = named.collect();
        named.sort_by_key(|model| model.id);
        let mut held = held.remove(&item.user_id).unwrap_or_default();
        held.sort();
        let same = named.iter().map(|model| model.id).eq(held);
        (!same).then_some((item.user_id, named))
    });
    let changed: Vec<_> = changed.collect();
    let ids: Vec<_> = changed.iter().map(|(id, _)| *id).collect();
    if ids.is_empty() {
        return Ok(ids);
    }
    user_model::Entity::delete_many()
        .filter(user_model::Column::UserId.is_in(ids.iter().copied()))
        .exec(&**txn)
        .await?;
    let rows = changed.iter().flat_map(|(user_id, models)| models.iter().map(|model| row(*user_id, model)));
    user_model::Entity::insert_many(rows).exec_without_returning(&**txn).await?;
    Ok(ids)
}

fn row(user_id: Uuid, model: &model::Model) -> user_model::ActiveModel {
    user_model::ActiveModel {
        user_id: Set(user_id),
        model_id: Set(model.id),
        source_language: Set(model.source_language.clone()),
        target_language: Set(model.target_language.clone()),
    }
}

impl Wanted {
    fn faults(&self, models: &HashMap<String, model::Model>) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.models.len() > MODELS_EACH {
            let path: Vec<_> = self.path.iter().map(String::as_str).collect();
            let message = format!("At most {MODELS_EACH} models for one user.");
            return vec![Fault::new(ErrorCode::TooManyItems, &path, message)];
        }
        let mut pairs = Vec::new();
        for (index, input) in self.models.iter().enumerate() {
            let ModelInput { source_language, target_language, uuid } = input;
            let index = index.to_string();
            let path: Vec<_> = self.path.iter().map(String::as_str).chain([index.as_str()]).collect();
            let at = |code, field: &'static str, message| {
                let path: Vec<_> = path.iter().copied().chain([field]).collect();
                Fault::new(code, &path, message)
            };
            match models.get(uuid.trim()) {
                None => faults.push(at(ErrorCode::NotFound, "uuid", "There is no such model.")),
                Some(model) if !model.active => {
                    faults.push(at(ErrorCode::Inactive, "uuid", "This model is not in use."));
                }
                Some(model) => {
                    let (source, target) = (&model.source_language, &model.target_language);
                    let languages = [
                        ("sourceLanguage", source_language, source),
                        ("targetLanguage", target_language, target),
                    ];
                    let differing = languages
                        .into_iter()
                        .filter(|(_, said, right)| service::language(said).as_ref() != Some(right));
                    let message = "This is not the language of the model.";
                    faults.extend(differing.map(|(field, ..)| at(ErrorCode::Invalid, field, message)));
                    if pairs.contains(&(source, target)) {
                        let message = "There is one model for each pair of languages.";
                        faults.push(Fault::new(ErrorCode::Invalid, &path, message));
                    }
                    pairs.push((source, target));
                }
            }
        }
        faults
    }
}
