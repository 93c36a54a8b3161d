//! Finding invitations: for those who invite in the organisation, and for the proved address that was invited.

use std::collections::HashMap;

use entity::{InvitationStatus, invitation, user};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, Order, QueryFilter, QuerySelect, QueryTrait, Select,
    sea_query::{Expr, SelectStatement},
};
use uuid::Uuid;

use crate::{
    authz::{Actor, Permission, Reach},
    context::Ctx,
    crypto,
    error::Result,
    page::{self, Page, PageArgs, Sort},
};

const SORT: Sort<invitation::Column> = Sort {
    list: "invitations:-created",
    column: invitation::Column::CreatedAt,
    id: invitation::Column::Id,
    order: Order::Desc,
};

/// What became of an invitation; `None` when nobody answered in time.
pub fn status(ctx: &Ctx, row: &invitation::Model) -> Option<InvitationStatus> {
    let expired = row.status == InvitationStatus::Pending && row.expires_at <= ctx.now();
    (!expired).then_some(row.status)
}

pub async fn by_ids(
    ctx: &Ctx,
    ids: impl IntoIterator<Item = Uuid>,
) -> Result<HashMap<Uuid, invitation::Model>> {
    let ids: Vec<_> = ids.into_iter().collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = visible(ctx).filter(invitation::Column::Id.is_in(ids)).all(ctx.app.db.read()).await?;
    Ok(rows.into_iter().map(|invitation| (invitation.id, invitation)).collect())
}

/// For whoever holds the link: the token is the right to see it.
pub async fn by_token(ctx: &Ctx, token: &str) -> Result<Option<invitation::Model>> {
    let found =
        invitation::Entity::find().filter(invitation::Column::TokenHash.eq(crypto::token_hash(token)));
    Ok(found.one(ctx.app.db.read()).await?)
}

/// The same page of each organisation's invitations, the newest first, in one statement.
pub async fn of_organizations(
    ctx: &Ctx,
    ids: &[Uuid],
    page: &PageArgs,
) -> Result<HashMap<Uuid, Page<invitation::Model>>> {
    let parent = (invitation::Column::OrganizationId, |row: &invitation::Model| row.organization_id);
    page::fetch_each(ctx.app.db.read(), of(ctx, ids), parent, &SORT, page).await
}

pub async fn count_of_organizations(ctx: &Ctx, ids: &[Uuid]) -> Result<HashMap<Uuid, u64>> {
    let rows: Vec<(Uuid, i64)> = of(ctx, ids)
        .select_only()
        .column(invitation::Column::OrganizationId)
        .column_as(invitation::Column::Id.count(), "count")
        .group_by(invitation::Column::OrganizationId)
        .into_tuple()
        .all(ctx.app.db.read())
        .await?;
    Ok(rows.into_iter().map(|(id, count)| (id, u64::try_from(count).unwrap_or_default())).collect())
}

/// The organisations' invitations, where the caller invites.
fn of(ctx: &Ctx, ids: &[Uuid]) -> Select<invitation::Entity> {
    let all =
        invitation::Entity::find().filter(invitation::Column::OrganizationId.is_in(ids.iter().copied()));
    match ctx.actor.reach(Permission::OrgInvite) {
        Reach::Everywhere => all,
        Reach::Orgs(orgs) => all.filter(invitation::Column::OrganizationId.is_in(orgs)),
    }
}

/// The same page of the invitations that wait for each of these addresses' answer, in one statement.
pub async fn of_users(
    ctx: &Ctx,
    addresses: &[String],
    page: &PageArgs,
) -> Result<HashMap<String, Page<invitation::Model>>> {
    let parent = (invitation::Column::EmailKey, |row: &invitation::Model| row.email_key.clone());
    page::fetch_each(ctx.app.db.read(), waiting(ctx, addresses), parent, &SORT, page).await
}

pub async fn count_of_users(ctx: &Ctx, addresses: &[String]) -> Result<HashMap<String, u64>> {
    let rows: Vec<(String, i64)> = waiting(ctx, addresses)
        .select_only()
        .column(invitation::Column::EmailKey)
        .column_as(invitation::Column::Id.count(), "count")
        .group_by(invitation::Column::EmailKey)
        .into_tuple()
        .all(ctx.app.db.read())
        .await?;
    Ok(rows.into_iter().map(|(key, count)| (key, u64::try_from(count).unwrap_or_default())).collect())
}

fn waiting(ctx: &Ctx, addresses: &[String]) -> Select<invitation::Entity> {
    visible(ctx)
        .filter(invitation::Column::EmailKey.is_in(addresses))
        .filter(invitation::Column::Status.eq(InvitationStatus::Pending))
        .filter(invitation::Column::ExpiresAt.gt(ctx.now()))
}

fn visible(ctx: &Ctx) -> Select<invitation::Entity> {
    let all = invitation::Entity::find();
    match (&ctx.actor, ctx.actor.reach(Permission::OrgInvite)) {
        (Actor::Anonymous, _) => all.filter(Expr::value(false)),
        (_, Reach::Everywhere) => all,
        (_, Reach::Orgs(orgs)) => all.filter(
            Condition::any()
                .add(invitation::Column::OrganizationId.is_in(orgs))
                .add(invitation::Column::EmailKey.in_subquery(own_address(ctx))),
        ),
    }
}

fn own_address(ctx: &Ctx) -> SelectStatement {
    user::Entity::find()
        .select_only()
        .column(user::Column::EmailKey)
        .filter(user::Column::Id.eq(ctx.actor.user_id()))
        .filter(user::Column::EmailProvedAt.is_not_null())
        .into_query()
}
