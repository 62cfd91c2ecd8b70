//! Invocations that fail.

use super::sources::{ERROR, PRELUDE, RIE_ERROR_TYPES};
use crate::{Feature, Scenario, Steps};

pub(super) fn add(all: &mut Vec<Scenario>) {
    let failed = |scenario: Scenario, payload: &str| scenario.connection(Steps::new().failed(payload));
    all.extend([
        failed(Scenario::must("error", "the handler's error is reported", ERROR), r#"{"do":"error"}"#).expect_error(
            "a",
            "Function.OutOfStock",
            "OutOfStock",
            "no apples left",
        ),
        failed(Scenario::must("panic", "a panic is reported", RIE_ERROR_TYPES), r#"{"do":"panic"}"#).expect_error(
            "a",
            "Function.Panic",
            "Function.Panic",
            "asked to panic",
        ),
        failed(Scenario::must("io-error", "an I/O error is reported with its type", ERROR), r#"{"do":"io error"}"#)
            .requires(Feature::Rust)
            .expect_error("a", "Function.Error", "std::io::error::Error", "no disk"),
        failed(
            Scenario::must("not-serializable", "a result that cannot become JSON is reported", ERROR),
            r#"{"do":"not serializable"}"#,
        )
        .requires(Feature::Rust)
        .expect_error("a", "Runtime.BadResponse", "Runtime.BadResponse", "key must be a string"),
        failed(Scenario::should("malformed-event", "an event that is not JSON is reported", ERROR), "{\"a\":")
            .expect_error("a", "Runtime.BadEvent", "Runtime.BadEvent", "EOF while parsing"),
        failed(Scenario::should("empty-event", "an empty event is reported", ERROR), "").expect_error(
            "a",
            "Runtime.BadEvent",
            "Runtime.BadEvent",
            "EOF while parsing",
        ),
        failed(Scenario::should("two-events", "trailing bytes after an event are reported", ERROR), "1 2")
            .expect_error("a", "Runtime.BadEvent", "Runtime.BadEvent", "trailing"),
        failed(
            Scenario::must("early-stream-error", "an error before the first byte of a stream is reported", ERROR),
            r#"{"do":"stream","then":"error"}"#,
        )
        .requires(Feature::Streaming)
        .requires(Feature::Rust)
        .expect_error("a", "Function.SourceError", "SourceError", "the source ran dry"),
        failed(
            Scenario::must("early-stream-panic", "a panic before the first byte of a stream is reported", ERROR),
            r#"{"do":"stream","then":"panic"}"#,
        )
        .requires(Feature::Streaming)
        .requires(Feature::Rust)
        .expect_error("a", "Function.Panic", "Function.Panic", "asked to panic midway"),
        failed(
            Scenario::must("long-prelude", "a metadata prelude that is too long is reported", PRELUDE),
            r#"{"do":"stream","chunks":1,"header":20000}"#,
        )
        .requires(Feature::Streaming)
        .requires(Feature::Rust)
        .expect_error("a", "Runtime.BadResponse", "Runtime.BadResponse", "16384"),
    ]);
}
