//! What is wrong with a request, before and after it was executed, with one code for each: no error leaves without.

use std::borrow::Cow;

use async_graphql::{Pos, Response as Executed, ServerError, Value, parser};
use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};

use super::Refusal;
use crate::graphql::{limits::Exceeded, scan};

/// More errors than a person reads. A document can have one for each token.
const MOST_ERRORS: usize = 20;
/// Messages quote names and values, which are as long as the caller makes them.
const LONGEST_MESSAGE: usize = 400;

const INTERNAL_MESSAGE: &str = "Something went wrong on our side.";

/// The codes that belong to the request itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    BadRequest,
    ParseFailed,
    ValidationFailed,
    BadUserInput,
    LimitExceeded,
    PersistedQueryNotFound,
    PersistedQueryNotSupported,
    QueryNotInSafelist,
    Internal,
}

impl Code {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "BAD_REQUEST",
            Self::ParseFailed => "GRAPHQL_PARSE_FAILED",
            Self::ValidationFailed => "GRAPHQL_VALIDATION_FAILED",
            Self::BadUserInput => "BAD_USER_INPUT",
            Self::LimitExceeded => "LIMIT_EXCEEDED",
            Self::PersistedQueryNotFound => "PERSISTED_QUERY_NOT_FOUND",
            Self::PersistedQueryNotSupported => "PERSISTED_QUERY_NOT_SUPPORTED",
            Self::QueryNotInSafelist => "QUERY_NOT_IN_SAFELIST",
            Self::Internal => "INTERNAL",
        }
    }
}

/// The status of an answer, as far as it depends on the media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The operation ran, however it ended.
    Executed,
    /// HTTP and JSON are in order, the GraphQL in them is not: 400, but 200 for clients of `application/json`, who may
    /// take anything else for a broken proxy. The specification wants both.
    BadGraphql,
    /// Not a GraphQL request at all, or one that HTTP has a word for.
    Status(StatusCode),
}

/// A request that is refused by this layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    pub standing: Standing,
    /// What the `Allow` header says.
    pub allow: Option<&'static str>,
    pub retry_after: Option<u32>,
    pub error: Box<ServerError>,
}

impl Fault {
    /// A request that is no GraphQL request.
    pub fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::status(StatusCode::BAD_REQUEST, message)
    }

    pub fn status(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Standing::Status(status), Code::BadRequest, message, None)
    }

    /// A method that does not do this here.
    pub fn method(allow: &'static str) -> Self {
        let message = format!("This takes {}.", allow.replace(", ", " or "));
        Self { allow: Some(allow), ..Self::status(StatusCode::METHOD_NOT_ALLOWED, message) }
    }

    /// GraphQL that cannot be executed.
    pub fn graphql(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Standing::BadGraphql, code, message, None)
    }

    /// The same fault, found where there is no GraphQL yet to be wrong.
    #[must_use]
    pub fn malformed(self) -> Self {
        Self { standing: Standing::Status(StatusCode::BAD_REQUEST), ..self }
    }

    /// As text, for those who did not come for GraphQL.
    pub fn plainly(self) -> Response {
        let status = match self.standing {
            Standing::Status(status) => status,
            Standing::Executed | Standing::BadGraphql => StatusCode::BAD_REQUEST,
        };
        (status, self.error.message).into_response()
    }

    fn new(standing: Standing, code: Code, message: impl Into<Cow<'static, str>>, pos: Option<Pos>) -> Self {
        let mut error = ServerError::new(message.into(), pos);
        clip(&mut error.message);
        Self { standing, allow: None, retry_after: None, error: Box::new(with_code(error, code)) }
    }
}

impl From<Exceeded> for Fault {
    fn from(exceeded: Exceeded) -> Self {
        let mut fault = Self::graphql(Code::LimitExceeded, exceeded.to_string());
        let extensions = fault.error.extensions.get_or_insert_default();
        extensions.set("limit", exceeded.limit.as_str());
        extensions.set("allowed", exceeded.allowed);
        extensions.set("found", exceeded.found);
        fault
    }
}

impl From<scan::Refused> for Fault {
    fn from(refused: scan::Refused) -> Self {
        let message = refused.to_string();
        match refused {
            scan::Refused::Exceeded(exceeded) => exceeded.into(),
            scan::Refused::Endless { .. } => Self::graphql(Code::ValidationFailed, message),
            scan::Refused::Unterminated { line, column } => {
                let pos = Pos { line, column };
                Self::new(Standing::BadGraphql, Code::ParseFailed, message, Some(pos))
            }
        }
    }
}

impl From<parser::Error> for Fault {
    fn from(error: parser::Error) -> Self {
        let message = match &error {
            // The parser draws the whole line with an arrow below it; only its last part says something new.
            parser::Error::Syntax { message, .. } => match message.rsplit_once(" = ") {
                Some((_, expected)) => format!("Syntax error: {}.", expected.trim()),
                None => format!("Syntax error: {message}."),
            },
            other => format!("Syntax error: {other}."),
        };
        let pos = error.positions().next();
        Self::new(Standing::BadGraphql, Code::ParseFailed, message, pos)
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        let Refusal { status, code, message, retry_after } = refusal;
        let mut fault = Self { retry_after, ..Self::status(status, message) };
        let extensions = fault.error.extensions.get_or_insert_default();
        extensions.set("code", code);
        if let Some(seconds) = retry_after {
            extensions.set("retryAfterSeconds", seconds);
        }
        fault
    }
}

/// Whether async-graphql refused the operation before it began. Validation knows no paths; whatever fails in execution
/// stands at one.
pub fn is_request_error(executed: &Executed) -> bool {
    executed.data == Value::Null
        && !executed.errors.is_empty()
        && executed.errors.iter().all(|error| error.path.is_empty())
}

/// Makes the errors of an execution uniform: each has a code, none is longer than it need be, and what nobody has given
/// a code is internal, and says so and no more.
///
/// `arguments` is the code for arguments that validation refuses: it does not say whether they stood in the document
/// or came as variables.
pub fn tidy(executed: &mut Executed, arguments: Code) {
    if is_request_error(executed) {
        executed.errors.truncate(MOST_ERRORS);
    }
    for error in &mut executed.errors {
        if error.extensions.as_ref().is_some_and(|extensions| extensions.get("code").is_some()) {
            continue;
        }
        let code = match (error.path.is_empty(), is_coercion(&error.message)) {
            (true, true) => arguments,
            (true, false) => Code::ValidationFailed,
            (false, true) => Code::BadUserInput,
            (false, false) => Code::Internal,
        };
        if code == Code::Internal {
            tracing::error!(message = error.message, path = ?error.path, "an error without a code");
            INTERNAL_MESSAGE.clone_into(&mut error.message);
        }
        clip(&mut error.message);
        error.extensions.get_or_insert_default().set("code", code.as_str());
    }
}

/// Whether async-graphql could not make an argument out of what it was given. It says so in words only.
fn is_coercion(message: &str) -> bool {
    ["Invalid value for argument", "Expected input type", "Failed to parse"]
        .iter()
        .any(|start| message.starts_with(start))
}

/// Takes away which names would have been right: they tell a stranger the schema, name by name.
pub fn strip_suggestions(executed: &mut Executed) {
    for error in &mut executed.errors {
        if error.path.is_empty()
            && let Some(at) = error.message.find(" Did you mean")
        {
            error.message.truncate(at);
        }
    }
}

/// The error of an operation that a bug has ended.
pub fn internal() -> ServerError {
    with_code(ServerError::new(INTERNAL_MESSAGE, None), Code::Internal)
}

fn with_code(mut error: ServerError, code: Code) -> ServerError {
    error.extensions.get_or_insert_default().set("code", code.as_str());
    error
}

fn clip(message: &mut String) {
    if message.len() > LONGEST_MESSAGE {
        let end = message.floor_char_boundary(LONGEST_MESSAGE);
        message.truncate(end);
        message.push('…');
    }
}
