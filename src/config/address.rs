//! Addresses that may hold a user and a password: read so that no error repeats any of it.

use std::net::IpAddr;

use url::Url;

/// Reads such an address. A password with a sign that has a meaning in addresses ends it too early, and what comes
/// behind would be taken for a path or a host's name, which are shown: so it is refused here.
pub(super) fn parse(text: &str, example: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|_| {
        format!(
            "it must look like {example}; in the user's name and the password, / ? # @ and % are written %2F %3F %23 %40 \
             and %25"
        )
    })?;
    let stray = |part: &str| part.contains('@') || part.to_ascii_lowercase().contains("%40");
    let query = url.query_pairs().filter(|(name, _)| name != "password");
    let astray = url.fragment().is_some()
        || stray(url.path())
        || url.host_str().is_some_and(stray)
        || query.into_iter().any(|(name, value)| stray(&name) || stray(&value));
    if astray {
        return Err(format!(
            "there is a # or an @ where none belongs: it must look like {example}, and in the user's name and the password, \
             / ? # @ and % are written %2F %3F %23 %40 and %25"
        ));
    }
    Ok(url)
}

/// Whether it is this machine, by its name or its address.
pub(super) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let by_name = bare.eq_ignore_ascii_case("localhost") || bare.eq_ignore_ascii_case("localhost.");
    by_name || bare.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}
