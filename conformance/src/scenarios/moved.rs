//! Layers that move the future of the inner service out of the future of `run`.

use lambda_runtime_proto::Endpoint::{self, Error, Response};
use serde_json::{Value, json};

use super::letters;
use super::sources::ARCHITECTURE;
use crate::{Content, Feature, Scenario, Steps};

pub(super) fn add(all: &mut Vec<Scenario>) {
    for (slug, place, layer) in [
        ("to-a-task", "in another task", "move to a task"),
        ("to-a-thread", "on another thread", "move to a thread"),
        ("to-threads", "on a new thread for each poll", "move to threads"),
        ("before-run", "in a future that its task polls before run", "move before run"),
        ("after-run", "in a future that its task polls after run", "move after run"),
    ] {
        add_place(all, slug, place, layer);
    }
}

/// A kind of handler, and what comes of its invocation.
struct Handler {
    kind: &'static str,
    behaviour: &'static str,
    event: Value,
    outcome: Outcome,
}

enum Outcome {
    Echo,
    Error(&'static str, &'static str, &'static str),
    Stream(Content),
    FailedStream(Content),
}

fn handlers() -> [Handler; 8] {
    let handler = |kind, behaviour, event, outcome| Handler { kind, behaviour, event, outcome };
    let error = || Outcome::Error("Function.OutOfStock", "OutOfStock", "no apples left");
    [
        handler("immediate", "an immediate response is sent", json!({}), Outcome::Echo),
        handler("late", "a response after a timer is sent", json!({"after_ms": 20}), Outcome::Echo),
        handler("error", "an immediate error is reported", json!({"do": "error"}), error()),
        handler("late-error", "an error after a timer is reported", json!({"do": "error", "after_ms": 20}), error()),
        handler(
            "panic",
            "a panic is reported",
            json!({"do": "panic"}),
            Outcome::Error("Function.Panic", "Function.Panic", "asked to panic"),
        ),
        handler(
            "stream",
            "a stream that is always ready is sent",
            json!({"do": "stream", "chunks": 64, "bytes": 16384}),
            Outcome::Stream(letters(64, 16384)),
        ),
        handler(
            "slow-stream",
            "a stream that waits for timers is sent",
            json!({"do": "stream", "chunks": 5, "every_ms": 5}),
            Outcome::Stream(letters(5, 1)),
        ),
        handler(
            "failing-stream",
            "an error of a stream midway is reported in trailers",
            json!({"do": "stream", "chunks": 2, "every_ms": 5, "then": "error"}),
            Outcome::FailedStream(letters(2, 1)),
        ),
    ]
}

impl Handler {
    fn event(&self, layer: &str) -> String {
        let mut event = self.event.clone();
        event["layer"] = layer.into();
        event.to_string()
    }

    fn steps(&self, id: &str, layer: &str) -> Steps {
        let endpoint: Endpoint = if matches!(self.outcome, Outcome::Error(..)) { Error } else { Response };
        Steps::new().event_as(id, &self.event(layer)).read(endpoint).accept()
    }

    fn expect(&self, scenario: Scenario, id: &str, layer: &str) -> Scenario {
        match &self.outcome {
            Outcome::Echo => scenario.expect_response(id, self.event(layer)),
            Outcome::Error(header, error_type, message) => scenario.expect_error(id, header, error_type, message),
            Outcome::Stream(payload) => scenario.expect_stream(id, payload.clone()),
            Outcome::FailedStream(payload) => {
                scenario.expect_failed_stream(id, payload.clone(), "Function.SourceError", "the source ran dry")
            }
        }
    }
}

/// Adds a scenario for each kind of handler, and one in which they alternate.
fn add_place(all: &mut Vec<Scenario>, slug: &str, place: &str, layer: &str) {
    let scenario = |id: String, title: String, invocations: Vec<(&str, &Handler)>| {
        let steps = invocations.iter().fold(Steps::new(), |steps, (id, handler)| steps.then(handler.steps(id, layer)));
        let scenario = Scenario::must(id, title, ARCHITECTURE)
            .requires(Feature::Layers)
            .requires(Feature::Streaming)
            .connection(steps);
        invocations.iter().fold(scenario, |scenario, (id, handler)| handler.expect(scenario, id, layer))
    };
    let handlers = handlers();
    all.extend(handlers.iter().map(|handler| {
        let Handler { kind, behaviour, .. } = handler;
        let invocations = ["a", "b", "c"].map(|id| (id, handler));
        scenario(format!("moved-{slug}-{kind}"), format!("{behaviour} {place}, again and again"), invocations.into())
    }));
    let invocations = handlers.iter().map(|handler| (handler.kind, handler)).collect();
    all.push(scenario(format!("moved-{slug}"), format!("handlers of every kind may alternate {place}"), invocations));
}
