//! Invitations: an address is asked to join, and whoever proves to own it may.
//!
//! Refuses to tell the inviter whether the address has an account, and opens to nobody but the proved address, once,
//! within seven days.

mod answering;
mod finders;
mod inviting;
pub mod loaders;
pub mod mutation;
mod sent;
pub mod types;

pub use self::{
    answering::{Introduction, accept, decline, introduce, take_up_by_id, usable},
    finders::{by_ids, by_token, count_of_organizations, count_of_users, of_organizations, of_users, status},
    inviting::{Invitee, invite, resend, revoke},
};
