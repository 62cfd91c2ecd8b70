//! Events that cannot be decoded into the handler's type.

use std::any::type_name;
use std::fmt;

/// An event that cannot be decoded into the requested type. The message contains the type, the path in the event, and the
/// reason. Lambda receives the error type `Runtime.BadEvent`.
#[derive(Debug)]
pub struct BadEvent {
    expected: &'static str,
    reason: String,
}

impl BadEvent {
    pub(crate) const ERROR_TYPE: &str = "Runtime.BadEvent";

    pub(crate) fn new<T>(reason: String) -> Self {
        Self { expected: type_name::<T>(), reason }
    }
}

impl fmt::Display for BadEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the event does not fit {}: {}", self.expected, self.reason)
    }
}

impl std::error::Error for BadEvent {}
