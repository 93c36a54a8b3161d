//! Addresses and numbers for which only an organisation's administrator vouches: they are in force, and give way to whoever
//! proves them. They open no account that has become somebody else's. (ADRs 0034 and 0063.)

use std::time::Duration;

use entity::{Timestamp, grant, membership, user};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect,
    sea_query::Expr,
};
use uuid::Uuid;

use crate::{
    context::Ctx,
    db::Txn,
    domain::{
        credentials::codes,
        events::log::{self, EventType, NewEvent},
    },
    error::Result,
    ids::Kind,
};

/// The columns in which an address or a number stands.
struct Contact {
    shown: user::Column,
    key: user::Column,
    verified_at: user::Column,
    proved_at: user::Column,
    /// What the log says when it changes.
    changed: EventType,
}

const MAILBOX: Contact = Contact {
    shown: user::Column::Email,
    key: user::Column::EmailKey,
    verified_at: user::Column::EmailVerifiedAt,
    proved_at: user::Column::EmailProvedAt,
    changed: EventType::EmailChanged,
};

const NUMBER: Contact = Contact {
    shown: user::Column::Phone,
    key: user::Column::PhoneKey,
    verified_at: user::Column::PhoneVerifiedAt,
    proved_at: user::Column::PhoneProvedAt,
    changed: EventType::PhoneChanged,
};

impl Contact {
    /// In force by somebody's word alone.
    fn is_vouched(&self, key: &str) -> Condition {
        Condition::all()
            .add(self.key.eq(key))
            .add(self.verified_at.is_not_null())
            .add(self.proved_at.is_null())
    }

    async fn displace(&self, txn: &Txn, ctx: &Ctx, key: &str, by: Uuid) -> Result<()> {
        let vouched: Vec<Uuid> = user::Entity::find()
            .select_only()
            .column(user::Column::Id)
            .filter(self.is_vouched(key))
            .filter(user::Column::Id.ne(by))
            .into_tuple()
            .all(&**txn)
            .await?;
        if vouched.is_empty() {
            return Ok(());
        }
        user::Entity::update_many()
            .col_expr(self.shown, Expr::value(None::<String>))
            .col_expr(self.key, Expr::value(None::<String>))
            .col_expr(self.verified_at, Expr::value(None::<Timestamp>))
            .col_expr(user::Column::UpdatedAt, Expr::value(ctx.now()))
            .filter(user::Column::Id.is_in(vouched.iter().copied()))
            // Whoever proved theirs since keeps it: then the unique key refuses the other.
            .filter(self.is_vouched(key))
            .exec(&**txn)
            .await?;
        codes::end_all(txn, ctx, &vouched).await?;
        let event = |id: &Uuid| NewEvent::of(self.changed).on(Kind::User, *id);
        log::record_all(txn, ctx, vouched.iter().map(event).collect()).await
    }

    async fn prove(&self, txn: &Txn, ctx: &Ctx, user_id: Uuid, key: &str) -> Result<()> {
        user::Entity::update_many()
            .col_expr(self.proved_at, Expr::value(ctx.now()))
            .filter(user::Column::Id.eq(user_id))
            .filter(self.is_vouched(key))
            .exec(&**txn)
            .await?;
        Ok(())
    }
}

/// Whoever proves the mailbox gets the address: an account for which only an organisation's administrator vouched goes on
/// without one, and what was mailed for it is dead. The caller has locked the mailbox.
pub(super) async fn displace_mailbox(txn: &Txn, ctx: &Ctx, email_key: &str, by: Uuid) -> Result<()> {
    MAILBOX.displace(txn, ctx, email_key, by).await
}

/// The counterpart for a number. The caller queues for the number first.
pub(super) async fn displace_number(txn: &Txn, ctx: &Ctx, number: &str, by: Uuid) -> Result<()> {
    NUMBER.displace(txn, ctx, number, by).await
}

/// Onboarding vouches for a contact and then makes the membership, in one call: the clock may go on meanwhile.
const ONE_CALL: Duration = Duration::from_mins(1);

/// Whether a code or link that was sent to this contact (as it is compared) opens the account: the contact is in force, and
/// proved, or the word for it still suffices. It does while nobody has proved another contact of the account, and while the
/// account belongs to nothing but the organisation whose administrator gave it.
pub async fn opens<C: ConnectionTrait>(db: &C, user: &user::Model, contact: &str) -> Result<bool> {
    let contacts = [
        (&user.email_key, user.email_verified_at, user.email_proved_at),
        (&user.phone_key, user.phone_verified_at, user.phone_proved_at),
    ];
    let in_force =
        contacts.into_iter().filter_map(|(key, since, proved)| Some((key.as_deref()?, since?, proved)));
    let in_force: Vec<_> = in_force.collect();
    let Some((_, since, proved)) = in_force.iter().find(|(key, ..)| *key == contact) else {
        return Ok(false);
    };
    if proved.is_some() {
        return Ok(true);
    }
    if in_force.iter().any(|(.., proved)| proved.is_some()) {
        return Ok(false);
    }
    is_where_it_was(db, user.id, *since).await
}

/// Whether the account belongs to one organisation, and did so when the word for its contact was given. An administrator's word
/// is taken for people of their own organisation only, so that is the organisation which gave it.
async fn is_where_it_was<C: ConnectionTrait>(db: &C, user_id: Uuid, since: Timestamp) -> Result<bool> {
    let joined: Vec<Timestamp> = membership::Entity::find()
        .select_only()
        .column(membership::Column::JoinedAt)
        .filter(membership::Column::UserId.eq(user_id))
        .into_tuple()
        .all(db)
        .await?;
    let there_since = |joined: &Timestamp| *joined <= since.plus(ONE_CALL);
    if joined.len() != 1 || !joined.iter().all(there_since) {
        return Ok(false);
    }
    let on_the_platform = grant::Entity::find()
        .filter(grant::Column::UserId.eq(user_id))
        .filter(grant::Column::OrganizationId.is_null());
    Ok(on_the_platform.count(db).await? == 0)
}

/// What was sent to this address or number came back: if it is the account's, it counts for everybody from now on.
pub async fn prove(txn: &Txn, ctx: &Ctx, user_id: Uuid, target: &str) -> Result<()> {
    MAILBOX.prove(txn, ctx, user_id, &super::names::name_key(target)).await?;
    NUMBER.prove(txn, ctx, user_id, target).await
}
