//! The texts. Each template is a variant with what it needs to know, so that nothing can be left out.

use serde::{Deserialize, Serialize};

/// A mail to be. It is stored sealed, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "template", rename_all = "snake_case")]
pub enum Template {
    /// Proves that the address is theirs who registered.
    VerifyEmail {
        user_name: String,
        link: String,
        code: String,
        code_minutes: u64,
        link_hours: u64,
        /// When and from where the registration came.
        asked_from: String,
    },
    /// Told instead to the owner of an address that somebody registers again.
    AlreadyRegistered { user_name: String, public_url: String },
    /// The registration is complete.
    Welcome { user_name: String },
    /// Told to who asks for another verification and needs none.
    AlreadyVerified { user_name: String },
    /// Proves that the new address is theirs who want it.
    ChangeEmail { user_name: String, link: String, code: String, code_minutes: u64, link_hours: u64 },
    /// Told instead to the owner of an address that somebody else wants to have.
    AddressWanted { user_name: String },
    /// Told at the old address; the new one is masked.
    EmailChanged { user_name: String, new_address: String },
    /// Somebody logged in on a device that is not known.
    NewDevice { user_name: String, device: String, ip: String, at: String },
    /// A refresh token came twice: one of those who hold it stole it.
    SessionReused { user_name: String, device: String },
    /// Asks to join an organisation.
    Invitation { organization: String, link: String, days: u64 },
}

pub struct Message {
    pub subject: String,
    pub text: String,
    pub html: String,
}

impl Template {
    pub const fn name(&self) -> &'static str {
        match self {
            Self::VerifyEmail { .. } => "verify_email",
            Self::AlreadyRegistered { .. } => "already_registered",
            Self::Welcome { .. } => "welcome",
            Self::AlreadyVerified { .. } => "already_verified",
            Self::ChangeEmail { .. } => "change_email",
            Self::AddressWanted { .. } => "address_wanted",
            Self::EmailChanged { .. } => "email_changed",
            Self::NewDevice { .. } => "new_device",
            Self::SessionReused { .. } => "session_reused",
            Self::Invitation { .. } => "invitation",
        }
    }

    pub fn render(&self) -> Message {
        match self {
            Self::Invitation { organization, link, days } => invitation(organization, link, *days),
            Self::NewDevice { user_name, device, ip, at } => new_device(user_name, device, ip, at),
            Self::SessionReused { user_name, device } => session_reused(user_name, device),
            Self::VerifyEmail { user_name, link, code, code_minutes, link_hours, asked_from } => WithCode {
                subject: "Confirm your address",
                purpose: "to confirm your address and finish your registration",
                button: "Confirm my address",
                otherwise: &format!(
                    "This registration was made at {asked_from}. If that was not you, ignore this mail, and confirm \
                     only your own: without it nothing happens."
                ),
                user_name,
                link,
                code,
            }
            .message(*code_minutes, *link_hours),
            Self::AlreadyRegistered { user_name, public_url } => already_registered(user_name, public_url),
            Self::Welcome { user_name } => letter(
                "Your registration is complete",
                user_name,
                "your address is confirmed and your registration complete: you can log in now.",
            ),
            Self::AlreadyVerified { user_name } => letter(
                "Your address is confirmed already",
                user_name,
                "somebody, perhaps you, asked for another mail to confirm this address. It is confirmed already, and \
                 you can log in. If it was not you, there is nothing to do.",
            ),
            Self::ChangeEmail { user_name, link, code, code_minutes, link_hours } => WithCode {
                subject: "Confirm your new address",
                purpose: "to confirm that this is your address from now on",
                button: "Confirm my new address",
                otherwise: "If you did not ask for this, ignore this mail: without it nothing changes.",
                user_name,
                link,
                code,
            }
            .message(*code_minutes, *link_hours),
            Self::AddressWanted { user_name } => letter(
                "Somebody wanted to use your address",
                user_name,
                "somebody, perhaps you, wanted to set this address for another account. It belongs to your account, and \
                 nothing was changed. If it was not you, there is nothing to do.",
            ),
            Self::EmailChanged { user_name, new_address } => letter(
                "Your address was changed",
                user_name,
                &format!(
                    "your account has a new address now: {new_address}. Nothing more is sent to this one. \
                     If you did not do this, tell the people who run this service at once."
                ),
            ),
        }
    }
}

fn already_registered(user_name: &str, public_url: &str) -> Message {
    letter(
        "You already have an account",
        user_name,
        &format!(
            "somebody, perhaps you, tried to register with this address at {public_url}. \
             You already have an account there, with the user name {user_name}. Nothing was changed. \
             If it was not you, there is nothing to do."
        ),
    )
}

fn new_device(user_name: &str, device: &str, ip: &str, at: &str) -> Message {
    letter(
        "A new device logged in to your account",
        user_name,
        &format!(
            "somebody, probably you, logged in to your account on a device that we have not seen before: {device}, from \
             the address {ip}, at {at}. If it was not you, change your password at once: that ends every other session."
        ),
    )
}

fn session_reused(user_name: &str, device: &str) -> Message {
    letter(
        "One of your sessions was ended for your safety",
        user_name,
        &format!(
            "a key that works only once was shown twice for your session on {device}. Somebody may have copied it, so \
             the session was ended, for everybody. Log in again; if this happens more often, change your password."
        ),
    )
}

/// A message with a link and a code.
struct WithCode<'a> {
    subject: &'a str,
    purpose: &'a str,
    button: &'a str,
    otherwise: &'a str,
    user_name: &'a str,
    link: &'a str,
    code: &'a str,
}

impl WithCode<'_> {
    fn message(&self, code_minutes: u64, link_hours: u64) -> Message {
        let Self { subject, purpose, button, otherwise, user_name, link, code } = self;
        let times = format!("The code is good for {code_minutes} minutes, the link for {link_hours} hours.");
        Message {
            subject: (*subject).to_owned(),
            text: format!(
                "Hello {user_name},\n\nopen this link {purpose}:\n\n{link}\n\n\
                 or enter this code: {code}\n\n{times}\n{otherwise}\n"
            ),
            html: page(&[
                format!("Hello {},", escape(user_name)),
                format!("open this link {}:", escape(purpose)),
                format!("<a href=\"{}\">{}</a>", escape(link), escape(button)),
                format!("or enter this code: <strong>{}</strong>", escape(code)),
                format!("{times} {}", escape(otherwise)),
            ]),
        }
    }
}

/// A message of one plain paragraph.
fn letter(subject: &str, user_name: &str, paragraph: &str) -> Message {
    Message {
        subject: subject.to_owned(),
        text: format!("Hello {user_name},\n\n{paragraph}\n"),
        html: page(&[format!("Hello {},", escape(user_name)), escape(paragraph)]),
    }
}

fn invitation(organization: &str, link: &str, days: u64) -> Message {
    let end = format!(
        "The invitation is for this address, and good for {days} days. If you do not want to join, decline it there, or \
         ignore this mail."
    );
    Message {
        subject: format!("You are invited to join {organization}"),
        text: format!(
            "Hello,\n\nyou are invited to join {organization}. Open this link to answer:\n\n{link}\n\n{end}\n"
        ),
        html: page(&[
            "Hello,".to_owned(),
            format!("you are invited to join <strong>{}</strong>.", escape(organization)),
            format!("<a href=\"{0}\">Answer the invitation</a>", escape(link)),
            end,
        ]),
    }
}

fn page(paragraphs: &[String]) -> String {
    let body = paragraphs.join("</p>\n<p>");
    format!(
        "<!doctype html>\n<html lang=\"en\"><body style=\"font-family: sans-serif\">\n<p>{body}</p>\n</body></html>\n"
    )
}

/// Text as it may stand in HTML, in attributes too: names come from strangers.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_put_html_into_a_mail() {
        let mail = Template::AlreadyRegistered {
            user_name: "<img src=x onerror='alert(1)'>".to_owned(),
            public_url: "https://id.example.org".to_owned(),
        };
        assert!(!mail.render().html.contains("<img"));
    }
}
