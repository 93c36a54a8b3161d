//! Which passwords are good enough: long enough, whole, not common, not made of the account's own data. There are no
//! rules about which characters must occur; they make passwords worse.

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

/// Refuses a bad password, in words that help to choose a better one.
pub fn check(field: &str, password: &str, own_data: &[&str]) -> Result<(), Fault> {
    check_whole(field, password)?;
    let weak = |why: &'static str| Err(Fault::new(ErrorCode::WeakPassword, &[field], why));
    if password.chars().count() < SHORTEST {
        return weak("The password needs 8 characters or more.");
    }
    let folded = password.to_lowercase();
    // What is too long for a name is refused as one; here it would only cost time.
    let own_data: Vec<&str> =
        own_data.iter().copied().filter(|data| (4..=800).contains(&data.len())).collect();
    let own = own_data.iter().map(|data| data.to_lowercase()).filter(|data| data.chars().count() >= 4);
    for data in own {
        // What remains of the password without the name in it must be a password of its own.
        if folded.contains(&data) && folded.replace(&data, "").chars().count() < SHORTEST {
            return weak("The password is made of your own name or address.");
        }
    }
    if u8::from(zxcvbn::zxcvbn(password, &own_data).score()) < 2 {
        let message =
            "The password is among those that are tried first: it is common, or built like a common one.";
        return Err(Fault::new(ErrorCode::BreachedPassword, &[field], message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(password: &str) -> Option<ErrorCode> {
        check("password", password, &["ada.lovelace", "ada@example.org"]).err().map(|fault| fault.code)
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
    }
}
