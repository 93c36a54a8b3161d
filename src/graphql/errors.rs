//! Errors as GraphQL shows them: faults as data in the payload, everything else with a code in `extensions`.

use std::{sync::Arc, time::Duration};

use async_graphql::{Enum, ErrorExtensionValues, Response, ServerError, SimpleObject};

use crate::error::{self, Error, Fault};

/// What went wrong with an input, for a program to act on.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(name = "ErrorCode")]
pub enum FaultCode {
    /// The value is not of the right form.
    Invalid,
    /// A value is needed here.
    Required,
    /// Somebody else has it already.
    Taken,
    /// There is no such object, or you may not see it.
    NotFound,
    /// You may not set this value.
    NotAllowed,
    /// The password is too short, or made of your own data.
    WeakPassword,
    /// The password is among those that attackers try first.
    BreachedPassword,
    /// The name or the password is wrong.
    WrongCredentials,
    /// The code or the link is wrong.
    WrongCode,
    /// It was right once; its time has run out.
    Expired,
    /// It works once, and was used.
    AlreadyUsed,
    /// The address is verified already.
    AlreadyVerified,
    /// The address must be verified first.
    NotVerified,
    /// The account or the object is deactivated.
    Inactive,
    /// Too many tries: wait as long as `retryAfterSeconds` says.
    TooManyAttempts,
    /// More items than one call takes.
    TooManyItems,
    /// Somebody changed it at the same time: look again.
    Conflict,
    /// An organisation keeps its last owner.
    LastOwner,
    /// Something depends on it.
    InUse,
    /// This cannot be done here.
    Unsupported,
    /// Another system that is needed did not do its part.
    UpstreamFailed,
}

impl FaultCode {
    /// Every code that can be mended has its name here; what refuses a whole request never becomes data.
    fn of(code: error::ErrorCode) -> Option<Self> {
        <Self as async_graphql::resolver_utils::EnumType>::items()
            .iter()
            .find(|item| item.name == code.as_str())
            .map(|item| item.value)
    }
}

/// Something that the caller can mend.
#[derive(SimpleObject, Clone, Debug)]
pub struct UserError {
    /// For a program to act on.
    pub code: FaultCode,
    /// For a person to read.
    pub message: String,
    /// Leads to the input that is at fault, as `["users", "3", "email"]`; empty when it is the whole.
    pub path: Vec<String>,
    /// When trying again can help.
    pub retry_after_seconds: Option<u64>,
}

/// Parts what a service answered into what a payload shows: the object, and what the caller can mend. What is neither
/// refuses the field.
pub fn payload<T>(outcome: error::Result<T>) -> async_graphql::Result<(Option<T>, Vec<UserError>)> {
    match outcome {
        Ok(done) => Ok((Some(done), Vec::new())),
        Err(Error::Faults(faults)) => {
            Ok((None, faults.into_iter().map(user_error).collect::<Result<_, Error>>()?))
        }
        Err(gone @ Error::Gone) => {
            let fault = Fault::new(error::ErrorCode::Conflict, &[], error::GONE);
            payload(Err(gone.on_gone(fault)))
        }
        Err(other) => Err(other.into()),
    }
}

fn user_error(fault: Fault) -> Result<UserError, Error> {
    let Fault { code, message, path, retry_after } = fault;
    let code =
        FaultCode::of(code).ok_or_else(|| Error::internal(format!("{} is no fault", code.as_str())))?;
    Ok(UserError {
        code,
        message: message.into_owned(),
        path,
        retry_after_seconds: retry_after.map(|wait| wait.as_secs().max(1)),
    })
}

/// Gives the errors of our own their codes, and takes what is internal out of the caller's sight. Here, and only here,
/// an internal error is logged.
pub fn present(mut response: Response, request_id: Option<&str>) -> Response {
    response.errors = response.errors.into_iter().map(|error| present_one(error, request_id)).collect();
    response
}

fn present_one(error: ServerError, request_id: Option<&str>) -> ServerError {
    // What a loader answers is shared by all who waited for the batch.
    let shared = || error.source::<Arc<Error>>().map(AsRef::as_ref);
    let Some(ours) = error.source::<Error>().or_else(shared) else {
        return error;
    };
    let (code, message, retry_after) = match ours {
        Error::Refused { code, message, retry_after } => (*code, message.to_string(), *retry_after),
        Error::Gone => (error::ErrorCode::Unavailable, ours.to_string(), Some(Duration::from_secs(1))),
        Error::Faults(_) => (error::ErrorCode::BadUserInput, ours.to_string(), None),
        Error::Conflict(_) | Error::Internal(_) => {
            tracing::error!(error = %ours, path = ?error.path, request_id, "a resolver failed");
            (error::ErrorCode::Internal, "Something went wrong on our side.".to_owned(), None)
        }
    };
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", code.as_str());
    if let Some(wait) = retry_after {
        extensions.set("retryAfterSeconds", wait.as_secs().max(1));
    }
    ServerError { message, source: None, extensions: Some(extensions), ..error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_keep_their_names() {
        assert_eq!(FaultCode::of(error::ErrorCode::WrongCredentials), Some(FaultCode::WrongCredentials));
        assert_eq!(FaultCode::of(error::ErrorCode::Internal), None);
    }
}
