//! Hashes that other systems made: which are taken over, and how much work they may ask for.
//!
//! A hash says itself how long it takes to verify. One that asks for hours or for gigabytes would be a denial of service
//! at every login, so it is refused when it comes in.

use data_encoding::BASE64_NOPAD;

use super::imported::{Hash, MEMORY_KIB};

const UNKNOWN: &str =
    "This is no hash that is known: bcrypt ($2a$, $2b$, $2y$), argon2id, scrypt or pbkdf2 in PHC form.";
const MALFORMED: &str = "This hash is not well-formed.";
const TOO_DEAR: &str = "This hash takes too much time or memory to verify.";
const TOO_CHEAP: &str = "This hash was made with so little work that it protects nobody.";

/// The whole text, with all that is in it, is not longer.
const LONGEST: usize = 512;

/// In KiB, over all passes: what one verification may write.
const MOST_WRITTEN: u64 = 1024 * 1024;

/// The hash, or what is wrong with it. The password is not known, so it is judged by its form alone.
pub fn recognise(hash: &str) -> Result<Hash, &'static str> {
    check(hash)?;
    // What is taken in can be verified: a bound there counts here.
    Hash::read(hash).ok_or(TOO_DEAR)
}

fn check(hash: &str) -> Result<(), &'static str> {
    if hash.len() > LONGEST || !hash.is_ascii() {
        return Err(UNKNOWN);
    }
    let mut parts = hash.split('$');
    if parts.next() != Some("") {
        return Err(UNKNOWN);
    }
    let parts: Vec<_> = parts.collect();
    match parts.as_slice() {
        ["2a" | "2b" | "2y", cost, rest] => bcrypt(cost, rest),
        ["argon2id", "v=16" | "v=19", settings, salt, output]
        // Without a version it is the first one.
        | ["argon2id", settings, salt, output] => {
            argon2id(settings)?;
            filled(salt, output).map(|_| ())
        }
        ["scrypt", settings, salt, output] => {
            scrypt(settings)?;
            filled(salt, output).map(|_| ())
        }
        ["pbkdf2-sha256" | "pbkdf2-sha512", settings, salt, output] => {
            let length = filled(salt, output)?;
            pbkdf2(settings, length)
        }
        _ => Err(UNKNOWN),
    }
}

fn bcrypt(cost: &str, rest: &str) -> Result<(), &'static str> {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'/';
    if cost.len() != 2 || rest.len() != 53 || !rest.bytes().all(letter) {
        return Err(MALFORMED);
    }
    match number(cost)? {
        // 14 takes about a second; each step doubles it.
        4..=14 => Ok(()),
        15.. => Err(TOO_DEAR),
        _ => Err(TOO_CHEAP),
    }
}

fn argon2id(settings: &str) -> Result<(), &'static str> {
    let [memory, passes, lanes] = numbers(settings, ["m", "t", "p"])?;
    if memory == 0 || passes == 0 || lanes == 0 || memory < lanes.saturating_mul(8) {
        return Err(MALFORMED);
    }
    let dear = memory > u64::from(MEMORY_KIB) || memory.saturating_mul(passes) > MOST_WRITTEN || lanes > 16;
    if dear { Err(TOO_DEAR) } else { Ok(()) }
}

fn scrypt(settings: &str) -> Result<(), &'static str> {
    let [log_n, block, lanes] = numbers(settings, ["ln", "r", "p"])?;
    if log_n == 0 || block == 0 || lanes == 0 {
        return Err(MALFORMED);
    }
    if log_n > 20 || block > 32 || lanes > 16 {
        return Err(TOO_DEAR);
    }
    let memory = (block << log_n) / 8;
    if memory > u64::from(MEMORY_KIB) || memory * lanes > MOST_WRITTEN { Err(TOO_DEAR) } else { Ok(()) }
}

fn pbkdf2(settings: &str, length: usize) -> Result<(), &'static str> {
    let mut rounds = None;
    for setting in settings.split(',') {
        match setting.split_once('=') {
            Some(("i", value)) if rounds.is_none() => rounds = Some(number(value)?),
            Some(("l", value)) if number(value)? == length as u64 => {}
            _ => return Err(MALFORMED),
        }
    }
    match rounds.ok_or(MALFORMED)? {
        // The highest that anybody recommends (for SHA-1) is 1.3 million.
        1_000..=2_000_000 => Ok(()),
        2_000_001.. => Err(TOO_DEAR),
        _ => Err(TOO_CHEAP),
    }
}

/// The values of exactly these settings, in this order.
fn numbers<const N: usize>(settings: &str, names: [&str; N]) -> Result<[u64; N], &'static str> {
    let mut values = [0; N];
    let mut settings = settings.split(',');
    for (value, name) in values.iter_mut().zip(names) {
        let (found, text) = settings.next().and_then(|setting| setting.split_once('=')).ok_or(MALFORMED)?;
        if found != name {
            return Err(MALFORMED);
        }
        *value = number(text)?;
    }
    if settings.next().is_some() { Err(MALFORMED) } else { Ok(values) }
}

fn number(text: &str) -> Result<u64, &'static str> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(MALFORMED);
    }
    // Only what does not fit is left: it is larger than any bound.
    if text.is_empty() { Err(MALFORMED) } else { Ok(text.parse().unwrap_or(u64::MAX)) }
}

/// Salt and output as they should be; answers how long the output is.
fn filled(salt: &str, output: &str) -> Result<usize, &'static str> {
    let length = |text: &str| BASE64_NOPAD.decode(text.as_bytes()).map(|bytes| bytes.len()).ok();
    match (length(salt), length(output)) {
        (Some(8..=48), Some(output @ 16..=64)) => Ok(output),
        _ => Err(MALFORMED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: &str = "c29tZXNhbHRzb21lc2FsdA";
    const OUTPUT: &str = "RdescudvJCsgt3ub+b27doSwQJuUOYJLQzrmMeMFKpM";

    fn problem(hash: &str) -> Option<&'static str> {
        recognise(hash).err()
    }

    #[test]
    fn the_usual_hashes_are_recognised() {
        for prefix in ["$2a$04$", "$2b$12$", "$2y$14$"] {
            assert_eq!(problem(&format!("{prefix}{}", "a".repeat(53))), None);
        }
        for start in [
            "$argon2id$v=19$m=65536,t=3,p=4",
            "$argon2id$v=19$m=19456,t=2,p=1",
            "$argon2id$m=47104,t=1,p=1",
            "$scrypt$ln=17,r=8,p=1",
            "$scrypt$ln=14,r=8,p=5",
            "$pbkdf2-sha256$i=600000,l=32",
            "$pbkdf2-sha512$i=210000",
        ] {
            assert_eq!(problem(&format!("{start}${SALT}${OUTPUT}")), None, "{start}");
        }
    }

    #[test]
    fn what_asks_for_absurd_work_is_refused() {
        assert_eq!(problem(&format!("$2b$15${}", "a".repeat(53))), Some(TOO_DEAR));
        for start in [
            "$argon2id$v=19$m=4194304,t=1,p=1",
            "$argon2id$v=19$m=65536,t=4294967295,p=1",
            "$argon2id$v=19$m=99999999999999999999999,t=1,p=1",
            "$scrypt$ln=63,r=8,p=1",
            "$scrypt$ln=20,r=32,p=1",
            "$scrypt$ln=17,r=8,p=16",
            "$scrypt$ln=18,r=8,p=1",
            "$pbkdf2-sha256$i=4000000000",
        ] {
            assert_eq!(problem(&format!("{start}${SALT}${OUTPUT}")), Some(TOO_DEAR), "{start}");
        }
        assert_eq!(problem(&format!("$pbkdf2-sha256$i=1${SALT}${OUTPUT}")), Some(TOO_CHEAP));
    }

    #[test]
    fn what_is_no_hash_is_refused() {
        let long = format!("$2b$12${}", "a".repeat(54));
        let nul = format!("$2b$12${}\0", "a".repeat(52));
        for text in [
            "",
            "$",
            "password",
            "5f4dcc3b5aa765d61d8327deb882cf99",
            "$1$salt$qJH7.N4xYta3aEG/dfqo/0",
            "$2b$12$",
            "$2x$12$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "$argon2i$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b27doSwQJuUOYJLQzrmMeMFKpM",
            "$argon2id$v=19$m=65536,t=3$c29tZXNhbHQ$RdescudvJCsgt3ub+b27doSwQJuUOYJLQzrmMeMFKpM",
            "$argon2id$v=19$m=65536,t=3,p=4$$",
            "$argon2id$v=19$m=65536,t=0,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b27doSwQJuUOYJLQzrmMeMFKpM",
            "$pbkdf2-sha256$i=600000,l=16$c29tZXNhbHQ$RdescudvJCsgt3ub+b27doSwQJuUOYJLQzrmMeMFKpM",
            "$pbkdf2-sha256$i=+600000$c29tZXNhbHQ$RdescudvJCsgt3ub+b27doSwQJuUOYJLQzrmMeMFKpM",
            &long,
            &nul,
        ] {
            assert!(recognise(text).is_err(), "{text:?}");
        }
    }
}
