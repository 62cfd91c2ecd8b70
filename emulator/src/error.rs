//! Errors of the emulator itself. Errors of functions are [outcomes](crate::Outcome).

use std::fmt;
use std::time::Duration;

use crate::MAX_EVENT;

/// Why an invocation has no outcome. Errors of functions are not errors of this type but [outcomes](crate::Outcome).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// No runtime requested the event within this time.
    Unclaimed {
        /// How long the event waited: [`Builder::claim_timeout`](crate::Builder::claim_timeout).
        waited: Duration,
        /// The value that the function's `AWS_LAMBDA_RUNTIME_API` must have.
        endpoint: String,
    },
    /// Too many events wait: more than [`Builder::max_queued_events`](crate::Builder::max_queued_events) or
    /// [`Builder::max_queued_bytes`](crate::Builder::max_queued_bytes) allow.
    QueueFull,
    /// The emulator was dropped.
    Stopped,
    /// An invocation with this request id is queued or in flight.
    DuplicateRequestId(String),
    /// The event's value for this header contains bytes that HTTP does not allow there.
    InvalidHeader(&'static str),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Unclaimed { waited, endpoint } => write!(
                f,
                "no runtime requested the event within {waited:?}: check that the function is running, with \
                 AWS_LAMBDA_RUNTIME_API={endpoint}, that it is not busy, and that `Emulator::invoke` does not block its \
                 thread (async tests: `invoke_async`)"
            ),
            Error::QueueFull => f.write_str("too many events are waiting"),
            Error::Stopped => f.write_str("the emulator has stopped"),
            Error::DuplicateRequestId(id) => write!(f, "an invocation with the request id {id} is in progress"),
            Error::InvalidHeader(name) => {
                write!(f, "the event's value for {name} contains bytes that HTTP does not allow in a header")
            }
        }
    }
}

impl std::error::Error for Error {}

/// Why Lambda rejects a payload: returned by [`Event::json`](crate::Event::json).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidPayload {
    /// It is larger than [`MAX_EVENT`].
    TooLarge,
    /// It is not JSON, for this reason.
    NotJson(String),
}

impl fmt::Display for InvalidPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvalidPayload::TooLarge => write!(f, "the payload is larger than {MAX_EVENT} bytes"),
            InvalidPayload::NotJson(why) => write!(f, "the payload is not JSON: {why}"),
        }
    }
}

impl std::error::Error for InvalidPayload {}
