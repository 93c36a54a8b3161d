//! What the API and other rooms may ask of this one.

use std::collections::{HashMap, HashSet};

use entity::{CodePurpose, passkey, user};
use sea_orm::{ConnectionTrait, EntityTrait};
use serde_json::{Value as Json, json};
use uuid::Uuid;

pub use super::{
    answering::{Completion, complete, send_code},
    passkeys::{Started, finish_registration, remove, start_registration},
    signing_in::{PasskeyLogin, log_in, start as start_login},
    standing::{Factors, Method},
    totp::{Enrolled, confirm, disable, enroll, in_force_since, regenerate},
    webauthn::available as passkeys_available,
};
use super::{passkeys, standing, totp};
use crate::{
    authz::{Permission, SignedIn},
    clock::rfc3339,
    context::Ctx,
    domain::{
        credentials::failures,
        limits::{rules, service as limits},
        roles::authority,
    },
    error::{Error, ErrorCode, Result},
    ids::{self, Kind},
};

pub(super) fn caller(ctx: &Ctx) -> Result<&SignedIn> {
    ctx.actor.in_person().ok_or_else(Error::forbidden)
}

pub(super) async fn account<C: ConnectionTrait>(db: &C, id: Uuid) -> Result<user::Model> {
    let gone = || Error::refused(ErrorCode::Unauthenticated, "This account is gone.");
    user::Entity::find_by_id(id).one(db).await?.ok_or_else(gone)
}

/// The factors of those of these users of whom the caller may know: oneself, and whom one may update.
pub async fn of_users(ctx: &Ctx, ids: &[Uuid]) -> Result<HashMap<Uuid, Factors>> {
    let db = ctx.app.db.read();
    let own = ctx.actor.user_id();
    let others: Vec<Uuid> = ids.iter().copied().filter(|id| Some(*id) != own).collect();
    let refused: HashSet<Uuid> = if others.is_empty() {
        HashSet::new()
    } else {
        authority::refusals(db, ctx, Permission::UserUpdate, &others).await?.into_keys().collect()
    };
    let shown: Vec<Uuid> = ids.iter().copied().filter(|id| !refused.contains(id)).collect();
    standing::of_users(db, &shown).await
}

/// The caller's own passkeys; of others one learns nothing.
pub async fn passkeys_of(ctx: &Ctx, user_id: Uuid) -> Result<Option<Vec<passkey::Model>>> {
    if ctx.actor.user_id() != Some(user_id) {
        return Ok(None);
    }
    Ok(Some(passkeys::of_user(ctx.app.db.read(), user_id).await?))
}

/// What is held about this person's factors, for them to take along. Never what would open the account.
pub async fn exported<C: ConnectionTrait>(db: &C, user_id: Uuid) -> Result<Json> {
    let app = in_force_since(db, user_id).await?;
    let app = app.map(|row| json!({ "label": row.label, "confirmedAt": row.confirmed_at.map(rfc3339) }));
    let passkey = |row: passkey::Model| {
        json!({
            "id": ids::encode(Kind::Passkey, row.id),
            "name": row.name,
            "createdAt": rfc3339(row.created_at),
            "lastUsedAt": row.last_used_at.map(rfc3339),
        })
    };
    let passkeys: Vec<_> = passkeys::of_user(db, user_id).await?.into_iter().map(passkey).collect();
    let left = standing::of_user(db, user_id).await?.recovery_codes;
    Ok(json!({ "authenticatorApp": app, "passkeys": passkeys, "recoveryCodesLeft": left }))
}

/// A code of the caller's authenticator app, as a step-up: right, and used up.
pub async fn totp_step_up(ctx: &Ctx, code: &str) -> Result<()> {
    let user_id = caller(ctx)?.user_id;
    let subject = user_id.to_string();
    limits::for_person(ctx, &rules::STEP_UP, &subject).await?;
    let worn_out = failures::are_too_many(ctx.app.db.read(), ctx, user_id, CodePurpose::StepUp).await?;
    let right = totp::check(ctx, user_id, code).await?.filter(|_| !worn_out);
    let txn = ctx.app.db.begin().await?;
    let Some(step) = right else {
        failures::count(&txn, user_id, CodePurpose::StepUp).await?;
        txn.commit().await?;
        return Err(totp::wrong_code().into());
    };
    if !totp::spend(&txn, user_id, step).await? {
        return Err(totp::wrong_code().into());
    }
    failures::end(&txn, user_id, CodePurpose::StepUp).await?;
    txn.commit().await?;
    limits::give_back(ctx, &rules::STEP_UP, &subject).await
}
