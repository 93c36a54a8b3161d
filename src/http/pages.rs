//! The plain pages behind mailed links, for applications without a front end of their own. They have no scripts.
//!
//! Opening a page uses nothing up: mail scanners open links. A button does.

mod invitation;
mod layout;
mod reset;
mod verify;

use serde::Deserialize;

pub use self::{
    invitation::{decline_invitation, invitation},
    reset::{confirm_reset, reset},
    verify::{confirm_verify, verify},
};

#[derive(Default, Deserialize)]
pub struct Link {
    #[serde(default)]
    token: String,
}
