//! Asking for a second factor: whoever has one is not let in before it was shown.

use entity::{ChallengeKind, Timestamp, event, event_target, user};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect, RelationTrait,
};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use uuid::Uuid;

use super::{
    challenges::{self, NewChallenge},
    passkeys,
    standing::{self, Method},
    totp,
    webauthn::{self, Question},
};
use crate::{
    context::Ctx,
    domain::{
        events::log::EventType,
        sessions::entering::{self, Entering, How},
    },
    error::Result,
    ids::{self, Kind},
};

/// What waits while the second factor is missing.
#[derive(Serialize, Deserialize)]
pub struct Waiting {
    pub device: Option<String>,
    pub device_token: Option<String>,
    pub how: How,
    pub methods: Vec<Method>,
    /// For the passkeys, where there are some.
    pub question: Option<Question>,
}

/// What has to be answered before somebody is let in.
pub struct Asked {
    pub id: Uuid,
    pub methods: Vec<Method>,
    pub expires_at: Timestamp,
    /// For the browser, where a passkey can answer.
    pub passkey_options: Option<Json>,
}

/// Asks, if this person is to be asked.
pub async fn ask(ctx: &Ctx, entering: &Entering) -> Result<Option<Asked>> {
    let Entering { user, application_id, device, how, device_token, since } = entering;
    // A passkey is two factors in itself: something one has, opened by something one is or knows.
    if *how == How::Passkey {
        return Ok(None);
    }
    let db = ctx.app.db.read();
    if totp::in_force_since(db, user.id).await?.is_none() {
        return Ok(None);
    }
    let mut methods = standing::of_user(db, user.id).await?.methods(ctx, user);
    if rests_on_what_is_sent(ctx, user, *how).await? {
        methods.retain(|method| !matches!(method, Method::EmailCode | Method::SmsCode));
    }
    let (passkey_options, question) = if methods.contains(&Method::Passkey) {
        let held = passkeys::of_user(db, user.id).await?;
        let ids: Vec<_> = held.into_iter().map(|row| row.credential_id.0).collect();
        Some(webauthn::start_login(ctx, &ids)?).unzip()
    } else {
        (None, None)
    };
    let waiting = Waiting {
        device: device.clone(),
        device_token: device_token.clone(),
        how: *how,
        methods: methods.clone(),
        question,
    };
    let (kind, application_id) = (ChallengeKind::Login, Some(*application_id));
    let txn = ctx.app.db.begin().await?;
    entering::hold(&txn, user.id, *since).await?;
    let new = NewChallenge { kind, user_id: Some(user.id), application_id };
    let row = challenges::put(&txn, ctx, new, &waiting).await?;
    txn.commit().await?;
    Ok(Some(Asked { id: row.id, methods, expires_at: row.expires_at, passkey_options }))
}

/// Whether the first factor was, in the end, the mailbox or the phone: then a code that is sent there is no second.
async fn rests_on_what_is_sent(ctx: &Ctx, user: &user::Model, how: How) -> Result<bool> {
    match how {
        How::Otp => Ok(true),
        How::Password => was_reset(ctx.app.db.read(), user.id).await,
        How::Passkey | How::IdToken => Ok(false),
    }
}

/// Whether the password is one that was set with what was sent, and not changed by who knew it.
async fn was_reset<C: ConnectionTrait>(db: &C, user_id: Uuid) -> Result<bool> {
    let changes = [EventType::PasswordChanged, EventType::PasswordReset].map(EventType::code);
    let last = event::Entity::find()
        .select_only()
        .column(event::Column::Kind)
        .join(JoinType::InnerJoin, event_target::Relation::Event.def().rev())
        .filter(event_target::Column::TargetId.eq(ids::encode(Kind::User, user_id)))
        .filter(event::Column::Kind.is_in(changes))
        .order_by_desc(event::Column::OccurredAt)
        .order_by_desc(event::Column::Id)
        .into_tuple::<String>()
        .one(db)
        .await?;
    Ok(last.as_deref() == Some(EventType::PasswordReset.code()))
}
