//! What an error message may repeat of a wrong value.

/// The value in quotes, in front of what is wrong with it. Where it may be a URL with a password in it, it is not
/// repeated: the message ends up in a log.
pub fn quoted(text: &str) -> String {
    let text = text.trim();
    let carries_user = text.contains('@') || text.to_ascii_lowercase().contains("%40");
    if carries_user || text.chars().count() > LONGEST {
        return "the value".to_owned();
    }
    format!("{text:?}")
}

/// Nobody mistypes more than this, and whatever is longer may be something else that came here by mistake.
const LONGEST: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_hold_a_password_is_not_repeated() {
        assert_eq!(quoted("soon"), "\"soon\"");
        assert_eq!(quoted("a\nb"), "\"a\\nb\"");
        for hidden in ["https://u:hush@host", "hush%40host", &"hush".repeat(40)] {
            assert_eq!(quoted(hidden), "the value");
        }
    }
}
