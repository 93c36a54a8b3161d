//! Another verification mail.
//!
//! The request does the same whoever is asked for: one look, one job. Whether there is anything to send, the job finds
//! out, where nobody can measure it.

use entity::{Channel, UserStatus, registration, user};
use sea_orm::{
    ColumnTrait, EntityTrait, Order, QueryFilter, QueryOrder, QuerySelect, sea_query::NullOrdering,
};
use uuid::Uuid;

use crate::{
    context::Ctx,
    db::Txn,
    domain::{
        credentials::codes,
        events::jobs::{self, Job},
        identity::{
            names,
            register::{self, Delivery},
        },
        limits::{
            Network,
            budget::{self, Matter, Verdict},
            rules, service as limits,
        },
        notifications::{
            service::{self as notifications, Notice},
            template::Template,
        },
    },
    error::{Fault, Result},
};

pub async fn resend(ctx: &Ctx, identifier: &str) -> Result<Delivery> {
    limits::for_source(ctx, &rules::SEND_SOURCE).await?;
    post_again(ctx, identifier).await
}

/// The same for whoever has counted the request already.
pub async fn post_again(ctx: &Ctx, identifier: &str) -> Result<Delivery> {
    if let Some(problem) = names::text_problem(identifier) {
        return Err(Fault::invalid("identifier", problem).into());
    }
    let email = names::email(identifier);
    let which = match &email {
        Some(email) => user::Column::EmailKey.eq(&email.key),
        None => user::Column::UserNameKey.eq(names::name_key(identifier)),
    };
    // Of several accounts that claim an address: the one that proved it, else the newest attempt, else the one for which
    // somebody vouches.
    let found: Option<Uuid> = user::Entity::find()
        .select_only()
        .column(user::Column::Id)
        .filter(which)
        .order_by_with_nulls(user::Column::EmailProvedAt, Order::Desc, NullOrdering::Last)
        .order_by_desc(user::Column::Status)
        .order_by_desc(user::Column::CreatedAt)
        .into_tuple()
        .one(ctx.app.db.read())
        .await?;
    let txn = ctx.app.db.begin().await?;
    jobs::enqueue(&txn, ctx, &Job::ResendVerification { user_id: found, asker: Some(Network::of(ctx)) })
        .await?;
    txn.commit().await?;
    Ok(Delivery {
        channel: Channel::Email,
        destination: email.map(|email| names::masked(&email.address)),
        expires_at: ctx.now().plus(codes::CODE_TTL),
        retry_after: register::RETRY_AFTER,
    })
}

/// The job: a new code and link, which end those that were asked for from the same network. Who needs none is told so.
pub async fn send_verification_again(ctx: &Ctx, user_id: Uuid, asker: Network) -> Result<()> {
    let txn = ctx.app.db.begin().await?;
    let Some(user) = user::Entity::find_by_id(user_id).one(&*txn).await? else {
        return Ok(());
    };
    let Some(email) = user.email.as_deref().and_then(names::email) else {
        return Ok(());
    };
    // Many attempts may claim one address: its owner gets no more mails than for one.
    if budget::take(&txn, ctx, Matter::Verification, &email.key, &asker).await? != Verdict::Send {
        return Ok(());
    }
    let application_id = application_of(&txn, ctx, user.id).await?;
    let notice = match user.status {
        UserStatus::Unverified if !is_proved(&txn, &email.key).await? => {
            let purpose = entity::CodePurpose::VerifyEmail;
            let issued = codes::issue(&txn, ctx, user.id, application_id, purpose, &email.key, asker).await?;
            register::verification(ctx, &user, &email, application_id, &issued)
        }
        UserStatus::Active if user.email_verified_at.is_some() => Notice {
            user_id: user.id,
            application_id,
            to: email.address,
            template: Template::AlreadyVerified { user_name: user.user_name },
        },
        // The owner of the address heard of the attempt when it was made; a deactivated account gets no mail.
        UserStatus::Unverified | UserStatus::Active | UserStatus::Deactivated => return Ok(()),
    };
    notifications::send(&txn, ctx, notice).await?;
    txn.commit().await
}

async fn is_proved(txn: &Txn, email_key: &str) -> Result<bool> {
    let owner = user::Entity::find()
        .filter(user::Column::EmailKey.eq(email_key))
        .filter(user::Column::EmailProvedAt.is_not_null());
    Ok(owner.one(&**txn).await?.is_some())
}

/// The application that the user registered with last.
pub async fn application_of(txn: &Txn, ctx: &Ctx, user_id: Uuid) -> Result<Uuid> {
    let newest = registration::Entity::find()
        .filter(registration::Column::UserId.eq(user_id))
        .order_by_desc(registration::Column::CreatedAt)
        .one(&**txn)
        .await?;
    Ok(newest.map_or(ctx.app.default_application, |row| row.application_id))
}
