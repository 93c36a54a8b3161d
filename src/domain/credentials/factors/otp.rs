//! Codes that change every thirty seconds (RFC 6238, with SHA-1 and six digits: what every authenticator app knows).

use aws_lc_rs::hmac;
use data_encoding::BASE32_NOPAD;
use entity::Timestamp;
use url::form_urlencoded;

/// As long as the hash: what RFC 4226 asks for.
pub const SECRET_BYTES: usize = 20;
const STEP_MILLIS: i64 = 30_000;
/// How many steps a phone's clock may be ahead or behind.
const DRIFT: i64 = 1;

/// How many whole steps have passed at that moment.
pub fn step(at: Timestamp) -> i64 {
    at.millis().div_euclid(STEP_MILLIS)
}

fn code(secret: &[u8], step: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let hash = tag.as_ref();
    // Dynamic truncation: the last four bits say where to read.
    let offset = usize::from(hash.last().copied().unwrap_or_default() & 0x0f);
    let number = hash.iter().skip(offset).take(4).fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
    format!("{:06}", (number & 0x7fff_ffff) % 1_000_000)
}

/// The step that the code belongs to, if it is one of now and newer than the last that was accepted.
pub fn matching_step(secret: &[u8], guess: &str, now: Timestamp, last_step: i64) -> Option<i64> {
    let guess: String = guess.chars().filter(|character| !character.is_whitespace()).take(7).collect();
    let present = step(now);
    // All of them are computed, whichever matches: the time tells nothing.
    let matches: Vec<i64> = (present - DRIFT..=present + DRIFT)
        .filter(|step| crate::crypto::same(code(secret, *step).as_bytes(), guess.as_bytes()))
        .collect();
    matches.into_iter().find(|step| *step > last_step)
}

/// The secret as people type it.
pub fn base32(secret: &[u8]) -> String {
    BASE32_NOPAD.encode(secret)
}

/// What the QR code says.
pub fn uri(issuer: &str, account: &str, secret: &[u8]) -> String {
    let encoded =
        |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20");
    let (issuer, account) = (encoded(issuer), encoded(account));
    format!(
        "otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}&algorithm=SHA1&digits=6&period=30",
        base32(secret)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"12345678901234567890";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[test]
    fn the_vectors_of_the_standard_hold() {
        // RFC 6238, appendix B: the last six of its eight digits.
        let vectors = [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ];
        for (seconds, expected) in vectors {
            assert_eq!(code(SECRET, step(at(seconds))), expected, "at {seconds}");
        }
        // RFC 4226, appendix D.
        let counted = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583"];
        for (count, expected) in (0..).zip(counted) {
            assert_eq!(code(SECRET, count), expected);
        }
    }

    #[test]
    fn one_step_of_drift_is_allowed_and_no_step_twice() {
        let now = at(1_000_000);
        let present = step(now);
        let code_of = |step| code(SECRET, step);
        for drift in -1..=1 {
            assert_eq!(matching_step(SECRET, &code_of(present + drift), now, 0), Some(present + drift));
        }
        for drift in [-2, 2] {
            assert_eq!(matching_step(SECRET, &code_of(present + drift), now, 0), None);
        }
        assert_eq!(matching_step(SECRET, &code_of(present), now, present), None, "a replay");
        assert_eq!(matching_step(SECRET, &code_of(present - 1), now, present), None, "an older one");
        let spaced = code_of(present);
        let spaced = format!("{} {}", &spaced[..3], &spaced[3..]);
        assert_eq!(matching_step(SECRET, &spaced, now, 0), Some(present), "as apps show it");
    }

    #[test]
    fn nonsense_matches_nothing() {
        for guess in ["", "12345", "1234567", "-00001", "\0\0\0\0\0\0", "１２３４５６"] {
            assert_eq!(matching_step(SECRET, guess, at(59), 0), None, "{guess:?}");
        }
    }

    #[test]
    fn names_cannot_add_to_the_uri() {
        let uri = uri("id.example.org", "ada:x&secret=AAAA#/?ü", SECRET);
        assert_eq!(
            uri,
            "otpauth://totp/id.example.org:ada%3Ax%26secret%3DAAAA%23%2F%3F%C3%BC?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
             &issuer=id.example.org&algorithm=SHA1&digits=6&period=30"
        );
    }
}
