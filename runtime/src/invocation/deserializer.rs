//! Decoding events: as JSON, or as bytes.

use serde::Deserialize;
use serde::de::{Deserializer, Visitor};

use super::path::path;
use crate::error::bad_event::BadEvent;

/// The name with which [`RawEvent`](super::event::RawEvent) requests the bytes. No Rust type can have it.
pub(crate) const RAW: &str = "lambda-runtime::RawEvent";

/// Decodes an event.
pub(crate) fn decode<'de, T: Deserialize<'de>>(event: &'de [u8]) -> Result<T, BadEvent> {
    T::deserialize(EventDeserializer(event)).map_err(|error| BadEvent::new::<T>(reason(&error, event)))
}

fn reason(error: &serde_json::Error, event: &[u8]) -> String {
    match path(error, event) {
        path if path.is_empty() => error.to_string(),
        path => format!("at {path}: {error}"),
    }
}

/// A deserializer for JSON that passes the bytes themselves to a [`RawEvent`](super::event::RawEvent).
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bytes::Bytes;
    use serde_json::value::RawValue;

    use super::*;
    use crate::invocation::event::RawEvent;

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
    fn a_raw_event_contains_the_bytes() {
        assert_eq!(decode::<RawEvent>("not json \0").unwrap(), RawEvent(Bytes::from("not json \0")));
        assert_eq!(serde_json::from_str::<RawEvent>("[1, 2]").unwrap(), RawEvent(Bytes::from("[1, 2]")));
    }
}
