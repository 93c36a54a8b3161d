//! What a key looks like: `dzn_`, 40 random letters and digits, and 6 more that are the checksum (CRC-32) of what stands
//! before them, in base 62 with the digits first, then capitals, then small letters.
//!
//! So a scanner of source code recognises a key that leaked, and only a key: `dzn_[0-9A-Za-z]{46}` with the right end.

use crate::crypto::Random;

const PREFIX: &str = "dzn_";
const RANDOM: usize = 40;
const CHECKSUM: usize = 6;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A new key of 238 random bits.
pub fn generate(random: &dyn Random) -> String {
    // The largest multiple of 62 in a byte: what lies above would make some letters likelier.
    const FAIR: u8 = 248;
    let mut key = PREFIX.to_owned();
    while key.len() < PREFIX.len() + RANDOM {
        let mut bytes = [0; 64];
        random.fill(&mut bytes);
        let fair = bytes.iter().filter(|byte| **byte < FAIR);
        let missing = PREFIX.len() + RANDOM - key.len();
        key.extend(fair.take(missing).map(|byte| char::from(ALPHABET[usize::from(byte % 62)])));
    }
    let checksum = checksum(&key);
    key + &checksum
}

/// Whether the text means to be a key.
pub fn looks_like_one(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// Whether it has the form of a key, checksum included: what has not, was never one.
pub fn is_whole(text: &str) -> bool {
    text.len() == PREFIX.len() + RANDOM + CHECKSUM
        && text.is_ascii()
        && looks_like_one(text)
        && text.split_at_checked(PREFIX.len() + RANDOM).is_some_and(|(body, end)| checksum(body) == end)
}

/// As much of a key as may be shown: enough to tell it from others.
pub fn masked(key: &str) -> String {
    let shown: String = key.chars().take(PREFIX.len() + 6).collect();
    format!("{shown}…")
}

fn checksum(body: &str) -> String {
    let mut rest = usize::try_from(crc32(body.as_bytes())).unwrap_or_default();
    let mut digits = [b'0'; CHECKSUM];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[rest % 62];
        rest /= 62;
    }
    digits.iter().copied().map(char::from).collect()
}

/// CRC-32 as in zip and png.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc: u32, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::SystemRandomness;

    #[test]
    fn the_checksum_is_the_one_of_everybody() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn a_key_is_recognised_and_a_changed_one_is_not() {
        let random = SystemRandomness::default();
        for _ in 0..100 {
            let key = generate(&random);
            assert!(key.len() == 50 && is_whole(&key), "{key}");
            let mut changed = key.clone().into_bytes();
            changed[10] = if changed[10] == b'a' { b'b' } else { b'a' };
            assert!(!is_whole(&String::from_utf8(changed).unwrap()));
            assert!(!is_whole(&key[..49]) && masked(&key).len() < 20);
        }
        for wrong in ["", "dzn_", "dzn_\u{0}", "dzn_ümlaut", &"ü".repeat(25)] {
            assert!(!is_whole(wrong), "{wrong}");
        }
    }
}
