//! Invocations as layers and as handlers receive them.

use std::fmt;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::{Deserializer, Visitor};
use serde_json::value::RawValue;

use super::context::Context;
use super::deserializer::{RAW, decode};
use crate::error::bad_event::BadEvent;

/// An invocation before its event is decoded, as a [layer](crate::Runtime::layer) receives it.
///
/// A layer that builds a new one must keep `context`, which links the invocation to its connection.
pub struct LambdaInvocation {
    /// Status and headers of the reply to /next.
    pub parts: http::response::Parts,
    /// The event, usually JSON.
    pub body: Bytes,
    /// The context.
    pub context: Context,
}

/// The argument of a handler: an event and its context.
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
    /// The decoded event.
    pub payload: T,
    /// The context of the invocation.
    pub context: Context,
}

impl<T> LambdaEvent<T> {
    /// Creates an event, in tests of handlers.
    pub fn new(payload: T, context: Context) -> Self {
        Self { payload, context }
    }

    /// Returns the payload and the context.
    pub fn into_parts(self) -> (T, Context) {
        (self.payload, self.context)
    }
}

/// An event as bytes, JSON or not.
///
/// ```
/// use lambda_runtime_base::{Error, LambdaEvent, RawEvent, RawResponse};
///
/// async fn echo(event: LambdaEvent<RawEvent>) -> Result<RawResponse, Error> {
///     Ok(RawResponse::new("application/octet-stream".parse()?, event.payload.0))
/// }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RawEvent(pub Bytes);

impl RawEvent {
    /// Decodes the event as JSON into a type that may borrow from it. Text that contains an escape sequence cannot be
    /// borrowed; `Cow` accepts both.
    ///
    /// ```
    /// use std::borrow::Cow;
    ///
    /// use lambda_runtime_base::{Error, LambdaEvent, RawEvent};
    /// use serde::Deserialize;
    /// use serde_json::value::RawValue;
    ///
    /// #[derive(Deserialize)]
    /// struct Order<'e> {
    ///     #[serde(borrow)]
    ///     item: Cow<'e, str>,
    ///     #[serde(borrow)]
    ///     details: &'e RawValue,
    /// }
    ///
    /// async fn handler(event: LambdaEvent<RawEvent>) -> Result<String, Error> {
    ///     let order: Order<'_> = event.payload.json()?;
    ///     Ok(format!("{}, and {} bytes about it", order.item, order.details.get().len()))
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The event is not JSON of a `T`. If a handler returns the error, it is reported like that of any other event that
    /// cannot be decoded.
    pub fn json<'e, T: Deserialize<'e>>(&'e self) -> Result<T, BadEvent> {
        decode(&self.0)
    }
}

impl<'de> Deserialize<'de> for RawEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(RAW, RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = RawEvent;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_bytes<E>(self, event: &[u8]) -> Result<RawEvent, E> {
        Ok(RawEvent(Bytes::copy_from_slice(event)))
    }

    /// Called by any other deserializer of JSON, with the text.
    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<RawEvent, D::Error> {
        let json = Box::<RawValue>::deserialize(deserializer)?;
        Ok(RawEvent(Bytes::from(json.get().to_owned())))
    }
}
