//! Which factors people have, and what that means for their next login.

use std::collections::HashMap;

use entity::{passkey, recovery_code, totp_secret, user};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::webauthn;
use crate::{context::Ctx, error::Result};

/// What a second factor can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Method {
    Totp,
    RecoveryCode,
    EmailCode,
    SmsCode,
    Passkey,
}

impl Method {
    /// As the API says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Totp => "TOTP",
            Self::RecoveryCode => "RECOVERY_CODE",
            Self::EmailCode => "EMAIL_CODE",
            Self::SmsCode => "SMS_CODE",
            Self::Passkey => "PASSKEY",
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Factors {
    /// Whether an authenticator app is in force: that is what asks for a second factor.
    pub totp: bool,
    pub recovery_codes: u64,
    pub passkeys: u64,
}

impl Factors {
    /// What may answer a challenge of this user; nothing while none is asked for.
    pub fn methods(&self, ctx: &Ctx, user: &user::Model) -> Vec<Method> {
        if !self.totp {
            return Vec::new();
        }
        let mut methods = vec![Method::Totp];
        if self.passkeys > 0 && webauthn::available(&ctx.app) {
            methods.push(Method::Passkey);
        }
        if self.recovery_codes > 0 {
            methods.push(Method::RecoveryCode);
        }
        // An administrator's word for a contact does for no second factor of its owner.
        if user.email.is_some() && user.email_proved_at.is_some() {
            methods.push(Method::EmailCode);
        }
        let texts = ctx.app.texter.check("method").is_ok();
        if texts && user.phone.is_some() && user.phone_proved_at.is_some() {
            methods.push(Method::SmsCode);
        }
        methods
    }
}

/// Of many users, in three statements.
pub async fn of_users<C: ConnectionTrait>(db: &C, user_ids: &[Uuid]) -> Result<HashMap<Uuid, Factors>> {
    let mut found: HashMap<Uuid, Factors> = user_ids.iter().map(|id| (*id, Factors::default())).collect();
    if found.is_empty() {
        return Ok(found);
    }
    let ids = || user_ids.iter().copied();
    let apps: Vec<Uuid> = totp_secret::Entity::find()
        .select_only()
        .column(totp_secret::Column::UserId)
        .filter(totp_secret::Column::UserId.is_in(ids()))
        .filter(totp_secret::Column::ConfirmedAt.is_not_null())
        .into_tuple()
        .all(db)
        .await?;
    for id in apps {
        found.entry(id).or_default().totp = true;
    }
    let codes: Vec<(Uuid, i64)> = recovery_code::Entity::find()
        .select_only()
        .column(recovery_code::Column::UserId)
        .column_as(recovery_code::Column::Id.count(), "left")
        .filter(recovery_code::Column::UserId.is_in(ids()))
        .filter(recovery_code::Column::UsedAt.is_null())
        .group_by(recovery_code::Column::UserId)
        .into_tuple()
        .all(db)
        .await?;
    for (id, count) in codes {
        found.entry(id).or_default().recovery_codes = u64::try_from(count).unwrap_or_default();
    }
    let keys: Vec<(Uuid, i64)> = passkey::Entity::find()
        .select_only()
        .column(passkey::Column::UserId)
        .column_as(passkey::Column::Id.count(), "held")
        .filter(passkey::Column::UserId.is_in(ids()))
        .group_by(passkey::Column::UserId)
        .into_tuple()
        .all(db)
        .await?;
    for (id, count) in keys {
        found.entry(id).or_default().passkeys = u64::try_from(count).unwrap_or_default();
    }
    Ok(found)
}

pub async fn of_user<C: ConnectionTrait>(db: &C, user_id: Uuid) -> Result<Factors> {
    Ok(of_users(db, &[user_id]).await?.remove(&user_id).unwrap_or_default())
}
