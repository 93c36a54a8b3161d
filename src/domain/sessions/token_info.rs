//! What a token is good for, and whose it is: for whoever holds it, and consuming nothing.

use entity::{CodePurpose, Timestamp, UserStatus, user};
use sea_orm::EntityTrait;
use uuid::Uuid;

use super::service;
use crate::{
    authz::{Permission, PermissionSet},
    context::Ctx,
    domain::{
        api_keys::{self, secret},
        credentials::codes,
        identity::service::{self as identity, Seen},
        sessions::tokens,
    },
    error::Result,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    Access,
    ApiKey,
    PasswordReset,
}

/// A token in force.
pub struct Live {
    pub kind: TokenKind,
    pub expires_at: Option<Timestamp>,
    pub scopes: Vec<&'static str>,
    /// Whoever holds the token may know whose it is; how much more they see is as if they had met.
    pub user: (user::Model, Seen),
}

/// `None` for anything that is no token of ours in force, and no word about why.
pub async fn find(ctx: &Ctx, token: &str) -> Result<Option<Live>> {
    let found = if secret::looks_like_one(token) {
        of_api_key(ctx, token).await?
    } else {
        match of_access_token(ctx, token).await? {
            Some(found) => Some(found),
            None => of_reset_link(ctx, token).await?,
        }
    };
    let Some((kind, user_id, expires_at, scopes)) = found else {
        return Ok(None);
    };
    let user = identity::seen_through(ctx, &[user_id]).await?.remove(&user_id);
    let scopes = scopes.iter().map(Permission::code).collect();
    Ok(user.map(|user| Live { kind, expires_at, scopes, user }))
}

type Found = Option<(TokenKind, Uuid, Option<Timestamp>, PermissionSet)>;

async fn of_access_token(ctx: &Ctx, token: &str) -> Result<Found> {
    let Some(verified) = tokens::verify(&ctx.app, token).await? else {
        return Ok(None);
    };
    let user = service::authenticate(&ctx.app, token).await?;
    let found = |scopes| (TokenKind::Access, verified.user_id, Some(verified.expires_at), scopes);
    Ok(user.map(|user| found(user.grants.union())))
}

async fn of_api_key(ctx: &Ctx, token: &str) -> Result<Found> {
    let found = api_keys::live::find_with_end(&ctx.app, token).await?;
    Ok(found.map(|(user, end)| (TokenKind::ApiKey, user.user_id, end, user.grants.union())))
}

async fn of_reset_link(ctx: &Ctx, token: &str) -> Result<Found> {
    let Ok(row) = codes::find_token(ctx, &[CodePurpose::PasswordReset], token).await? else {
        return Ok(None);
    };
    let user = user::Entity::find_by_id(row.user_id).one(ctx.app.db.read()).await?;
    let live = user.filter(|user| user.status == UserStatus::Active);
    Ok(live.map(|user| (TokenKind::PasswordReset, user.id, row.link_expires_at, PermissionSet::default())))
}
