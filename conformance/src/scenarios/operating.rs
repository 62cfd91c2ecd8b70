//! Features for operators: causes for X-Ray, headers that Lambda may add, the current invocation, work after the response.

use std::time::{Duration, SystemTime};

use lambda_runtime_proto::Endpoint::{Next, Response};
use serde_json::{Value, json};

use super::sources::{ERROR, NEXT, OPERATING};
use crate::messages::{event, event_with};
use crate::{Expectation, Feature, Scenario, Steps, Transcript};

pub(super) fn add(all: &mut Vec<Scenario>) {
    causes(all);
    headers(all);
    current(all);
    work(all);
}

/// The largest cause that the API uses.
const MAX_CAUSE: usize = 64 * 1024;

/// The cause of an error for X-Ray.
fn causes(all: &mut Vec<Scenario>) {
    let scenario = |id: &str, title: &str, payload: &str, check| {
        Scenario::must(format!("xray-cause-{id}"), title, ERROR)
            .requires(Feature::Rust)
            .connection(Steps::new().failed(payload))
            .expect(Expectation::Custom {
                sentence: "an X-Ray cause with the type and the message of the error",
                check,
            })
    };
    all.extend([
        scenario("of-an-error", "an error has a cause for X-Ray", r#"{"do":"error"}"#, |transcript| {
            check_cause(transcript, "OutOfStock", "no apples left")
        }),
        scenario("of-a-panic", "a panic has a cause for X-Ray", r#"{"do":"panic"}"#, |transcript| {
            check_cause(transcript, "Function.Panic", "asked to panic")
        }),
        scenario(
            "of-a-long-error",
            "the cause of an error is at most as long as the API accepts",
            r#"{"do":"error","bytes":200000}"#,
            |transcript| check_cause(transcript, "OutOfStock", "no apples left"),
        ),
    ]);
}

fn check_cause(transcript: &Transcript, error_type: &str, message: &str) -> Result<(), String> {
    let request = transcript.of("a").next_back().ok_or("no request")?;
    let cause = request.header("lambda-runtime-function-xray-error-cause").ok_or("no cause")?;
    let json: Value = serde_json::from_str(cause).map_err(|error| format!("a cause that is not JSON: {error}"))?;
    let exception = &json["exceptions"][0];
    let text = |name: &str| exception[name].as_str().unwrap_or_default();
    let described = text("type") == error_type && text("message").contains(message);
    let complete = json["working_directory"].is_string() && json["paths"].is_array();
    if described && complete && cause.len() <= MAX_CAUSE {
        return Ok(());
    }
    Err(format!("a cause of {} bytes with the exception {exception}", cause.len()))
}

/// Headers without a field in today's contexts.
fn headers(all: &mut Vec<Scenario>) {
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let context = |event: Vec<u8>| Steps::new().read(Next).send(event).read(Response).accept();
    let usual = String::from_utf8_lossy(&event("a", r#"{"do":"context"}"#)).into_owned();
    all.extend([
        Scenario::should("new-headers", "headers that Lambda may add reach the context", NEXT)
            .requires(Feature::Rust)
            .connection(context(event_with(
                "a",
                &format!("Lambda-Runtime-Traceparent: {trace}\r\nX-Other: 1\r\n"),
                r#"{"do":"context"}"#,
            )))
            .expect_members("a", json!({"other_headers": {"lambda-runtime-traceparent": trace}})),
        Scenario::should("content-type", "the content type of an event reaches the context", NEXT)
            .requires(Feature::Rust)
            .connection(context(usual.replace("application/json", "text/csv").into_bytes()))
            .expect_members("a", json!({"content_type": "text/csv"})),
    ]);
}

/// The current invocation, wherever the handler is polled.
fn current(all: &mut Vec<Scenario>) {
    // A second poll of the handler, after a timer.
    let payload = json!({"do": "current", "after_ms": 5});
    let scenario = |id: &str, title: &str, payload: &Value| {
        let payload = payload.to_string();
        Scenario::must(format!("current-invocation{id}"), title, OPERATING)
            .requires(Feature::Rust)
            .connection(Steps::new().served(&payload).event_as("b", &payload).read(Response).accept())
            .expect_response("a", r#""a""#)
            .expect_response("b", r#""b""#)
    };
    all.push(scenario("", "the handler knows the current invocation", &payload));
    for layer in ["move to a task", "move to a thread", "move to threads", "move before run", "move after run"] {
        let mut payload = payload.clone();
        payload["layer"] = layer.into();
        let id = layer.replace(' ', "-");
        let title = format!("a handler that a layer polls elsewhere ({layer}) knows the current invocation");
        all.push(scenario(&format!("-{id}"), &title, &payload).requires(Feature::Layers));
    }
}

/// Work after the response. The next event asks whether the work of the one before has ended.
fn work(all: &mut Vec<Scenario>) {
    let asked = || Steps::new().event_as("b", r#"{"do":"work has ended"}"#).read(Response).accept();
    let scenario = |id: &str, title: &str, steps: Steps, ended: &'static str| {
        Scenario::must(format!("work-after-the-response{id}"), title, OPERATING)
            .requires(Feature::Rust)
            // The one thread that polls the function knows what has ended.
            .requires(Feature::OneWorker)
            .connection(steps.then(asked()))
            .expect_response("a", r#""working""#)
            .expect_response("b", ended)
    };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_millis();
    let endless = String::from_utf8_lossy(&event("a", r#"{"do":"work"}"#)).replace("4102444800000", &now.to_string());
    all.extend([
        scenario(
            "",
            "work after the response ends before the next event is requested",
            Steps::new().served(r#"{"do":"work","work_ms":100}"#),
            "true",
        ),
        scenario(
            "-without-an-end",
            "work after the response is dropped at the deadline",
            Steps::new().read(Next).send(endless).read(Response).accept(),
            "false",
        ),
    ]);
}
