//! The texts. Each template is a variant with what it needs to know, so that nothing can be left out.

use serde::{Deserialize, Serialize};

use crate::config::NoticeKind;

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
    /// Told instead, when the account has no address any more.
    EmailRemoved { user_name: String },
    /// An administrator made the account: a password is to be set.
    SetPassword { user_name: String, link: String, days: u64 },
    /// Lets who forgot the password set another.
    ResetPassword { user_name: String, link: String, code: String, code_minutes: u64, link_hours: u64 },
    /// A code alone, by mail or as a text message.
    Code { user_name: String, code: String, minutes: u64, purpose: Asked },
    /// Told after the password was changed, by whichever way.
    PasswordChanged { user_name: String },
    /// Told after the number was changed; the new one is masked.
    PhoneChanged { user_name: String, new_number: String },
    /// Told as a text message to the owner of a number that somebody else wants to have.
    NumberWanted { user_name: String },
    /// The second factor of a login, by mail or as a text message.
    FactorCode { user_name: String, code: String, minutes: u64 },
    /// A second factor was added, changed or taken away.
    FactorChanged { user_name: String, what: String },
    /// Asks to join an organisation.
    Invitation { organization: String, link: String, days: u64 },
}

/// What a code was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    Login,
    PasswordReset,
    Phone,
    StepUp,
}

impl Asked {
    const fn purpose(self) -> &'static str {
        match self {
            Self::Login => "to log in",
            Self::PasswordReset => "to set a new password",
            Self::Phone => "to confirm that this number is yours",
            Self::StepUp => "to show that it is you",
        }
    }
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
            Self::EmailRemoved { .. } => "email_removed",
            Self::SetPassword { .. } => "set_password",
            Self::ResetPassword { .. } => "reset_password",
            Self::Code { .. } => "code",
            Self::PasswordChanged { .. } => "password_changed",
            Self::PhoneChanged { .. } => "phone_changed",
            Self::NumberWanted { .. } => "number_wanted",
            Self::FactorCode { .. } => "factor_code",
            Self::FactorChanged { .. } => "factor_changed",
            Self::Invitation { .. } => "invitation",
        }
    }

    /// The notice that this is, if it can be switched off: what was asked for is always sent.
    pub const fn notice(&self) -> Option<NoticeKind> {
        match self {
            Self::Welcome { .. } => Some(NoticeKind::Welcome),
            Self::PasswordChanged { .. } => Some(NoticeKind::PasswordChanged),
            Self::EmailChanged { .. } => Some(NoticeKind::EmailChanged),
            Self::PhoneChanged { .. } | Self::FactorChanged { .. } => Some(NoticeKind::FactorChanged),
            Self::VerifyEmail { .. }
            | Self::AlreadyRegistered { .. }
            | Self::AlreadyVerified { .. }
            | Self::ChangeEmail { .. }
            | Self::AddressWanted { .. }
            | Self::EmailRemoved { .. }
            | Self::SetPassword { .. }
            | Self::ResetPassword { .. }
            | Self::Code { .. }
            | Self::FactorCode { .. }
            | Self::NumberWanted { .. }
            | Self::Invitation { .. } => None,
        }
    }

    pub fn render(&self) -> Message {
        match self {
            Self::Invitation { organization, link, days } => invitation(organization, link, *days),
            Self::SetPassword { user_name, link, days } => set_password(user_name, link, *days),
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
            Self::AlreadyVerified { user_name } => already_verified(user_name),
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
            Self::EmailRemoved { user_name } => email_removed(user_name),
            Self::AddressWanted { user_name } => wanted("address", user_name),
            Self::EmailChanged { user_name, new_address } => email_changed(user_name, new_address),
            Self::ResetPassword { user_name, link, code, code_minutes, link_hours } => {
                reset_password(user_name, link, code).message(*code_minutes, *link_hours)
            }
            Self::Code { user_name, code, minutes, purpose } => {
                code_alone(user_name, code, *minutes, purpose.purpose())
            }
            Self::PasswordChanged { user_name } => password_changed(user_name),
            Self::PhoneChanged { user_name, new_number } => phone_changed(user_name, new_number),
            Self::NumberWanted { user_name } => wanted("number", user_name),
            Self::FactorCode { user_name, code, minutes } => {
                code_alone(user_name, code, *minutes, "to finish your login")
            }
            Self::FactorChanged { user_name, what } => factor_changed(user_name, what),
        }
    }
}

fn set_password(user_name: &str, link: &str, days: u64) -> Message {
    let end = format!(
        "The link is good for {days} days, and once. After that, \"forgot password\" at the login sends another. If you do \
         not expect this, ignore this mail."
    );
    let what = format!(
        "an account was made for you, with the user name {user_name}. Open this link to choose a password:"
    );
    Message {
        subject: "Choose your password".to_owned(),
        text: format!("Hello {user_name},\n\n{what}\n\n{link}\n\n{end}\n"),
        html: page(&[
            format!("Hello {},", escape(user_name)),
            escape(&what),
            format!("<a href=\"{}\">Choose my password</a>", escape(link)),
            escape(&end),
        ]),
    }
}

fn email_removed(user_name: &str) -> Message {
    letter(
        "Your address was removed",
        user_name,
        "your account has no address any more: an administrator removed this one. Nothing more is sent to it. \
         If this is not what you expect, tell the people who run this service.",
    )
}

/// Short enough for one text message: names may be long, so it has none.
fn code_alone(user_name: &str, code: &str, minutes: u64, what: &str) -> Message {
    let end =
        format!("It is good for {minutes} minutes. Tell it to nobody; if you did not ask for it, ignore it.");
    Message {
        subject: format!("Your code {what}"),
        text: format!("Your code: {code} ({what}). {end}\n"),
        html: page(&[
            format!("Hello {},", escape(user_name)),
            format!("your code {what}: <strong>{}</strong>", escape(code)),
            end,
        ]),
    }
}

fn factor_changed(user_name: &str, what: &str) -> Message {
    letter(
        "How you log in was changed",
        user_name,
        &format!(
            "on your account, {what}. If you did not do this, change your password at once, and tell the people who run \
             this service."
        ),
    )
}

fn already_verified(user_name: &str) -> Message {
    letter(
        "Your address is confirmed already",
        user_name,
        "somebody, perhaps you, asked for another mail to confirm this address. It is confirmed already, and you can log \
         in. If it was not you, there is nothing to do.",
    )
}

/// Of an address or a number, to whom it belongs.
fn wanted(what: &str, user_name: &str) -> Message {
    letter(
        &format!("Somebody wanted to use your {what}"),
        user_name,
        &format!(
            "somebody, perhaps you, wanted to set this {what} for another account. It belongs to your account, and \
             nothing was changed. If it was not you, there is nothing to do."
        ),
    )
}

fn email_changed(user_name: &str, new_address: &str) -> Message {
    letter(
        "Your address was changed",
        user_name,
        &format!(
            "your account has a new address now: {new_address}. Nothing more is sent to this one. \
             If you did not do this, tell the people who run this service at once."
        ),
    )
}

fn phone_changed(user_name: &str, new_number: &str) -> Message {
    letter(
        "Your phone number was changed",
        user_name,
        &format!(
            "your account has a new phone number now: {new_number}. \
             If you did not do this, tell the people who run this service at once."
        ),
    )
}

fn password_changed(user_name: &str) -> Message {
    letter(
        "Your password was changed",
        user_name,
        "the password of your account was changed, and it was logged out elsewhere. If you did not do this, set a new \
         password at once, and tell the people who run this service.",
    )
}

fn reset_password<'a>(user_name: &'a str, link: &'a str, code: &'a str) -> WithCode<'a> {
    WithCode {
        subject: "Set a new password",
        purpose: "to set a new password",
        button: "Set a new password",
        otherwise: "If you did not ask for this, ignore this mail: without it nothing changes.",
        user_name,
        link,
        code,
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
        let hours = if link_hours == 1 { "an hour".to_owned() } else { format!("{link_hours} hours") };
        let times = format!("The code is good for {code_minutes} minutes, the link for {hours}.");
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
