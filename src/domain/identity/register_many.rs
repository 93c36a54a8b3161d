//! Registering many at once: all of them or none, with every faulty one named.

use std::collections::HashSet;

use entity::{UserStatus, user};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::{
    names,
    register::{self, Delivery, Judged, Registration},
};
use crate::{
    bulk,
    context::Ctx,
    db::Txn,
    domain::credentials::codes,
    error::{Error, ErrorCode, Fault, Result},
};

/// Whoever is not signed in costs hashes that nobody answers for.
const MOST_OF_STRANGERS: usize = 10;

/// As [`register::register`] for each, in one transaction. The deliveries come in the order of the registrations.
pub async fn register_many(ctx: &Ctx, registrations: Vec<Registration>) -> Result<Vec<Delivery>> {
    let most = if ctx.actor.signed_in().is_some() { bulk::AT_ONCE } else { MOST_OF_STRANGERS };
    if registrations.len() > most {
        let message = format!("At most {most} at once.");
        return Err(Fault::new(ErrorCode::TooManyItems, &["users"], message).into());
    }
    let judged = judge_all(ctx, registrations).await?;
    let mut hashes = Vec::with_capacity(judged.len());
    for item in &judged {
        // One after the other: a bulk call takes one place in the hashing pool, like everybody else.
        hashes.push(ctx.app.hasher.hash(&item.registration.password, ctx.app.random.as_ref()).await?);
    }
    let txn = ctx.app.db.begin().await?;
    refuse_taken_names(&txn, ctx, &judged).await?;
    let mut deliveries = Vec::with_capacity(judged.len());
    for (index, (item, hash)) in judged.iter().zip(&hashes).enumerate() {
        let delivery = register::write(&txn, ctx, item, hash).await;
        let named = |error: Error| error.on_conflict("users.user_name_key", register::taken());
        deliveries.push(delivery.map_err(|error| named(error).of_item("users", index))?);
    }
    txn.commit().await?;
    Ok(deliveries)
}

async fn judge_all(ctx: &Ctx, registrations: Vec<Registration>) -> Result<Vec<Judged>> {
    let (mut judged, mut faults) = (Vec::with_capacity(registrations.len()), Vec::new());
    let (mut user_names, mut addresses) = (HashSet::new(), HashSet::new());
    for (index, registration) in registrations.into_iter().enumerate() {
        let user_name = registration.user_name.as_deref().map(names::name_key);
        let address = registration.email.as_deref().and_then(names::email).map(|email| email.key);
        let mut twice = |field: &str, message: &'static str| {
            faults.push(Fault::new(ErrorCode::Taken, &[field], message).of_item("users", index));
        };
        if user_name.is_some_and(|key| !user_names.insert(key)) {
            twice("userName", "This user name stands twice in the list.");
        }
        if address.is_some_and(|key| !addresses.insert(key)) {
            twice("email", "This address stands twice in the list.");
        }
        match register::judge(ctx, registration).await {
            Ok(item) => judged.push(item),
            Err(Error::Faults(found)) => {
                faults.extend(found.into_iter().map(|fault| fault.of_item("users", index)));
            }
            Err(other) => return Err(other),
        }
    }
    if faults.is_empty() { Ok(judged) } else { Err(Error::Faults(faults)) }
}

/// Names all taken user names at once: the unique key would name the first only. Between this look and the write the
/// key still decides.
async fn refuse_taken_names(txn: &Txn, ctx: &Ctx, judged: &[Judged]) -> Result<()> {
    let key_of = |item: &Judged| item.registration.user_name.as_deref().map(names::name_key);
    let keys: Vec<_> = judged.iter().filter_map(key_of).collect();
    if keys.is_empty() {
        return Ok(());
    }
    let holders = user::Entity::find().filter(user::Column::UserNameKey.is_in(keys)).all(&**txn).await?;
    let dead_since = ctx.now().minus(codes::LINK_TTL);
    let mut faults = Vec::new();
    for (index, item) in judged.iter().enumerate() {
        let key = key_of(item);
        let gives_up = |holder: &user::Model| {
            holder.status == UserStatus::Unverified
                && (holder.email_key.as_ref() == Some(&item.email.key) || holder.created_at < dead_since)
        };
        let taken =
            holders.iter().any(|holder| Some(&holder.user_name_key) == key.as_ref() && !gives_up(holder));
        if taken {
            let fault = Fault::new(ErrorCode::Taken, &["userName"], "This user name is taken.");
            faults.push(fault.of_item("users", index));
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(Error::Faults(faults)) }
}
