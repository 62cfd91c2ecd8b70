//! An invocation, as layers and as handlers see it.

use std::any::type_name;
use std::fmt;

use bytes::Bytes;
use serde::Deserialize;

use crate::raw::EventDeserializer;
use crate::{Context, Diagnostic};

/// An invocation before its event is decoded: what a [layer](crate::Runtime::layer) sees.
///
/// A layer that builds a new one must carry `parts.extensions` over: through them the response finds its way back.
pub struct LambdaInvocation {
    /// Status and headers of the answer to /next.
    pub parts: http::response::Parts,
    /// The event: JSON as a rule.
    pub body: Bytes,
    /// The context.
    pub context: Context,
}

/// An event and its context: what a handler gets, and a test gives it.
///
/// ```
/// use lambda_runtime_base::{Context, Error, LambdaEvent};
///
/// async fn shout(event: LambdaEvent<String>) -> Result<String, Error> {
///     Ok(event.payload.to_uppercase())
/// }
///
/// async fn test() {
///     let event = LambdaEvent::new("hello".to_owned(), Context::default());
///     assert_eq!(shout(event).await.unwrap(), "HELLO");
/// }
/// # futures_util::FutureExt::now_or_never(test()).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct LambdaEvent<T> {
    /// The event, decoded.
    pub payload: T,
    /// What came with it.
    pub context: Context,
}

impl<T> LambdaEvent<T> {
    /// Puts an event together, as tests of handlers do.
    pub fn new(payload: T, context: Context) -> Self {
        Self { payload, context }
    }

    /// Takes it apart.
    pub fn into_parts(self) -> (T, Context) {
        (self.payload, self.context)
    }
}

/// Decodes an event. The path in it is traced only when it is needed to explain a failure: it costs as much as the
/// decoding.
pub(crate) fn decode<'de, T: Deserialize<'de>>(event: &'de [u8]) -> Result<T, BadEvent> {
    let error = match T::deserialize(EventDeserializer(event)) {
        Ok(payload) => return Ok(payload),
        Err(error) => error,
    };
    let traced = serde_path_to_error::deserialize::<_, T>(&mut serde_json::Deserializer::from_slice(event)).err();
    let why = match traced {
        Some(traced) if traced.path().iter().next().is_some() => format!("at {}: {}", traced.path(), traced.inner()),
        _ => error.to_string(),
    };
    Err(BadEvent { wanted: type_name::<T>(), why })
}

/// An event that does not fit the type that it was to be decoded as: it says which type, where in the event, and why.
/// Lambda sees the error type `Runtime.BadEvent`.
#[derive(Debug)]
pub struct BadEvent {
    wanted: &'static str,
    why: String,
}

impl BadEvent {
    pub(crate) const ERROR_TYPE: &str = "Runtime.BadEvent";
}

impl fmt::Display for BadEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the event does not fit {}: {}", self.wanted, self.why)
    }
}

impl std::error::Error for BadEvent {}

impl From<BadEvent> for Diagnostic {
    fn from(error: BadEvent) -> Self {
        Diagnostic::of(&error)
    }
}
