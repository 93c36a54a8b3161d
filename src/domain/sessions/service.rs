//! Logging in with a password, and being known by a token.

use std::sync::Arc;

use entity::{UserStatus, user};
use serde_json::json;
use uuid::Uuid;

use super::{
    devices,
    entering::{self, Entered, Entering, How},
    live, tokens,
};
pub use super::{
    devices::{forget_all as forget_devices, known as known_device},
    ending::{Logout, end_all, end_others, end_sessions, logout},
    finders::{by_ids, count_of_users, may_see, of_users},
    refreshing::refresh,
};
use crate::{
    authz::{Actor, SignedIn},
    config::Switch,
    context::Ctx,
    domain::{
        api_keys, applications,
        credentials::{
            passwords::{self, Renewed},
            refusals,
        },
        identity::{self, names},
        limits::{
            rules::{self, Rule},
            service as limits,
        },
    },
    error::{ErrorCode, Fault, Result},
};

pub struct Login {
    /// A user name, an address or a phone number.
    pub identifier: String,
    pub password: String,
    pub application_id: Option<String>,
    /// What the user calls the device.
    pub device: Option<String>,
    /// What an earlier login on this device handed out.
    pub device_token: Option<String>,
}

/// Unknown, wrong and unverified are one answer, after the same time; only who knows the password of a deactivated
/// account is told so.
pub async fn login(ctx: &Ctx, login: Login) -> Result<Entered> {
    let Login { identifier, password, application_id, device, device_token } = login;
    ctx.app.hasher.has_room(ctx.source())?;
    let since = ctx.now();
    entering::judge_device(device.as_deref())?;
    let application_id = applications::service::named(ctx, application_id.as_deref()).await?;
    let user = identity::service::named_by(ctx, &identifier).await?;
    let guess = Guess::at(ctx, &identifier, user.as_ref(), device_token.as_deref()).await?;
    let user_id = user.as_ref().map(|user| user.id);
    guess.take(ctx, user_id).await?;
    // Nobody's is looked for as well: time does not tell.
    let found = passwords::hash_and_state(ctx.app.db.read(), user_id.unwrap_or_default()).await?;
    let (hash, state) = found.unzip();
    let worn_out = guess.is_worn_out(ctx, state);
    // Whose password lets them in by no means, is compared with nobody's: that takes the same time, and nobody learns of it.
    let unverified = user.as_ref().is_some_and(|user| user.status == UserStatus::Unverified);
    let compared = hash.as_ref().filter(|_| !worn_out && !unverified);
    let right = match ctx.app.hasher.verify(ctx.source(), &password, compared).await {
        Ok(right) => right,
        Err(error) => {
            // Nothing was looked at: it was no attempt.
            guess.give_back(ctx).await?;
            return Err(error);
        }
    };
    match user {
        Some(user) if right && user.status == UserStatus::Active => {
            let renewed = match &hash {
                Some(hash) => passwords::renew(ctx, user.id, &password, hash).await?,
                None => Renewed::Usual,
            };
            if renewed != Renewed::Dear {
                guess.give_back(ctx).await?;
            }
            let how = How::Password;
            let entered =
                entering::enter(ctx, Entering { user, application_id, device, how, device_token, since });
            // Who is deleted at this moment is nobody any more.
            entered.await.map_err(|error| error.on_gone(wrong_credentials()))
        }
        Some(user) if right && user.status == UserStatus::Deactivated => {
            guess.give_back(ctx).await?;
            refusals::note(ctx, Some(user.id), json!({})).await?;
            Err(Fault::new(ErrorCode::Inactive, &[], "This account is deactivated.").into())
        }
        // Right or wrong, for who is not verified it is an attempt like every other: not even the limits tell.
        _ => {
            let guesses = ctx.app.hasher.guesses(compared);
            guess.failed(ctx, user_id, guesses, worn_out).await?;
            Err(wrong_credentials().into())
        }
    }
}

fn wrong_credentials() -> Fault {
    Fault::new(ErrorCode::WrongCredentials, &[], "The name or the password is wrong.")
}

/// What an attempt to log in counts against. It hangs on what was typed, so that a name without an account is counted
/// as one with; only who shows a device of the very account is counted apart.
struct Guess {
    rule: &'static Rule,
    subjects: Vec<String>,
}

impl Guess {
    async fn at(
        ctx: &Ctx,
        identifier: &str,
        user: Option<&user::Model>,
        device_token: Option<&str>,
    ) -> Result<Self> {
        if let Some(user) = user
            && let Some(device) = devices::known(ctx, user.id, device_token).await?
        {
            return Ok(Self { rule: &rules::LOGIN_KNOWN_DEVICE, subjects: vec![device.to_string()] });
        }
        Ok(Self { rule: &rules::LOGIN, subjects: names::identifier_keys(identifier) })
    }

    fn is_strangers(&self) -> bool {
        self.rule.name == rules::LOGIN.name
    }

    /// A known device is bounded for itself, whatever others do from the same address of the network.
    async fn take(&self, ctx: &Ctx, user_id: Option<Uuid>) -> Result<()> {
        if self.is_strangers() {
            refusals::bounded_source(ctx).await?;
        }
        for subject in &self.subjects {
            refusals::bounded(ctx, self.rule, subject, user_id).await?;
        }
        Ok(())
    }

    /// From a device that is known, the password counts however often others guessed at it.
    fn is_worn_out(&self, ctx: &Ctx, state: Option<passwords::State>) -> bool {
        let limited = ctx.app.config.server.rate_limits == Switch::On;
        limited && self.is_strangers() && state == Some(passwords::State::WornOut)
    }

    async fn failed(&self, ctx: &Ctx, user_id: Option<Uuid>, guesses: i32, worn_out: bool) -> Result<()> {
        let txn = ctx.app.db.begin().await?;
        if self.is_strangers() {
            passwords::count_failure(&txn, user_id, guesses).await?;
        }
        let what = worn_out.then(|| json!({ "limit": "failures-in-a-row" }));
        refusals::record(&txn, ctx, user_id, what).await?;
        txn.commit().await
    }

    async fn give_back(&self, ctx: &Ctx) -> Result<()> {
        for subject in &self.subjects {
            limits::give_back(ctx, self.rule, subject).await?;
        }
        if self.is_strangers() { limits::give_back_source(ctx, &rules::SOURCE).await } else { Ok(()) }
    }
}

/// The password is a new one: nobody has guessed at it yet, by any of the names of this person.
pub async fn forget_guesses(ctx: &Ctx, user: &user::Model) -> Result<()> {
    let names = [Some(&user.user_name), user.email.as_ref(), user.phone.as_ref()];
    for name in names.into_iter().flatten() {
        for subject in names::identifier_keys(name) {
            limits::clear(ctx, &rules::LOGIN, &subject).await?;
        }
    }
    Ok(())
}

/// Who shows this access token: an error of its own kind when it is not one in force.
pub async fn authenticate(app: &crate::app::App, token: &str) -> Result<Option<Arc<SignedIn>>> {
    match tokens::verify(app, token).await? {
        Some(verified) => live::find(app, verified.session_id, verified.user_id).await,
        None => Ok(None),
    }
}

/// The same caller as they are now: while a stream lives, grants change and sessions end. `None` when theirs is over.
pub async fn renewed(ctx: &Ctx) -> Result<Option<Ctx>> {
    match &ctx.actor {
        Actor::Anonymous | Actor::System => Ok(Some(ctx.clone())),
        Actor::User(user) => {
            let found = live::find(&ctx.app, user.session_id, user.user_id).await?;
            Ok(found.map(|user| ctx.acting_as(Actor::User(user))))
        }
        Actor::ApiKey(key) => {
            let found = api_keys::live::again(&ctx.app, key.session_id).await?;
            Ok(found.map(|key| ctx.acting_as(Actor::ApiKey(key))))
        }
    }
}
