//! Making accounts that are active at once, many in one transaction.
//!
//! Everything is judged before anything is written, so that every fault is named at once. Passwords are hashed between
//! the two, outside of any transaction; what was judged is then judged again, for others write meanwhile.

use std::{collections::HashMap, time::Duration};

use entity::{CodePurpose, Secret, UserStatus, role, user};
use sea_orm::{ActiveModelTrait, ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter};
use uuid::Uuid;

pub use super::judge::{NewUser, Past};
use super::{
    judge::{self, Judged},
    survey::{Survey, counts_for_all, models_of, survey},
};
use crate::{
    authz::Permission,
    bulk::{self, Run},
    context::Ctx,
    db::Txn,
    domain::{
        credentials::{
            codes::{self, NewLink},
            passwords,
        },
        events::log::{self, EventType, NewEvent},
        identity::{blank, discarding::discard, names},
        models::service as models,
        notifications::{
            service::{self as notifications, Letter},
            template::Template,
        },
        orgs::service::{self as orgs, Joiner},
        roles::service as roles,
    },
    error::{Error, ErrorCode, Fault, Result},
    ids::Kind,
};

/// What becomes of those who come without a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mails {
    /// They are mailed a link to set one.
    Send,
    /// They are told nothing; "forgot password" leads them in.
    Withhold,
}

/// How long the link to set a first password is good for: people are away.
pub const LINK_TTL: Duration = Duration::from_hours(7 * 24);
const TRIES: u32 = 4;

/// Makes the accounts, all of them or none; a hundred at most. Answers them in their order; none for a dry run.
pub async fn onboard(ctx: &Ctx, run: Run, mails: Mails, users: Vec<NewUser>) -> Result<Vec<user::Model>> {
    if !ctx.actor.may_somewhere(Permission::UserOnboard) {
        return Err(Error::forbidden());
    }
    bulk::check_size("users", users.len())?;
    let (items, own_faults) = judge::all(ctx, users).await?;
    let mut hashes = HashMap::new();
    if run == Run::Real && items.iter().any(|item| item.user.password.is_some()) {
        // Nobody's hash is computed in vain: whatever else is wrong is told before.
        let txn = ctx.app.db.begin().await?;
        let survey = survey(&txn, ctx, run, &items, &own_faults).await?;
        drop(txn);
        survey.of_unseen(ctx).await?;
        hashes = hash(ctx, &items).await?;
    }
    let mut tries = 1;
    loop {
        let txn = ctx.app.db.begin().await?;
        let survey = survey(&txn, ctx, run, &items, &own_faults).await?;
        if survey.unseen > 0 {
            drop(txn);
            survey.of_unseen(ctx).await?;
            return Ok(Vec::new());
        }
        match write(&txn, ctx, &items, survey, &hashes).await {
            // Somebody took a name or an address at this moment: now it can be seen which.
            Err(Error::Conflict(_)) if tries < TRIES => tries += 1,
            Err(Error::Conflict(_)) => return Err(same_time().into()),
            Err(error) => return Err(error),
            Ok(made) => {
                if mails == Mails::Send {
                    mail(&txn, ctx, &made, &items).await?;
                }
                if run == Run::Dry {
                    return Ok(Vec::new());
                }
                txn.commit().await?;
                return Ok(made);
            }
        }
    }
}

fn same_time() -> Fault {
    let message = "Somebody took one of these names or addresses at the same time: try again.";
    Fault::new(ErrorCode::Conflict, &["users"], message)
}

/// One after the other: a bulk call takes one place in the hashing pool, like everybody else.
async fn hash(ctx: &Ctx, items: &[Judged]) -> Result<HashMap<Uuid, Secret>> {
    let mut hashes = HashMap::new();
    for item in items {
        if let Some(password) = &item.user.password {
            hashes
                .insert(item.id, ctx.app.hasher.hash(ctx.source(), password, ctx.app.random.as_ref()).await?);
        }
    }
    Ok(hashes)
}

async fn write(
    txn: &Txn,
    ctx: &Ctx,
    items: &[Judged],
    survey: Survey,
    hashes: &HashMap<Uuid, Secret>,
) -> Result<Vec<user::Model>> {
    let Survey { roles, attempts, .. } = survey;
    if !attempts.is_empty() {
        discard(txn, Condition::all().add(user::Column::Id.is_in(attempts))).await?;
    }
    let made: Vec<_> = items.iter().map(|item| row(ctx, item)).collect();
    if made.is_empty() {
        return Ok(made);
    }
    let rows = made.iter().map(|user| user.clone().into_active_model().reset_all());
    user::Entity::insert_many(rows).exec_without_returning(&**txn).await?;
    let hash = |item: &Judged| {
        let imported = item.user.password_hash.as_ref().map(|hash| Secret::from(hash.clone().into_bytes()));
        Some((item.id, imported.or_else(|| hashes.get(&item.id).cloned())?))
    };
    passwords::set_first(txn, ctx, items.iter().filter_map(hash).collect()).await?;
    let event =
        |item: &Judged| NewEvent::of(EventType::UserOnboarded).on(Kind::User, item.id).within(item.place);
    log::record_all(txn, ctx, items.iter().map(event).collect()).await?;
    settle(txn, ctx, items, roles).await?;
    models::replace(txn, &models_of(items)).await?;
    Ok(made)
}

/// Memberships with their roles, and the roles on the platform.
async fn settle(txn: &Txn, ctx: &Ctx, items: &[Judged], roles: Vec<Vec<role::Model>>) -> Result<()> {
    let (mut joiners, mut platform) = (Vec::new(), Vec::new());
    for (index, (item, roles)) in items.iter().zip(roles).enumerate() {
        match item.place {
            Some(organization) => joiners.push((organization, Joiner { user_id: item.id, roles })),
            None if roles.is_empty() => {}
            None => platform.push(roles::Wanted {
                user_id: item.id,
                organization_id: None,
                role_codes: item.user.role_codes.clone(),
                path: vec!["users".to_owned(), index.to_string(), "roleCodes".to_owned()],
            }),
        }
    }
    if !joiners.is_empty() {
        let joiners: Vec<_> = joiners.iter().map(|(place, joiner)| (*place, joiner)).collect();
        orgs::join_all(txn, ctx, &joiners).await?;
    }
    if !platform.is_empty() {
        roles::replace(txn, ctx, &platform).await?;
    }
    Ok(())
}

fn row(ctx: &Ctx, item: &Judged) -> user::Model {
    let Judged { id, user, name_key, email, phone, place: _ } = item;
    let Past { given_name, family_name, gender, locale, created_at, status } = user.past.clone();
    let now = ctx.now();
    user::Model {
        id: *id,
        user_name_key: name_key.clone(),
        name: user.name.clone(),
        given_name,
        family_name,
        gender,
        locale,
        status: status.unwrap_or(UserStatus::Active),
        email: email.as_ref().map(|email| email.address.clone()),
        email_key: email.as_ref().map(|email| email.key.clone()),
        email_verified_at: email.as_ref().map(|_| now),
        email_proved_at: email.as_ref().filter(|_| counts_for_all(ctx)).map(|_| now),
        phone: phone.clone(),
        phone_key: phone.clone(),
        phone_verified_at: phone.as_ref().map(|_| now),
        phone_proved_at: phone.as_ref().filter(|_| counts_for_all(ctx)).map(|_| now),
        created_at: created_at.unwrap_or(now),
        ..blank::account(ctx, user.user_name.clone())
    }
}

/// Who came without a password is mailed a link to set one.
async fn mail(txn: &Txn, ctx: &Ctx, made: &[user::Model], items: &[Judged]) -> Result<()> {
    let application_id =
        ctx.actor.signed_in().map_or(ctx.app.default_application, |caller| caller.application_id);
    let without = |item: &Judged| item.user.password.is_none() && item.user.password_hash.is_none();
    let mut to = Vec::new();
    for (user, item) in made.iter().zip(items) {
        if let Some(email) =
            item.email.as_ref().filter(|_| without(item) && user.status == UserStatus::Active)
        {
            to.push((user, email));
        }
    }
    if to.is_empty() {
        return Ok(());
    }
    let link = |(user, email): &(&user::Model, &names::Email)| NewLink {
        user_id: user.id,
        application_id,
        purpose: CodePurpose::PasswordReset,
        target: email.key.clone(),
    };
    let tokens = codes::issue_first_links(txn, ctx, to.iter().map(link).collect(), LINK_TTL).await?;
    let letter = |((user, email), token): ((&user::Model, &names::Email), String)| Letter {
        user_id: Some(user.id),
        application_id,
        to: email.address.clone(),
        template: Template::SetPassword {
            user_name: user.user_name.clone(),
            link: ctx.app.public_url.link("reset", &token),
            days: LINK_TTL.as_secs() / 86_400,
        },
    };
    notifications::send_all(txn, ctx, to.into_iter().zip(tokens).map(letter).collect()).await
}

/// Which of these are there already: the same user name with the same address. For imports that are repeated.
pub async fn there_already(ctx: &Ctx, users: &[NewUser]) -> Result<Vec<bool>> {
    let keys: Vec<_> = users.iter().map(|user| names::name_key(&user.user_name)).collect();
    let rows = user::Entity::find()
        .filter(user::Column::UserNameKey.is_in(keys.iter().cloned()))
        .filter(user::Column::Status.ne(UserStatus::Unverified))
        .all(ctx.app.db.read())
        .await?;
    let rows: HashMap<_, _> = rows.into_iter().map(|row| (row.user_name_key, row.email_key)).collect();
    let same = |(user, key): (&NewUser, &String)| {
        let email = user.email.as_deref().map(|text| names::email(text).map(|email| email.key));
        match (rows.get(key), email) {
            (Some(present), Some(Some(email))) => *present == Some(email),
            (Some(present), None) => present.is_none(),
            _ => false,
        }
    };
    Ok(users.iter().zip(&keys).map(same).collect())
}
