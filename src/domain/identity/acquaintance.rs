//! People who are met through something: a fellow member, whoever sent an invitation. What brought the caller to them
//! was the caller's to see; how much of the person is, is decided here.

use std::collections::HashMap;

use entity::user;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::finders;
use crate::{context::Ctx, error::Result};

/// How much of a person the caller sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// As everybody whom the caller could find by themselves.
    InFull,
    /// What is shown to others.
    FromOutside,
}

/// All of these users, in two statements.
pub async fn seen_through(ctx: &Ctx, ids: &[Uuid]) -> Result<HashMap<Uuid, (user::Model, Seen)>> {
    let found = finders::by_ids(ctx, ids.iter().copied()).await?;
    let mut people: HashMap<_, _> = found.into_iter().map(|(id, user)| (id, (user, Seen::InFull))).collect();
    let others: Vec<_> = ids.iter().copied().filter(|id| !people.contains_key(id)).collect();
    if others.is_empty() {
        return Ok(people);
    }
    let rows = user::Entity::find().filter(user::Column::Id.is_in(others)).all(ctx.app.db.read()).await?;
    people.extend(rows.into_iter().map(|user| (user.id, (user, Seen::FromOutside))));
    Ok(people)
}
