//! What the function does wrong.

use super::{error, fail, survives};
use crate::Scenario;

pub(super) fn add(all: &mut Vec<Scenario>) {
    for (name, payload, header, error_type, words) in [
        ("a handler's error is reported", r#"{"do":"error"}"#, "Function.OutOfStock", "OutOfStock", "no apples left"),
        ("an I/O error has a name", r#"{"do":"io error"}"#, "Function.Error", "std::io::error::Error", "no disk"),
        ("a panic is reported", r#"{"do":"panic"}"#, "Function.Panic", "Function.Panic", "asked to panic"),
        (
            "a response that is no JSON is reported",
            r#"{"do":"impossible"}"#,
            "Runtime.BadResponse",
            "Runtime.BadResponse",
            "key must be a string",
        ),
        (
            "an event that is no JSON is reported",
            "{\"a\":",
            "Runtime.BadEvent",
            "Runtime.BadEvent",
            "EOF while parsing",
        ),
        ("an empty event is reported", "", "Runtime.BadEvent", "Runtime.BadEvent", "EOF while parsing"),
        ("an event with something behind it is reported", "1 2", "Runtime.BadEvent", "Runtime.BadEvent", "trailing"),
        (
            "an error before the first byte of a stream is reported",
            r#"{"do":"stream","then":"error"}"#,
            "Function.Diagnosed",
            "Diagnosed",
            "the source ran dry",
        ),
        (
            "a panic before the first byte of a stream is reported",
            r#"{"do":"stream","then":"panic"}"#,
            "Function.Panic",
            "Function.Panic",
            "asked to panic midway",
        ),
        (
            "a prelude that is too long is reported",
            r#"{"do":"stream","chunks":1,"header":20000}"#,
            "Runtime.BadResponse",
            "Runtime.BadResponse",
            "16384",
        ),
    ] {
        survives(all, name, vec![fail(payload)], false, move |played| {
            let (found_header, found_type, message) = error(played);
            assert_eq!((found_header.as_str(), found_type.as_str()), (header, error_type));
            assert!(message.contains(words), "{message}");
        });
    }
}
