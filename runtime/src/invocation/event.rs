//! An invocation, as layers and as handlers see it.

use std::fmt;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::{Deserializer, Visitor};
use serde_json::value::RawValue;

use super::context::Context;
use super::deserializer::{RAW, decode};
use crate::error::bad_event::BadEvent;

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

/// An event as the bytes that it came as, JSON or not.
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
    /// Decodes the event as JSON, as any other payload is decoded; but what it is decoded into may borrow from it. Text
    /// with an escape in it cannot be borrowed: a `Cow` takes it either way.
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
    /// The event is not the JSON of a `T`. It is the error that an event of another type than the handler's ends with.
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

    /// Any other deserializer of JSON gives its text.
    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<RawEvent, D::Error> {
        let json = Box::<RawValue>::deserialize(deserializer)?;
        Ok(RawEvent(Bytes::from(json.get().to_owned())))
    }
}
