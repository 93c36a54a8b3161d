//! The words of each message.

use super::{super::foreign_text, Message};

pub(super) fn verify_email<'a>(
    user_name: &'a str,
    link: &'a str,
    code: &'a str,
    otherwise: &'a str,
) -> WithCode<'a> {
    WithCode {
        subject: "Confirm your address",
        purpose: "to confirm your address and finish your registration",
        button: "Confirm my address",
        otherwise,
        user_name,
        link,
        code,
    }
}

pub(super) fn change_email<'a>(user_name: &'a str, link: &'a str, code: &'a str) -> WithCode<'a> {
    WithCode {
        subject: "Confirm your new address",
        purpose: "to confirm that this is your address from now on",
        button: "Confirm my new address",
        otherwise: "If you did not ask for this, ignore this mail: without it nothing changes.",
        user_name,
        link,
        code,
    }
}

pub(super) fn set_password(user_name: &str, link: &str, days: u64) -> Message {
    let end = format!(
        "The link is good for {days} days, and once. After that, \"forgot password\" at the login sends another. If you do \
         not expect this, ignore this mail."
    );
    let named = foreign_text::user_name(user_name);
    let named = named.map(|name| format!(", with the user name {name}")).unwrap_or_default();
    let what = format!("an account was made for you{named}. Open this link to choose a password:");
    Message {
        subject: "Choose your password".to_owned(),
        text: format!("{}\n\n{what}\n\n{link}\n\n{end}\n", greeting(user_name)),
        html: page(&[
            escape(&greeting(user_name)),
            escape(&what),
            format!("<a href=\"{}\">Choose my password</a>", escape(link)),
            escape(&end),
        ]),
    }
}

pub(super) fn email_removed(user_name: &str) -> Message {
    letter(
        "Your address was removed",
        user_name,
        "your account has no address any more: an administrator removed this one. Nothing more is sent to it. \
         If this is not what you expect, tell the people who run this service.",
    )
}

/// Short enough for one text message: names may be long, so it has none.
pub(super) fn code_alone(user_name: &str, code: &str, minutes: u64, what: &str) -> Message {
    let end =
        format!("It is good for {minutes} minutes. Tell it to nobody; if you did not ask for it, ignore it.");
    Message {
        subject: format!("Your code {what}"),
        text: format!("Your code: {code} ({what}). {end}\n"),
        html: page(&[
            escape(&greeting(user_name)),
            format!("your code {what}: <strong>{}</strong>", escape(code)),
            end,
        ]),
    }
}

pub(super) fn factor_added(user_name: &str, what: &str, days: u64) -> Message {
    letter(
        "How you log in was changed",
        user_name,
        &format!(
            "on your account, {what}. If that was not you: reset your password within {days} days (“forgot password”), and \
             it is undone, and everybody logged out."
        ),
    )
}

pub(super) fn factor_changed(user_name: &str, what: &str) -> Message {
    letter(
        "How you log in was changed",
        user_name,
        &format!(
            "on your account, {what}. If you did not do this, change your password at once, and tell the people who run \
             this service."
        ),
    )
}

pub(super) fn already_verified(user_name: &str) -> Message {
    letter(
        "Your address is confirmed already",
        user_name,
        "somebody, perhaps you, asked for another mail to confirm this address. It is confirmed already, and you can log \
         in. If it was not you, there is nothing to do.",
    )
}

/// Of an address or a number, to whom it belongs.
pub(super) fn wanted(what: &str, user_name: &str) -> Message {
    letter(
        &format!("Somebody wanted to use your {what}"),
        user_name,
        &format!(
            "somebody, perhaps you, wanted to set this {what} for another account. It belongs to your account, and \
             nothing was changed. If it was not you, there is nothing to do."
        ),
    )
}

/// Without the new address where the old one was never proved: its domain is of somebody's choosing.
pub(super) fn email_changed(user_name: &str, new_address: Option<&str>) -> Message {
    let which = new_address.map(|address| format!(": {address}")).unwrap_or_default();
    letter(
        "Your address was changed",
        user_name,
        &format!(
            "your account has a new address now{which}. Nothing more is sent to this one. \
             If you did not do this, tell the people who run this service at once."
        ),
    )
}

pub(super) fn phone_changed(user_name: &str, new_number: &str) -> Message {
    letter(
        "Your phone number was changed",
        user_name,
        &format!(
            "your account has a new phone number now: {new_number}. \
             If you did not do this, tell the people who run this service at once."
        ),
    )
}

pub(super) fn password_changed(user_name: &str) -> Message {
    letter(
        "Your password was changed",
        user_name,
        "the password of your account was changed, and it was logged out elsewhere. If you did not do this, set a new \
         password at once, and tell the people who run this service.",
    )
}

pub(super) fn reset_password<'a>(user_name: &'a str, link: &'a str, code: &'a str) -> WithCode<'a> {
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

pub(super) fn already_registered(user_name: &str, public_url: &str) -> Message {
    let named = foreign_text::user_name(user_name);
    let named = named.map(|name| format!(", with the user name {name}")).unwrap_or_default();
    letter(
        "You already have an account",
        user_name,
        &format!(
            "somebody, perhaps you, tried to register with this address at {public_url}. \
             You already have an account there{named}. Nothing was changed. \
             If it was not you, there is nothing to do."
        ),
    )
}

pub(super) fn new_device(user_name: &str, device: &str, ip: &str, at: &str) -> Message {
    letter(
        "A new device logged in to your account",
        user_name,
        &format!(
            "somebody, probably you, logged in to your account on a device that we have not seen before: {device}, from \
             the address {ip}, at {at}. If it was not you, change your password at once: that ends every other session."
        ),
    )
}

pub(super) fn session_reused(user_name: &str, device: &str) -> Message {
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
pub(super) struct WithCode<'a> {
    subject: &'a str,
    purpose: &'a str,
    button: &'a str,
    otherwise: &'a str,
    user_name: &'a str,
    link: &'a str,
    code: &'a str,
}

impl WithCode<'_> {
    pub(super) fn message(&self, code_minutes: u64, link_hours: u64) -> Message {
        let Self { subject, purpose, button, otherwise, user_name, link, code } = self;
        let hours = if link_hours == 1 { "an hour".to_owned() } else { format!("{link_hours} hours") };
        let times = format!("The code is good for {code_minutes} minutes, the link for {hours}.");
        Message {
            subject: (*subject).to_owned(),
            text: format!(
                "{}\n\nopen this link {purpose}:\n\n{link}\n\n\
                 or enter this code: {code}\n\n{times}\n{otherwise}\n",
                greeting(user_name)
            ),
            html: page(&[
                escape(&greeting(user_name)),
                format!("open this link {}:", escape(purpose)),
                format!("<a href=\"{}\">{}</a>", escape(link), escape(button)),
                format!("or enter this code: <strong>{}</strong>", escape(code)),
                format!("{times} {}", escape(otherwise)),
            ]),
        }
    }
}

/// By name, where the name may stand in a mail.
fn greeting(user_name: &str) -> String {
    foreign_text::user_name(user_name).map_or_else(|| "Hello,".to_owned(), |name| format!("Hello {name},"))
}

/// A message of one plain paragraph.
pub(super) fn letter(subject: &str, user_name: &str, paragraph: &str) -> Message {
    let greeting = greeting(user_name);
    Message {
        subject: subject.to_owned(),
        text: format!("{greeting}\n\n{paragraph}\n"),
        html: page(&[escape(&greeting), escape(paragraph)]),
    }
}

pub(super) fn invitation(organization: &str, link: &str, days: u64) -> Message {
    let organization = foreign_text::title(organization).unwrap_or("an organisation");
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
