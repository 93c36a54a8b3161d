//! The tables, one file each, in the ORM's entity format. Owns the shape of a row and nothing more: no rules, no
//! GraphQL, no queries. The schema itself is made by the `migration` crate, which knows nothing of these files;
//! a test compares the two on both databases.

#![allow(
    clippy::disallowed_methods,
    reason = "what is derived can begin transactions; rooms use `Db::begin`"
)]

/// What programs show in place of their users.
pub mod api_key;
/// Tenants: the applications that registered with Denizen, and where their identities live.
pub mod application;
/// How often something was tried.
pub mod attempt;
/// Questions that wait for one answer: of a second factor, or of a passkey.
pub mod challenge;
/// The devices that people have logged in on.
pub mod device_token;
/// Messages that went out, as far as the next ones depend on them.
pub mod dispatch;
/// What happened, once and for all: the source of audit, webhooks, directory and subscriptions.
pub mod event;
/// Whom or what an event was about.
pub mod event_target;
/// Whom the extensions of applications mean by their own ids.
pub mod extension_user;
/// A role that a person holds, on the platform or in one organisation.
pub mod failure;
pub mod grant;
/// The id tokens that were exchanged, until they run out.
pub mod id_token;
/// The one row that says this database belongs to an installation, and to which secret.
pub mod installation;
/// Who was invited into which organisation.
pub mod invitation;
/// Work to be done after the commit, at least once.
pub mod job;
/// Who belongs to which organisation.
pub mod membership;
/// The product's language models.
pub mod model;
/// Mails and text messages on their way.
pub mod notification;
/// Six digits, or a link, that prove an address or a person once.
pub mod one_time_code;
/// Organisations.
pub mod organization;
/// The public halves of the keys that people log in with.
pub mod passkey;
/// Password hashes, apart from the people.
pub mod password;
/// What an account joins once its address is proved.
pub mod pending_membership;
/// That somebody has just proved again who they are.
pub mod proof;
/// What stands in for a lost second factor, once.
pub mod recovery_code;
/// Refresh tokens, single-use and in families: a session is the family.
pub mod refresh_token;
/// Which application knows which person.
pub mod registration;
/// What shows who chose the password of a registration.
pub mod registration_token;
/// Roles and their permissions.
pub mod role;
/// Sessions: one login on one device.
pub mod session;
/// The keys that sign access tokens, and those that did.
pub mod signing_key;
/// What authenticator apps share with us.
pub mod totp_secret;
/// People.
pub mod user;
/// Which person may use which language model.
pub mod user_model;

mod secret;
mod timestamp;

pub use application::IdentityBackend;
pub use challenge::ChallengeKind;
pub use event::ActorKind;
pub use invitation::InvitationStatus;
pub use job::JobState;
pub use notification::NotificationState;
pub use one_time_code::{Channel, CodePurpose};
pub use secret::Secret;
pub use timestamp::Timestamp;
pub use user::UserStatus;
