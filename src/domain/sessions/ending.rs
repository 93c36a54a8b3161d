//! Ending sessions: by those who are in them, by administrators, and by what happens to an account.

use std::{collections::HashSet, sync::Arc};

use entity::session;
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter,
    sea_query::{Expr, IntoCondition},
};
use serde_json::json;
use uuid::Uuid;

use super::{legacy_token, refresh_token::RefreshToken, refreshing};
use crate::{
    authz::Permission,
    bulk,
    context::Ctx,
    db::Txn,
    domain::{
        events::log::{self, EventType, NewEvent},
        roles::authority,
    },
    error::{Error, ErrorCode, Fault, Result},
    ids::Kind,
};

/// Which sessions a logout ends.
pub enum Logout {
    /// The caller's own.
    This,
    /// All of the caller's.
    Everywhere,
}

/// Says how many sessions were ended. A caller whose access token has run out shows the refresh token instead; one
/// that is not known ends nothing, and says no more.
pub async fn logout(ctx: &Ctx, extent: Logout, refresh_token: Option<&str>) -> Result<u64> {
    let (session_id, user_id) = match (refresh_token, ctx.actor.in_person()) {
        (Some(token), _) => match session_of(ctx, token).await? {
            Some(session) => (session.id, session.user_id),
            None => return Ok(0),
        },
        (None, Some(user)) => (user.session_id, user.user_id),
        (None, None) => {
            let message = "Nobody is signed in: show the refresh token of the session.";
            return Err(Fault::required("refreshToken", message).into());
        }
    };
    let which = match extent {
        Logout::This => session::Column::Id.eq(session_id),
        Logout::Everywhere => session::Column::UserId.eq(user_id),
    };
    let txn = ctx.app.db.begin().await?;
    let ended = end_where(&txn, ctx, which, "logout").await?;
    txn.commit().await?;
    Ok(ended)
}

/// Ends sessions of the user: these, or all. Oneself, or whoever is in reach of the caller's `session.end`. `None` is
/// an id that leads nowhere.
pub async fn end_sessions(
    ctx: &Ctx,
    user_id: Option<Uuid>,
    session_ids: Option<&[Option<Uuid>]>,
) -> Result<u64> {
    let caller = ctx.actor.in_person().ok_or_else(Error::forbidden)?;
    let no_user = || Fault::new(ErrorCode::NotFound, &["userId"], "There is no such user.");
    let user_id = user_id.ok_or_else(no_user)?;
    if let Some(ids) = session_ids {
        bulk::check_size("sessionIds", ids.len())?;
    }
    let txn = ctx.app.db.begin().await?;
    if caller.user_id != user_id {
        let refusals = authority::refusals(&*txn, ctx, Permission::SessionEnd, &[user_id]).await?;
        match refusals.get(&user_id) {
            None => (),
            Some(ErrorCode::NotFound) => return Err(no_user().into()),
            Some(code) => {
                let message = "You may not end this user's sessions.";
                return Err(Fault::new(*code, &["userId"], message).into());
            }
        }
    }
    let mut which = Condition::all().add(session::Column::UserId.eq(user_id));
    if let Some(ids) = session_ids {
        check_sessions(&txn, user_id, ids).await?;
        which = which.add(session::Column::Id.is_in(ids.iter().flatten().copied()));
    }
    let reason = if caller.user_id == user_id { "logout" } else { "ended by an administrator" };
    let ended = end_where(&txn, ctx, which, reason).await?;
    txn.commit().await?;
    Ok(ended)
}

/// Every id must lead to a session of the user; one that is over already may stand there.
async fn check_sessions(txn: &Txn, user_id: Uuid, ids: &[Option<Uuid>]) -> Result<()> {
    let theirs: HashSet<Uuid> = session::Entity::find()
        .filter(session::Column::UserId.eq(user_id))
        .filter(session::Column::Id.is_in(ids.iter().flatten().copied()))
        .all(&**txn)
        .await?
        .into_iter()
        .map(|session| session.id)
        .collect();
    let missing = |at: usize| {
        Fault::new(ErrorCode::NotFound, &[], "The user has no such session.").of_item("sessionIds", at)
    };
    let faults: Vec<_> = (0..)
        .zip(ids)
        .filter(|(_, id)| id.is_none_or(|id| !theirs.contains(&id)))
        .map(|(at, _)| missing(at))
        .collect();
    if faults.is_empty() { Ok(()) } else { Err(Error::Faults(faults)) }
}

/// Ends every session of these users, for a reason that is kept with them.
pub async fn end_all(txn: &Txn, ctx: &Ctx, user_ids: &[Uuid], reason: &str) -> Result<()> {
    end_where(txn, ctx, session::Column::UserId.is_in(user_ids.iter().copied()), reason).await?;
    Ok(())
}

/// Ends every session of the user but the caller's own.
pub async fn end_others(txn: &Txn, ctx: &Ctx, user_id: Uuid, reason: &str) -> Result<()> {
    let mut which = Condition::all().add(session::Column::UserId.eq(user_id));
    if let Some(caller) = ctx.actor.in_person() {
        which = which.add(session::Column::Id.ne(caller.session_id));
    }
    end_where(txn, ctx, which, reason).await?;
    Ok(())
}

/// Ends the live ones among these sessions, and says how many they were. Two statements more for the events, however many
/// sessions there are.
pub async fn end_where(txn: &Txn, ctx: &Ctx, which: impl IntoCondition, reason: &str) -> Result<u64> {
    let ended = session::Entity::update_many()
        .col_expr(session::Column::EndedAt, Expr::value(ctx.now()))
        .col_expr(session::Column::EndReason, Expr::value(reason))
        .filter(which.into_condition())
        .filter(session::Column::EndedAt.is_null())
        .exec_with_returning(&**txn)
        .await?;
    let event = |session: &session::Model| {
        NewEvent::of(EventType::SessionEnded)
            .on(Kind::Session, session.id)
            .on(Kind::User, session.user_id)
            .with(json!({ "reason": reason }))
    };
    log::record_all(txn, ctx, ended.iter().map(event).collect()).await?;
    let (app, ids): (_, Vec<_>) = (Arc::clone(&ctx.app), ended.iter().map(|session| session.id).collect());
    txn.forget(move || ids.into_iter().for_each(|id| app.live_sessions.forget(id)));
    Ok(ended.len() as u64)
}

/// The live session that a refresh token belongs to: the one in force, or an earlier one, as a client has that never got the
/// answer to its last refresh.
async fn session_of(ctx: &Ctx, refresh_token: &str) -> Result<Option<session::Model>> {
    let Some(token) = RefreshToken::parse(refresh_token, &ctx.app.vault)? else {
        return legacy_token::session_of(ctx, refresh_token).await;
    };
    let found = session::Entity::find_by_id(token.session_id).filter(refreshing::goes_on(ctx));
    Ok(found.one(ctx.app.db.read()).await?)
}
