//! Names and addresses. An address that an administrator sets is in force at once: they vouch for it, as they do when
//! they onboard. The old one is told, and what was sent there is good for nothing any more. Towards others the word of
//! an organisation's administrator opens nothing, and ends nobody's registration: only the mailbox proves that.

use std::collections::HashMap;

use entity::{Timestamp, user};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, ExprTrait, QueryFilter,
    sea_query::{CaseStatement, Expr, SimpleExpr},
};
use uuid::Uuid;

use super::service::Item;
use crate::{
    authz::{Permission, Scope},
    change::Change,
    context::Ctx,
    db::Txn,
    domain::{
        credentials::codes,
        identity::{
            discarding::discard,
            names::{self, Email},
            service::visible_among,
        },
        notifications::{
            service::{self as notifications, Letter},
            template::Template,
        },
    },
    error::{Error, ErrorCode, Fault, Result},
};

/// What is different afterwards.
#[derive(Default)]
pub(super) struct Edits {
    names: HashMap<Uuid, Option<String>>,
    emails: HashMap<Uuid, Option<Email>>,
    rows: HashMap<Uuid, user::Model>,
    /// The refusals because of accounts that the caller cannot see.
    unseen: Vec<Fault>,
}

impl Edits {
    pub fn renamed(&self, id: Uuid) -> bool {
        self.names.contains_key(&id)
    }

    pub fn readdressed(&self, id: Uuid) -> bool {
        self.emails.contains_key(&id)
    }

    /// The refusals because of accounts that the caller cannot see: to be told in earnest only, and counted.
    pub fn take_unseen(&mut self) -> Vec<Fault> {
        std::mem::take(&mut self.unseen)
    }

    /// The rows that are different, as they are now.
    pub fn into_rows(self) -> HashMap<Uuid, user::Model> {
        self.rows
    }
}

/// Writes what may be written, and says what may not.
pub(super) async fn apply(txn: &Txn, ctx: &Ctx, items: &[Item], faults: &mut Vec<Fault>) -> Result<Edits> {
    let mut edits = Edits::default();
    let mut wanted: HashMap<String, Uuid> = HashMap::new();
    for item in items {
        match judge_name(item) {
            Ok(Change::Keep) => {}
            Ok(name) => drop(edits.names.insert(item.user.id, name.over(None))),
            Err(fault) => faults.push(fault),
        }
        match judge_email(ctx, item) {
            Ok(Change::Keep) => {}
            Ok(Change::Set(email)) if wanted.contains_key(&email.key) => {
                faults.push(item.fault(ErrorCode::Taken, "email", "This address stands twice in the list."));
            }
            Ok(email) => {
                wanted.extend(email.value().map(|email| (email.key.clone(), item.user.id)));
                edits.emails.insert(item.user.id, email.over(None));
            }
            Err(fault) => faults.push(fault),
        }
    }
    refuse_taken(txn, ctx, items, &wanted, &mut edits, faults).await?;
    for item in items {
        let (name, email) = (edits.names.get(&item.user.id), edits.emails.get(&item.user.id));
        if name.is_some() || email.is_some() {
            let row = edited(ctx, &item.user, name, email);
            edits.rows.insert(item.user.id, row);
        }
    }
    write(txn, ctx, &edits).await?;
    Ok(edits)
}

/// Since when an address that the caller sets counts for everybody.
fn proved(ctx: &Ctx) -> Option<Timestamp> {
    ctx.actor.may(Permission::UserUpdate, Scope::Platform).then(|| ctx.now())
}

fn edited(
    ctx: &Ctx,
    user: &user::Model,
    name: Option<&Option<String>>,
    email: Option<&Option<Email>>,
) -> user::Model {
    let mut row = user::Model { updated_at: ctx.now(), ..user.clone() };
    if let Some(name) = name {
        row.name.clone_from(name);
    }
    if let Some(email) = email {
        row.email = email.as_ref().map(|email| email.address.clone());
        row.email_key = email.as_ref().map(|email| email.key.clone());
        row.email_verified_at = email.as_ref().map(|_| ctx.now());
        row.email_proved_at = proved(ctx).filter(|_| email.is_some());
    }
    row
}

/// What is to become of the name; what stays the same is kept.
fn judge_name(item: &Item) -> Result<Change<String>, Fault> {
    let change = item.change.name.clone();
    if let Some(problem) = change.value().and_then(|name| names::text_problem(name)) {
        return Err(item.fault(ErrorCode::Invalid, "name", problem));
    }
    let same = change.clone().over(item.user.name.clone()) == item.user.name;
    Ok(if same { Change::Keep } else { change })
}

fn judge_email(ctx: &Ctx, item: &Item) -> Result<Change<Email>, Fault> {
    let user = &item.user;
    let change = match &item.change.email {
        Change::Keep => return Ok(Change::Keep),
        Change::Clear => Change::Clear,
        Change::Set(text) => match names::email(text) {
            Some(email) => Change::Set(email),
            None => return Err(item.fault(ErrorCode::Invalid, "email", "This is not an email address.")),
        },
    };
    let weighs_more = user.email_proved_at.is_none() && proved(ctx).is_some();
    let settled = user.email.is_none() || (user.email_verified_at.is_some() && !weighs_more);
    if settled && user.email.as_ref() == change.value().map(|email| &email.address) {
        return Ok(Change::Keep);
    }
    if ctx.actor.user_id() == Some(user.id) {
        // An open session alone takes nobody's account away.
        let message = "Your own address is changed by changeEmail, which asks for your password.";
        return Err(item.fault(ErrorCode::NotAllowed, "email", message));
    }
    Ok(change)
}

/// An address that another account has stays there; attempts that nobody proved give way to the platform's word.
async fn refuse_taken(
    txn: &Txn,
    ctx: &Ctx,
    items: &[Item],
    wanted: &HashMap<String, Uuid>,
    edits: &mut Edits,
    faults: &mut Vec<Fault>,
) -> Result<()> {
    if wanted.is_empty() {
        return Ok(());
    }
    let with_address = user::Column::EmailKey.is_in(wanted.keys().cloned());
    let holders = user::Entity::find().filter(with_address.clone()).all(&**txn).await?;
    let in_force = holders.iter().filter(|holder| holder.email_verified_at.is_some());
    let taken: HashMap<Uuid, Uuid> = in_force
        .filter_map(|holder| {
            let by = wanted.get(holder.email_key.as_ref()?)?;
            (*by != holder.id).then_some((*by, holder.id))
        })
        .collect();
    let seen = visible_among(&**txn, ctx, &taken.values().copied().collect::<Vec<_>>()).await?;
    for item in items {
        let Some(holder) = taken.get(&item.user.id) else { continue };
        let fault = item.fault(ErrorCode::Taken, "email", "Another account has this address.");
        if seen.contains(holder) {
            faults.push(fault);
        } else {
            edits.unseen.push(fault);
        }
        edits.emails.remove(&item.user.id);
    }
    if proved(ctx).is_some() {
        discard(txn, Condition::all().add(with_address)).await?;
    }
    Ok(())
}

/// What the column shall hold for each of these users.
fn each(column: user::Column, values: &[(Uuid, Option<String>)]) -> SimpleExpr {
    let case = values.iter().fold(CaseStatement::new(), |case, (id, value)| {
        case.case(Expr::col(user::Column::Id).eq(*id), Expr::value(value.clone()))
    });
    case.finally(Expr::col(column)).into()
}

async fn write(txn: &Txn, ctx: &Ctx, edits: &Edits) -> Result<()> {
    let ids = |values: &[(Uuid, Option<String>)]| {
        user::Column::Id.is_in(values.iter().map(|(id, _)| *id).collect::<Vec<_>>())
    };
    let now = || Expr::value(ctx.now());
    let names: Vec<_> = edits.names.iter().map(|(id, name)| (*id, name.clone())).collect();
    if !names.is_empty() {
        user::Entity::update_many()
            .col_expr(user::Column::Name, each(user::Column::Name, &names))
            .col_expr(user::Column::UpdatedAt, now())
            .filter(ids(&names))
            .exec(&**txn)
            .await?;
    }
    if edits.emails.is_empty() {
        return Ok(());
    }
    let part = |of: fn(&Email) -> &String| -> Vec<_> {
        edits.emails.iter().map(|(id, email)| (*id, email.as_ref().map(|email| of(email).clone()))).collect()
    };
    let (addresses, keys) = (part(|email| &email.address), part(|email| &email.key));
    let cleared: Vec<_> = addresses.iter().filter(|(_, address)| address.is_none()).cloned().collect();
    user::Entity::update_many()
        .col_expr(user::Column::Email, each(user::Column::Email, &addresses))
        .col_expr(user::Column::EmailKey, each(user::Column::EmailKey, &keys))
        .col_expr(user::Column::EmailVerifiedAt, now())
        .col_expr(user::Column::EmailProvedAt, Expr::value(proved(ctx)))
        .col_expr(user::Column::UpdatedAt, now())
        .filter(ids(&addresses))
        .exec(&**txn)
        .await
        .map_err(|error| {
            let message = "Somebody took one of these addresses at the same time: try again.";
            let fault = Fault::new(ErrorCode::Conflict, &["users"], message);
            Error::from(error).on_conflict("users.email_key", fault)
        })?;
    if !cleared.is_empty() {
        user::Entity::update_many()
            .col_expr(user::Column::EmailVerifiedAt, Expr::value(None::<Timestamp>))
            .col_expr(user::Column::EmailProvedAt, Expr::value(None::<Timestamp>))
            .filter(ids(&cleared))
            .exec(&**txn)
            .await?;
    }
    let changed: Vec<_> = edits.emails.keys().copied().collect();
    codes::end_all(txn, ctx, &changed).await
}

pub(super) async fn tell_old_addresses(txn: &Txn, ctx: &Ctx, items: &[Item], edits: &Edits) -> Result<()> {
    let application_id =
        ctx.actor.signed_in().map_or(ctx.app.default_application, |caller| caller.application_id);
    let letter = |item: &Item| {
        let new = edits.emails.get(&item.user.id)?;
        let old = item.user.email.clone().filter(|_| item.user.email_verified_at.is_some())?;
        let user_name = item.user.user_name.clone();
        let template = match new {
            Some(email) => {
                let proved = item.user.email_proved_at.is_some();
                Template::EmailChanged {
                    user_name,
                    new_address: proved.then(|| names::masked(&email.address)),
                }
            }
            None => Template::EmailRemoved { user_name },
        };
        Some(Letter { user_id: Some(item.user.id), application_id, to: old, template })
    };
    let letters: Vec<_> = items.iter().filter_map(letter).collect();
    if letters.is_empty() { Ok(()) } else { notifications::send_all(txn, ctx, letters).await }
}
