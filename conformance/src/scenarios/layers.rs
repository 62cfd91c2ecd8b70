//! Layers that fail, and layers that lose what they were given.

use lambda_runtime_proto::Endpoint::{Error, Response};

use super::letters;
use super::sources::PARITY;
use crate::{Feature, Scenario, Steps};

pub(super) fn add(all: &mut Vec<Scenario>) {
    let scenario =
        |id: &str, title: &str| Scenario::must(format!("layer-{id}"), title, PARITY).requires(Feature::Layers);
    for (id, title, layer, [header, error_type], message) in [
        ("fails", "the error of a layer is reported", "fail", ["Function.Error", "Error"], "the layer fails"),
        (
            "fails-without-message",
            "an error of a layer whose Display panics is reported",
            "fail without a message",
            ["Function.Panic", "Function.Panic"],
            "asked to panic in Display",
        ),
        (
            "panics",
            "a panic of a layer in call is reported",
            "panic",
            ["Function.Panic", "Function.Panic"],
            "a layer panicked at",
        ),
        (
            "panics-later",
            "a panic of a layer in its future is reported",
            "panic later",
            ["Function.Panic", "Function.Panic"],
            "a layer panicked at",
        ),
        (
            "skips",
            "a layer that completes without the handler's response is reported",
            "skip",
            ["Runtime.NoResponse", "Runtime.NoResponse"],
            "before the handler's response was complete",
        ),
        (
            "replaces-the-context",
            "a layer that calls the handler with another context is reported",
            "replace the context",
            ["Function.ContextLost", "ContextLost"],
            "replaced the context",
        ),
    ] {
        let steps = Steps::new().event(&format!(r#"{{"layer":"{layer}"}}"#)).read(Error).accept();
        all.push(scenario(id, title).connection(steps).expect_error("a", header, error_type, message));
    }
    let payload = |layer: &str| format!(r#"{{"layer":"{layer}","n":1}}"#);
    all.extend([
        scenario("not-ready", "an error of poll_ready is reported for the next invocation")
            .connection(
                Steps::new().event_as("b", r#"{"layer":"not ready for the next"}"#).read(Response).accept().failed("1"),
            )
            .expect_error("a", "Function.Error", "Error", "the layer is not ready"),
        scenario("fails-afterwards", "a layer that fails after the acknowledgement changes nothing")
            .connection(Steps::new().served(&payload("fail afterwards")))
            .expect_response("a", payload("fail afterwards")),
        scenario("fails-at-once", "a response is sent even if a layer fails in the poll that handed it over")
            .connection(Steps::new().served(&payload("fail at once")))
            .expect_response("a", payload("fail at once")),
        scenario("leaves-early", "a stream that a layer leaves early ends with an error")
            .requires(Feature::Streaming)
            .connection(Steps::new().served(r#"{"layer":"leave early","do":"stream","chunks":2,"yields":3}"#))
            .expect_failed_stream("a", "", "Runtime.NoResponse", ""),
        scenario("gives-up-midway", "a stream that a layer gives up midway ends with an error")
            .requires(Feature::Streaming)
            .connection(Steps::new().served(r#"{"layer":"give up midway","do":"stream","chunks":1,"then":"nothing"}"#))
            .expect_failed_stream("a", letters(1, 1), "Function.Error", "the layer gave up midway"),
    ]);
}
