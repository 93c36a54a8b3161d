//! Finding sessions. They are seen by those who are in them, and by those who may end them.

use std::collections::{HashMap, HashSet};

use entity::session;
use sea_orm::{ColumnTrait, EntityTrait, Order, QueryFilter, QuerySelect, Select};
use uuid::Uuid;

use crate::{
    authz::Permission,
    context::Ctx,
    domain::roles::authority,
    error::Result,
    page::{self, Page, PageArgs, Sort},
};

const SORT: Sort<session::Column> = Sort {
    list: "sessions:-created",
    column: session::Column::CreatedAt,
    id: session::Column::Id,
    order: Order::Desc,
};

/// Whose sessions, of these users, the caller sees: their own, and those of whom they could end them.
pub async fn may_see(ctx: &Ctx, user_ids: &[Uuid]) -> Result<HashSet<Uuid>> {
    let own = ctx.actor.user_id();
    let others: Vec<Uuid> = user_ids.iter().copied().filter(|id| Some(*id) != own).collect();
    let mut seen: HashSet<Uuid> = user_ids.iter().copied().filter(|id| Some(*id) == own).collect();
    if !others.is_empty() && ctx.actor.may_somewhere(Permission::SessionEnd) {
        let refused = authority::refusals(ctx.app.db.read(), ctx, Permission::SessionEnd, &others).await?;
        seen.extend(others.into_iter().filter(|id| !refused.contains_key(id)));
    }
    Ok(seen)
}

/// The visible ones of these sessions, ended ones too.
pub async fn by_ids(ctx: &Ctx, ids: impl IntoIterator<Item = Uuid>) -> Result<HashMap<Uuid, session::Model>> {
    let ids: Vec<_> = ids.into_iter().collect();
    if ids.is_empty() || ctx.actor.user_id().is_none() {
        return Ok(HashMap::new());
    }
    let rows = session::Entity::find().filter(session::Column::Id.is_in(ids)).all(ctx.app.db.read()).await?;
    let owners: Vec<Uuid> = rows.iter().map(|session| session.user_id).collect();
    let seen = may_see(ctx, &owners).await?;
    let rows = rows.into_iter().filter(|session| seen.contains(&session.user_id));
    Ok(rows.map(|session| (session.id, session)).collect())
}

/// The same page of each user's live sessions, the newest first, in one statement. Of users whose sessions the caller
/// may see: ask [`may_see`] first.
pub async fn of_users(
    ctx: &Ctx,
    user_ids: &[Uuid],
    page: &PageArgs,
) -> Result<HashMap<Uuid, Page<session::Model>>> {
    let parent = (session::Column::UserId, |row: &session::Model| row.user_id);
    page::fetch_each(ctx.app.db.read(), live(ctx, user_ids), parent, &SORT, page).await
}

pub async fn count_of_users(ctx: &Ctx, user_ids: &[Uuid]) -> Result<HashMap<Uuid, u64>> {
    let counted: Vec<(Uuid, i64)> = live(ctx, user_ids)
        .select_only()
        .column(session::Column::UserId)
        .column_as(session::Column::Id.count(), "sessions")
        .group_by(session::Column::UserId)
        .into_tuple()
        .all(ctx.app.db.read())
        .await?;
    Ok(counted.into_iter().map(|(id, count)| (id, u64::try_from(count).unwrap_or_default())).collect())
}

fn live(ctx: &Ctx, user_ids: &[Uuid]) -> Select<session::Entity> {
    session::Entity::find()
        .filter(session::Column::UserId.is_in(user_ids.iter().copied()))
        .filter(session::Column::EndedAt.is_null())
        .filter(session::Column::ExpiresAt.gt(ctx.now()))
        .filter(session::Column::IdleExpiresAt.gt(ctx.now()))
}
