//! The texts. Each template is a variant with what it needs to know, so that nothing can be left out.

use serde::{Deserialize, Serialize};

/// A mail to be. It is stored sealed, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "template", rename_all = "snake_case")]
pub enum Template {
    /// Proves that the address is theirs who registered.
    VerifyEmail { user_name: String, link: String, code: String, code_minutes: u64, link_hours: u64 },
    /// Told instead to the owner of an address that somebody registers again.
    AlreadyRegistered { user_name: String, public_url: String },
    /// The registration is complete.
    Welcome { user_name: String },
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
            Self::Invitation { .. } => "invitation",
        }
    }

    pub fn render(&self) -> Message {
        match self {
            Self::Invitation { organization, link, days } => invitation(organization, link, *days),
            Self::VerifyEmail { user_name, link, code, code_minutes, link_hours } => Message {
                subject: "Confirm your address".to_owned(),
                text: format!(
                    "Hello {user_name},\n\n\
                     open this link to confirm your address and finish your registration:\n\n{link}\n\n\
                     or enter this code: {code}\n\n\
                     The code is good for {code_minutes} minutes, the link for {link_hours} hours.\n\
                     If you did not register, ignore this mail: without it nothing happens.\n"
                ),
                html: page(&[
                    format!("Hello {},", escape(user_name)),
                    "confirm your address to finish your registration:".to_owned(),
                    format!("<a href=\"{0}\">Confirm my address</a>", escape(link)),
                    format!("or enter this code: <strong>{}</strong>", escape(code)),
                    format!(
                        "The code is good for {code_minutes} minutes, the link for {link_hours} hours. \
                         If you did not register, ignore this mail: without it nothing happens."
                    ),
                ]),
            },
            Self::AlreadyRegistered { user_name, public_url } => Message {
                subject: "You already have an account".to_owned(),
                text: format!(
                    "Hello {user_name},\n\n\
                     somebody, perhaps you, tried to register with this address at {public_url}.\n\
                     You already have an account there, with the user name {user_name}. Nothing was changed.\n\
                     If it was not you, there is nothing to do.\n"
                ),
                html: page(&[
                    format!("Hello {},", escape(user_name)),
                    format!(
                        "somebody, perhaps you, tried to register with this address at {}.",
                        escape(public_url)
                    ),
                    format!(
                        "You already have an account there, with the user name <strong>{}</strong>. \
                         Nothing was changed. If it was not you, there is nothing to do.",
                        escape(user_name)
                    ),
                ]),
            },
            Self::Welcome { user_name } => Message {
                subject: "Your registration is complete".to_owned(),
                text: format!(
                    "Hello {user_name},\n\nyour address is confirmed and your registration complete: you can log in now.\n"
                ),
                html: page(&[
                    format!("Hello {},", escape(user_name)),
                    "your address is confirmed and your registration complete: you can log in now."
                        .to_owned(),
                ]),
            },
        }
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
