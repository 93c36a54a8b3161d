//! Passkeys that nobody has: what is offered for a name that has none, so that nobody learns which names have some.

use crate::{
    context::Ctx,
    domain::identity::names,
    error::{Error, Result},
};

/// How long the ids of real authenticators are: of password managers, Apple's keychain, Windows and security keys.
const LENGTHS: [usize; 4] = [16, 20, 32, 64];

/// The same for one name each time, and known only to who holds the secret.
pub fn credential_ids(ctx: &Ctx, identifier: &str) -> Result<Vec<Vec<u8>>> {
    let name = names::identifier_key(identifier);
    let part = |label: &[u8]| ctx.app.vault.code_hash(label, &name).map(|hash| hash.0);
    let mut id = [part(b"passkey decoy 1")?, part(b"passkey decoy 2")?].concat();
    let kind = id.pop().ok_or_else(|| Error::internal("an empty hash"))?;
    id.push(kind);
    id.truncate(LENGTHS[usize::from(kind) % LENGTHS.len()]);
    Ok(vec![id])
}
