//! The mail server, and who mails come from.

use std::{fmt, str::FromStr};

use lettre::message::Mailbox;

use super::{Sensitive, address};

/// The address of a mail server. It may hold a password, so only its host and port are shown.
#[derive(Clone)]
pub struct SmtpUrl {
    text: Sensitive,
    host: String,
    port: Option<u16>,
    encryption: Encryption,
    password: Password,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encryption {
    /// From the first byte, or before anything else is said.
    Required,
    /// None, or only where nobody in between says that there is none.
    Optional,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Password {
    Given,
    None,
}

const EXAMPLE: &str = "smtps://user:password@mail.example.org, or smtp://host:587?tls=required";

impl SmtpUrl {
    /// The whole of it, for the mailer alone.
    pub fn expose(&self) -> &str {
        self.text.expose()
    }

    /// Whether a password crosses a network that others can listen to.
    pub fn tells_its_password(&self) -> bool {
        self.password == Password::Given
            && self.encryption == Encryption::Optional
            && !address::is_loopback(&self.host)
    }
}

impl FromStr for SmtpUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = address::parse(text, EXAMPLE)?;
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| format!("it must look like {EXAMPLE}"))?.to_owned();
        let unknown = url.query_pairs().any(|(name, _)| name != "tls");
        let tls = url.query_pairs().find(|(name, _)| name == "tls").map(|(_, value)| value.into_owned());
        let encryption = match (url.scheme(), tls.as_deref()) {
            _ if unknown => return Err(format!("the only parameter is tls: it must look like {EXAMPLE}")),
            ("smtps", _) | ("smtp", Some("required")) => Encryption::Required,
            ("smtp", None | Some("opportunistic")) => Encryption::Optional,
            ("smtp", Some(_)) => return Err("tls must be required or opportunistic".to_owned()),
            _ => return Err(format!("it must begin with smtps:// or smtp://, as {EXAMPLE}")),
        };
        let password = if url.password().is_some() { Password::Given } else { Password::None };
        // The mailer reads it once more; where that fails, it fails now, and not in the mailer's words, which quote.
        lettre::AsyncSmtpTransport::<lettre::Tokio1Executor>::from_url(text)
            .map_err(|_| format!("it is not understood: it must look like {EXAMPLE}"))?;
        Ok(Self { text: text.parse()?, host, port: url.port(), encryption, password })
    }
}

impl fmt::Display for SmtpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "smtp://{}", self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl fmt::Debug for SmtpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Who mails come from.
#[derive(Clone, Debug)]
pub struct Sender(Mailbox);

impl Sender {
    pub const fn mailbox(&self) -> &Mailbox {
        &self.0
    }
}

impl FromStr for Sender {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = "it must be an address, as id@example.org, or a name and an address, as Example <id@example.org>; \
                     without quotes around the whole";
        text.trim().parse().map(Self).map_err(|_| wrong.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_a_mail_server_holds_no_password() {
        let url: SmtpUrl = "smtps://ada:hush@mail.example.org:465".parse().unwrap();
        assert_eq!(format!("{url} {url:?}"), "smtp://mail.example.org:465 smtp://mail.example.org:465");
        assert_eq!(url.expose(), "smtps://ada:hush@mail.example.org:465");
        for wrong in [
            "hush",
            "mail.example.org",
            "http://ada:hush@mail",
            "smtp://ada:hush@mail:port",
            "smtp://ada:hush@mail?tls=hush",
            "smtp://ada:hush@mail?hush=1",
            "smtp://ada:12#hush@mail",
            "smtp://ada:12/hush@mail",
            "smtp://",
            "smtp://ada:%FFhush@mail",
        ] {
            let said = wrong.parse::<SmtpUrl>().unwrap_err();
            assert!(!said.contains("hush") && !said.contains("ada"), "{wrong}: {said}");
        }
    }

    #[test]
    fn a_password_in_the_open_is_noticed() {
        let tells = |text: &str| text.parse::<SmtpUrl>().unwrap().tells_its_password();
        assert!(tells("smtp://u:p@mail.example.org") && tells("smtp://u:p@10.0.0.1?tls=opportunistic"));
        for safe in [
            "smtps://u:p@mail.example.org",
            "smtp://u:p@mail.example.org?tls=required",
            "smtp://mail.example.org",
            "smtp://u:p@localhost",
            "smtp://u:p@127.0.0.1:25",
            "smtp://u:p@[::1]:25",
        ] {
            assert!(!tells(safe), "{safe}");
        }
    }

    #[test]
    fn a_sender_is_an_address_with_or_without_a_name() {
        for good in ["id@example.org", "Example <id@example.org>", "Denizen <no-reply@localhost>"] {
            assert!(good.parse::<Sender>().is_ok(), "{good}");
        }
        for wrong in ["", "id", "\"Example <id@example.org>\"", "Example id@example.org", "a@b, c@d"] {
            assert!(wrong.parse::<Sender>().is_err(), "{wrong}");
        }
    }
}
