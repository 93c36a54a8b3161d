//! The types of settings that are more than a number or a word: each says in one sentence what is wrong with a value.

use std::{fmt, net::IpAddr, path::PathBuf, str::FromStr, time::Duration};

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL_NOPAD};

/// Text that no log and no error message may show.
#[derive(Clone)]
pub struct Sensitive(String);

impl Sensitive {
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for Sensitive {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("it is empty; leave the setting out instead".to_owned());
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Sensitive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// The bytes behind `DENIZEN_SECRET`.
#[derive(Clone)]
pub struct SecretKey(Vec<u8>);

impl SecretKey {
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Random bytes hardly repeat: fewer than a dozen different ones among 32 were typed by hand.
    pub fn is_weak(&self) -> bool {
        let different: std::collections::BTreeSet<_> = self.0.iter().collect();
        different.len() < 12
    }
}

impl FromStr for SecretKey {
    type Err = String;

    // The value itself never stands in the message: the message ends up in a log.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let bytes = BASE64
            .decode(text.as_bytes())
            .or_else(|_| BASE64_NOPAD.decode(text.as_bytes()))
            .or_else(|_| BASE64URL_NOPAD.decode(text.trim_end_matches('=').as_bytes()))
            .map_err(|_| "it is not base64".to_owned())?;
        if bytes.len() < 32 {
            return Err(format!("it has {} bytes, 32 or more are needed", bytes.len()));
        }
        Ok(Self(bytes))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

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
        let problem = || format!("{text:?} is not an origin such as https://app.example.org");
        let url = url::Url::parse(text.trim()).map_err(|_| problem())?;
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !matches!(url.scheme(), "http" | "https") || !bare || !url.username().is_empty() {
            return Err(problem());
        }
        Ok(Self(url.origin().ascii_serialization()))
    }
}

#[derive(Clone)]
pub enum DatabaseUrl {
    Sqlite(PathBuf),
    Postgres(Sensitive),
}

impl DatabaseUrl {
    pub const fn is_sqlite(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }
}

impl FromStr for DatabaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(text.parse()?));
        }
        let path = text.strip_prefix("sqlite://").or_else(|| text.strip_prefix("sqlite:"));
        let path = path.ok_or("it must begin with sqlite:// or postgres://")?;
        let path = path.split('?').next().unwrap_or_default();
        if path.is_empty() || path.contains(":memory:") {
            return Err(
                "a database in memory would be lost at the end: name a file, as sqlite://data/denizen.db"
                    .to_owned(),
            );
        }
        Ok(Self::Sqlite(path.into()))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::Postgres(_) => f.write_str("postgres://[secret]"),
        }
    }
}

/// A range of addresses: `10.0.0.0/8`, or one address alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
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
        let problem = || format!("{text:?} is not a network such as 10.0.0.0/8 or ::1");
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

/// `90s`, `15m`, `24h`, `14d`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let problem = || format!("{text:?} is not a time such as 90s, 15m, 24h or 14d");
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
    all.map(Duration::from_secs).ok_or_else(|| format!("{text:?} is not between one second and ten years"))
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
    fn a_short_secret_says_how_short_and_never_itself() {
        let error = "c2hvcnQ=".parse::<SecretKey>().unwrap_err();
        assert_eq!(error, "it has 5 bytes, 32 or more are needed");
        assert_eq!(format!("{:?}", BASE64.encode(&[7; 32]).parse::<SecretKey>().unwrap()), "[secret]");
    }
}
