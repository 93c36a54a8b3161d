//! What other rooms, the schema and the command line may ask of this one.

use entity::{registration, user};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, ExprTrait, IntoActiveModel, QueryFilter,
    QuerySelect, Set,
    sea_query::{LockType, OnConflict},
};
use uuid::Uuid;

use super::names;
pub use super::{
    acquaintance::{Seen, seen_through},
    bootstrap::{NewAdmin, create_super_admin, ensure_super_admin, good_enough},
    confirmation::Confirmation,
    discarding::sweep as sweep_attempts,
    extension::make_extension_user,
    finders::{
        UserBy, UserFilter, UserOrder, UserOrderField, by_ids, by_user_names, count, find, list, look_up,
        visible_among,
    },
    introduction::{Introduction, introduce},
    looking::{Look, Person},
    register::{Delivery, RETRY_AFTER, Registered, Registration, register},
    register_many::register_many,
    verify::{Proof, Verified, refusal, verify},
    vouched::{opens, prove},
};
use crate::{context::Ctx, db::Txn, error::Result};

/// Whom the identifier means: a name, a proved address or a proved number. One statement, whoever is meant and whether there is
/// anybody: time does not tell. Sees everybody, so it is for proving only.
pub async fn named_by(ctx: &Ctx, identifier: &str) -> Result<Option<user::Model>> {
    let mut which = Condition::any().add(user::Column::UserNameKey.eq(names::name_key(identifier)));
    let email = names::email(identifier).map(|email| email.key);
    if let Some(key) = &email {
        let proved = user::Column::EmailKey.eq(key).and(user::Column::EmailVerifiedAt.is_not_null());
        which = which.add(proved);
    }
    let number = names::phone(identifier);
    if let Some(number) = &number {
        let proved = user::Column::PhoneKey.eq(number).and(user::Column::PhoneVerifiedAt.is_not_null());
        which = which.add(proved);
    }
    let mut found = user::Entity::find().filter(which).all(ctx.app.db.read()).await?;
    // What is proved comes before what is only a name.
    found.sort_by_key(|user| {
        let by_email = email.is_some() && user.email_key == email && user.email_verified_at.is_some();
        let by_phone = number.is_some() && user.phone_key == number && user.phone_verified_at.is_some();
        !(by_email || by_phone)
    });
    Ok(found.into_iter().next())
}

/// Remembers when, and with which application, the user last logged in.
pub async fn note_login(
    txn: &Txn,
    ctx: &Ctx,
    user: user::Model,
    application_id: Uuid,
) -> Result<user::Model> {
    let now = ctx.now();
    let row = registration::ActiveModel {
        user_id: Set(user.id),
        application_id: Set(application_id),
        created_at: Set(now),
        last_login_at: Set(Some(now)),
    };
    let key = [registration::Column::UserId, registration::Column::ApplicationId];
    let again = OnConflict::columns(key).update_column(registration::Column::LastLoginAt).to_owned();
    registration::Entity::insert(row).on_conflict(again).exec_without_returning(&**txn).await?;
    let mut user = user.into_active_model();
    user.last_login_at = Set(Some(now));
    Ok(user.update(&**txn).await?)
}

/// The account, held until the transaction ends. Whoever opens something for it (a session, a challenge, a link) and
/// whoever ends all that is open (a new password, its closing) hold it first, so that nothing opens behind the end.
pub async fn hold(txn: &Txn, user_id: Uuid) -> Result<Option<user::Model>> {
    Ok(user::Entity::find_by_id(user_id).lock(LockType::NoKeyUpdate).one(&**txn).await?)
}
