//! Making, finding and revoking keys.

use std::{collections::HashMap, sync::Arc};

use entity::{Timestamp, api_key};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, Order, PaginatorTrait, QueryFilter, Select, Set,
};
use serde_json::json;
use uuid::Uuid;

use super::secret;
use crate::{
    authz::{Permission, PermissionSet, SignedIn},
    context::Ctx,
    crypto,
    db::Txn,
    domain::{
        credentials::proofs,
        events::log::{self, EventType, NewEvent},
        identity::names,
    },
    error::{Error, ErrorCode, Fault, Result},
    ids::Kind,
    page::{self, Page, PageArgs, Sort},
};

/// How many keys one person has at most.
const MOST: u64 = 100;

pub struct NewKey {
    pub name: String,
    pub scopes: Vec<String>,
    pub expires_at: Option<Timestamp>,
    pub proof: Option<String>,
}

/// A new key, and its secret, which nobody sees again.
pub async fn create(ctx: &Ctx, new: NewKey) -> Result<(api_key::Model, String)> {
    let NewKey { name, scopes, expires_at, proof } = new;
    let caller = ctx.actor.in_person().ok_or_else(Error::forbidden)?;
    let scopes = judge(ctx, caller, &name, &scopes, expires_at)?;
    let confirmed = proofs::require(ctx, proof.as_deref()).await?;
    let key = secret::generate(ctx.app.random.as_ref());
    let txn = ctx.app.db.begin().await?;
    confirmed.spend(&txn, ctx).await?;
    let held =
        api_key::Entity::find().filter(api_key::Column::UserId.eq(caller.user_id)).count(&*txn).await?;
    if held >= MOST {
        let message = format!("You have {MOST} keys already: revoke one first.");
        return Err(Fault::new(ErrorCode::NotAllowed, &[], message).into());
    }
    let row = api_key::ActiveModel {
        id: Set(ctx.new_id()),
        user_id: Set(caller.user_id),
        application_id: Set(caller.application_id),
        name: Set(name.trim().to_owned()),
        prefix: Set(secret::masked(&key)),
        token_hash: Set(crypto::token_hash(&key)),
        scopes: Set(json!(scopes.iter().map(Permission::code).collect::<Vec<_>>())),
        created_at: Set(ctx.now()),
        last_used_at: Set(None),
        expires_at: Set(expires_at),
    }
    .insert(&*txn)
    .await?;
    let event = NewEvent::of(EventType::ApiKeyCreated)
        .on(Kind::ApiKey, row.id)
        .on(Kind::User, caller.user_id)
        .with(json!({ "name": row.name, "prefix": row.prefix, "scopes": row.scopes }));
    log::record(&txn, ctx, event).await?;
    txn.commit().await?;
    Ok((row, key))
}

/// Everything that is wrong with the key that is wanted, at once.
fn judge(
    ctx: &Ctx,
    caller: &SignedIn,
    name: &str,
    scopes: &[String],
    expires_at: Option<Timestamp>,
) -> Result<PermissionSet> {
    let mut faults = Vec::new();
    if name.trim().is_empty() {
        faults.push(Fault::required("name", "A name is needed, to know the key by."));
    } else if let Some(problem) = names::text_problem(name) {
        faults.push(Fault::invalid("name", problem));
    }
    if scopes.len() > Permission::ALL.len() {
        let message = format!("There are {} permissions.", Permission::ALL.len());
        return Err(Fault::new(ErrorCode::TooManyItems, &["scopes"], message).into());
    }
    let held = caller.grants.union();
    for (at, scope) in (0..).zip(scopes) {
        match Permission::from_code(scope) {
            None => {
                let fault = Fault::new(ErrorCode::Invalid, &[], "There is no such permission.");
                faults.push(fault.of_item("scopes", at));
            }
            Some(permission) if !held.contains(permission) => {
                let fault = Fault::new(ErrorCode::NotAllowed, &[], "You do not hold this permission.");
                faults.push(fault.of_item("scopes", at));
            }
            Some(_) => {}
        }
    }
    if expires_at.is_some_and(|end| end <= ctx.now()) {
        faults.push(Fault::invalid("expiresAt", "This moment is over."));
    }
    if faults.is_empty() {
        Ok(PermissionSet::from_codes(scopes.iter().map(String::as_str)))
    } else {
        Err(Error::Faults(faults))
    }
}

/// Revokes one of the caller's keys. It is felt within two seconds, on every instance.
pub async fn revoke(ctx: &Ctx, key_id: Option<Uuid>) -> Result<Uuid> {
    let caller = ctx.actor.in_person().ok_or_else(Error::forbidden)?;
    let missing = || Fault::new(ErrorCode::NotFound, &["apiKeyId"], "You have no such key.");
    let id = key_id.ok_or_else(missing)?;
    let own =
        Condition::all().add(api_key::Column::Id.eq(id)).add(api_key::Column::UserId.eq(caller.user_id));
    let txn = ctx.app.db.begin().await?;
    if end_where(&txn, ctx, own, None).await? == 0 {
        return Err(missing().into());
    }
    txn.commit().await?;
    Ok(id)
}

/// Revokes all keys of these people for good, for a reason that the log keeps.
pub async fn revoke_all(txn: &Txn, ctx: &Ctx, user_ids: &[Uuid], reason: &'static str) -> Result<()> {
    let theirs = Condition::all().add(api_key::Column::UserId.is_in(user_ids.iter().copied()));
    end_where(txn, ctx, theirs, Some(reason)).await?;
    Ok(())
}

/// Ends these keys, and says how many they were. Every way to the end of a key goes through here.
async fn end_where(txn: &Txn, ctx: &Ctx, which: Condition, reason: Option<&'static str>) -> Result<u64> {
    let gone = api_key::Entity::delete_many().filter(which).exec_with_returning(&**txn).await?;
    if gone.is_empty() {
        return Ok(0);
    }
    let event = |key: &api_key::Model| {
        let event =
            NewEvent::of(EventType::ApiKeyRevoked).on(Kind::ApiKey, key.id).on(Kind::User, key.user_id);
        match reason {
            Some(reason) => event.with(json!({ "reason": reason })),
            None => event,
        }
    };
    log::record_all(txn, ctx, gone.iter().map(event).collect()).await?;
    let (app, ids): (_, Vec<_>) = (Arc::clone(&ctx.app), gone.iter().map(|key| key.id).collect());
    txn.forget(move || ids.iter().for_each(|id| app.live_keys.forget(*id)));
    Ok(gone.len() as u64)
}

/// What the key was made for. What its user does not hold any more, it does not either.
pub fn scopes(key: &api_key::Model) -> PermissionSet {
    let codes = key.scopes.as_array().into_iter().flatten().filter_map(serde_json::Value::as_str);
    PermissionSet::from_codes(codes)
}

/// The caller's own ones of these keys.
pub async fn by_ids(ctx: &Ctx, ids: impl IntoIterator<Item = Uuid>) -> Result<HashMap<Uuid, api_key::Model>> {
    let ids: Vec<_> = ids.into_iter().collect();
    let Some(user_id) = ctx.actor.user_id().filter(|_| !ids.is_empty()) else {
        return Ok(HashMap::new());
    };
    let rows = of(user_id).filter(api_key::Column::Id.is_in(ids)).all(ctx.app.db.read()).await?;
    Ok(rows.into_iter().map(|key| (key.id, key)).collect())
}

/// The caller's keys, the newest first. Nobody sees those of others.
pub async fn list(ctx: &Ctx, user_id: Uuid, page: &PageArgs) -> Result<Page<api_key::Model>> {
    const SORT: Sort<api_key::Column> = Sort {
        list: "api_keys:-created",
        column: api_key::Column::CreatedAt,
        id: api_key::Column::Id,
        order: Order::Desc,
    };
    page::fetch(ctx.app.db.read(), own(ctx, user_id)?, &SORT, page).await
}

pub async fn count(ctx: &Ctx, user_id: Uuid) -> Result<u64> {
    Ok(own(ctx, user_id)?.count(ctx.app.db.read()).await?)
}

fn own(ctx: &Ctx, user_id: Uuid) -> Result<Select<api_key::Entity>> {
    if ctx.actor.user_id() == Some(user_id) { Ok(of(user_id)) } else { Err(Error::forbidden()) }
}

fn of(user_id: Uuid) -> Select<api_key::Entity> {
    api_key::Entity::find().filter(api_key::Column::UserId.eq(user_id))
}
