//! The texts. Each template is a variant with what it needs to know, so that nothing can be left out.

mod letters;

use serde::{Deserialize, Serialize};

pub use letters::escape;
use letters::{
    already_registered, already_verified, change_email, code_alone, email_changed, email_removed,
    factor_added, factor_changed, invitation, letter, new_device, password_changed, phone_changed,
    reset_password, session_reused, set_password, verify_email, wanted,
};

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
    /// The address is confirmed, and nothing showed who chose the password: it does not count.
    WelcomeWithoutPassword { user_name: String },
    /// Told to who asks for another verification and needs none.
    AlreadyVerified { user_name: String },
    /// Proves that the new address is theirs who want it.
    ChangeEmail { user_name: String, link: String, code: String, code_minutes: u64, link_hours: u64 },
    /// Told instead to the owner of an address that somebody else wants to have.
    AddressWanted { user_name: String },
    /// Told at the old address; the new one is masked, and left out where the old one was not proved.
    EmailChanged { user_name: String, new_address: Option<String> },
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
    /// A second factor was added; for so many days a new password undoes it.
    FactorAdded { user_name: String, what: String, days: u64 },
    /// A second factor was changed or taken away.
    FactorChanged { user_name: String, what: String },
    /// Somebody logged in on a device that is not known.
    NewDevice { user_name: String, device: String, ip: String, at: String },
    /// A refresh token came twice: one of those who hold it stole it.
    SessionReused { user_name: String, device: String },
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
            Self::WelcomeWithoutPassword { .. } => "welcome_without_password",
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
            Self::FactorAdded { .. } => "factor_added",
            Self::FactorChanged { .. } => "factor_changed",
            Self::NewDevice { .. } => "new_device",
            Self::SessionReused { .. } => "session_reused",
            Self::Invitation { .. } => "invitation",
        }
    }

    /// The notice that this is, if it can be switched off: what was asked for is always sent.
    pub const fn notice(&self) -> Option<NoticeKind> {
        match self {
            Self::Welcome { .. } | Self::WelcomeWithoutPassword { .. } => Some(NoticeKind::Welcome),
            Self::PasswordChanged { .. } => Some(NoticeKind::PasswordChanged),
            Self::EmailChanged { .. } => Some(NoticeKind::EmailChanged),
            Self::PhoneChanged { .. } | Self::FactorAdded { .. } | Self::FactorChanged { .. } => {
                Some(NoticeKind::FactorChanged)
            }
            Self::NewDevice { .. } => Some(NoticeKind::NewDevice),
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
            | Self::SessionReused { .. }
            | Self::Invitation { .. } => None,
        }
    }

    pub fn render(&self) -> Message {
        match self {
            Self::Invitation { organization, link, days } => invitation(organization, link, *days),
            Self::SetPassword { user_name, link, days } => set_password(user_name, link, *days),
            Self::NewDevice { user_name, device, ip, at } => new_device(user_name, device, ip, at),
            Self::SessionReused { user_name, device } => session_reused(user_name, device),
            Self::VerifyEmail { user_name, link, code, code_minutes, link_hours, asked_from } => {
                let otherwise = format!(
                    "This registration was made at {asked_from}. If that was not you, ignore this mail, and tell its code \
                     to nobody: without it nothing happens. If you want the account all the same, open the link and choose \
                     a new password there: then the one that was chosen at the registration does not count."
                );
                verify_email(user_name, link, code, &otherwise).message(*code_minutes, *link_hours)
            }
            Self::AlreadyRegistered { user_name, public_url } => already_registered(user_name, public_url),
            Self::Welcome { user_name } => letter(
                "Your registration is complete",
                user_name,
                "your address is confirmed and your registration complete: you can log in now.",
            ),
            Self::WelcomeWithoutPassword { user_name } => letter(
                "Your address is confirmed",
                user_name,
                "your address is confirmed. The password that was chosen at the registration does not count, because nothing \
                 showed that it was you who chose it. If you have not set one since, choose “forgot password” at the login.",
            ),
            Self::AlreadyVerified { user_name } => already_verified(user_name),
            Self::ChangeEmail { user_name, link, code, code_minutes, link_hours } => {
                change_email(user_name, link, code).message(*code_minutes, *link_hours)
            }
            Self::EmailRemoved { user_name } => email_removed(user_name),
            Self::AddressWanted { user_name } => wanted("address", user_name),
            Self::EmailChanged { user_name, new_address } => email_changed(user_name, new_address.as_deref()),
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
            Self::FactorAdded { user_name, what, days } => factor_added(user_name, what, *days),
            Self::FactorChanged { user_name, what } => factor_changed(user_name, what),
        }
    }
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
