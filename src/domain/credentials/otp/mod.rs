//! One-time codes that people ask for: to log in, to set a password, to prove a number, to show that it is them.
//!
//! Refuses to tell whether there is anybody: the request does the same for each identifier, and a job finds out whether
//! there is somebody to send to.

mod asking;
mod entering;
mod sending;
mod showing;

pub use self::{
    asking::{Request, ask, ask_to_reset},
    entering::{OtpLogin, log_in},
    sending::{Way, send},
    showing::{Shown, show},
};

use entity::CodePurpose;

/// What a code is asked for, as the API says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtpPurpose {
    Login,
    PasswordReset,
    VerifyEmail,
    VerifyPhone,
    StepUp,
}

impl OtpPurpose {
    /// Keeps the guesses at codes of one purpose apart from those of another.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::PasswordReset => "password-reset",
            Self::VerifyEmail => "verify-email",
            Self::VerifyPhone => "verify-phone",
            Self::StepUp => "step-up",
        }
    }
    /// What the codes of it are for.
    pub const fn of_code(self) -> CodePurpose {
        match self {
            Self::Login => CodePurpose::Login,
            Self::PasswordReset => CodePurpose::PasswordReset,
            Self::VerifyEmail => CodePurpose::VerifyEmail,
            Self::VerifyPhone => CodePurpose::VerifyPhone,
            Self::StepUp => CodePurpose::StepUp,
        }
    }
}
