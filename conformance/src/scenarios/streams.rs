//! Streamed responses.

use std::time::Duration;

use lambda_runtime_proto::Endpoint::Response;

use super::letters;
use super::sources::{PROTOCOL, RIE_REFUSALS, RIE_STREAMING, STREAMING, rfc9110, rfc9112};
use crate::messages::{reply, reply_with};
use crate::{Feature, Scenario, Steps, StreamEnd};

pub(super) fn add(all: &mut Vec<Scenario>) {
    let from = all.len();
    complete(all);
    failing(all);
    interrupted(all);
    early_and_late(all);
    for scenario in &mut all[from..] {
        scenario.requires.push(Feature::Streaming);
    }
}

fn complete(all: &mut Vec<Scenario>) {
    for (id, title, payload, expected) in [
        ("stream", "a stream is sent", r#"{"do":"stream","chunks":3}"#, "abc"),
        ("slow-stream", "a stream that is pending is sent", r#"{"do":"stream","chunks":3,"yields":2}"#, "abc"),
        ("empty-chunks", "empty chunks do not end a stream", r#"{"do":"stream","chunks":3,"empty":5}"#, "abc"),
        ("empty-stream", "an empty stream is a response", r#"{"do":"stream"}"#, ""),
        ("slow-empty-stream", "an empty stream that is pending is a response", r#"{"do":"stream","yields":1}"#, ""),
    ] {
        let mut scenario =
            Scenario::must(id, title, STREAMING).connection(Steps::new().served(payload)).expect_stream("a", expected);
        // Only a future can be pending.
        if payload.contains("yields") {
            scenario = scenario.requires(Feature::Rust);
        }
        all.push(scenario);
    }
    all.extend([
        Scenario::must("long-stream", "a stream of 10 MiB is sent", STREAMING)
            .connection(Steps::new().served(r#"{"do":"stream","chunks":640,"bytes":16384}"#))
            .expect_stream("a", letters(640, 16384)),
        Scenario::may("trailers", "the trailers of a body follow its last chunk", rfc9112("7.1.2"))
            .requires(Feature::Rust)
            .connection(Steps::new().served(r#"{"do":"stream","chunks":3,"then":"trailers"}"#))
            .expect_stream_end(
                "a",
                "abc",
                StreamEnd::Complete { trailers: vec![("x-checksum".to_owned(), "1111".to_owned())] },
            ),
    ]);
}

fn failing(all: &mut Vec<Scenario>) {
    let error = ("Function.SourceError", "the source ran dry");
    for (id, title, payload, sent, (error_type, message)) in [
        (
            "stream-error",
            "an error midway is reported in trailers",
            r#"{"do":"stream","chunks":2,"then":"error"}"#,
            "ab",
            error,
        ),
        (
            "slow-stream-error",
            "an error midway after a pending poll is reported in trailers",
            r#"{"do":"stream","chunks":2,"yields":1,"then":"error"}"#,
            "ab",
            error,
        ),
        (
            "stream-panic",
            "a panic midway is reported in trailers",
            r#"{"do":"stream","chunks":2,"then":"panic"}"#,
            "ab",
            ("Function.Panic", "asked to panic midway"),
        ),
        (
            "prelude-then-error",
            "an error after the prelude is reported in trailers",
            r#"{"do":"stream","yields":1,"then":"error"}"#,
            "",
            error,
        ),
    ] {
        let mut scenario = Scenario::must(id, title, RIE_STREAMING)
            .connection(Steps::new().served(payload))
            .expect_failed_stream("a", sent, error_type, message);
        if payload.contains("yields") {
            scenario = scenario.requires(Feature::Rust);
        }
        all.push(scenario);
    }
    all.push(
        Scenario::must("long-trailers", "trailers that are too long for Lambda are an error midway", PROTOCOL)
            .requires(Feature::Rust)
            .connection(Steps::new().served(r#"{"do":"stream","chunks":2,"then":"long trailers"}"#))
            .expect_failed_stream("a", "ab", "Runtime.BadResponse", "4096"),
    );
}

/// Ends of a stream that the function did not choose.
fn interrupted(all: &mut Vec<Scenario>) {
    let midway = |payload: &str, bytes| Steps::new().event(payload).read_at_least(Response, bytes);
    let endless = || midway(r#"{"do":"stream","chunks":100000,"bytes":16384}"#, 100_000);
    let idle = || midway(r#"{"do":"stream","chunks":1,"then":"nothing"}"#, 1);
    let closing = reply_with(413, "Connection: close\r\n", "{}");
    for (scenario, steps) in [
        (
            Scenario::must("stream-refused", "a refusal amid a stream ends it", RIE_REFUSALS),
            endless().refuse(413, "RequestEntityTooLarge"),
        ),
        (
            Scenario::must(
                "stream-refused-and-closed",
                "a refusal amid a stream may close the connection",
                rfc9112("9.6"),
            ),
            endless().send(closing),
        ),
        (
            Scenario::must("idle-stream-refused", "a refusal ends a stream that has nothing to send", RIE_REFUSALS),
            idle().refuse(413, "RequestEntityTooLarge"),
        ),
        (Scenario::should("stream-closed", "a stream may be interrupted by a close", rfc9112("9.5")), endless()),
        (Scenario::should("stream-reset", "a stream may be interrupted by a reset", rfc9112("9.5")), endless().reset()),
    ] {
        all.push(scenario.connection(steps).reconnects().expect_incomplete("a", 1..=usize::MAX));
    }
}

fn early_and_late(all: &mut Vec<Scenario>) {
    let stream = r#"{"do":"stream","chunks":64,"bytes":65536}"#;
    all.extend([
        Scenario::must("slow-reader", "a slow reader gets the whole stream", STREAMING)
            .connection(
                Steps::new()
                    .event(stream)
                    .read_at_least(Response, 1)
                    .pause(Duration::from_millis(50))
                    .read_rest()
                    .accept(),
            )
            .expect_stream("a", letters(64, 65536)),
        Scenario::should(
            "stream-accepted-early",
            "a stream that is accepted early is sent to its end",
            rfc9110("15.3"),
        )
        .connection(Steps::new().event(stream).read_at_least(Response, 1).send(reply(200, "")).read_rest())
        .expect_stream("a", letters(64, 65536)),
        Scenario::should(
            "stream-acknowledgement-lost",
            "a stream is not sent again when its acknowledgement is lost",
            rfc9110("9.2.2"),
        )
        .connection(Steps::new().event(r#"{"do":"stream","chunks":3}"#).read(Response))
        .reconnects()
        .expect_stream("a", "abc"),
    ]);
}
