//! Writing registrations down: accounts, passwords, what they are to join, codes and mails of all of them, in one
//! transaction and a constant number of statements.

use std::collections::HashMap;

use entity::{Channel, CodePurpose, Secret, UserStatus, registration, registration_token, user};
use sea_orm::{ActiveModelTrait, ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, Set};

use super::{
    blank,
    discarding::discard,
    names,
    register::{self, Delivery, Judged, Registration},
};
use crate::{
    context::Ctx,
    db::Txn,
    domain::{
        credentials::{codes, passwords},
        events::log::{self, EventType, NewEvent},
        limits::{
            Network,
            budget::{self, Asker, Matter, Verdict},
        },
        notifications::service::{self as notifications, Letter, Notice},
        orgs::service as orgs,
    },
    error::{Error, Fault, Result},
    ids::Kind,
};

/// What cannot be had, with the number of the item that asks for it.
pub type Refused = Vec<(usize, Fault)>;

/// What is kept of a registration as hashes.
pub struct Secrets {
    pub password: Secret,
    /// Of the token that shows at the proof who registered.
    pub token: Option<Secret>,
}

const TRIES: u32 = 4;

/// All of them or none; the deliveries come in the order of the registrations.
pub async fn all(ctx: &Ctx, items: &[(Judged, Secrets)]) -> Result<Result<Vec<Delivery>, Refused>> {
    if items.is_empty() {
        return Ok(Ok(Vec::new()));
    }
    let mut tries = 1;
    loop {
        let txn = ctx.app.db.begin().await?;
        match write(&txn, ctx, items).await {
            // Another attempt took a name at the same moment: now it can be seen whose it is.
            Err(Error::Conflict(_)) if tries < TRIES => tries += 1,
            Err(error) => return Err(error),
            Ok(Err(refused)) => return Ok(Err(refused)),
            Ok(Ok(deliveries)) => {
                txn.commit().await?;
                return Ok(Ok(deliveries));
            }
        }
    }
}

async fn write(txn: &Txn, ctx: &Ctx, items: &[(Judged, Secrets)]) -> Result<Result<Vec<Delivery>, Refused>> {
    let addresses: Vec<_> = items.iter().map(|(item, _)| item.email.key.as_str()).collect();
    txn.queue_for(&addresses).await?;
    let keys = match free_keys(txn, ctx, items).await? {
        Ok(keys) => keys,
        Err(refused) => return Ok(Err(refused)),
    };
    let users: Vec<_> = items.iter().zip(keys).map(|((item, _), key)| row(ctx, item, key)).collect();
    // In one order, so that two lists with the same names do not wait for each other.
    let mut rows: Vec<_> = users.iter().collect();
    rows.sort_by(|left, right| left.user_name_key.cmp(&right.user_name_key));
    let rows = rows.into_iter().map(|user| user.clone().into_active_model().reset_all());
    user::Entity::insert_many(rows).exec_without_returning(&**txn).await?;
    let both = || users.iter().zip(items);
    let hashes = both().map(|(user, (_, secrets))| (user.id, secrets.password.clone())).collect();
    passwords::set_first(txn, ctx, hashes).await?;
    keep_tokens(txn, ctx, both().map(|(user, (_, secrets))| (user, secrets))).await?;
    orgs::note_all(txn, both().map(|(user, (item, _))| (user.id, &item.plan))).await?;
    let known = both().map(|(user, (item, _))| registration::ActiveModel {
        user_id: Set(user.id),
        application_id: Set(item.application_id),
        created_at: Set(ctx.now()),
        last_login_at: Set(None),
    });
    registration::Entity::insert_many(known).exec_without_returning(&**txn).await?;
    mail(txn, ctx, items, &users).await?;
    let event = |user: &user::Model| NewEvent::of(EventType::UserRegistered).on(Kind::User, user.id);
    log::record_all(txn, ctx, users.iter().map(event).collect()).await?;
    let delivery = |(item, _): &(Judged, Secrets)| Delivery {
        channel: Channel::Email,
        destination: Some(names::masked(&item.email.address)),
        expires_at: ctx.now().plus(codes::CODE_TTL),
        retry_after: register::RETRY_AFTER,
    };
    Ok(Ok(items.iter().map(delivery).collect()))
}

async fn keep_tokens<'a>(
    txn: &Txn,
    ctx: &Ctx,
    items: impl Iterator<Item = (&'a user::Model, &'a Secrets)>,
) -> Result<()> {
    let rows = items.filter_map(|(user, secrets)| {
        Some(registration_token::ActiveModel {
            user_id: Set(user.id),
            token_hash: Set(secrets.token.clone()?),
            created_at: Set(ctx.now()),
        })
    });
    let rows: Vec<_> = rows.collect();
    if !rows.is_empty() {
        registration_token::Entity::insert_many(rows).exec_without_returning(&**txn).await?;
    }
    Ok(())
}

/// The key under which an attempt is kept.
enum Key {
    Name(String),
    /// Somebody else holds the name, and the proof decides.
    Awaiting(String),
}

/// Attempts for one name live side by side until one of them is proved, whatever their mailboxes are: an answer that
/// depended on the address would tell it. So would one that depended on whether somebody has this address as a name. All
/// but the first wait under a key that is no name.
async fn free_keys(txn: &Txn, ctx: &Ctx, items: &[(Judged, Secrets)]) -> Result<Result<Vec<Key>, Refused>> {
    let wanted: Vec<_> = items.iter().map(|(item, _)| names::name_key(&item.user_name)).collect();
    let holders = user::Entity::find()
        .filter(user::Column::UserNameKey.is_in(wanted.iter().map(String::as_str)))
        .all(&**txn)
        .await?;
    let holders: HashMap<_, _> = holders.into_iter().map(|user| (user.user_name_key.clone(), user)).collect();
    let (mut keys, mut dead, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for (index, (key, (item, _))) in wanted.into_iter().zip(items).enumerate() {
        match holders.get(&key) {
            None => keys.push(Key::Name(key)),
            Some(_) if key == item.email.key => keys.push(Key::Awaiting(key)),
            Some(holder) if holder.status != UserStatus::Unverified => {
                refused.push((index, register::taken()));
            }
            Some(holder) if holder.created_at.plus(codes::LINK_TTL) <= ctx.now() => {
                dead.push(holder.id);
                keys.push(Key::Name(key));
            }
            Some(_) => keys.push(Key::Awaiting(key)),
        }
    }
    if !refused.is_empty() {
        return Ok(Err(refused));
    }
    if !dead.is_empty() {
        discard(txn, Condition::all().add(user::Column::Id.is_in(dead))).await?;
    }
    Ok(Ok(keys))
}

fn row(ctx: &Ctx, item: &Judged, key: Key) -> user::Model {
    let (user_name_key, awaited_name_key) = match key {
        Key::Name(key) => (key, None),
        Key::Awaiting(key) => (names::waiting_key(&key, ctx.new_id()), Some(key)),
    };
    let Judged { registration, email, user_name, application_id: _, plan: _ } = item;
    let Registration {
        user_name: _,
        email: _,
        phone,
        password: _,
        name,
        given_name,
        family_name,
        gender,
        locale,
        application_id: _,
        wish: _,
    } = registration;
    let phone = phone.as_deref().and_then(names::phone);
    user::Model {
        user_name_key,
        awaited_name_key,
        name: name.clone(),
        given_name: given_name.clone(),
        family_name: family_name.clone(),
        gender: gender.clone(),
        locale: locale.clone(),
        email: Some(email.address.clone()),
        email_key: Some(email.key.clone()),
        phone: phone.clone(),
        phone_key: phone,
        ..blank::account(ctx, user_name.clone())
    }
}

/// A code for each, and its mail. Where the budget of an address is used up, none is sent, and nobody is told.
async fn mail(txn: &Txn, ctx: &Ctx, items: &[(Judged, Secrets)], users: &[user::Model]) -> Result<()> {
    let addresses: Vec<_> = items.iter().map(|(item, _)| item.email.key.as_str()).collect();
    let owners = user::Entity::find()
        .filter(user::Column::EmailKey.is_in(addresses.iter().copied()))
        .filter(user::Column::EmailProvedAt.is_not_null())
        .all(&**txn)
        .await?;
    let mut owners: HashMap<_, _> =
        owners.into_iter().map(|owner| (owner.email_key.clone(), owner)).collect();
    // Each address stands once in a list.
    let asker = Asker::network(&Network::of(ctx));
    let verdicts = budget::take_all(txn, ctx, Matter::Verification, &addresses, &asker).await?;
    let to = items.iter().zip(users).zip(verdicts);
    let to: Vec<_> = to.filter(|(_, verdict)| *verdict == Verdict::Send).map(|(item, _)| item).collect();
    if to.is_empty() {
        return Ok(());
    }
    let wanted: Vec<_> =
        to.iter().map(|((item, _), user)| (user.id, item.application_id, item.email.key.as_str())).collect();
    let issued = codes::issue_first(txn, ctx, CodePurpose::VerifyEmail, &wanted).await?;
    let mut letters = Vec::new();
    for (((item, _), user), issued) in to.into_iter().zip(issued) {
        let Judged { email, application_id, registration: _, user_name: _, plan: _ } = item;
        let notice = match owners.remove(&Some(email.key.clone())) {
            // The code of this attempt is told to nobody, so the attempt leads nowhere.
            Some(owner) => register::already_registered(ctx, owner, *application_id)?,
            None => register::verification(ctx, user, email, *application_id, &issued),
        };
        let Notice { user_id, application_id, to, template } = notice;
        letters.push(Letter { user_id: Some(user_id), application_id, to, template });
    }
    notifications::send_all(txn, ctx, letters).await
}
