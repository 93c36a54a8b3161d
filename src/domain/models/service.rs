//! Finding models, and what other rooms may ask of this one.

use std::collections::HashMap;

use entity::{model, user_model};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, Order, PaginatorTrait, QueryFilter, QueryOrder, Select,
    sea_query::Expr,
};
use uuid::Uuid;

pub use super::{
    upsert::{ModelChange, upsert},
    users::{ModelInput, Wanted, faults, replace, replace_for_user},
};
use crate::{
    authz::Actor,
    context::Ctx,
    domain::identity::names,
    error::Result,
    page::{self, Page, PageArgs, Sort},
};

#[derive(Default)]
pub struct ModelFilter {
    pub source_language: Option<String>,
    pub target_language: Option<String>,
    pub active: Option<bool>,
}

/// In the order of their uuids.
pub async fn list(ctx: &Ctx, filter: &ModelFilter, page: &PageArgs) -> Result<Page<model::Model>> {
    let sort =
        Sort { list: "models:uuid", column: model::Column::Uuid, id: model::Column::Id, order: Order::Asc };
    page::fetch(ctx.app.db.read(), visible(ctx).filter(matching(filter)), &sort, page).await
}

pub async fn count(ctx: &Ctx, filter: &ModelFilter) -> Result<u64> {
    Ok(visible(ctx).filter(matching(filter)).count(ctx.app.db.read()).await?)
}

pub async fn by_ids(ctx: &Ctx, ids: impl IntoIterator<Item = Uuid>) -> Result<HashMap<Uuid, model::Model>> {
    let ids: Vec<_> = ids.into_iter().collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = visible(ctx).filter(model::Column::Id.is_in(ids)).all(ctx.app.db.read()).await?;
    Ok(rows.into_iter().map(|model| (model.id, model)).collect())
}

/// The models of these users, whom the caller sees, by their pairs of languages.
pub async fn of_users(ctx: &Ctx, user_ids: &[Uuid]) -> Result<HashMap<Uuid, Vec<model::Model>>> {
    let rows = user_model::Entity::find()
        .filter(user_model::Column::UserId.is_in(user_ids.iter().copied()))
        .order_by_asc(user_model::Column::SourceLanguage)
        .order_by_asc(user_model::Column::TargetLanguage)
        .find_also_related(model::Entity)
        .all(ctx.app.db.read())
        .await?;
    let mut models: HashMap<Uuid, Vec<model::Model>> = HashMap::new();
    for (held, model) in rows {
        models.entry(held.user_id).or_default().extend(model);
    }
    Ok(models)
}

/// Models are no secret: whoever is signed in may know what there is.
fn visible(ctx: &Ctx) -> Select<model::Entity> {
    match ctx.actor {
        Actor::Anonymous => model::Entity::find().filter(Expr::value(false)),
        Actor::System | Actor::User(_) | Actor::ApiKey(_) => model::Entity::find(),
    }
}

fn matching(filter: &ModelFilter) -> Condition {
    let ModelFilter { source_language, target_language, active } = filter;
    // What is no language is the language of no model.
    let tag = |text: &String| language(text).unwrap_or_default();
    Condition::all()
        .add_option(source_language.as_ref().map(|text| model::Column::SourceLanguage.eq(tag(text))))
        .add_option(target_language.as_ref().map(|text| model::Column::TargetLanguage.eq(tag(text))))
        .add_option(active.map(|active| model::Column::Active.eq(active)))
}

/// The one spelling of a language tag (BCP 47, RFC 5646 2.1.1): `PT-br` is `pt-BR`, `zh-hant` is `zh-Hant`. `None` for what
/// is no tag.
pub fn language(text: &str) -> Option<String> {
    let text = text.trim();
    if !names::is_language_tag(text) {
        return None;
    }
    let mut after_singleton = false;
    let parts = text.split('-').enumerate().map(|(index, part)| {
        let lower = part.to_ascii_lowercase();
        let plain = index == 0 || after_singleton;
        after_singleton |= part.len() == 1;
        match part.len() {
            2 if !plain => lower.to_ascii_uppercase(),
            4 if !plain && part.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
                lower[..1].to_ascii_uppercase() + &lower[1..]
            }
            _ => lower,
        }
    });
    Some(parts.collect::<Vec<_>>().join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_has_one_spelling() {
        for (text, tag) in [
            ("DE", "de"),
            (" pt-br ", "pt-BR"),
            ("ZH-hANT-tw", "zh-Hant-TW"),
            ("sl-ROZAJ-1994", "sl-rozaj-1994"),
            ("en-US-U-CA-gregory", "en-US-u-ca-gregory"),
        ] {
            assert_eq!(language(text).as_deref(), Some(tag));
            assert_eq!(language(tag).as_deref(), Some(tag));
        }
        for text in ["", "german!", "de_DE", "d\u{0}"] {
            assert_eq!(language(text), None);
        }
    }
}
