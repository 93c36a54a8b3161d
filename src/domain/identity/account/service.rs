//! What other rooms, the schema and the worker may ask of this one.

pub use super::{
    profile::{Profile, update_profile},
    resend::{resend, send_verification_again},
};
