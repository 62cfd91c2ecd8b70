//! Why `run` ends.

use std::fmt;
use std::io;

use lambda_runtime_proto::Endpoint;
use lambda_runtime_proto::client::Reply;
use serde::Deserialize;

use crate::address::VARIABLE;
use crate::concurrent::MAX_CONCURRENCY;

/// The error type of handlers, layers and `run`.
pub type Error = Box<dyn std::error::Error + Send + Sync + 'static>;

/// Why [`run`](crate::Runtime::run) ended: nothing that a retry could mend.
///
/// `Debug` reads like `Display`, so that a `main` that returns it prints one readable line.
#[non_exhaustive]
pub enum RunError {
    /// `AWS_LAMBDA_RUNTIME_API` is not set.
    NoAddress,
    /// The value of `AWS_LAMBDA_RUNTIME_API` is not an address.
    BadAddress {
        /// The value.
        value: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The Runtime API could not be reached, or every connection to it broke down before it answered.
    Unreachable {
        /// Its address.
        address: String,
        /// How often it was tried.
        tries: u32,
        /// What went wrong the last time.
        last: io::Error,
    },
    /// The value of `AWS_LAMBDA_MAX_CONCURRENCY`, given, is no number of workers.
    BadConcurrency(String),
    /// No worker of [`run_concurrent`](crate::Runtime::run_concurrent) can go on; this is what happened to each.
    WorkersFailed(Vec<String>),
    /// The Runtime API says that it cannot go on.
    Refused {
        /// The request that it refused.
        endpoint: Endpoint,
        /// The HTTP status.
        status: u16,
        /// Its own words.
        message: String,
    },
}

impl RunError {
    pub(crate) fn refused(answer: &Reply) -> Self {
        RunError::Refused { endpoint: answer.endpoint(), status: answer.status(), message: words(answer) }
    }
}

/// The API's own words, from the body of its answer, on one line and not too many.
pub(crate) fn words(answer: &Reply) -> String {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Words {
        #[serde(default)]
        error_type: String,
        #[serde(default)]
        error_message: String,
    }
    let body = answer.body();
    let words = match serde_json::from_slice(&body) {
        Ok(Words { error_type, error_message }) if !(error_type.is_empty() && error_message.is_empty()) => {
            format!("{error_type}: {error_message}").into()
        }
        _ => String::from_utf8_lossy(&body),
    };
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    words.trim().chars().take(1000).map(printable).collect()
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunError::NoAddress => write!(
                f,
                "the environment variable {VARIABLE} is not set: this program is a Lambda function and needs Lambda's \
                 Runtime API. Run it locally with `lambda-emulator --event '{{}}' -- PROGRAM` or `cargo lambda watch`"
            ),
            RunError::BadAddress { value, why } => write!(
                f,
                "the environment variable {VARIABLE} is \"{}\", which is not host:port or http://host:port/path: {why}",
                value.escape_debug()
            ),
            RunError::Unreachable { address, tries, last } => {
                let how = match last.kind() {
                    io::ErrorKind::InvalidData => "does not speak as it should",
                    _ => "cannot be reached",
                };
                write!(f, "the Lambda Runtime API at {address} {how}: {last} (tries: {tries})")
            }
            RunError::BadConcurrency(value) => write!(
                f,
                "the environment variable {MAX_CONCURRENCY} is \"{}\", which is not a number of workers from 1 to 65535",
                value.escape_debug()
            ),
            RunError::WorkersFailed(ends) => {
                write!(f, "none of the {} workers can go on", ends.len())?;
                ends.iter().enumerate().try_for_each(|(n, end)| write!(f, "; worker {n}: {end}"))
            }
            RunError::Refused { endpoint, status, message } => {
                write!(f, "the Lambda Runtime API refused {endpoint} for good: {status} {message}")
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
            RunError::Unreachable { last, .. } => Some(last),
            _ => None,
        }
    }
}
