//! Secrets as settings: their values can be used, and not printed.

use std::{collections::HashMap, fmt, str::FromStr};

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL_NOPAD};

/// Text that no log and no error message may show.
#[derive(Clone)]
pub struct Sensitive(String);

impl Sensitive {
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether somebody could find it by trying what people choose.
    pub fn is_guessable(&self) -> bool {
        is_guessable(self.0.as_bytes())
    }
}

impl FromStr for Sensitive {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("it is empty; leave the setting out instead".to_owned());
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Sensitive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// The bytes behind `DENIZEN_SECRET`.
#[derive(Clone)]
pub struct SecretKey(Vec<u8>);

impl SecretKey {
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn is_guessable(&self) -> bool {
        is_guessable(&self.0)
    }
}

impl FromStr for SecretKey {
    type Err = String;

    // The value itself never stands in the message: the message ends up in a log.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let bytes = BASE64
            .decode(text.as_bytes())
            .or_else(|_| BASE64_NOPAD.decode(text.as_bytes()))
            .or_else(|_| BASE64URL_NOPAD.decode(text.trim_end_matches('=').as_bytes()))
            .map_err(|_| "it is not base64: take the output of `openssl rand -base64 32`".to_owned())?;
        if bytes.len() < 32 {
            return Err(format!("it has {} bytes, 32 or more are needed", bytes.len()));
        }
        Ok(Self(bytes))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Random bytes hardly repeat: 32 of them hold fewer than a dozen different ones once in 10^20 times. Text has fewer
/// signs to choose from: 32 hexadecimal digits hold fewer than eight different ones as rarely.
const DIFFERENT_BYTES: usize = 12;
const DIFFERENT_SIGNS: usize = 8;
/// The logarithm of how many guesses a text must take. 32 random digits take more, sentences of known words fewer.
const GUESSES: f64 = 20.0;
/// So many signs are judged at once: the count of guesses ends at 2^64.
const JUDGED_AT_ONCE: usize = 16;

/// Whether a secret was typed or taken from an example rather than drawn: it repeats itself, counts up or down, or
/// consists of what people choose.
fn is_guessable(secret: &[u8]) -> bool {
    let text = std::str::from_utf8(secret).ok().filter(|text| !text.contains(char::is_control));
    let different: std::collections::BTreeSet<_> = secret.iter().collect();
    let needed = if text.is_some() { DIFFERENT_SIGNS } else { DIFFERENT_BYTES };
    different.len() < needed
        || repeats(secret)
        || counts(secret)
        || text.is_some_and(|text| guesses(text) < GUESSES)
}

/// The logarithm of how many guesses a text takes, word by word. What one looks up is written in lower case: it is no better
/// for being shouted.
fn guesses(text: &str) -> f64 {
    let text = text.to_lowercase();
    let words = text.split(|sign: char| sign.is_whitespace() || "-_.".contains(sign));
    let signs: Vec<Vec<char>> = words.map(|word| word.chars().collect()).collect();
    let pieces = signs.iter().flat_map(|word| word.chunks(JUDGED_AT_ONCE));
    let ours = ["denizen", "router", "secret", "development"];
    pieces.map(|piece| zxcvbn::zxcvbn(&piece.iter().collect::<String>(), &ours).guesses_log10()).sum()
}

/// Whether it is a piece that stands there twice or more, the last time perhaps cut.
fn repeats(secret: &[u8]) -> bool {
    (1..=secret.len() / 2)
        .any(|period| secret.iter().zip(secret.iter().skip(period)).all(|(one, next)| one == next))
}

/// Whether most of its bytes follow the one before by the same step: `0123…`, `zyxw…`, and the bytes 1, 2, 3.
fn counts(secret: &[u8]) -> bool {
    let mut steps: HashMap<u8, usize> = HashMap::new();
    for (one, next) in secret.iter().zip(secret.iter().skip(1)) {
        *steps.entry(next.wrapping_sub(*one)).or_default() += 1;
    }
    steps.values().max().is_some_and(|most| most * 2 >= secret.len().saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_secret_says_how_short_and_never_itself() {
        let error = "c2hvcnQ=".parse::<SecretKey>().unwrap_err();
        assert_eq!(error, "it has 5 bytes, 32 or more are needed");
        assert_eq!(format!("{:?}", BASE64.encode(&[7; 32]).parse::<SecretKey>().unwrap()), "[secret]");
    }

    #[test]
    fn what_was_typed_or_copied_is_guessable() {
        for typed in [
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "abababababababababababababababab",
            "0123456789abcdef0123456789abcdef",
            "01234567890123456789012345678901",
            "abcdefghijklmnopqrstuvwxyzabcdef",
            "zyxwvutsrqponmlkjihgfedcba987654",
            "qwertyuiopasdfghjklzxcvbnm123456",
            "development-only-router-secret-32",
            "DEVELOPMENT-ONLY-ROUTER-SECRET-32",
            "bench secret bench secret bench ",
            "passwordpasswordpasswordpassword",
            "changeme-changeme-changeme-12345",
            "my-super-secret-router-secret-key",
            "this is the secret of the tests 01",
        ] {
            assert!(is_guessable(typed.as_bytes()), "{typed}");
        }
        assert!(is_guessable(&[0; 32]) && is_guessable(&[0xff; 64]));
        assert!(is_guessable(&(1..=32).collect::<Vec<u8>>()));
        assert!(is_guessable(&(0..32).map(|at| 255 - at * 3).collect::<Vec<u8>>()));
        assert!(is_guessable(&[1, 200, 3, 77, 5, 130, 9, 250].repeat(4)));
    }

    #[test]
    fn what_was_drawn_is_not() {
        for drawn in [
            "c6T1vWkQ8mJ2xZr7LbHn4PyDgUe0sAfK",
            "9f86d081884c7d659a2feaa0c55ad015",
            "5d41402abc4b2a76b9719d911017c5926d1f8a3e0b7c4f2a",
            "83915027465983120475619283746501",
            "Zk3/8sQm+2Vb9xLr0TfYp6WdJhNc4GaUeKiOoSy1BxA=",
        ] {
            assert!(!is_guessable(drawn.as_bytes()), "{drawn}");
        }
        let random = crate::crypto::SystemRandomness::default();
        for _ in 0..300 {
            let mut bytes = [0; 32];
            crate::crypto::Random::fill(&random, &mut bytes);
            assert!(!is_guessable(&bytes), "{bytes:?}");
            assert!(!is_guessable(data_encoding::HEXLOWER.encode(&bytes[..16]).as_bytes()), "{bytes:?}");
            assert!(!is_guessable(BASE64.encode(&bytes).as_bytes()), "{bytes:?}");
        }
    }
}
