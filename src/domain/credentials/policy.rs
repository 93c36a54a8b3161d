//! Which passwords are good enough: long enough, whole, not common, not made of the account's own data. There are no
//! rules about which characters must occur; they make passwords worse.

use super::common;
use crate::error::{ErrorCode, Fault};

pub const SHORTEST: usize = 8;
/// In bytes of UTF-8: bcrypt reads no more, and a password is never cut.
pub const LONGEST: usize = 72;

/// Refuses what bcrypt would not read to its end.
pub fn check_whole(field: &str, password: &str) -> Result<(), Fault> {
    if password.contains('\0') {
        return Err(Fault::invalid(field, "A password cannot contain a NUL character."));
    }
    if password.len() > LONGEST {
        return Err(Fault::invalid(field, "The password is longer than 72 bytes."));
    }
    Ok(())
}

/// Refuses what can be seen at a glance: too short, too long, made of the account's own data.
pub fn check(field: &str, password: &str, own_data: &[String]) -> Result<(), Fault> {
    check_whole(field, password)?;
    check_length(field, password, SHORTEST)?;
    let folded = password.to_lowercase();
    for data in usable(own_data) {
        let data = data.to_lowercase();
        // What remains of the password without the name in it must be a password of its own.
        if folded.contains(&data) && folded.replace(&data, "").chars().count() < SHORTEST {
            let why = "The password is made of your own name or address.";
            return Err(Fault::new(ErrorCode::WeakPassword, &[field], why));
        }
    }
    Ok(())
}

/// Characters, as people count them: not bytes.
pub fn check_length(field: &str, password: &str, shortest: usize) -> Result<(), Fault> {
    if password.chars().count() >= shortest {
        return Ok(());
    }
    let why = format!("The password needs {shortest} characters or more.");
    Err(Fault::new(ErrorCode::WeakPassword, &[field], why))
}

/// Refuses a password that is among those that are tried first. It takes time, more than in proportion to the length:
/// so it looks at the two ends of a long password, of which one must be good, and belongs into the hashing pool.
pub fn judge(field: &str, password: &str, own_data: &[String]) -> Result<(), Fault> {
    const LOOKED_AT: usize = 24;
    let own: Vec<&str> = usable(own_data).collect();
    let letters: Vec<char> = password.chars().collect();
    let head: String = letters.iter().take(LOOKED_AT).collect();
    let tail: String = letters.iter().skip(letters.len().saturating_sub(LOOKED_AT)).collect();
    let good = |part: &str| u8::from(zxcvbn::zxcvbn(part, &own).score()) >= 2;
    let known = common::is_common(password);
    if !known && (good(&head) || (letters.len() > LOOKED_AT && good(&tail))) {
        return Ok(());
    }
    let message =
        "The password is among those that are tried first: it is common, or built like a common one.";
    Err(Fault::new(ErrorCode::BreachedPassword, &[field], message))
}

/// What is too long for a name is refused as one; here it would only cost time.
fn usable(own_data: &[String]) -> impl Iterator<Item = &str> {
    own_data.iter().map(String::as_str).filter(|data| (4..=200).contains(&data.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(password: &str) -> Option<ErrorCode> {
        let own = ["ada.lovelace", "ada@example.org"].map(str::to_owned);
        let checked = check("password", password, &own).and_then(|()| judge("password", password, &own));
        checked.err().map(|fault| fault.code)
    }

    #[test]
    fn passwords_that_are_guessed_first_are_refused() {
        assert_eq!(code("short"), Some(ErrorCode::WeakPassword));
        assert_eq!(code("password123"), Some(ErrorCode::BreachedPassword));
        assert_eq!(code("aaaaaaaaaaaa"), Some(ErrorCode::BreachedPassword));
        assert_eq!(code("Ada.Lovelace1"), Some(ErrorCode::WeakPassword));
        assert_eq!(code("with\0nul-inside-it"), Some(ErrorCode::Invalid));
        assert_eq!(code(&"ü".repeat(37)), Some(ErrorCode::Invalid));
    }

    #[test]
    fn good_passwords_need_no_special_characters() {
        assert_eq!(code("correct horse battery staple"), None);
        assert_eq!(code("tinte kanne wolke"), None);
        assert_eq!(code("пароль из многих слов"), None);
        assert_eq!(
            code(&format!("{}tinte kanne wolke bahn", "a".repeat(30))),
            None,
            "one good end is enough"
        );
    }
}
