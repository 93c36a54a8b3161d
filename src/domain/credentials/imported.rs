//! The hashes that passwords are kept in: our own, and those of other systems: bcrypt in its variants, argon2id, scrypt and
//! PBKDF2.
//!
//! What a hash costs stands in the hash, and whoever imports it chose it: above a bound it is refused, so that no login
//! can be made to take minutes or gigabytes. Verifying one belongs into the hashing pool.

use std::num::NonZeroU32;

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::pbkdf2;
use data_encoding::{BASE64, BASE64_NOPAD};

use crate::crypto;

/// What all hashes that are computed at the same time may fill: one alone never asks for more.
pub const MEMORY_KIB: u32 = 256 * 1024;
/// A gigabyte written in all passes together.
const MOST_PASSES_KIB: u64 = 1024 * 1024;
const MOST_BCRYPT_COST: u32 = 16;
const MOST_ITERATIONS: u32 = 2_000_000;

/// A hash that is understood, and can be verified within the bounds.
pub struct Hash {
    kind: Kind,
    salt: Vec<u8>,
    expected: Vec<u8>,
}

enum Kind {
    /// The salt and what is expected stay in the text, which the crate reads itself.
    Bcrypt {
        cost: u32,
        text: String,
    },
    Argon2id {
        version: Version,
        memory_kib: u32,
        passes: u32,
        lanes: u32,
    },
    Scrypt {
        log_n: u8,
        block: u32,
        lanes: u32,
    },
    Pbkdf2 {
        algorithm: pbkdf2::Algorithm,
        iterations: NonZeroU32,
    },
}

impl Hash {
    /// `None` for one that is not understood, or costs too much: no password belongs to it.
    pub fn read(text: &str) -> Option<Self> {
        if is_bcrypt(text) {
            let parts: bcrypt::HashParts = plain_bcrypt(text)?.parse().ok()?;
            let cost = Some(parts.get_cost()).filter(|cost| (4..=MOST_BCRYPT_COST).contains(cost))?;
            let kind = Kind::Bcrypt { cost, text: parts.to_string() };
            return Some(Self { kind, salt: Vec::new(), expected: Vec::new() });
        }
        if let Some(rest) = text.strip_prefix("pbkdf2_") {
            return django(rest);
        }
        let (name, rest) = text.strip_prefix('$')?.split_once('$')?;
        match name {
            "argon2id" => argon2id(rest),
            "scrypt" => scrypt(rest),
            "pbkdf2-sha256" => pbkdf2_phc(pbkdf2::PBKDF2_HMAC_SHA256, rest),
            "pbkdf2-sha512" => pbkdf2_phc(pbkdf2::PBKDF2_HMAC_SHA512, rest),
            _ => None,
        }
    }

    pub fn matches(&self, password: &str) -> bool {
        let Self { kind, salt, expected } = self;
        let mut found = vec![0; expected.len()];
        let computed = match kind {
            Kind::Bcrypt { text, .. } => return bcrypt::verify(password, text).unwrap_or(false),
            Kind::Argon2id { version, memory_kib, passes, lanes } => {
                let params = Params::new(*memory_kib, *passes, *lanes, Some(expected.len())).ok();
                params.is_some_and(|params| {
                    let argon = Argon2::new(Algorithm::Argon2id, *version, params);
                    argon.hash_password_into(password.as_bytes(), salt, &mut found).is_ok()
                })
            }
            Kind::Scrypt { log_n, block, lanes } => scrypt::Params::new(*log_n, *block, *lanes)
                .is_ok_and(|params| scrypt::scrypt(password.as_bytes(), salt, &params, &mut found).is_ok()),
            Kind::Pbkdf2 { algorithm, iterations } => {
                pbkdf2::derive(*algorithm, *iterations, salt, password.as_bytes(), &mut found);
                true
            }
        };
        computed && crypto::same(&found, expected)
    }

    /// What verifying it fills.
    pub fn memory_kib(&self) -> u32 {
        match &self.kind {
            // It fills four kilobytes.
            Kind::Bcrypt { .. } | Kind::Pbkdf2 { .. } => 0,
            Kind::Argon2id { memory_kib, .. } => *memory_kib,
            Kind::Scrypt { log_n, block, lanes } => {
                u32::try_from(scrypt_kib(*log_n, *block, *lanes)).unwrap_or(u32::MAX)
            }
        }
    }

    /// How many rounds of bcrypt take about as long: not fewer, measured on machines with and without instructions for SHA-2.
    pub fn rounds(&self) -> u64 {
        match &self.kind {
            Kind::Bcrypt { cost, .. } => 1 << cost,
            Kind::Argon2id { memory_kib, passes, .. } => u64::from(*memory_kib) * u64::from(*passes) / 48,
            Kind::Scrypt { log_n, block, lanes } => (u64::from(*block) << log_n) * u64::from(*lanes) / 128,
            Kind::Pbkdf2 { iterations, .. } => u64::from(iterations.get()) / 100,
        }
    }

    /// Its cost, for bcrypt.
    pub fn bcrypt_cost(&self) -> Option<u32> {
        match &self.kind {
            Kind::Bcrypt { cost, .. } => Some(*cost),
            Kind::Argon2id { .. } | Kind::Scrypt { .. } | Kind::Pbkdf2 { .. } => None,
        }
    }
}

/// Whether it is bcrypt's, which reads 72 bytes and stops at a NUL.
pub fn is_bcrypt(hash: &str) -> bool {
    ["$2a$", "$2b$", "$2y$"].iter().any(|prefix| hash.starts_with(prefix))
}

/// The hash as the crate reads it. The last letters of salt and hash have bits that mean nothing; some systems set them.
fn plain_bcrypt(text: &str) -> Option<String> {
    const LETTERS: &[u8; 64] = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut plain = text.as_bytes().to_vec();
    for (at, meaningless) in [(28, 0b1111), (59, 0b11)] {
        let letter = plain.get_mut(at)?;
        let value = LETTERS.iter().position(|known| known == letter)?;
        *letter = *LETTERS.get(value & !meaningless)?;
    }
    String::from_utf8(plain).ok()
}

/// The cost of a hash that is written as our own are: another one is replaced at the next login.
pub fn own_cost(hash: &str) -> Option<u32> {
    hash.strip_prefix("$2b$")?.get(..2)?.parse().ok()
}

/// `v=19$m=65536,t=3,p=4$salt$hash`. Without a version it is the first one, in which there was nowhere to write it.
fn argon2id(rest: &str) -> Option<Hash> {
    let (version, rest) = match rest.split_once('$')? {
        ("v=19", rest) => (Version::V0x13, rest),
        ("v=16", rest) => (Version::V0x10, rest),
        (settings, _) if settings.starts_with("m=") => (Version::V0x10, rest),
        _ => return None,
    };
    let (params, salt, expected) = parts(rest)?;
    let (memory_kib, passes, lanes) = (number(params, "m")?, number(params, "t")?, number(params, "p")?);
    let dear = memory_kib > MEMORY_KIB || u64::from(memory_kib) * u64::from(passes) > MOST_PASSES_KIB;
    if dear || lanes > 64 || Params::new(memory_kib, passes, lanes, Some(expected.len())).is_err() {
        return None;
    }
    Some(Hash { kind: Kind::Argon2id { version, memory_kib, passes, lanes }, salt, expected })
}

/// `ln=17,r=8,p=1$salt$hash`
fn scrypt(rest: &str) -> Option<Hash> {
    let (params, salt, expected) = parts(rest)?;
    let (log_n, block, lanes) = (number(params, "ln")?, number(params, "r")?, number(params, "p")?);
    if log_n > 20 || block > 64 || lanes > 64 {
        return None;
    }
    let log_n = u8::try_from(log_n).ok()?;
    let dear = scrypt_kib(log_n, block, lanes) > u64::from(MEMORY_KIB)
        || (u64::from(block) << log_n) / 8 * u64::from(lanes) > MOST_PASSES_KIB;
    if dear || scrypt::Params::new(log_n, block, lanes).is_err() {
        return None;
    }
    Some(Hash { kind: Kind::Scrypt { log_n, block, lanes }, salt, expected })
}

/// Its table, and a block for each lane.
fn scrypt_kib(log_n: u8, block: u32, lanes: u32) -> u64 {
    ((u64::from(block) << log_n) + u64::from(block) * u64::from(lanes)).div_ceil(8)
}

/// `i=600000,l=32$salt$hash`, and as passlib writes it: `600000$salt$hash`.
fn pbkdf2_phc(algorithm: pbkdf2::Algorithm, rest: &str) -> Option<Hash> {
    let (params, salt, expected) = parts(rest)?;
    let iterations = number(params, "i").or_else(|| params.parse().ok())?;
    derived(algorithm, iterations, salt, expected)
}

/// `sha256$600000$salt$hash` after `pbkdf2_`: the salt is text, the hash is padded.
fn django(rest: &str) -> Option<Hash> {
    let mut fields = rest.split('$');
    let algorithm = match fields.next()? {
        "sha256" => pbkdf2::PBKDF2_HMAC_SHA256,
        "sha512" => pbkdf2::PBKDF2_HMAC_SHA512,
        _ => return None,
    };
    let (iterations, salt) = (fields.next()?.parse().ok()?, fields.next()?.as_bytes().to_vec());
    let expected = BASE64.decode(fields.next()?.as_bytes()).ok()?;
    if fields.next().is_some() || !fits(&salt, &expected) {
        return None;
    }
    derived(algorithm, iterations, salt, expected)
}

fn derived(algorithm: pbkdf2::Algorithm, iterations: u32, salt: Vec<u8>, expected: Vec<u8>) -> Option<Hash> {
    let iterations = NonZeroU32::new(iterations).filter(|count| count.get() <= MOST_ITERATIONS)?;
    Some(Hash { kind: Kind::Pbkdf2 { algorithm, iterations }, salt, expected })
}

/// `params$salt$hash`
fn parts(rest: &str) -> Option<(&str, Vec<u8>, Vec<u8>)> {
    let mut fields = rest.split('$');
    let (params, salt, hash) = (fields.next()?, decoded(fields.next()?)?, decoded(fields.next()?)?);
    (fields.next().is_none() && fits(&salt, &hash)).then_some((params, salt, hash))
}

/// Too short a hash is easily met by another password, and too long a one costs.
fn fits(salt: &[u8], hash: &[u8]) -> bool {
    (4..=64).contains(&salt.len()) && (16..=64).contains(&hash.len())
}

/// Base64 without padding; passlib writes a dot for the plus.
fn decoded(text: &str) -> Option<Vec<u8>> {
    BASE64_NOPAD.decode(text.trim_end_matches('=').replace('.', "+").as_bytes()).ok()
}

fn number(params: &str, name: &str) -> Option<u32> {
    let of_name = |param: &str| param.strip_prefix(name)?.strip_prefix('=')?.parse().ok();
    params.split(',').find_map(of_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verify(password: &str, hash: &str) -> bool {
        Hash::read(hash).is_some_and(|hash| hash.matches(password))
    }

    /// Made by others: the vectors of argon2's reference, passlib, Django and RFC 7914.
    const KNOWN: &[(&str, &str)] = &[
        ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
        ("U*U", "$2b$05$CCCCCCCCCCCCCCCCCCCCC/E5YPO9kmyuRGyh0XouQYb4YMJKvyOeX"),
        ("U*U", "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
        ("password", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"),
        (
            "pleaseletmein",
            "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofLVQylVYT8Pz2LUlwUkKpr55h6F3A1lHkDfzwF7RVdYhw",
        ),
        (
            "passwd",
            "$pbkdf2-sha256$i=1,l=64$c2FsdA$VawEblbjCJ/sFpHCJUS2BflBhSFt3gRl5oudV8INrLxJypzM8Xm2RZkWZLOdd+8xfHG4RbHjC9UJESBB06GXgw",
        ),
    ];

    #[test]
    fn hashes_of_other_systems_verify_and_only_with_their_password() {
        for (password, hash) in KNOWN {
            assert!(verify(password, hash), "{hash}");
            assert!(!verify(&format!("{password}x"), hash), "{hash}");
            assert!(!verify("", hash), "{hash}");
        }
    }

    #[test]
    fn spellings_of_one_hash_are_one() {
        let salt = [7_u8; 16];
        let mut key = [0; 32];
        let rounds = NonZeroU32::new(1_000).unwrap();
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &salt, b"tinte", &mut key);
        let (salt64, key64) = (BASE64_NOPAD.encode(&salt), BASE64_NOPAD.encode(&key));
        assert!(verify("tinte", &format!("$pbkdf2-sha256$i=1000${salt64}${key64}")));
        let passlib = format!("$pbkdf2-sha256$1000${salt64}${key64}").replace('+', ".");
        assert!(verify("tinte", &passlib), "{passlib}");
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, b"somesalt", b"tinte", &mut key);
        assert!(verify("tinte", &format!("pbkdf2_sha256$1000$somesalt${}", BASE64.encode(&key))));
    }

    #[test]
    fn what_costs_too_much_or_is_not_understood_belongs_to_no_password() {
        // Were one of them computed, this test would not end.
        let hash = "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        for text in [
            String::new(),
            "password".to_owned(),
            "$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW".to_owned(),
            "$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW".to_owned(),
            "$1$abcdefgh$abcdefghijklmnopqrstuv".to_owned(),
            format!("$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQ${hash}"),
            format!("$argon2id$v=19$m=65536,t=4294967295,p=1$c29tZXNhbHQ${hash}"),
            format!("$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ${hash}"),
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$".to_owned(),
            format!("$scrypt$ln=63,r=8,p=1$c29tZXNhbHQ${hash}"),
            format!("$scrypt$ln=17,r=4294967295,p=1$c29tZXNhbHQ${hash}"),
            format!("$pbkdf2-sha256$i=4294967295$c29tZXNhbHQ${hash}"),
            format!("$pbkdf2-sha256$i=0$c29tZXNhbHQ${hash}"),
            format!("pbkdf2_md5$1$somesalt${hash}="),
        ] {
            assert!(!verify("password", &text), "{text}");
        }
    }

    #[test]
    fn what_a_hash_costs_is_read_from_it() {
        let of = |start: &str| {
            let hash =
                Hash::read(&format!("{start}$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"))
                    .unwrap();
            (hash.rounds(), hash.memory_kib())
        };
        assert_eq!(of("$argon2id$v=19$m=65536,t=3,p=4"), (4_096, 65_536));
        assert_eq!(of("$scrypt$ln=17,r=8,p=1"), (8_192, 131_073));
        assert_eq!(of("$pbkdf2-sha256$i=600000"), (6_000, 0));
        let bcrypt = Hash::read(&format!("$2b$12${}", ".".repeat(53))).unwrap();
        assert_eq!((bcrypt.rounds(), bcrypt.memory_kib(), bcrypt.bcrypt_cost()), (4_096, 0, Some(12)));
    }

    #[test]
    fn an_argon2id_hash_without_a_version_is_of_the_first_one() {
        let hash = "$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        let version = |start: &str| match Hash::read(&format!("$argon2id${start}{hash}"))?.kind {
            Kind::Argon2id { version, .. } => Some(version),
            _ => None,
        };
        assert_eq!(version("m=256,t=2,p=1"), Some(Version::V0x10));
        assert_eq!(version("v=16$m=256,t=2,p=1"), Some(Version::V0x10));
        assert_eq!(version("v=19$m=256,t=2,p=1"), Some(Version::V0x13));
        assert_eq!(version("v=17$m=256,t=2,p=1"), None);
    }
}
