//! The profile: what people say about themselves.

use entity::user;
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, QuerySelect, Set, sea_query::LockType};
use serde_json::json;

use crate::{
    change::Change,
    context::Ctx,
    domain::{
        events::log::{self, EventType, NewEvent},
        identity::names,
    },
    error::{Error, ErrorCode, Fault, Result},
    ids::Kind,
};

/// What to change; what is kept stays as it is.
#[derive(Default)]
pub struct Profile {
    pub name: Change<String>,
    pub given_name: Change<String>,
    pub family_name: Change<String>,
    pub gender: Change<String>,
    pub locale: Change<String>,
    pub avatar_url: Change<String>,
}

pub async fn update_profile(ctx: &Ctx, profile: Profile) -> Result<user::Model> {
    let id = ctx.actor.in_person().ok_or_else(Error::forbidden)?.user_id;
    check(&profile)?;
    let txn = ctx.app.db.begin().await?;
    let gone = || Error::refused(ErrorCode::Unauthenticated, "This account is gone.");
    // Held, so that two changes at once build on each other and none undoes the other.
    let user = user::Entity::find_by_id(id).lock(LockType::NoKeyUpdate);
    let user = user.one(&*txn).await?.ok_or_else(gone)?;
    let (changed, fields) = apply(&user, profile);
    if fields.is_empty() {
        return Ok(user);
    }
    let mut row = user.into_active_model();
    let [name, given_name, family_name, gender, locale, avatar_url] = changed;
    (row.name, row.given_name, row.family_name) = (Set(name), Set(given_name), Set(family_name));
    (row.gender, row.locale, row.avatar_url) = (Set(gender), Set(locale), Set(avatar_url));
    row.updated_at = Set(ctx.now());
    let user = row.update(&*txn).await?;
    // The names of the fields and not what they hold: the log keeps no second copy of a person.
    let event = NewEvent::of(EventType::UserUpdated).on(Kind::User, id).with(json!({ "fields": fields }));
    log::record(&txn, ctx, event).await?;
    txn.commit().await?;
    Ok(user)
}

/// What the fields hold afterwards, and which of them are different then.
fn apply(user: &user::Model, profile: Profile) -> ([Option<String>; 6], Vec<&'static str>) {
    let Profile { name, given_name, family_name, gender, locale, avatar_url } = profile;
    let mut fields = Vec::new();
    let mut over = |field: &'static str, present: &Option<String>, change: Change<String>| {
        let value = change.over(present.clone());
        if value != *present {
            fields.push(field);
        }
        value
    };
    let changed = [
        over("name", &user.name, name),
        over("givenName", &user.given_name, given_name),
        over("familyName", &user.family_name, family_name),
        over("gender", &user.gender, gender),
        over("locale", &user.locale, locale),
        over("avatarUrl", &user.avatar_url, avatar_url),
    ];
    (changed, fields)
}

fn check(profile: &Profile) -> Result<()> {
    let Profile { name, given_name, family_name, gender, locale, avatar_url } = profile;
    let mut faults = Vec::new();
    let texts = [("name", name), ("givenName", given_name), ("familyName", family_name), ("gender", gender)];
    for (field, text) in texts {
        if let Some(problem) = text.value().map(String::as_str).and_then(names::text_problem) {
            faults.push(Fault::invalid(field, problem));
        }
    }
    if locale.value().is_some_and(|locale| !names::is_language_tag(locale)) {
        faults.push(Fault::invalid("locale", "This is not a language tag such as `de` or `pt-BR`."));
    }
    if avatar_url.value().is_some_and(|url| !names::is_web_address(url)) {
        faults.push(Fault::invalid(
            "avatarUrl",
            "This is not the address of a picture on the web (https://…).",
        ));
    }
    if faults.is_empty() { Ok(()) } else { Err(Error::Faults(faults)) }
}
