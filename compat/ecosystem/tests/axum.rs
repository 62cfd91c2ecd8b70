//! An axum application answers the events of every service that calls functions by HTTP, in every way in which
//! `lambda_http` serves it on tokio, and on smol.

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
        let (event, expected) = asked(sample, &function);
        let outcome = function.invoke(event);
        assert!(outcome.is_complete() && !outcome.is_streamed(), "{}: {outcome:?}", sample.file);
        let answer = outcome.json().unwrap();
        assert_eq!(answer["statusCode"], 201, "{}: {answer}", sample.file);
        assert_eq!(answer.pointer(sample.cookies), Some(&sample.expected_cookies()), "{}: {answer}", sample.file);
        let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        assert_eq!(body, expected, "{}", sample.file);
    }
    let outcome = function.invoke(SAMPLES[0].event_for("/torn"));
    assert!(matches!(outcome.end(), End::Failed(error) if error.message().contains("the rest is lost")), "{outcome:?}");
    assert!(function.invoke(SAMPLES[0].event()).is_complete());
}

fn streamed(function: Function) {
    for sample in SAMPLES {
        let (event, expected) = asked(sample, &function);
        let outcome = function.invoke(event);
        assert!(outcome.is_complete() && outcome.is_streamed(), "{}: {outcome:?}", sample.file);
        let prelude: Value = serde_json::from_slice(&outcome.prelude().unwrap()).unwrap();
        let headers = json!({ "content-type": "application/json" });
        assert_eq!(prelude, json!({ "statusCode": 201, "headers": headers, "cookies": ["a=1", "b=2"] }));
        let body: Value = serde_json::from_slice(&outcome.payload()).unwrap();
        assert_eq!(body, expected, "{}", sample.file);
    }
    let outcome = function.invoke(SAMPLES[0].event_for("/torn"));
    assert_eq!(outcome.payload(), "half of it");
    assert!(matches!(outcome.end(), End::Failed(error) if error.message() == "the rest is lost"), "{outcome:?}");
    assert!(function.invoke(SAMPLES[0].event()).is_complete());
}

/// A sample, and what the application is to say of it.
fn asked(sample: &Sample, function: &Function) -> (Event, Value) {
    let expected = json!({
        "body": sample.body,
        "method": sample.method,
        "onTokio": !function.way.starts_with("smol::"),
        "origin": sample.origin,
        "path": sample.path,
        "query": sample.query,
        "requestId": "the-request-id",
    });
    (sample.event().request_id("the-request-id"), expected)
}
