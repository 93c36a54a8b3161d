//! Recording what happened.

use entity::{event, event_target};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::{authz::Actor, context::Ctx, db::Txn, domain::orgs, error::Result, ids};

/// What can happen, as `<room>.<what happened>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventType {
    UserRegistered,
    UserVerified,
    UserOnboarded,
    UserUpdated,
    UserActivated,
    UserDeactivated,
    UserDeleted,
    EmailChanged,
    PhoneChanged,
    SessionStarted,
    SessionRefused,
    SessionEnded,
    SessionReuseDetected,
    SessionRefreshRepeated,
    PasswordChanged,
    PasswordReset,
    OtpSent,
    MfaEnabled,
    MfaDisabled,
    PasskeyAdded,
    PasskeyRemoved,
    ApiKeyCreated,
    ApiKeyRevoked,
    KeyRotated,
    OrgCreated,
    OrgUpdated,
    OrgDeactivated,
    OrgActivated,
    MemberAdded,
    MemberRemoved,
    InvitationSent,
    InvitationAccepted,
    InvitationDeclined,
    InvitationRevoked,
    RoleUpserted,
    RoleGranted,
    RoleRevoked,
    ModelUpserted,
    ApplicationRegistered,
    ApplicationUpdated,
}

impl EventType {
    pub const fn code(self) -> &'static str {
        match self {
            Self::UserRegistered => "user.registered",
            Self::UserVerified => "user.verified",
            Self::UserOnboarded => "user.onboarded",
            Self::UserUpdated => "user.updated",
            Self::UserActivated => "user.activated",
            Self::UserDeactivated => "user.deactivated",
            Self::UserDeleted => "user.deleted",
            Self::EmailChanged => "email.changed",
            Self::PhoneChanged => "phone.changed",
            Self::SessionStarted => "session.started",
            Self::SessionRefused => "session.refused",
            Self::SessionEnded => "session.ended",
            Self::SessionReuseDetected => "session.reuse_detected",
            Self::SessionRefreshRepeated => "session.refresh_repeated",
            Self::PasswordChanged => "password.changed",
            Self::PasswordReset => "password.reset",
            Self::OtpSent => "otp.sent",
            Self::MfaEnabled => "mfa.enabled",
            Self::MfaDisabled => "mfa.disabled",
            Self::PasskeyAdded => "passkey.added",
            Self::PasskeyRemoved => "passkey.removed",
            Self::ApiKeyCreated => "api_key.created",
            Self::ApiKeyRevoked => "api_key.revoked",
            Self::KeyRotated => "key.rotated",
            Self::OrgCreated => "org.created",
            Self::OrgUpdated => "org.updated",
            Self::OrgDeactivated => "org.deactivated",
            Self::OrgActivated => "org.activated",
            Self::MemberAdded => "member.added",
            Self::MemberRemoved => "member.removed",
            Self::InvitationSent => "invitation.sent",
            Self::InvitationAccepted => "invitation.accepted",
            Self::InvitationDeclined => "invitation.declined",
            Self::InvitationRevoked => "invitation.revoked",
            Self::RoleUpserted => "role.upserted",
            Self::RoleGranted => "role.granted",
            Self::RoleRevoked => "role.revoked",
            Self::ModelUpserted => "model.upserted",
            Self::ApplicationRegistered => "application.registered",
            Self::ApplicationUpdated => "application.updated",
        }
    }
}

impl EventType {
    /// Whether it happens to an account itself, wherever its person works.
    const fn is_of_account(self) -> bool {
        matches!(
            self,
            Self::UserVerified
                | Self::UserUpdated
                | Self::UserActivated
                | Self::UserDeactivated
                | Self::UserDeleted
                | Self::EmailChanged
                | Self::PhoneChanged
        )
    }
}

/// One thing that happened, about to be recorded.
pub struct NewEvent {
    kind: EventType,
    targets: Vec<String>,
    organization: Option<Uuid>,
    data: Option<Json>,
}

impl NewEvent {
    pub fn of(kind: EventType) -> Self {
        Self { kind, targets: Vec::new(), organization: None, data: None }
    }

    /// Whom or what it happened to.
    #[must_use]
    pub fn on(mut self, kind: ids::Kind, id: Uuid) -> Self {
        self.targets.push(ids::encode(kind, id));
        self
    }

    #[must_use]
    pub fn within(mut self, organization: Option<Uuid>) -> Self {
        self.organization = organization;
        self
    }

    /// What else is worth knowing. Never a secret.
    #[must_use]
    pub fn with(mut self, data: Json) -> Self {
        self.data = Some(data);
        self
    }
}

/// Records the event in the transaction of the change that it tells of.
pub async fn record(txn: &Txn, ctx: &Ctx, event: NewEvent) -> Result<()> {
    record_all(txn, ctx, vec![event]).await
}

/// A statement holds only so many values.
const AT_ONCE: usize = 500;

/// Records many events in the order given: two statements, however many.
pub async fn record_all(txn: &Txn, ctx: &Ctx, mut events: Vec<NewEvent>) -> Result<()> {
    place(txn, &mut events).await?;
    let (mut rows, mut targets) = (Vec::new(), Vec::new());
    for event in events {
        let id = ctx.new_id();
        targets.extend(event.targets.iter().cloned().zip(0..).map(|(target_id, position)| {
            event_target::ActiveModel {
                event_id: Set(id),
                target_id: Set(target_id),
                position: Set(position),
            }
        }));
        rows.push(row(ctx, id, event));
    }
    for rows in rows.chunks(AT_ONCE) {
        event::Entity::insert_many(rows.to_vec()).exec_without_returning(&**txn).await?;
    }
    for targets in targets.chunks(AT_ONCE) {
        event_target::Entity::insert_many(targets.to_vec()).exec_without_returning(&**txn).await?;
    }
    txn.has_recorded();
    Ok(())
}

/// What an event takes besides its own statement when it has happened to somebody, done for nobody.
pub async fn look_for_nobody(txn: &Txn) -> Result<()> {
    let nothing = event_target::Entity::delete_many().filter(event_target::Column::EventId.eq(Uuid::nil()));
    nothing.exec(&**txn).await?;
    Ok(())
}

/// What happens to an account happens in the organisation that its person works for in the first place, so that the
/// administrators there read of it.
async fn place(txn: &Txn, events: &mut [NewEvent]) -> Result<()> {
    let account = |event: &NewEvent| {
        let user = || event.targets.iter().find_map(|id| ids::decode_as(ids::Kind::User, id));
        if event.organization.is_none() && event.kind.is_of_account() { user() } else { None }
    };
    let ids: Vec<Uuid> = events.iter().filter_map(account).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let places = orgs::service::primary_places(txn, &ids).await?;
    for event in events {
        if let Some(id) = account(event) {
            event.organization = places.get(&id).copied();
        }
    }
    Ok(())
}

fn row(ctx: &Ctx, id: Uuid, event: NewEvent) -> event::ActiveModel {
    let NewEvent { kind, targets: _, organization, data } = event;
    let (actor_kind, actor_id, actor_name) = match &ctx.actor {
        Actor::Anonymous => (event::ActorKind::Anonymous, None, None),
        Actor::System => (event::ActorKind::System, None, None),
        Actor::User(user) => (event::ActorKind::User, Some(user.user_id), Some(user.user_name.clone())),
        Actor::ApiKey(user) => (event::ActorKind::ApiKey, Some(user.user_id), Some(user.user_name.clone())),
    };
    event::ActiveModel {
        id: Set(id),
        kind: Set(kind.code().to_owned()),
        actor_kind: Set(actor_kind),
        actor_id: Set(actor_id),
        actor_name: Set(actor_name),
        organization_id: Set(organization),
        application_id: Set(ctx.actor.signed_in().map(|user| user.application_id)),
        data: Set(data),
        ip: Set(ctx.request.ip.map(|ip| ip.to_string())),
        user_agent: Set(ctx.request.user_agent.clone()),
        request_id: Set(ctx.request.id.clone()),
        occurred_at: Set(ctx.now()),
    }
}
