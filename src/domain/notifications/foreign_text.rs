//! What strangers chose and mails repeat: names of accounts and organisations, and what a browser says of itself.
//!
//! Anybody can have a mail sent to anybody. If it carried text of their choosing, it would be their letter under our name. So
//! what is repeated is checked here: it holds no link, no number to call and no sentence, or it is left out. (ADR 0065.)

use unicode_normalization::char::is_combining_mark;

/// A user name that may be shown to whoever has the address: one or two words of ASCII letters and digits.
pub fn user_name(name: &str) -> Option<&str> {
    let name = name.trim();
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    let words = name.split(['_', '-']).count();
    ((1..=32).contains(&name.len()) && plain && words <= 2 && has_no_number_to_call(name)).then_some(name)
}

/// So many words are no sentence yet.
const MOST_WORDS: usize = 6;

/// The name of an organisation, or of a passkey, that may be shown to whoever has the address: a few words of letters and
/// digits, of any script. Without a dot, an `@`, a colon or a slash nothing in it becomes a link.
pub fn title(name: &str) -> Option<&str> {
    let name = name.trim();
    let letter = |c: char| c.is_alphanumeric() || is_combining_mark(c);
    let plain = name.chars().all(|c| letter(c) || " -&'\u{2019}".contains(c));
    let words = name.split([' ', '-']).filter(|word| !word.is_empty()).count();
    let short = (1..=60).contains(&name.chars().count()) && (1..=MOST_WORDS).contains(&words);
    (short && plain && has_no_number_to_call(name)).then_some(name)
}

/// Mail programs make numbers of seven digits and more into something to call.
fn has_no_number_to_call(text: &str) -> bool {
    text.chars().filter(|c| c.is_numeric()).count() <= 6
}

/// Each as `User-Agent` names it, and as people do. The first that fits counts: most call themselves by the names of others,
/// too.
const BROWSERS: [(&str, &str); 10] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("Dart/", "an app"),
];
const SYSTEMS: [(&str, &str); 7] = [
    ("iPhone", "an iPhone"),
    ("iPad", "an iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "a Mac"),
    ("Linux", "Linux"),
];

/// Which browser on which system it was, as far as it is one that we know: "Firefox on Windows".
pub fn device(user_agent: Option<&str>) -> Option<String> {
    let agent = user_agent?;
    let of = |known: &[(&str, &'static str)]| {
        known.iter().find(|(token, _)| agent.contains(token)).map(|(_, name)| *name)
    };
    match (of(&BROWSERS), of(&SYSTEMS)) {
        (Some(browser), Some(system)) => Some(format!("{browser} on {system}")),
        (Some(browser), None) => Some(browser.to_owned()),
        (None, Some(system)) => Some(format!("a program on {system}")),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_shown_when_it_is_a_name() {
        for name in ["ada", "Ada_Lovelace", "grace-hopper", "user-4f8a09bcde", "u123456"] {
            assert_eq!(user_name(name), Some(name));
        }
        let lures = [
            "evil.com",
            "call-1800555123",
            "18005551234",
            "you-have-won",
            "pay_me_now",
            "a@b.example",
            "+491701234567",
            "Bitte\u{a0}hier",
            "https://x",
            "",
            "аdmin",
        ];
        for name in lures {
            assert_eq!(user_name(name), None, "{name}");
        }
        assert_eq!(user_name(&"a".repeat(33)), None);
    }

    #[test]
    fn an_organisation_is_named_when_it_is_a_name() {
        for name in
            ["Acme", "The organisation acme", "Müller & Söhne", "भारतीय विज्ञान संस्थान", "O'Neill-Werke 24"]
        {
            assert_eq!(title(name), Some(name));
        }
        let lures = [
            "Acme.com",
            "Win at https://evil.example",
            "write to a@b",
            "Call 1 800 555 1234",
            "You have won a prize and should answer today",
            "Acme\nBcc",
            "Pay now! Last warning",
            "acme\u{2024}com",
            "",
        ];
        for name in lures {
            assert_eq!(title(name), None, "{name}");
        }
    }

    #[test]
    fn a_browser_is_named_in_our_words() {
        let of = |agent: &str| device(Some(agent));
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
        assert_eq!(of(firefox).as_deref(), Some("Firefox on Linux"));
        let edge = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0";
        assert_eq!(of(edge).as_deref(), Some("Edge on Windows"));
        let phone = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Mobile Safari/537.36";
        assert_eq!(of(phone).as_deref(), Some("Chrome on Android"));
        assert_eq!(of("curl/8.5.0").as_deref(), Some("curl"));
        assert_eq!(of("Your account is closed: https://evil.example Firefox/1").as_deref(), Some("Firefox"));
        assert_eq!(of("visit https://evil.example"), None);
        assert_eq!(device(None), None);
    }
}
