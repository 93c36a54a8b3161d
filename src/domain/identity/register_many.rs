//! Registering many at once: all of them or none, with every faulty one named.

use std::collections::HashSet;

use super::{
    names,
    register::{self, Delivery, Judged, Registration},
    write::{self, Refused, Secrets},
};
use crate::{
    bulk,
    context::Ctx,
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
    let mut items = Vec::with_capacity(judged.len());
    for item in judged {
        // One after the other: a bulk call takes one place in the hashing pool, like everybody else.
        let (password, random) = (&item.registration.password, ctx.app.random.as_ref());
        let password = ctx.app.hasher.hash(ctx.source(), password, random).await?;
        // The answer has no place for tokens: these are confirmed with their passwords.
        items.push((item, Secrets { password, token: None }));
    }
    let message = "Somebody took one of these user names at the same moment: try again.";
    let same_time = || Fault::new(ErrorCode::Conflict, &["users"], message);
    let written = write::all(ctx, &items).await;
    let written = written.map_err(|error| error.on_conflict("users.user_name_key", same_time()))?;
    let of_items = |refused: Refused| {
        refused.into_iter().map(|(index, fault)| fault.of_item("users", index)).collect::<Vec<_>>()
    };
    written.map_err(|refused| Error::Faults(of_items(refused)))
}

async fn judge_all(ctx: &Ctx, registrations: Vec<Registration>) -> Result<Vec<Judged>> {
    let mut faults = Vec::new();
    let (mut user_names, mut addresses) = (HashSet::new(), HashSet::new());
    for (index, registration) in registrations.iter().enumerate() {
        let user_name = registration.user_name.as_deref().map(names::name_key);
        let address = registration.email.as_deref().and_then(names::email).map(|email| email.key);
        let mut twice = |field: &str, message: &'static str| {
            faults.push((index, Fault::new(ErrorCode::Taken, &[field], message)));
        };
        if user_name.is_some_and(|key| !user_names.insert(key)) {
            twice("userName", "This user name stands twice in the list.");
        }
        if address.is_some_and(|key| !addresses.insert(key)) {
            twice("email", "This address stands twice in the list.");
        }
    }
    let mut judged = Vec::with_capacity(registrations.len());
    for (index, item) in register::judge_all(ctx, registrations).await?.into_iter().enumerate() {
        match item {
            Ok(item) => judged.push(item),
            Err(found) => faults.extend(found.into_iter().map(|fault| (index, fault))),
        }
    }
    if faults.is_empty() {
        return Ok(judged);
    }
    faults.sort_by_key(|(index, _)| *index);
    Err(Error::Faults(faults.into_iter().map(|(index, fault)| fault.of_item("users", index)).collect()))
}
