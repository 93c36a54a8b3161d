//! Refresh tokens: opaque to whoever holds one, and to this service a session, a generation and a secret.
//!
//! The secret of a session's first token is random. Each next one is derived from the one before and a key that only this
//! service has: so the same token always has the same successor, although the database keeps hashes alone. A tag over all of
//! it tells a token that was issued from one that was made up. Without it, whoever knows the id of a session could end it, by
//! showing an old token that never was.

use data_encoding::BASE64URL_NOPAD;
use uuid::Uuid;

use crate::{
    crypto::{self, Purpose, Random, Vault},
    error::Result,
};

const VERSION: u8 = 1;
const SECRET: usize = 32;
const TAG: usize = 16;
/// Version, session, generation, secret, tag. Divisible by three, so that each token has one spelling.
const LENGTH: usize = 1 + 16 + 4 + SECRET + TAG;

/// A token that was issued, or is about to be.
pub struct RefreshToken {
    pub session_id: Uuid,
    /// How many came before it.
    pub generation: u32,
    secret: [u8; SECRET],
}

impl RefreshToken {
    /// The first of a session.
    pub fn first(session_id: Uuid, random: &dyn Random) -> Self {
        let mut secret = [0; SECRET];
        random.fill(&mut secret);
        Self { session_id, generation: 0, secret }
    }

    /// The one that it is exchanged for, however often it is shown.
    pub fn successor(&self, vault: &Vault) -> Result<Self> {
        let Self { session_id, generation, secret } = self;
        let parts: [&[u8]; 4] = [b"successor", session_id.as_bytes(), &generation.to_be_bytes(), secret];
        let secret = vault.mac(Purpose::RefreshToken, &parts)?;
        Ok(Self { session_id: *session_id, generation: generation.saturating_add(1), secret })
    }

    /// The one that a token of the previous version is exchanged for.
    pub fn successor_of_legacy(session_id: Uuid, legacy: &str, vault: &Vault) -> Result<Self> {
        let parts: [&[u8]; 3] = [b"legacy", session_id.as_bytes(), legacy.as_bytes()];
        let secret = vault.mac(Purpose::RefreshToken, &parts)?;
        Ok(Self { session_id, generation: 1, secret })
    }

    pub fn encode(&self, vault: &Vault) -> Result<String> {
        let Self { session_id, generation, secret } = self;
        let head = [VERSION];
        let body: [&[u8]; 4] = [&head, session_id.as_bytes(), &generation.to_be_bytes(), secret];
        let body = body.concat();
        let tag = tag(vault, &body)?;
        Ok(BASE64URL_NOPAD.encode(&[body.as_slice(), &tag].concat()))
    }

    /// `None` for everything that was not issued here.
    pub fn parse(text: &str, vault: &Vault) -> Result<Option<Self>> {
        if text.len() != BASE64URL_NOPAD.encode_len(LENGTH) {
            return Ok(None);
        }
        let Ok(bytes) = BASE64URL_NOPAD.decode(text.as_bytes()) else {
            return Ok(None);
        };
        let Some((body, shown)) = bytes.split_last_chunk::<TAG>() else {
            return Ok(None);
        };
        if !crypto::same(shown, &tag(vault, body)?) {
            return Ok(None);
        }
        Ok(fields(body))
    }
}

fn tag(vault: &Vault, body: &[u8]) -> Result<[u8; TAG]> {
    let whole = vault.mac(Purpose::RefreshToken, &[b"tag", body])?;
    let mut tag = [0; TAG];
    tag.copy_from_slice(&whole[..TAG]);
    Ok(tag)
}

fn fields(body: &[u8]) -> Option<RefreshToken> {
    let (version, rest) = body.split_first()?;
    let (session_id, rest) = rest.split_first_chunk::<16>()?;
    let (generation, rest) = rest.split_first_chunk::<4>()?;
    let secret = rest.try_into().ok().filter(|_| *version == VERSION)?;
    let session_id = Uuid::from_bytes(*session_id);
    Some(RefreshToken { session_id, generation: u32::from_be_bytes(*generation), secret })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::SystemRandomness;

    #[test]
    fn a_token_is_read_as_it_was_issued_and_a_changed_one_is_not_read() {
        let (vault, random) = (Vault::new(b"one secret"), SystemRandomness::default());
        let token = RefreshToken::first(Uuid::from_u128(7), &random).successor(&vault).unwrap();
        let text = token.encode(&vault).unwrap();
        let read = RefreshToken::parse(&text, &vault).unwrap().unwrap();
        assert_eq!((read.session_id, read.generation, read.secret), (Uuid::from_u128(7), 1, token.secret));
        assert!(RefreshToken::parse(&text, &Vault::new(b"another secret")).unwrap().is_none());
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(RefreshToken::parse(&changed, &vault).unwrap().is_none(), "changed at {at}");
            assert!(RefreshToken::parse(&text[..at], &vault).unwrap().is_none(), "cut at {at}");
        }
        for nonsense in ["", "\u{0}", &"A".repeat(92), &"ü".repeat(46), &"=".repeat(92)] {
            assert!(RefreshToken::parse(nonsense, &vault).unwrap().is_none(), "{nonsense}");
        }
    }

    #[test]
    fn a_token_has_one_successor_and_that_depends_on_the_secret_and_the_key() {
        let (vault, random) = (Vault::new(b"one secret"), SystemRandomness::default());
        let first = RefreshToken::first(Uuid::from_u128(7), &random);
        let next = |token: &RefreshToken, vault: &Vault| token.successor(vault).unwrap().secret;
        assert_eq!(next(&first, &vault), next(&first, &vault));
        assert_ne!(next(&first, &vault), next(&first, &Vault::new(b"another secret")));
        let other = RefreshToken::first(Uuid::from_u128(7), &random);
        assert_ne!(next(&first, &vault), next(&other, &vault));
        let legacy =
            |text: &str| RefreshToken::successor_of_legacy(Uuid::from_u128(7), text, &vault).unwrap().secret;
        assert_eq!(legacy("a"), legacy("a"));
        assert_ne!(legacy("a"), legacy("b"));
    }
}
