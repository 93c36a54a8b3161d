//! Passkeys: making one, logging in with one, and taking one away.

use std::collections::HashMap;

use entity::{ChallengeKind, Secret, passkey};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    Set, sea_query::Expr,
};
use serde_json::Value as Json;
use uuid::Uuid;
use webauthn_rs::prelude::{Passkey, PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential};

use super::{
    challenges::{self, NewChallenge},
    service::{account, caller},
    telling::{called, named, tell, tell_added},
    webauthn::{self, Answer, Person, Question, Refusal},
};
use crate::{
    context::Ctx,
    db::Txn,
    domain::{
        credentials::proofs,
        events::log::{self, EventType, NewEvent},
        identity::names,
    },
    error::{Error, ErrorCode, Fault, Result},
    ids::Kind,
};

const MOST: u64 = 20;

/// What a browser is to do, and the id to come back with.
pub struct Started {
    pub challenge_id: Uuid,
    pub options: Json,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Registering {
    name: String,
    state: PasskeyRegistration,
}

pub async fn start_registration(ctx: &Ctx, name: &str, proof: Option<&str>) -> Result<Started> {
    let user_id = caller(ctx)?.user_id;
    webauthn::require_available(ctx)?;
    let name = name.trim().to_owned();
    if name.is_empty() {
        return Err(Fault::required("name", "Give the passkey a name: where is it kept?").into());
    }
    if let Some(problem) = names::text_problem(&name) {
        return Err(Fault::invalid("name", problem).into());
    }
    let confirmed = proofs::require(ctx, proof).await?;
    let db = ctx.app.db.read();
    let user = account(db, user_id).await?;
    let held = of_user(db, user_id).await?;
    refuse_too_many(held.len() as u64)?;
    let person = Person {
        id: user_id,
        user_name: &user.user_name,
        name: user.name.as_deref().filter(|name| !name.is_empty()).unwrap_or(&user.user_name),
        held: held.into_iter().map(|row| row.credential_id.0).collect(),
    };
    let (options, state) = webauthn::start_registration(ctx, person)?;
    let txn = ctx.app.db.begin().await?;
    confirmed.spend(&txn, ctx).await?;
    let kind = ChallengeKind::PasskeyRegistration;
    let new = NewChallenge { kind, user_id: Some(user_id), application_id: None };
    let row = challenges::put(&txn, ctx, new, &Registering { name, state }).await?;
    txn.commit().await?;
    Ok(Started { challenge_id: row.id, options })
}

pub async fn finish_registration(
    ctx: &Ctx,
    challenge_id: Option<Uuid>,
    answer: Json,
) -> Result<passkey::Model> {
    let user_id = caller(ctx)?.user_id;
    webauthn::require_available(ctx)?;
    let answer = Answer::<RegisterPublicKeyCredential>::parse(answer)?;
    let row = challenges::find_own(ctx, ChallengeKind::PasskeyRegistration, challenge_id, user_id).await?;
    challenges::count_try(ctx, &row).await?;
    let Registering { name, state } = challenges::state(ctx, &row)?;
    let made = webauthn::finish_registration(ctx, &answer, &state)?;
    let txn = ctx.app.db.begin().await?;
    challenges::consume(&txn, ctx, row.id).await?;
    let user = account(&*txn, user_id).await?;
    let held = passkey::Entity::find().filter(passkey::Column::UserId.eq(user_id)).count(&*txn).await?;
    refuse_too_many(held)?;
    let saved = insert(&txn, ctx, user_id, name, &made).await?;
    let event = NewEvent::of(EventType::PasskeyAdded).on(Kind::Passkey, saved.id).with(named(&saved.name));
    tell_added(&txn, ctx, &user, event, &format!("{} was added", called(&saved.name))).await?;
    txn.commit().await?;
    Ok(saved)
}

async fn insert(txn: &Txn, ctx: &Ctx, user_id: Uuid, name: String, made: &Passkey) -> Result<passkey::Model> {
    let credential = serde_json::to_value(made).map_err(Error::internal)?;
    let row = passkey::ActiveModel {
        id: Set(ctx.new_id()),
        user_id: Set(user_id),
        name: Set(name),
        credential_id: Set(Secret::from(made.cred_id().clone())),
        counter: Set(credential.pointer("/cred/counter").and_then(Json::as_i64).unwrap_or_default()),
        credential: Set(credential.to_string()),
        created_at: Set(ctx.now()),
        last_used_at: Set(None),
    };
    let taken = || Fault::new(ErrorCode::Taken, &["passkey"], "This passkey is registered already.");
    let inserted = row.insert(&**txn).await;
    inserted.map_err(|error| Error::from(error).on_conflict("passkeys.credential_id", taken()))
}

pub async fn remove(ctx: &Ctx, passkey_id: Option<Uuid>, proof: Option<&str>) -> Result<Uuid> {
    let user_id = caller(ctx)?.user_id;
    let not_found = || Fault::new(ErrorCode::NotFound, &["passkeyId"], "You have no such passkey.");
    let id = passkey_id.ok_or_else(not_found)?;
    let confirmed = proofs::require(ctx, proof).await?;
    let txn = ctx.app.db.begin().await?;
    confirmed.spend(&txn, ctx).await?;
    let own = passkey::Entity::find_by_id(id).filter(passkey::Column::UserId.eq(user_id));
    let row = own.one(&*txn).await?.ok_or_else(not_found)?;
    let removed = passkey::Entity::delete_by_id(id).exec(&*txn).await?;
    if removed.rows_affected == 0 {
        return Err(not_found().into());
    }
    let user = account(&*txn, user_id).await?;
    let event = NewEvent::of(EventType::PasskeyRemoved).on(Kind::Passkey, id).with(named(&row.name));
    tell(&txn, ctx, &user, event, &format!("{} was removed", called(&row.name))).await?;
    txn.commit().await?;
    Ok(id)
}

/// Oldest first.
pub async fn of_user<C: ConnectionTrait>(db: &C, user_id: Uuid) -> Result<Vec<passkey::Model>> {
    let own = passkey::Entity::find().filter(passkey::Column::UserId.eq(user_id));
    Ok(own.order_by_asc(passkey::Column::Id).all(db).await?)
}

/// The caller's own ones of these.
pub async fn by_ids(ctx: &Ctx, ids: impl IntoIterator<Item = Uuid>) -> Result<HashMap<Uuid, passkey::Model>> {
    let ids: Vec<_> = ids.into_iter().collect();
    let Some(user_id) = ctx.actor.user_id().filter(|_| !ids.is_empty()) else {
        return Ok(HashMap::new());
    };
    let own = passkey::Entity::find()
        .filter(passkey::Column::UserId.eq(user_id))
        .filter(passkey::Column::Id.is_in(ids));
    Ok(own.all(ctx.app.db.read()).await?.into_iter().map(|row| (row.id, row)).collect())
}

/// Who may answer.
#[derive(Clone, Copy)]
pub enum Expected {
    /// Whoever the passkey belongs to, if it says so itself.
    Anybody,
    User(Uuid),
}

/// A passkey that has proved whose it is. [`Proved::spend`] remembers that.
pub struct Proved {
    pub user_id: Uuid,
    row: passkey::Model,
    passkey: Passkey,
    counter: u32,
}

pub async fn prove(
    ctx: &Ctx,
    answer: &Answer<PublicKeyCredential>,
    question: Question,
    expected: Expected,
) -> Result<Result<Proved, Refusal>> {
    let shown = Secret::from(answer.credential_id().to_vec());
    let found = passkey::Entity::find().filter(passkey::Column::CredentialId.eq(shown));
    let Some(row) = found.one(ctx.app.db.read()).await? else {
        return Ok(Err(Refusal::Wrong));
    };
    let said = answer.user_id();
    let right = match expected {
        Expected::Anybody => said == Some(row.user_id),
        Expected::User(id) => row.user_id == id && (said == Some(id) || !answer.names_somebody()),
    };
    if !right {
        return Ok(Err(Refusal::Wrong));
    }
    let passkey = serde_json::from_str(&row.credential).map_err(Error::internal)?;
    let judged = webauthn::finish_login(ctx, answer, question, passkey)?;
    if matches!(judged, Err(Refusal::Cloned)) {
        record_clone(ctx, &row).await?;
    }
    Ok(judged.map(|(passkey, counter)| Proved { user_id: row.user_id, row, passkey, counter }))
}

impl Proved {
    /// Of two answers with one counter, one goes on: the other came from a copy of the key.
    pub async fn spend(self, txn: &Txn, ctx: &Ctx) -> Result<bool> {
        let credential = serde_json::to_string(&self.passkey).map_err(Error::internal)?;
        let kept = passkey::Entity::update_many()
            .col_expr(passkey::Column::Counter, Expr::value(i64::from(self.counter)))
            .col_expr(passkey::Column::Credential, Expr::value(credential))
            .col_expr(passkey::Column::LastUsedAt, Expr::value(ctx.now()))
            .filter(passkey::Column::Id.eq(self.row.id))
            .filter(passkey::Column::Counter.eq(self.row.counter))
            .exec(&**txn)
            .await?;
        Ok(kept.rows_affected > 0)
    }
}

async fn record_clone(ctx: &Ctx, row: &passkey::Model) -> Result<()> {
    let txn = ctx.app.db.begin().await?;
    let event = NewEvent::of(EventType::SessionRefused)
        .on(Kind::User, row.user_id)
        .on(Kind::Passkey, row.id)
        .with(serde_json::json!({ "reason": "the counter of the passkey did not go up" }));
    log::record(&txn, ctx, event).await?;
    txn.commit().await
}

fn refuse_too_many(held: u64) -> Result<()> {
    if held < MOST {
        return Ok(());
    }
    let message = format!("Nobody has more than {MOST} passkeys: remove one first.");
    Err(Fault::new(ErrorCode::NotAllowed, &[], message).into())
}
