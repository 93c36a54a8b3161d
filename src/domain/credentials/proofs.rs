//! Proofs: that the person behind a session has just shown again who they are.
//!
//! What could take an account away asks for more than an open session: the password, or a proof that `verifyOtp` hands
//! out. Where an input offers only `proof`, a sign-in that is not old stands in for it.

use std::time::Duration;

use entity::{proof, session};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter, Set, sea_query::Expr};
use serde_json::json;
use uuid::Uuid;

use super::{passwords, refusals};
use crate::{
    authz::SignedIn,
    context::Ctx,
    crypto,
    db::Txn,
    domain::{
        identity,
        limits::{rules, service as limits},
    },
    error::{Error, ErrorCode, Fault, Result},
};

/// How long a sign-in, or a step-up, speaks for the person without a proof.
pub const FRESH: Duration = Duration::from_mins(15);
pub const TTL: Duration = Duration::from_mins(10);

/// Hands out a proof for the caller's session.
pub async fn issue(txn: &Txn, ctx: &Ctx, session_id: Uuid) -> Result<String> {
    let token = crypto::new_token(ctx.app.random.as_ref());
    proof::ActiveModel {
        id: Set(ctx.new_id()),
        session_id: Set(session_id),
        token_hash: Set(crypto::token_hash(&token)),
        created_at: Set(ctx.now()),
        expires_at: Set(ctx.now().plus(TTL)),
        consumed_at: Set(None),
    }
    .insert(&**txn)
    .await?;
    Ok(token)
}

/// That the caller is who they are. [`Confirmed::spend`] uses up what it rests on, in the transaction of what it allows.
#[must_use = "a proof works once: spend it with the change"]
pub struct Confirmed {
    proof: Option<Uuid>,
    user_id: Uuid,
    session_id: Uuid,
}

impl Confirmed {
    fn of(caller: &SignedIn, proof: Option<Uuid>) -> Self {
        Self { proof, user_id: caller.user_id, session_id: caller.session_id }
    }

    /// Of two that show the same proof at once, one goes on; and whoever was logged out while their password was looked
    /// at, as by somebody who set a new one, does not.
    pub async fn spend(self, txn: &Txn, ctx: &Ctx) -> Result<()> {
        identity::service::hold(txn, self.user_id).await?;
        let session = session::Entity::find_by_id(self.session_id).filter(session::Column::EndedAt.is_null());
        if session.one(&**txn).await?.is_none() {
            return Err(Error::refused(ErrorCode::Unauthenticated, "Your session has ended."));
        }
        let Some(id) = self.proof else {
            return Ok(());
        };
        let spent = proof::Entity::update_many()
            .col_expr(proof::Column::ConsumedAt, Expr::value(ctx.now()))
            .filter(proof::Column::Id.eq(id))
            .filter(proof::Column::ConsumedAt.is_null())
            .exec(&**txn)
            .await?;
        if spent.rows_affected == 0 { Err(wrong(ErrorCode::AlreadyUsed).into()) } else { Ok(()) }
    }
}

/// For inputs that offer `proof` alone: needed once the last sign-in is older than [`FRESH`].
pub async fn require(ctx: &Ctx, proof: Option<&str>) -> Result<Confirmed> {
    let caller = signed_in(ctx)?;
    if ctx.now().since(caller.authenticated_at) <= FRESH {
        return Ok(Confirmed::of(caller, None));
    }
    match proof {
        Some(proof) => find(ctx, caller, proof).await,
        None => Err(Fault::required(
            "proof",
            "You signed in a while ago: show a proof, as `verifyOtp` gives for STEP_UP.",
        )
        .into()),
    }
}

/// For inputs that offer `password` and `proof`: one of them is needed, however fresh the sign-in is.
pub async fn confirm(ctx: &Ctx, password: Option<&str>, proof: Option<&str>) -> Result<Confirmed> {
    let caller = signed_in(ctx)?;
    match (proof, password) {
        (Some(proof), _) => find(ctx, caller, proof).await,
        (None, Some(password)) => {
            check_password(ctx, caller.user_id, "password", password).await?;
            Ok(Confirmed::of(caller, None))
        }
        (None, None) => {
            Err(Fault::required("password", "Your current password is needed, or a proof.").into())
        }
    }
}

/// The caller's own password, guessed at only so often.
pub async fn check_password(ctx: &Ctx, user_id: Uuid, field: &str, password: &str) -> Result<()> {
    signed_in(ctx)?;
    let subject = user_id.to_string();
    refusals::bounded(ctx, &rules::CONFIRM, &subject, Some(user_id)).await?;
    let hash = passwords::hash_of(ctx.app.db.read(), user_id).await?;
    let right = match ctx.app.hasher.verify(ctx.source(), password, hash.as_ref()).await {
        Ok(right) => right,
        Err(error) => {
            // Nothing was looked at: it was no attempt.
            limits::give_back(ctx, &rules::CONFIRM, &subject).await?;
            return Err(error);
        }
    };
    if !right {
        refusals::note(ctx, Some(user_id), json!({ "confirmation": "PASSWORD" })).await?;
        return Err(Fault::new(ErrorCode::WrongCredentials, &[field], "This is not your password.").into());
    }
    // What takes several times as long counts, although it was right.
    if hash.is_some_and(|hash| ctx.app.hasher.is_dear(&hash)) {
        return Ok(());
    }
    limits::give_back(ctx, &rules::CONFIRM, &subject).await
}

async fn find(ctx: &Ctx, caller: &SignedIn, token: &str) -> Result<Confirmed> {
    let found = proof::Entity::find()
        .filter(proof::Column::TokenHash.eq(crypto::token_hash(token)))
        .filter(proof::Column::SessionId.eq(caller.session_id))
        .one(ctx.app.db.read())
        .await?;
    let found = found.ok_or_else(|| wrong(ErrorCode::WrongCode))?;
    if found.consumed_at.is_some() {
        return Err(wrong(ErrorCode::AlreadyUsed).into());
    }
    if found.expires_at <= ctx.now() {
        return Err(wrong(ErrorCode::Expired).into());
    }
    Ok(Confirmed::of(caller, Some(found.id)))
}

fn signed_in(ctx: &Ctx) -> Result<&SignedIn> {
    // A key proves nothing about who holds it.
    ctx.actor.in_person().ok_or_else(Error::forbidden)
}

fn wrong(code: ErrorCode) -> Fault {
    let message = match code {
        ErrorCode::AlreadyUsed => "This proof was used already.",
        ErrorCode::Expired => "This proof has run out.",
        _ => "This proof is not one of yours.",
    };
    Fault::new(code, &["proof"], message)
}
