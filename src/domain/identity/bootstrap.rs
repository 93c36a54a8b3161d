//! The first super-administrator: somebody must be there to let the others in.

use entity::{UserStatus, user};
use sea_orm::{ActiveModelTrait, IntoActiveModel};

use super::{blank, names};
use crate::{
    context::Ctx,
    crypto,
    domain::{
        credentials::{passwords, policy},
        events::log::{self, EventType, NewEvent},
        roles,
    },
    error::{Error, ErrorCode, Fault, Result},
    ids::Kind,
};

pub struct NewAdmin {
    pub user_name: String,
    pub email: Option<String>,
    pub password: String,
}

/// At the first start: makes the super-administrator `admin`. The password comes from the settings or, in
/// development, is made up; then it is returned, to be shown once.
pub async fn ensure_super_admin(ctx: &Ctx) -> Result<Option<String>> {
    if roles::service::super_admin_exists(&ctx.app.db).await? {
        return Ok(None);
    }
    let config = &ctx.app.config;
    let (password, shown) = match &config.admin.admin_password {
        Some(password) => {
            // On one's own machine any password will do; and judging one takes seventeen megabytes of word lists.
            if config.production() {
                good_enough(ctx, "DENIZEN_ADMIN_PASSWORD", password.expose(), "admin").await?;
            }
            (password.expose().to_owned(), None)
        }
        None if config.production() => {
            tracing::warn!(
                "there is no super-administrator: set DENIZEN_ADMIN_PASSWORD, or run `denizen admin create`"
            );
            return Ok(None);
        }
        None => {
            let made_up = crypto::new_token(ctx.app.random.as_ref());
            let password: String = made_up.chars().take(20).collect();
            (password.clone(), Some(password))
        }
    };
    let admin = NewAdmin { user_name: "admin".to_owned(), email: config.admin.admin_email.clone(), password };
    match create_super_admin(ctx, admin).await {
        Ok(_) => Ok(shown),
        // Another instance that started at the same moment was faster.
        Err(Error::Faults(_)) if roles::service::super_admin_exists(&ctx.app.db).await? => Ok(None),
        // Nobody else's account may keep the service from starting.
        Err(Error::Faults(faults)) => {
            let why = Error::Faults(faults);
            tracing::error!(%why, "the super-administrator cannot be made: `denizen admin create --user-name …` can");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Refuses a password that is too weak for an administrator.
pub async fn good_enough(ctx: &Ctx, field: &'static str, password: &str, user_name: &str) -> Result<()> {
    let own = vec![user_name.to_owned()];
    policy::check(field, password, &own)?;
    ctx.app.hasher.judge(ctx.source(), field, password, own).await
}

/// Makes a super-administrator, verified and active at once.
pub async fn create_super_admin(ctx: &Ctx, admin: NewAdmin) -> Result<user::Model> {
    let NewAdmin { user_name, email, password } = admin;
    if let Some(problem) = names::user_name_problem(&user_name) {
        return Err(Fault::invalid("userName", problem).into());
    }
    let email = match &email {
        Some(text) => {
            Some(names::email(text).ok_or_else(|| Fault::invalid("email", "This is not an email address."))?)
        }
        None => None,
    };
    policy::check_whole("password", &password)?;
    let hash = ctx.app.hasher.hash(ctx.source(), &password, ctx.app.random.as_ref()).await?;
    let now = ctx.now();
    let txn = ctx.app.db.begin().await?;
    let taken = |field: &'static str| Fault::new(ErrorCode::Taken, &[field], "This is taken.");
    let proved_at = email.as_ref().map(|_| now);
    let user = user::Model {
        status: UserStatus::Active,
        email_verified_at: proved_at,
        email_proved_at: proved_at,
        email_key: email.as_ref().map(|email| email.key.clone()),
        email: email.map(|email| email.address),
        ..blank::account(ctx, user_name)
    };
    let user = user.into_active_model().insert(&*txn).await.map_err(|error| {
        let error = Error::from(error).on_conflict("users.user_name_key", taken("userName"));
        error.on_conflict("users.email_key", taken("email"))
    })?;
    passwords::set(&txn, ctx, user.id, hash).await?;
    roles::service::grant_built_in(&txn, ctx, user.id, "SUPERADMIN").await?;
    log::record(&txn, ctx, NewEvent::of(EventType::UserOnboarded).on(Kind::User, user.id)).await?;
    txn.commit().await?;
    Ok(user)
}
