//! Second factors as GraphQL shows them.

use async_graphql::{Enum, ID, Object, SimpleObject};
use entity::{passkey, user};

use super::{
    asking::Asked,
    service::{self, Factors},
};
use crate::{
    context::Ctx,
    graphql::{
        resilient::Resilient,
        scalars::{DateTime, Json},
    },
    ids::{self, Kind},
};

/// What can answer for the second factor of a login.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "service::Method")]
pub enum MfaMethod {
    /// The six digits that an authenticator app shows.
    Totp,
    /// One of the recovery codes. It works once.
    RecoveryCode,
    /// A code that is sent to the proved address.
    EmailCode,
    /// A code that is sent to the proved phone number.
    SmsCode,
    /// A passkey.
    Passkey,
}

/// Whether logins ask for a second factor, and which ones can answer.
#[derive(SimpleObject)]
pub struct MfaStatus {
    /// Whether a login with a password or a code asks for a second factor: an authenticator app is in force.
    enabled: bool,
    /// What can answer then; empty while none is asked for.
    methods: Vec<MfaMethod>,
    /// How many recovery codes are unused.
    recovery_codes_left: u64,
}

impl MfaStatus {
    pub fn new(ctx: &Ctx, factors: &Factors, user: &user::Model) -> Self {
        Self {
            enabled: factors.totp,
            methods: factors.methods(ctx, user).into_iter().map(MfaMethod::from).collect(),
            recovery_codes_left: factors.recovery_codes,
        }
    }
}

/// A login that waits for its second factor: answer it with `completeLogin`.
#[derive(SimpleObject)]
pub struct LoginChallenge {
    /// The global id.
    id: ID,
    /// What can answer.
    methods: Vec<MfaMethod>,
    /// When it runs out.
    expires_at: DateTime,
    /// Where PASSKEY can answer: for `navigator.credentials.get()`, as `{ publicKey: … }`, with bytes as base64url.
    passkey_options: Option<Json>,
}

impl From<Asked> for LoginChallenge {
    fn from(asked: Asked) -> Self {
        let Asked { id, methods, expires_at, passkey_options } = asked;
        Self {
            id: ids::encode(Kind::Challenge, id).into(),
            methods: methods.into_iter().map(MfaMethod::from).collect(),
            expires_at: DateTime(expires_at),
            passkey_options: passkey_options.map(Json),
        }
    }
}

#[derive(Clone)]
pub struct PasskeyObject(passkey::Model);

pub type Passkey = Resilient<PasskeyObject>;

impl From<passkey::Model> for Passkey {
    fn from(row: passkey::Model) -> Self {
        Self(PasskeyObject(row))
    }
}

/// A key in one of your devices or password managers, with which you log in without a password.
#[Object(name = "Passkey")]
impl PasskeyObject {
    /// The global id.
    pub async fn id(&self) -> ID {
        ids::encode(Kind::Passkey, self.0.id).into()
    }

    /// What you call it.
    fn name(&self) -> &str {
        &self.0.name
    }

    /// When it was added.
    fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When it was last used to log in.
    fn last_used_at(&self) -> Option<DateTime> {
        self.0.last_used_at.map(DateTime)
    }
}
