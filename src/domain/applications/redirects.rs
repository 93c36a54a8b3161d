//! Judging the addresses that an application may send people back to. Codes and tokens travel there: what an attacker
//! could read on the way, or take for another address, is refused.

use url::Url;

use crate::{
    domain::identity::names,
    error::{ErrorCode, Fault},
};

/// How many an application has at most.
const MOST: usize = 100;

/// Everything that is wrong with them, each at its place.
pub fn faults(urls: &[String]) -> Vec<Fault> {
    if urls.len() > MOST {
        let message = format!("An application has at most {MOST} of them.");
        return vec![Fault::new(ErrorCode::TooManyItems, &["redirectUrls"], message)];
    }
    let fault = |(at, url): (usize, &String)| {
        let problem = problem(url)?;
        Some(Fault::new(ErrorCode::Invalid, &[], problem).of_item("redirectUrls", at))
    };
    urls.iter().enumerate().filter_map(fault).collect()
}

/// They are compared letter by letter, so there is one spelling of each.
fn problem(text: &str) -> Option<&'static str> {
    if text.contains('#') {
        return Some("It has a fragment: that never reaches a server.");
    }
    if text.chars().any(names::is_invisible) {
        return Some("It contains invisible characters.");
    }
    let parsed = Url::parse(text).ok().filter(|_| names::is_web_address(text));
    let Some(url) = parsed else {
        return Some("This is not an address on the web, such as https://app.example.org/signed-in.");
    };
    if !is_written_out(text, &url) {
        return Some("Its host is written in a way that browsers read as another.");
    }
    let here = matches!(url.host_str(), Some("localhost" | "127.0.0.1"));
    (url.scheme() != "https" && !here)
        .then_some("It must begin with https, but for this machine (localhost).")
}

/// Whether the host stands there as a parser reads it: `127.1` is read as `127.0.0.1`. One in other letters than ASCII has its
/// name for machines, and no other reading.
fn is_written_out(text: &str, url: &Url) -> bool {
    let rest = text.split_once("://").map(|(_, rest)| rest).unwrap_or_default();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    !host.is_ascii() || url.host_str().is_some_and(|read| read.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_nobody_listens_to_are_taken() {
        for url in [
            "https://app.example.org/signed-in?from=denizen",
            "https://app.example.org:8443",
            "HTTPS://bücher.example/",
            "http://localhost:3000/callback",
            "http://127.0.0.1/",
        ] {
            assert_eq!(problem(url), None, "{url}");
        }
        for url in [
            "",
            "app.example.org",
            "http://app.example.org/",
            "http://localhost.example.org/",
            "http://localhost@evil.example/",
            "https://app.example.org@evil.example/",
            "https://app.example.org/#fragment",
            "https://app.example.org/#",
            "https://*.example.org/",
            "https:\\\\evil.example",
            "https:///evil.example",
            "javascript:alert(1)",
            "myapp://callback",
            "https://app.example.org/\n",
            "https://app.exam ple.org/",
            "https://app.example.org/\0",
            "https://app.example.org/\u{202e}",
            "https://app\u{ad}.example.org/",
            "http://127.1/",
            "http://0x7f000001/",
            "https://a%2eexample/",
        ] {
            assert!(problem(url).is_some(), "{url:?}");
        }
        assert!(problem(&format!("https://example.org/{}", "a".repeat(2_000))).is_some());
        let many = vec![String::new(); MOST + 1];
        assert_eq!(faults(&many)[0].code, ErrorCode::TooManyItems);
    }
}
