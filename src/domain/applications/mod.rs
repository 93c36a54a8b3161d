//! Applications: the tenants that share this service. Sessions, tokens and mails name theirs; there is a default one
//! for whoever names none.

pub mod service;
