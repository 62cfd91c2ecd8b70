//! An axum application handles the events of every service that invokes functions by HTTP, served by every function of
//! `lambda_http` on tokio, and on smol.

mod function;
mod samples;

use function::Function;
use lambda_runtime_emulator::{End, Event};
use samples::{SAMPLES, Sample};
use serde_json::{Value, json};

#[test]
fn run() {
    buffered(Function::start("run", 1));
}

#[test]
fn run_concurrent() {
    buffered(Function::start("run_concurrent", 3));
}

#[test]
fn runtime() {
    buffered(Function::start("runtime", 1));
}

#[test]
fn runtime_concurrent() {
    buffered(Function::start("runtime_concurrent", 3));
}

#[test]
fn run_with_streaming_response() {
    streamed(Function::start("run_with_streaming_response", 1));
}

#[test]
fn run_with_streaming_response_concurrent() {
    streamed(Function::start("run_with_streaming_response_concurrent", 3));
}

#[test]
fn streaming_runtime() {
    streamed(Function::start("streaming_runtime", 1));
}

#[test]
fn streaming_runtime_concurrent() {
    streamed(Function::start("streaming_runtime_concurrent", 3));
}

#[test]
fn run_on_smol() {
    buffered(Function::start("smol::run", 1));
}

#[test]
fn run_concurrent_on_smol() {
    buffered(Function::start("smol::run_concurrent", 3));
}

#[test]
fn run_concurrent_local_on_smol() {
    buffered(Function::start("smol::run_concurrent_local", 3));
}

#[test]
fn run_with_streaming_response_on_smol() {
    streamed(Function::start("smol::run_with_streaming_response", 1));
}

#[test]
fn run_with_streaming_response_concurrent_local_on_smol() {
    streamed(Function::start("smol::run_with_streaming_response_concurrent_local", 3));
}

fn buffered(function: Function) {
    for sample in SAMPLES {
        let (event, expected) = request(sample, &function);
        let outcome = function.invoke(event);
        assert!(outcome.is_complete() && !outcome.is_streamed(), "{}: {outcome:?}", sample.file);
        let response = outcome.json().unwrap();
        assert_eq!(response["statusCode"], 201, "{}: {response}", sample.file);
        assert_eq!(response.pointer(sample.cookies), Some(&sample.expected_cookies()), "{}: {response}", sample.file);
        let body: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
        assert_eq!(body, expected, "{}", sample.file);
    }
    let outcome = function.invoke(SAMPLES[0].event_for("/truncated"));
    assert!(matches!(outcome.end(), End::Failed(error) if error.message().contains("the rest is lost")), "{outcome:?}");
    assert!(function.invoke(SAMPLES[0].event()).is_complete());
}

fn streamed(function: Function) {
    for sample in SAMPLES {
        let (event, expected) = request(sample, &function);
        let outcome = function.invoke(event);
        assert!(outcome.is_complete() && outcome.is_streamed(), "{}: {outcome:?}", sample.file);
        let prelude: Value = serde_json::from_slice(&outcome.prelude().unwrap()).unwrap();
        let headers = json!({ "content-type": "application/json" });
        assert_eq!(prelude, json!({ "statusCode": 201, "headers": headers, "cookies": ["a=1", "b=2"] }));
        let body: Value = serde_json::from_slice(&outcome.payload()).unwrap();
        assert_eq!(body, expected, "{}", sample.file);
    }
    let outcome = function.invoke(SAMPLES[0].event_for("/truncated"));
    assert_eq!(outcome.payload(), "half of it");
    assert!(matches!(outcome.end(), End::Failed(error) if error.message() == "the rest is lost"), "{outcome:?}");
    assert!(function.invoke(SAMPLES[0].event()).is_complete());
}

/// Returns the event of a sample and the expected body of the response.
fn request(sample: &Sample, function: &Function) -> (Event, Value) {
    let expected = json!({
        "body": sample.body,
        "method": sample.method,
        "onTokio": !function.variant.starts_with("smol::"),
        "origin": sample.origin,
        "path": sample.path,
        "query": sample.query,
        "requestId": "the-request-id",
    });
    (sample.event().request_id("the-request-id"), expected)
}
