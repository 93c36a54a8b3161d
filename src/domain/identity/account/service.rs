//! What other rooms, the schema and the worker may ask of this one.

pub use super::{
    email::{NewEmail, apply_email, change_email},
    erase::{delete_user, forget, forget_again},
    export::export_my_data,
    phone::{NewPhone, change_phone, verify_phone},
    profile::{Profile, update_profile},
    resend::{application_of, post_again, resend, send_verification_again},
};
