//! Randomness, hashes of secrets, and sealing. Everything rests on aws-lc; nothing here invents an algorithm.
//!
//! A secret that we hand out (a token, a code) is stored only as a hash; a secret that we must read again (a private
//! key, the text of a mail that waits) is sealed with a key derived from `DENIZEN_SECRET`, one key per purpose.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    constant_time, digest, hkdf, hmac,
    rand::{SecureRandom, SystemRandom},
};
use data_encoding::BASE64URL_NOPAD;
use entity::Secret;

use crate::error::{Error, Result};

pub trait Random: Send + Sync {
    fn fill(&self, bytes: &mut [u8]);
}

/// The operating system's randomness, through aws-lc.
pub struct SystemRandomness(SystemRandom);

impl Default for SystemRandomness {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that may open the randomness source"
    )]
    fn default() -> Self {
        Self(SystemRandom::new())
    }
}

impl Random for SystemRandomness {
    #[expect(clippy::expect_used, reason = "a machine without randomness must not go on handing out tokens")]
    fn fill(&self, bytes: &mut [u8]) {
        self.0.fill(bytes).expect("the operating system gives randomness");
    }
}

/// A new opaque token of 256 bits, as text that is safe in a link.
pub fn new_token(random: &dyn Random) -> String {
    let mut bytes = [0; 32];
    random.fill(&mut bytes);
    BASE64URL_NOPAD.encode(&bytes)
}

/// A new six-digit code, each as likely as any other.
pub fn new_code(random: &dyn Random) -> String {
    const RANGE: u32 = 1_000_000;
    // Values above the largest multiple of the range would make small codes likelier.
    const FAIR: u32 = u32::MAX - u32::MAX % RANGE;
    loop {
        let mut bytes = [0; 4];
        random.fill(&mut bytes);
        let number = u32::from_le_bytes(bytes);
        if number < FAIR {
            return format!("{:06}", number % RANGE);
        }
    }
}

/// The form in which a token of 256 random bits is stored: nobody can guess it, so a plain hash will do.
pub fn token_hash(token: &str) -> Secret {
    Secret::from(digest::digest(&digest::SHA256, token.as_bytes()).as_ref().to_vec())
}

/// A number that stands for the text, where only a number will do. Two texts may share one.
pub fn number_of(text: &str) -> i64 {
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    hash.as_ref().iter().take(8).fold(0, |number, byte| number << 8 | i64::from(*byte))
}

pub fn same(left: &[u8], right: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(left, right).is_ok()
}

/// What a key is for. Each purpose has its own key: what was sealed for one does not open for another.
#[derive(Clone, Copy)]
pub enum Purpose {
    SigningKey,
    Notification,
    Code,
    SecretCheck,
    Totp,
    Challenge,
    ExtensionKey,
    RefreshToken,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::SigningKey => b"denizen signing key v1",
            Self::Notification => b"denizen notification v1",
            Self::Code => b"denizen one-time code v1",
            Self::SecretCheck => b"denizen secret check v1",
            Self::Totp => b"denizen totp secret v1",
            Self::Challenge => b"denizen challenge v1",
            Self::ExtensionKey => b"denizen extension key v1",
            Self::RefreshToken => b"denizen refresh token v1",
        }
    }
}

/// Seals and opens with keys derived from `DENIZEN_SECRET`.
pub struct Vault {
    root: hkdf::Prk,
}

impl Vault {
    pub fn new(secret: &[u8]) -> Self {
        Self { root: hkdf::Salt::new(hkdf::HKDF_SHA256, b"denizen").extract(secret) }
    }

    fn derive(&self, purpose: Purpose) -> Result<[u8; 32]> {
        let mut key = [0; 32];
        self.root
            .expand(&[purpose.label()], hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(&mut key))
            .map_err(|_| Error::internal("the key derivation failed"))?;
        Ok(key)
    }

    fn cipher(&self, purpose: Purpose) -> Result<LessSafeKey> {
        let key = UnboundKey::new(&AES_256_GCM, &self.derive(purpose)?)
            .map_err(|_| Error::internal("the sealing key was refused"))?;
        Ok(LessSafeKey::new(key))
    }

    pub fn seal(&self, purpose: Purpose, plain: &[u8], random: &dyn Random) -> Result<Secret> {
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce);
        let mut body = plain.to_vec();
        self.cipher(purpose)?
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut body)
            .map_err(|_| Error::internal("sealing failed"))?;
        Ok(Secret::from([nonce.as_slice(), &body].concat()))
    }

    /// What was sealed, or `None` when it was sealed with another secret, for another purpose, or changed since.
    pub fn open(&self, purpose: Purpose, sealed: &Secret) -> Option<Vec<u8>> {
        let (nonce, body) = sealed.0.split_at_checked(NONCE_LEN)?;
        let mut body = body.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let plain = self.cipher(purpose).ok()?.open_in_place(nonce, Aad::empty(), &mut body).ok()?;
        Some(plain.to_vec())
    }

    /// The stored form of a short code. A million codes are hashed in no time, so the hash is keyed: who has only
    /// the database cannot try them.
    pub fn code_hash(&self, context: &[u8], code: &str) -> Result<Secret> {
        let hash = self.mac(Purpose::Code, &[context, code.as_bytes()])?;
        Ok(Secret::from(hash.to_vec()))
    }

    /// What nobody can compute who does not have the key of this purpose. The parts are joined as they are: see to it that
    /// they can be told apart.
    pub fn mac(&self, purpose: Purpose, parts: &[&[u8]]) -> Result<[u8; 32]> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.derive(purpose)?);
        let mut message = hmac::Context::with_key(&key);
        for part in parts {
            message.update(part);
        }
        let tag = message.sign();
        tag.as_ref().try_into().map_err(|_| Error::internal("the tag has another length"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_only_with_the_same_secret_and_purpose() {
        let (vault, random) = (Vault::new(b"one secret"), SystemRandomness::default());
        let sealed = vault.seal(Purpose::SigningKey, b"private", &random).unwrap();
        assert_eq!(vault.open(Purpose::SigningKey, &sealed).as_deref(), Some(b"private".as_slice()));
        assert_eq!(vault.open(Purpose::Notification, &sealed), None);
        assert_eq!(Vault::new(b"another secret").open(Purpose::SigningKey, &sealed), None);
        let mut changed = sealed.0.clone();
        changed[NONCE_LEN] ^= 1;
        assert_eq!(vault.open(Purpose::SigningKey, &Secret::from(changed)), None);
        assert_eq!(vault.open(Purpose::SigningKey, &Secret::from(vec![1, 2, 3])), None);
    }

    #[test]
    fn codes_have_six_digits_and_tokens_are_unlike_each_other() {
        let random = SystemRandomness::default();
        for _ in 0..100 {
            let code = new_code(&random);
            assert!(code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()), "{code}");
        }
        assert_ne!(new_token(&random), new_token(&random));
    }

    #[test]
    fn a_code_hash_is_bound_to_its_context() {
        let vault = Vault::new(b"one secret");
        assert_ne!(vault.code_hash(b"a", "123456").unwrap(), vault.code_hash(b"b", "123456").unwrap());
    }
}
