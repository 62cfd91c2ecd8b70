//! Why there is no outcome.

use std::fmt;
use std::time::Duration;

/// Why an invocation has no outcome. What functions do wrong is no error of this kind but an
/// [`Outcome`](crate::Outcome).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// No runtime asked for the event within this time.
    Unclaimed {
        /// How long the event waited: [`Builder::claim_timeout`](crate::Builder::claim_timeout).
        waited: Duration,
        /// What the function's `AWS_LAMBDA_RUNTIME_API` should be.
        endpoint: String,
    },
    /// The emulator was dropped.
    Stopped,
    /// Another invocation with this request id is under way.
    DuplicateRequestId(String),
    /// The value that the event has for this header cannot stand in HTTP.
    InvalidHeader(&'static str),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Unclaimed { waited, endpoint } => write!(
                f,
                "no runtime asked for the event within {waited:?}: is the function running, with \
                 AWS_LAMBDA_RUNTIME_API={endpoint}, and not busy?"
            ),
            Error::Stopped => f.write_str("the emulator has stopped"),
            Error::DuplicateRequestId(id) => write!(f, "an invocation with the request id {id} is under way"),
            Error::InvalidHeader(name) => write!(f, "the event's value for {name} cannot stand in an HTTP header"),
        }
    }
}

impl std::error::Error for Error {}
