//! One spelling for each name and address. What people type is kept as they typed it; its key, made here and only
//! here, is what is unique and what is looked up.

use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;

/// No name or address is longer, and normalising takes time: of what is longer, nobody is meant.
const LONGEST: usize = 1_000;
/// A key that no row can have.
const NOBODY: &str = "\u{fffd}";

/// The key of a user name: the same for all spellings that a reader takes for the same. It never holds a NUL, which
/// `PostgreSQL` would refuse even in a comparison.
///
/// Composing can bring out a space or a capital that folding has then to see again (`¯` is a space and an accent), so
/// the steps are repeated until nothing changes.
pub fn name_key(text: &str) -> String {
    if text.len() > LONGEST {
        return NOBODY.to_owned();
    }
    let mut key = folded(text);
    for _ in 0..4 {
        let again = folded(&key);
        if again == key {
            break;
        }
        key = again;
    }
    key
}

fn folded(text: &str) -> String {
    let composed: String = text.nfkc().collect();
    let folded: String = caseless::default_case_fold_str(&composed).nfkc().collect();
    folded.trim().replace('\0', "\u{fffd}")
}

/// The key of an attempt whose name somebody else holds: a name has no space in it, so it is none.
pub fn waiting_key(key: &str, id: Uuid) -> String {
    format!("{key} {}", id.simple())
}

/// The key of whatever somebody is named by, an address, a number or a user name: one for all spellings.
pub fn identifier_key(text: &str) -> String {
    email(text).map(|email| email.key).or_else(|| phone(text)).unwrap_or_else(|| name_key(text))
}

/// Under which keys an account may be found by what was typed, whether or not there is one: what is counted, is counted
/// for each. An address is looked up as one and as a user name, whose keys differ where a domain has letters like `ß`.
pub fn identifier_keys(text: &str) -> Vec<String> {
    let mut keys = vec![identifier_key(text), name_key(text)];
    keys.dedup();
    keys
}

/// Names that users could take for ours.
pub fn is_reserved(name: &str) -> bool {
    ["admin", "administrator", "root", "superadmin", "system"].contains(&name_key(name).as_str())
}

/// An address in a form that can be mailed to, and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    pub address: String,
    pub key: String,
}

/// `None` for what is no address.
pub fn email(text: &str) -> Option<Email> {
    if text.len() > LONGEST {
        return None;
    }
    let text: String = text.trim().nfkc().collect();
    let (local, domain) = text.rsplit_once('@')?;
    let domain = idna::domain_to_ascii_strict(domain).ok()?;
    // A host on the Internet has a name; `127.0.0.1` is not one.
    let named = domain.rsplit('.').next().is_some_and(|last| !last.bytes().all(|byte| byte.is_ascii_digit()));
    let dotted = named && domain.split('.').count() >= 2 && domain.len() <= 253;
    // The letters of RFC 5322's dot-atom, and any letter beyond ASCII (RFC 6531).
    // The fillers of Hangul are letters that nobody sees.
    let seen = |c: char| c.is_alphanumeric() && !('\u{115f}'..='\u{1160}').contains(&c);
    let plain = |c: char| seen(c) || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    let atoms = local.split('.').all(|atom| !atom.is_empty()) && local.chars().all(plain);
    if !dotted || !atoms || local.len() > 64 {
        return None;
    }
    let address = format!("{local}@{domain}");
    Some(Email { key: name_key(&address), address })
}

/// Enough of an address to recognise one's own: `a•••@example.org`.
pub fn masked(address: &str) -> String {
    let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
    let first: String = local.chars().take(1).collect();
    format!("{first}•••@{domain}")
}

/// A telephone number in the international form of E.164, which is its own key: `+`, then 8 to 15 digits. `None` for
/// what is none, such as a number that only works within a country.
pub fn phone(text: &str) -> Option<String> {
    if text.len() > LONGEST {
        return None;
    }
    let text: String = text.trim().nfkc().collect();
    let bare: String =
        text.chars().filter(|c| !c.is_whitespace() && !"-.()/\u{2010}\u{2011}".contains(*c)).collect();
    let digits = bare.strip_prefix('+').or_else(|| bare.strip_prefix("00"))?;
    let country = digits.bytes().next().is_some_and(|first| (b'1'..=b'9').contains(&first));
    let fits = (8..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    (country && fits).then(|| format!("+{digits}"))
}

/// Enough of a number to recognise one's own: `+49•••••42`.
pub fn masked_phone(number: &str) -> String {
    let first: String = number.chars().take(3).collect();
    let last: String = number.chars().skip(number.chars().count().saturating_sub(2)).collect();
    format!("{first}•••••{last}")
}

/// What is wrong with a user name, in words for who chose it.
pub fn user_name_problem(name: &str) -> Option<&'static str> {
    let length = name.trim().chars().count();
    if !(3..=64).contains(&length) {
        return Some("A user name has 3 to 64 characters.");
    }
    // Of the key, too: some letters come apart into others, and the fillers of Hangul are letters that nobody sees.
    let allowed =
        |c: char| (c.is_alphanumeric() && !('\u{115f}'..='\u{1160}').contains(&c)) || "._-@+".contains(c);
    let key = name_key(name);
    if !name.trim().chars().chain(key.chars()).all(allowed) {
        return Some("A user name has letters, digits and . _ - only.");
    }
    None
}

/// Whether the name could be taken for somebody's address or phone number.
pub fn looks_like_contact(name: &str) -> bool {
    name.contains('@') || name.starts_with('+') || name.chars().all(|c| c.is_numeric() || "-.".contains(c))
}

/// Whether the text has the form of a language tag (BCP 47), such as `de` or `pt-BR`.
pub fn is_language_tag(text: &str) -> bool {
    let mut parts = text.split('-');
    let language = parts.next().is_some_and(|part| {
        (2..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphabetic())
    });
    let part =
        |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    language && parts.all(part) && text.len() <= 35
}

/// Whether the text is the address of something on the web that others may be shown: http or https, a host, and nothing
/// that a page could take for something else. Names and passwords before the host are refused: they mislead readers.
pub fn is_web_address(text: &str) -> bool {
    let (scheme, rest) = text.split_once("://").unwrap_or_default();
    let web = ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, "443"));
    let host_fits = !host.is_empty() && host.len() <= 253 && idna::domain_to_ascii_strict(host).is_ok();
    let port_fits = port.parse::<u16>().is_ok_and(|port| port > 0);
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"\"'<>\\^`{|}".contains(c);
    web && host_fits && port_fits && text.len() <= 2_000 && text.chars().all(plain)
}

/// Letters that nobody sees, or that turn their neighbours round (Unicode's category Cf): what has some can look like
/// what it is not.
pub fn is_invisible(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}'
        | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0001}' | '\u{e0020}'..='\u{e007f}')
}

/// What is wrong with a piece of text that people see: the database takes no NUL, and a line is a line.
pub fn text_problem(text: &str) -> Option<&'static str> {
    if text.chars().count() > 200 {
        return Some("It is longer than 200 characters.");
    }
    text.chars().any(char::is_control).then_some("It contains control characters.")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_has_no_letter_that_nobody_sees() {
        for text in ["ada\u{3164}@example.org", "\u{115f}@example.org", "ada\u{ffa0}@example.org"] {
            assert_eq!(email(text), None, "{text:?}");
        }
    }

    #[test]
    fn one_key_for_all_spellings_of_a_mailbox() {
        let key = |text| email(text).map(|email| email.key);
        assert_eq!(key("Ada@Example.ORG"), key("  ada@example.org "));
        assert_eq!(key("ａｄａ@example.org"), key("ada@example.org"));
        assert_eq!(key("ada@bücher.example"), key("ADA@xn--bcher-kva.example"));
        assert_eq!(key("straße@example.org"), key("STRASSE@example.org"));
        assert_ne!(key("ada@example.org"), key("ada@example.com"));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "ada",
            "@example.org",
            "ada@",
            "a b@example.org",
            "ada@example",
            "a@b@c.org",
            "ada@exa mple.org",
            "ada@127.0.0.1",
            "ada@example..org",
            ".ada@example.org",
            "ada\0@example.org",
            "ada@example.org\r\nBcc: x@y.org",
            "<ada@example.org>",
        ] {
            assert_eq!(email(text), None, "{text:?}");
        }
    }

    #[test]
    fn language_tags_are_told_from_other_text() {
        assert!(["de", "pt-BR", "zh-Hant-TW", "sr-Latn"].into_iter().all(is_language_tag));
        assert!(
            !["", "d", "de_DE", "de-", "-de", "1a", "deutschland", "de\0"].into_iter().any(is_language_tag)
        );
    }

    #[test]
    fn web_addresses_are_told_from_what_only_looks_like_one() {
        for text in
            ["https://example.org/ada.png", "HTTP://bücher.example:8080/a?b=c#d", "https://127.0.0.1/x"]
        {
            assert!(is_web_address(text), "{text}");
        }
        for text in [
            "",
            "ada.png",
            "javascript:alert(1)",
            "javascript://example.org/%0aalert(1)",
            "data:image/png;base64,AAAA",
            "https://",
            "https:///ada.png",
            "https://exa mple.org/",
            "https://example.org/\0",
            "https://example.org/\"onerror=",
            "https://ada:secret@example.org/",
            "https://example.org:99999/",
            "//example.org/ada.png",
        ] {
            assert!(!is_web_address(text), "{text:?}");
        }
        assert!(!is_web_address(&format!("https://example.org/{}", "x".repeat(2_000))));
    }

    #[test]
    fn a_masked_address_shows_one_letter() {
        assert_eq!(masked("ada@example.org"), "a•••@example.org");
    }

    #[test]
    fn one_form_for_all_spellings_of_a_number() {
        for text in ["+49 30 1234567", "0049301234567", "+49 (30) 123-45.67", " ＋４９301234567 "] {
            assert_eq!(phone(text).as_deref(), Some("+49301234567"), "{text}");
        }
        for text in [
            "",
            "+",
            "030 1234567",
            "+0301234567",
            "+4930",
            "+49301234567890123",
            "+49x01234567",
            "+493012345\0",
        ] {
            assert_eq!(phone(text), None, "{text:?}");
        }
        assert_eq!(masked_phone("+49301234567"), "+49•••••67");
    }

    #[test]
    fn what_is_too_long_for_a_name_is_nobody() {
        assert_eq!(name_key(&"\u{fdfa}".repeat(400)), NOBODY);
        assert_eq!(email(&format!("a@{}.org", "b".repeat(1_000))), None);
    }

    #[test]
    fn names_that_nobody_can_see_are_refused() {
        assert!(user_name_problem("ada.lovelace-1").is_none() && user_name_problem("ада").is_none());
        for name in ["ada\u{3164}", "\u{115f}\u{115f}\u{115f}", "\u{fdfa}\u{fdfa}\u{fdfa}", "a b c"] {
            assert!(user_name_problem(name).is_some(), "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn keys_are_stable(text in "\\PC{0,40}") {
            prop_assert_eq!(name_key(&name_key(&text)), name_key(&text));
        }

        #[test]
        fn addresses_survive_their_own_spelling(text in "\\PC{1,20}@[a-z]{1,10}\\.[a-z]{2,5}") {
            if let Some(first) = email(&text) {
                prop_assert_eq!(email(&first.address), Some(first));
            }
        }
    }
}
