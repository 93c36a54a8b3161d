//! The types of settings that are more than a number or a word: each says in one sentence what is wrong with a value.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use super::quote::quoted;

/// The address under which users reach the service, without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(String);

impl PublicUrl {
    pub fn local(port: u16) -> Self {
        Self(format!("http://localhost:{port}"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// What a browser calls the place where our own pages come from.
    pub fn origin(&self) -> Origin {
        Origin(url::Url::parse(&self.0).map(|url| url.origin().ascii_serialization()).unwrap_or_default())
    }

    /// A link to one of our pages that carries a token.
    pub fn link(&self, page: &str, token: &str) -> String {
        format!("{}/{page}?token={token}", self.0)
    }
}

impl FromStr for PublicUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let problem = || "it must look like https://id.example.org".to_owned();
        let uri: axum::http::Uri = text.parse().map_err(|_| problem())?;
        let known = matches!(uri.scheme_str(), Some("http" | "https"));
        if !known || uri.host().is_none_or(str::is_empty) || uri.query().is_some() {
            return Err(problem());
        }
        // It stands in mails, tokens and logs: everybody would read the password.
        if text.contains('@') || text.contains('#') {
            return Err(
                "it holds a user, a password or a #, and everybody gets to read it: leave that out, as in \
                        https://id.example.org"
                    .to_owned(),
            );
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

/// Where a front end comes from, as a browser writes it in the header `Origin`: `https://app.example.org`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let problem = || format!("{} is not an origin such as https://app.example.org", quoted(text));
        let url = url::Url::parse(text.trim()).map_err(|_| problem())?;
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let user = !url.username().is_empty() || url.password().is_some();
        if !matches!(url.scheme(), "http" | "https") || !bare || user {
            return Err(problem());
        }
        Ok(Self(url.origin().ascii_serialization()))
    }
}

/// A range of addresses: `10.0.0.0/8`, or one address alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Whether it is wider than what anybody has to themself: 10.0.0.0/8 is the widest private network of version 4,
    /// and `fc00::/7` of version 6, where providers get a /16 at most.
    pub fn is_everybody(&self) -> bool {
        match self.address {
            IpAddr::V4(_) => self.prefix < 8,
            IpAddr::V6(address) => {
                let private = address.is_unique_local() || address.is_unicast_link_local();
                self.prefix < 7 || (self.prefix < 16 && !private)
            }
        }
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let problem = || format!("{} is not a network such as 10.0.0.0/8 or ::1", quoted(text));
        let (address, prefix) = text.trim().split_once('/').unwrap_or((text.trim(), ""));
        let address: IpAddr = address.parse().map_err(|_| problem())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = if prefix.is_empty() { longest } else { prefix.parse().map_err(|_| problem())? };
        if prefix > longest {
            return Err(problem());
        }
        Ok(Self { address, prefix })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// What to log, as it was asked for.
#[derive(Clone, Debug)]
pub struct LogFilter(String);

impl LogFilter {
    pub fn directives(&self) -> &str {
        &self.0
    }

    /// Whether anything is logged at the level `trace`.
    pub fn traces(&self) -> bool {
        let filter = EnvFilter::try_new(&self.0).ok();
        filter.and_then(|filter| filter.max_level_hint()).is_none_or(|level| level == LevelFilter::TRACE)
    }
}

impl FromStr for LogFilter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let why = "it must be a level (error, warn, info, debug, trace, off), or levels of parts, as \
                   info,denizen=debug,sea_orm=warn";
        EnvFilter::try_new(text).map(|_| Self(text.to_owned())).map_err(|_| why.to_owned())
    }
}

/// An address of this machine and a port.
pub fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    text.trim().parse().map_err(|_| {
        format!(
            "{} is not an address and a port, as 127.0.0.1:8080, 0.0.0.0:8080 (all addresses of version 4) or [::]:8080; \
             names are not looked up",
            quoted(text)
        )
    })
}

/// A file or a folder. An address in its place would be shown where the file is missed, with the password in it.
pub fn parse_path(text: &str) -> Result<PathBuf, String> {
    if text.contains("://") {
        return Err("it must be the path of a file, and not an address".to_owned());
    }
    Ok(text.into())
}

/// A whole number within these bounds.
pub fn parse_number<N>(text: &str, bounds: &RangeInclusive<N>) -> Result<N, String>
where
    N: FromStr + PartialOrd + fmt::Display,
{
    let number = text.trim().parse().ok().filter(|number| bounds.contains(number));
    number.ok_or_else(|| {
        format!("{} is not a whole number from {} to {}", quoted(text), bounds.start(), bounds.end())
    })
}

/// `90s`, `15m`, `24h`, `14d`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let problem = || format!("{} is not a time such as 90s, 15m, 24h or 14d", quoted(text));
    let unit = text.chars().last().ok_or_else(problem)?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(problem()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| problem())?;
    let all = number.checked_mul(seconds).filter(|all| (1..=86_400 * 3_650).contains(all));
    all.map(Duration::from_secs)
        .ok_or_else(|| format!("{} is not between one second and ten years", quoted(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_write_them() {
        assert_eq!(parse_duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("15m"), Ok(Duration::from_mins(15)));
        assert_eq!(parse_duration("14d"), Ok(Duration::from_hours(24 * 14)));
        for wrong in ["", "15", "m", "-1s", "1.5h", "0s", "99999999999999999999d", "5µ"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn networks_hold_their_addresses_and_no_others() {
        let network: Network = "10.0.0.0/8".parse().unwrap();
        assert!(network.contains("10.255.1.2".parse().unwrap()));
        assert!(network.contains("::ffff:10.1.1.1".parse().unwrap()));
        assert!(!network.contains("11.0.0.1".parse().unwrap()));
        let all: Network = "::/0".parse().unwrap();
        assert!(all.contains("2001:db8::1".parse().unwrap()) && !all.contains("1.1.1.1".parse().unwrap()));
        assert!("10.0.0.0/33".parse::<Network>().is_err());
    }

    #[test]
    fn origins_are_as_browsers_write_them() {
        let origin = |text: &str| text.parse::<Origin>().map(|origin| origin.0);
        assert_eq!(origin("https://App.Example.org:443/").as_deref(), Ok("https://app.example.org"));
        assert_eq!(origin("http://localhost:5173").as_deref(), Ok("http://localhost:5173"));
        for wrong in
            ["*", "null", "app.example.org", "https://a.example/path", "ftp://a", "https://u@a.example"]
        {
            assert!(origin(wrong).is_err(), "{wrong}");
        }
        assert_eq!(PublicUrl::local(80).origin().as_str(), "http://localhost");
    }

    #[test]
    fn everybody_is_not_a_network() {
        let network = |text: &str| text.parse::<Network>().unwrap();
        for all in
            ["0.0.0.0/0", "::/0", "0.0.0.0/1", "128.0.0.0/1", "2000::/3", "64.0.0.0/7", "2400::/12", "::/6"]
        {
            assert!(network(all).is_everybody(), "{all}");
        }
        for own in
            ["10.0.0.0/8", "172.16.0.0/12", "192.0.2.1", "fc00::/7", "2001:db8::/32", "::1", "fe80::/10"]
        {
            assert!(!network(own).is_everybody(), "{own}");
        }
    }

    #[test]
    fn a_public_url_holds_nothing_that_is_not_public() {
        assert!("https://id.example.org/auth/".parse::<PublicUrl>().is_ok());
        for wrong in [
            "https://u:hush@id.example.org",
            "https://hush@id.example.org",
            "https://id.example.org/#hush",
            "hush",
        ] {
            let said = wrong.parse::<PublicUrl>().unwrap_err();
            assert!(!said.contains("hush"), "{said}");
        }
        let said = "https://u:hush@app.example.org/x".parse::<Origin>().unwrap_err();
        assert!(!said.contains("hush"), "{said}");
    }

    #[test]
    fn levels_are_understood_now_and_not_when_logging_starts() {
        let filter = |text: &str| text.parse::<LogFilter>();
        assert!(!filter("info").unwrap().traces() && !filter("info,denizen=debug").unwrap().traces());
        assert!(filter("trace").unwrap().traces() && filter("warn,denizen::http=trace").unwrap().traces());
        assert!(filter("denizen=loud").is_err());
    }
}
