//! Verifying the hashes that other systems kept passwords in: bcrypt in its variants, argon2id, scrypt and PBKDF2.
//!
//! What a hash costs stands in the hash, and whoever imports it chose it: above a bound it is refused, so that no login
//! can be made to take minutes or gigabytes. It belongs into the hashing pool.

use std::num::NonZeroU32;

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::pbkdf2;
use data_encoding::{BASE64, BASE64_NOPAD};

use crate::crypto;

/// 256 MiB, in the unit of argon2.
const MOST_MEMORY_KIB: u32 = 256 * 1024;
/// A gigabyte written in all passes together.
const MOST_PASSES_KIB: u64 = 1024 * 1024;
const MOST_BCRYPT_COST: u32 = 16;
const MOST_SCRYPT_BLOCKS: u64 = 1 << 22;
const MOST_ITERATIONS: u32 = 2_000_000;

/// Whether the password belongs to the hash. One that is not understood, or costs too much, belongs to none.
pub fn verify(password: &str, hash: &str) -> bool {
    verified(password, hash).unwrap_or(false)
}

/// Whether it is bcrypt's, which reads 72 bytes and stops at a NUL.
pub fn is_bcrypt(hash: &str) -> bool {
    ["$2a$", "$2b$", "$2y$"].iter().any(|prefix| hash.starts_with(prefix))
}

/// The cost of a hash that is written as our own are: another one is replaced at the next login.
pub fn own_cost(hash: &str) -> Option<u32> {
    hash.strip_prefix("$2b$")?.get(..2)?.parse().ok()
}

fn verified(password: &str, hash: &str) -> Option<bool> {
    if is_bcrypt(hash) {
        let cost: u32 = hash.get(4..6)?.parse().ok()?;
        return (cost <= MOST_BCRYPT_COST).then(|| bcrypt::verify(password, hash).unwrap_or(false));
    }
    if let Some(rest) = hash.strip_prefix("pbkdf2_") {
        return django(password, rest);
    }
    let (name, rest) = hash.strip_prefix('$')?.split_once('$')?;
    match name {
        "argon2id" => argon2id(password, rest),
        "scrypt" => scrypt(password, rest),
        "pbkdf2-sha256" => pbkdf2_phc(password, pbkdf2::PBKDF2_HMAC_SHA256, rest),
        "pbkdf2-sha512" => pbkdf2_phc(password, pbkdf2::PBKDF2_HMAC_SHA512, rest),
        _ => None,
    }
}

/// `v=19$m=65536,t=3,p=4$salt$hash`
fn argon2id(password: &str, rest: &str) -> Option<bool> {
    let (version, rest) = rest.split_once('$')?;
    let version = match version {
        "v=19" => Version::V0x13,
        "v=16" => Version::V0x10,
        _ => return None,
    };
    let (params, salt, expected) = parts(rest)?;
    let (memory, passes, lanes) = (number(params, "m")?, number(params, "t")?, number(params, "p")?);
    if memory > MOST_MEMORY_KIB || u64::from(memory) * u64::from(passes) > MOST_PASSES_KIB || lanes > 64 {
        return None;
    }
    let params = Params::new(memory, passes, lanes, Some(expected.len())).ok()?;
    let mut found = vec![0; expected.len()];
    let argon = Argon2::new(Algorithm::Argon2id, version, params);
    argon.hash_password_into(password.as_bytes(), &salt, &mut found).ok()?;
    Some(crypto::same(&found, &expected))
}

/// `ln=17,r=8,p=1$salt$hash`
fn scrypt(password: &str, rest: &str) -> Option<bool> {
    let (params, salt, expected) = parts(rest)?;
    let (log, size, lanes) = (number(params, "ln")?, number(params, "r")?, number(params, "p")?);
    if log > 20 || size > 64 || lanes > 64 {
        return None;
    }
    let blocks = (1_u64 << log) * u64::from(size);
    if blocks / 8 > u64::from(MOST_MEMORY_KIB) || blocks * u64::from(lanes) > MOST_SCRYPT_BLOCKS {
        return None;
    }
    let params = scrypt::Params::new(u8::try_from(log).ok()?, size, lanes).ok()?;
    let mut found = vec![0; expected.len()];
    scrypt::scrypt(password.as_bytes(), &salt, &params, &mut found).ok()?;
    Some(crypto::same(&found, &expected))
}

/// `i=600000,l=32$salt$hash`, and as passlib writes it: `600000$salt$hash`.
fn pbkdf2_phc(password: &str, algorithm: pbkdf2::Algorithm, rest: &str) -> Option<bool> {
    let (params, salt, expected) = parts(rest)?;
    let iterations = number(params, "i").or_else(|| params.parse().ok())?;
    same_as_derived(password, algorithm, iterations, &salt, &expected)
}

/// `sha256$600000$salt$hash` after `pbkdf2_`: the salt is text, the hash is padded.
fn django(password: &str, rest: &str) -> Option<bool> {
    let mut fields = rest.split('$');
    let algorithm = match fields.next()? {
        "sha256" => pbkdf2::PBKDF2_HMAC_SHA256,
        "sha512" => pbkdf2::PBKDF2_HMAC_SHA512,
        _ => return None,
    };
    let (iterations, salt) = (fields.next()?.parse().ok()?, fields.next()?);
    let expected = BASE64.decode(fields.next()?.as_bytes()).ok()?;
    if fields.next().is_some() || !fits(salt.as_bytes(), &expected) {
        return None;
    }
    same_as_derived(password, algorithm, iterations, salt.as_bytes(), &expected)
}

fn same_as_derived(
    password: &str,
    algorithm: pbkdf2::Algorithm,
    iterations: u32,
    salt: &[u8],
    expected: &[u8],
) -> Option<bool> {
    let iterations = NonZeroU32::new(iterations).filter(|count| count.get() <= MOST_ITERATIONS)?;
    let mut found = vec![0; expected.len()];
    pbkdf2::derive(algorithm, iterations, salt, password.as_bytes(), &mut found);
    Some(crypto::same(&found, expected))
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

    /// Made by others: the vectors of argon2's reference, passlib, Django and RFC 7914.
    const KNOWN: &[(&str, &str)] = &[
        ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
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
}
