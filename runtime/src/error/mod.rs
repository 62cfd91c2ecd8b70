//! Errors: of `run`, and of invocations.

pub(crate) mod bad_event;
pub mod diagnostic;
pub(crate) mod failure;
mod xray;

use std::fmt;
use std::io;

use lambda_runtime_proto::Endpoint;
use lambda_runtime_proto::client::Reply;
use serde::Deserialize;

use crate::env::MAX_CONCURRENCY;
use crate::env::address::AddressError;
use crate::error::diagnostic::Diagnostic;
use crate::logging::text::OneLine;

/// The error type of handlers, layers and `run`.
pub type Error = Box<dyn std::error::Error + Send + Sync + 'static>;

/// The error of [`run`](crate::Runtime::run). It is permanent: retries have failed or are pointless.
///
/// `Debug` prints the same text as `Display`, so a `main` that returns the error prints one readable line.
#[non_exhaustive]
pub enum RunError {
    /// `AWS_LAMBDA_RUNTIME_API` is not set, or its value is not an address.
    Address(AddressError),
    /// The Runtime API cannot be reached, or every connection to it was lost before it replied.
    Unreachable {
        /// The API's address.
        address: String,
        /// The number of attempts to connect.
        attempts: u32,
        /// The last error.
        last: io::Error,
    },
    /// The Runtime API violates the protocol.
    ProtocolErrors {
        /// The API's address.
        address: String,
        /// The number of consecutive violations.
        count: u32,
        /// The last violation.
        last: io::Error,
    },
    /// This value of `AWS_LAMBDA_MAX_CONCURRENCY` is not a number of workers.
    BadConcurrency(String),
    /// No worker of [`run_concurrent`](crate::Runtime::run_concurrent) can continue. Contains the last error of each.
    WorkersFailed(Vec<String>),
    /// The Runtime API refused a request, and the runtime cannot continue.
    Refused {
        /// The refused request.
        endpoint: Endpoint,
        /// The HTTP status.
        status: u16,
        /// The API's message.
        message: String,
    },
}

impl RunError {
    pub(crate) fn refused(reply: &Reply) -> Self {
        let Diagnostic { error_type, error_message } = refusal(reply);
        let message = if error_type.is_empty() { error_message } else { format!("{error_type}: {error_message}") };
        let (endpoint, status) = (reply.endpoint(), reply.status());
        RunError::Refused { endpoint, status, message: OneLine(message).to_string() }
    }
}

/// The API's error, from the body of its reply. A body in another format is used as the message.
pub(crate) fn refusal(reply: &Reply) -> Diagnostic {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct ErrorResponse {
        #[serde(default)]
        error_type: String,
        #[serde(default)]
        error_message: String,
    }
    let body = reply.body();
    match serde_json::from_slice(&body) {
        Ok(ErrorResponse { error_type, error_message }) if !(error_type.is_empty() && error_message.is_empty()) => {
            Diagnostic { error_type, error_message }
        }
        _ => {
            let error_message = String::from_utf8_lossy(&body).trim().to_owned();
            Diagnostic { error_type: String::new(), error_message }
        }
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunError::Address(error) => error.fmt(f),
            RunError::Unreachable { address, attempts, last } => {
                write!(f, "the Lambda Runtime API at {address} cannot be reached: {last} (attempts: {attempts})")
            }
            RunError::ProtocolErrors { address, count, last } => {
                write!(f, "the Lambda Runtime API at {address} violates the protocol: {last} ({count} times in a row)")
            }
            RunError::BadConcurrency(value) => write!(
                f,
                "invalid {MAX_CONCURRENCY} \"{}\": expected a number of workers from 1 to 65535",
                value.escape_debug()
            ),
            RunError::WorkersFailed(ends) => {
                write!(f, "none of the {} workers can continue", ends.len())?;
                ends.iter().enumerate().try_for_each(|(n, end)| write!(f, "; worker {n}: {end}"))
            }
            RunError::Refused { endpoint, status, message } => {
                write!(f, "the Lambda Runtime API refused {endpoint}: {status} {message}")
            }
        }
    }
}

impl fmt::Debug for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for RunError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            RunError::Address(error) => Some(error),
            RunError::Unreachable { last, .. } | RunError::ProtocolErrors { last, .. } => Some(last),
            _ => None,
        }
    }
}

impl From<AddressError> for RunError {
    fn from(error: AddressError) -> Self {
        RunError::Address(error)
    }
}
