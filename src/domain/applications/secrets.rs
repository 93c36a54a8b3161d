//! The secrets of an application: one that proves who it is, kept as a hash, and one that seals what its extensions send,
//! kept sealed.

use data_encoding::BASE64;
use entity::{Secret, application};

use crate::{
    context::Ctx,
    crypto::{self, Purpose},
    error::Result,
};

/// As `NaCl`'s secretbox wants it.
pub const KEY_LENGTH: usize = 32;

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretKind {
    Client,
    ExtensionKey,
}

impl SecretKind {
    /// As the API says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "clientSecret",
            Self::ExtensionKey => "extensionKey",
        }
    }
}

/// A secret as it is shown, once, and as it is kept.
pub struct Made {
    pub shown: String,
    pub kept: Secret,
}

pub fn client_secret(ctx: &Ctx) -> Made {
    let shown = crypto::new_token(ctx.app.random.as_ref());
    Made { kept: crypto::token_hash(&shown), shown }
}

pub fn extension_key(ctx: &Ctx) -> Result<Made> {
    let random = ctx.app.random.as_ref();
    let mut key = [0; KEY_LENGTH];
    random.fill(&mut key);
    Ok(Made { shown: BASE64.encode(&key), kept: ctx.app.vault.seal(Purpose::ExtensionKey, &key, random)? })
}

/// The key with which its extensions seal, if it has one.
pub fn open_extension_key(ctx: &Ctx, application: &application::Model) -> Option<[u8; KEY_LENGTH]> {
    let key = ctx.app.vault.open(Purpose::ExtensionKey, application.extension_key.as_ref()?)?;
    key.try_into().ok()
}
