//! Events and responses that are not JSON.

use std::fmt;

use bytes::Bytes;
use futures_core::Stream;
use http::HeaderValue;
use serde::Deserialize;
use serde::de::{Deserializer, Visitor};
use serde_json::value::RawValue;

use crate::event::decode;
use crate::response::AnyResponse;
use crate::streaming::Body;
use crate::{BadEvent, Error, FunctionResponse, IntoFunctionResponse, StreamResponse};

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

/// The name by which [`RawEvent`] asks for the bytes; no type in Rust has it.
const RAW: &str = "lambda-runtime::RawEvent";

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

/// Decodes an event: as JSON, but for a [`RawEvent`].
pub(crate) struct EventDeserializer<'de>(pub(crate) &'de [u8]);

impl<'de> EventDeserializer<'de> {
    fn json<T>(
        self,
        decode: impl FnOnce(&mut serde_json::Deserializer<serde_json::de::SliceRead<'de>>) -> serde_json::Result<T>,
    ) -> serde_json::Result<T> {
        let mut json = serde_json::Deserializer::from_slice(self.0);
        let value = decode(&mut json)?;
        json.end()?;
        Ok(value)
    }
}

macro_rules! as_json {
    ($($method:ident($($argument:ident: $kind:ty),*)),* $(,)?) => {$(
        fn $method<V: Visitor<'de>>(self, $($argument: $kind,)* visitor: V) -> serde_json::Result<V::Value> {
            self.json(|json| json.$method($($argument,)* visitor))
        }
    )*};
}

impl<'de> Deserializer<'de> for EventDeserializer<'de> {
    type Error = serde_json::Error;

    fn deserialize_newtype_struct<V>(self, name: &'static str, visitor: V) -> serde_json::Result<V::Value>
    where
        V: Visitor<'de>,
    {
        if name == RAW {
            return visitor.visit_bytes(self.0);
        }
        self.json(|json| json.deserialize_newtype_struct(name, visitor))
    }

    as_json! {
        deserialize_any(), deserialize_bool(), deserialize_char(), deserialize_str(), deserialize_string(),
        deserialize_i8(), deserialize_i16(), deserialize_i32(), deserialize_i64(), deserialize_i128(),
        deserialize_u8(), deserialize_u16(), deserialize_u32(), deserialize_u64(), deserialize_u128(),
        deserialize_f32(), deserialize_f64(), deserialize_bytes(), deserialize_byte_buf(), deserialize_option(),
        deserialize_unit(), deserialize_seq(), deserialize_map(), deserialize_identifier(), deserialize_ignored_any(),
        deserialize_unit_struct(name: &'static str), deserialize_tuple(len: usize),
        deserialize_tuple_struct(name: &'static str, len: usize),
        deserialize_struct(name: &'static str, fields: &'static [&'static str]),
        deserialize_enum(name: &'static str, variants: &'static [&'static str]),
    }
}

/// A response of bytes as they are, with a content type of its own: at most 6 MiB.
#[derive(Debug, Clone)]
pub struct RawResponse {
    /// What the bytes are.
    pub content_type: HeaderValue,
    /// The bytes.
    pub body: Bytes,
}

impl RawResponse {
    /// These bytes.
    pub fn new(content_type: HeaderValue, body: impl Into<Bytes>) -> Self {
        Self { content_type, body: body.into() }
    }
}

/// A streamed response without a metadata prelude: a plain stream of bytes with a content type of its own, for
/// functions that are invoked by
/// [`InvokeWithResponseStream`](https://docs.aws.amazon.com/lambda/latest/api/API_InvokeWithResponseStream.html) and not
/// by way of HTTP.
#[derive(Debug)]
pub struct PlainStream<S> {
    /// What the bytes are.
    pub content_type: HeaderValue,
    /// The bytes.
    pub stream: S,
}

impl<S> PlainStream<S> {
    /// This stream.
    pub fn new(content_type: HeaderValue, stream: S) -> Self {
        Self { content_type, stream }
    }
}

impl IntoFunctionResponse<(), Body> for RawResponse {
    /// As a streamed response, which is the only one of the two kinds that holds bytes. The runtime itself sends it
    /// whole.
    fn into_response(self) -> FunctionResponse<(), Body> {
        FunctionResponse::StreamingResponse(StreamResponse::from(Body::from(self.body)))
    }

    fn into_any_response(self) -> AnyResponse<(), Body> {
        AnyResponse::Raw(self)
    }
}

impl<S, D, E> IntoFunctionResponse<(), S> for PlainStream<S>
where
    S: Stream<Item = Result<D, E>> + Unpin + Send + 'static,
    D: Into<Bytes> + Send,
    E: Into<Error> + Send + fmt::Debug,
{
    /// As a streamed response with an empty prelude. The runtime itself sends it without.
    fn into_response(self) -> FunctionResponse<(), S> {
        FunctionResponse::StreamingResponse(StreamResponse::from(self.stream))
    }

    fn into_any_response(self) -> AnyResponse<(), S> {
        AnyResponse::Plain(self)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn decode<T: serde::de::DeserializeOwned>(event: &str) -> serde_json::Result<T> {
        T::deserialize(EventDeserializer(event.as_bytes()))
    }

    #[derive(Debug, PartialEq, Deserialize)]
    enum Kind {
        Unit,
        Tuple(u8, String),
        Struct { a: Option<bool> },
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Newtype(Vec<f64>);

    #[test]
    fn every_kind_of_type_is_decoded_as_json() {
        assert_eq!(decode::<Kind>(r#""Unit""#).unwrap(), Kind::Unit);
        assert_eq!(decode::<Kind>(r#"{"Tuple":[1,"x"]}"#).unwrap(), Kind::Tuple(1, "x".into()));
        assert_eq!(decode::<Kind>(r#"{"Struct":{"a":null}}"#).unwrap(), Kind::Struct { a: None });
        assert_eq!(decode::<Newtype>("[1,2.5]").unwrap(), Newtype(vec![1.0, 2.5]));
        assert_eq!(decode::<Option<u64>>("null").unwrap(), None);
        assert_eq!(decode::<(i8, char)>(r#"[-1,"x"]"#).unwrap(), (-1, 'x'));
        assert_eq!(decode::<BTreeMap<String, ()>>(r#"{"a":null}"#).unwrap().len(), 1);
        assert_eq!(decode::<u128>("340282366920938463463374607431768211455").unwrap(), u128::MAX);
        assert_eq!(decode::<Box<RawValue>>("[1, 2]").unwrap().get(), "[1, 2]");
        assert!(decode::<u8>("1 2").unwrap_err().to_string().contains("trailing"));
    }

    #[test]
    fn a_raw_event_is_taken_as_it_is() {
        assert_eq!(decode::<RawEvent>("no json \0").unwrap(), RawEvent(Bytes::from("no json \0")));
        assert_eq!(serde_json::from_str::<RawEvent>("[1, 2]").unwrap(), RawEvent(Bytes::from("[1, 2]")));
    }
}
