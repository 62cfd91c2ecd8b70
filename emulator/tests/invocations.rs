//! Invocations, from the sides of the caller and of the runtime.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::{Http, LIMIT, Runtime, failure};
use lambda_runtime_emulator::{Emulator, End, Error, Event, MAX_RESPONSE};
use lambda_runtime_proto::Endpoint;
use lambda_runtime_proto::client::ReplyKind;
use serde_json::json;

fn path_of(id: &str, end: &str) -> String {
    format!("/2018-06-01/runtime/invocation/{id}/{end}")
}

#[test]
fn a_buffered_response_reaches_the_caller() {
    let emulator = Emulator::start().unwrap();
    let invocation = emulator.start_invocation(r#"{"name":"World"}"#).unwrap();
    let mut runtime = Runtime::connect(&emulator);

    let event = runtime.next();
    assert_eq!(event.body(), r#"{"name":"World"}"#);
    assert_eq!(event.request_id(), invocation.request_id());
    assert_eq!(runtime.respond(event, r#""Hello""#).kind(), ReplyKind::Accepted);

    let outcome = invocation.wait().unwrap();
    assert!(outcome.is_complete() && !outcome.is_streamed());
    assert_eq!(outcome.json().unwrap(), json!("Hello"));
    assert_eq!(outcome.content_type(), Some("application/json"));
    assert_eq!(outcome.error(), None);
}

#[test]
fn invocations_are_served_in_order() {
    let emulator = Emulator::start().unwrap();
    let invocations: Vec<_> = (0..100).map(|n| emulator.start_invocation(n.to_string()).unwrap()).collect();
    let mut runtime = Runtime::connect(&emulator);
    for _ in 0..100 {
        let event = runtime.next();
        let body = event.body();
        assert_eq!(runtime.respond(event, body).status(), 202);
    }
    for (n, invocation) in invocations.into_iter().enumerate() {
        assert_eq!(invocation.wait().unwrap().text(), n.to_string());
    }
    let observed = emulator.observed();
    assert_eq!(observed.connections, 1);
    assert_eq!(observed.requests(Endpoint::Next), 100);
    assert_eq!(observed.requests(Endpoint::Response), 100);
    assert!(observed.user_agents.iter().all(|agent| agent.starts_with("lambda-runtime-proto/")));
}

#[test]
fn an_event_is_delivered_with_its_headers() {
    let emulator = Emulator::builder()
        .timeout(Duration::from_secs(40))
        .function_arn("arn:aws:lambda:eu-central-1:1:function:f")
        .start()
        .unwrap();
    let event = Event::new("{}")
        .request_id("some-id")
        .trace_id("Root=1-2-3")
        .client_context(r#"{"env":{"a":"ü"}}"#)
        .cognito_identity("identity", "pool")
        .tenant_id("blue")
        .invocation_id("opaque");
    let _invocation = emulator.start_invocation(event).unwrap();
    let event = Runtime::connect(&emulator).next();
    let text = |name: &str| event.headers().get_str(name);
    assert_eq!(event.request_id(), "some-id");
    assert_eq!(text("Lambda-Runtime-Invoked-Function-Arn"), Some("arn:aws:lambda:eu-central-1:1:function:f"));
    assert_eq!(text("Lambda-Runtime-Trace-Id"), Some("Root=1-2-3"));
    assert_eq!(text("Lambda-Runtime-Client-Context"), Some(r#"{"env":{"a":"ü"}}"#));
    assert_eq!(
        text("Lambda-Runtime-Cognito-Identity"),
        Some(r#"{"cognitoIdentityId":"identity","cognitoIdentityPoolId":"pool"}"#)
    );
    assert_eq!(text("Lambda-Runtime-Aws-Tenant-Id"), Some("blue"));
    assert_eq!(text("Lambda-Runtime-Invocation-Id"), Some("opaque"));
    assert_eq!(text("Content-Type"), Some("application/json"));
    let left = event.deadline().unwrap() - SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    assert!(left <= Duration::from_secs(40) && left > Duration::from_secs(5), "{left:?}");
}

#[test]
fn headers_can_have_odd_values_or_be_omitted() {
    let emulator = Emulator::start().unwrap();
    let event = Event::new("{}")
        .header("Lambda-Runtime-Deadline-Ms", "soon")
        .header("Lambda-Runtime-Trace-Id", b"\xff")
        .without("Content-Type")
        .without("Lambda-Runtime-Invoked-Function-Arn")
        .header("X-Twice", "1")
        .header("X-Twice", "2");
    let _invocation = emulator.start_invocation(event).unwrap();
    let event = Runtime::connect(&emulator).next();
    assert_eq!(event.headers().get("lambda-runtime-deadline-ms"), Some(b"soon".as_slice()));
    assert_eq!(event.headers().get("lambda-runtime-trace-id"), Some(b"\xff".as_slice()));
    assert_eq!(event.headers().get("content-type"), None);
    assert_eq!(event.headers().get("lambda-runtime-invoked-function-arn"), None);
    assert_eq!(event.headers().iter().filter(|(name, _)| *name == "X-Twice").count(), 2);

    let invalid = Event::new("{}").trace_id("a\r\nb");
    assert_eq!(emulator.start_invocation(invalid).unwrap_err(), Error::InvalidHeader("Lambda-Runtime-Trace-Id"));
    let invalid = Event::new("{}").request_id("a\nb");
    assert_eq!(emulator.start_invocation(invalid).unwrap_err(), Error::InvalidHeader("Lambda-Runtime-Aws-Request-Id"));
}

#[test]
fn an_error_reaches_the_caller_with_its_type_and_cause() {
    let emulator = Emulator::start().unwrap();
    let invocation = emulator.start_invocation("{}").unwrap();
    let mut runtime = Runtime::connect(&emulator);
    let event = runtime.next();
    let mut error = failure("Function.Oops", "no such name");
    error.xray_cause = Some(http::HeaderValue::from_static(r#"{"exceptions":[]}"#));
    assert_eq!(runtime.fail(event, error).status(), 202);

    let outcome = invocation.wait().unwrap();
    assert!(outcome.body().is_empty() && outcome.head().is_none());
    let error = outcome.error().unwrap();
    assert_eq!(error.error_type(), "Function.Oops");
    assert_eq!(error.message(), "no such name");
    assert_eq!(error.xray_cause(), Some(r#"{"exceptions":[]}"#));
    assert!(matches!(outcome.end(), End::Failed(_)));
}

#[test]
fn an_error_type_of_another_form_is_replaced_as_lambda_does() {
    let emulator = Emulator::start().unwrap();
    let invocation = emulator.start_invocation("{}").unwrap();
    let mut runtime = Runtime::connect(&emulator);
    let event = runtime.next();
    runtime.fail(event, failure("unhandled", "x"));
    let outcome = invocation.wait().unwrap();
    assert_eq!(outcome.error().unwrap().error_type(), "Runtime.Unknown");
    assert_eq!(outcome.error().unwrap().sent_type(), Some("unhandled"));
}

#[test]
fn a_response_of_the_largest_size_passes_and_one_byte_more_is_413() {
    let emulator = Emulator::start().unwrap();
    let mut runtime = Runtime::connect(&emulator);

    let invocation = emulator.start_invocation("{}").unwrap();
    let event = runtime.next();
    assert_eq!(runtime.respond(event, vec![b'x'; MAX_RESPONSE]).status(), 202);
    assert_eq!(invocation.wait().unwrap().body().len(), MAX_RESPONSE);

    let invocation = emulator.start_invocation("{}").unwrap();
    let event = runtime.next();
    let reply = runtime.respond(event, vec![b'x'; MAX_RESPONSE + 1]);
    assert_eq!(reply.kind(), ReplyKind::TooLarge);
    let body: serde_json::Value = serde_json::from_slice(&reply.body()).unwrap();
    assert_eq!(body["errorType"], "RequestEntityTooLarge");
    let outcome = invocation.wait().unwrap();
    assert_eq!(outcome.error().unwrap().error_type(), "Function.ResponseSizeTooLarge");

    // The connection is still usable.
    let invocation = emulator.start_invocation("{}").unwrap();
    let event = runtime.next();
    runtime.respond(event, "1");
    assert!(invocation.wait().unwrap().is_complete());
}

#[test]
fn a_response_to_an_unknown_invocation_is_400() {
    let emulator = Emulator::start().unwrap();
    let mut http = Http::to_runtime_api(&emulator);
    for end in ["response", "error"] {
        let received = http.post(&path_of("unknown", end), "", "{}");
        assert_eq!(received.status, 400);
        assert_eq!(received.json(), json!({"errorMessage": "Invalid request ID", "errorType": "InvalidRequestID"}));
    }
    let refusals = emulator.observed().refusals;
    assert_eq!(refusals.len(), 2);
    assert!(refusals.iter().all(|refusal| refusal.status == 400 && refusal.error_type == "InvalidRequestID"));
}

#[test]
fn a_second_response_is_403_until_the_next_event_is_requested() {
    let emulator = Emulator::start().unwrap();
    let invocation = emulator.start_invocation(Event::new("{}").request_id("first")).unwrap();
    let mut http = Http::to_runtime_api(&emulator);
    assert_eq!(http.get("/2018-06-01/runtime/invocation/next").status, 200);
    assert_eq!(http.post(&path_of("first", "response"), "", "1").status, 202);
    for end in ["response", "error"] {
        let received = http.post(&path_of("first", end), "", "2");
        assert_eq!((received.status, &received.json()["errorType"]), (403, &json!("InvalidStateTransition")));
    }
    assert_eq!(invocation.wait().unwrap().text(), "1");

    let _second = emulator.start_invocation("{}").unwrap();
    assert_eq!(http.get("/2018-06-01/runtime/invocation/next").status, 200);
    assert_eq!(http.post(&path_of("first", "response"), "", "3").status, 400);
}

#[test]
fn the_invocation_id_must_be_echoed() {
    let emulator = Emulator::start().unwrap();
    let invocation = emulator.start_invocation(Event::new("{}").request_id("id").invocation_id("opaque")).unwrap();
    let mut http = Http::to_runtime_api(&emulator);
    http.get("/2018-06-01/runtime/invocation/next");
    for wrong in ["", "Lambda-Runtime-Invocation-Id: other\r\n"] {
        assert_eq!(http.post(&path_of("id", "response"), wrong, "1").status, 400);
    }
    let echo = "Lambda-Runtime-Invocation-Id: opaque\r\n";
    assert_eq!(http.post(&path_of("id", "response"), echo, "1").status, 202);
    assert!(invocation.wait().unwrap().is_complete());

    let _invocation = emulator.start_invocation(Event::new("{}").request_id("without")).unwrap();
    http.get("/2018-06-01/runtime/invocation/next");
    assert_eq!(http.post(&path_of("without", "response"), echo, "1").status, 400);
    assert_eq!(http.post(&path_of("without", "response"), "", "1").status, 202);
}

#[test]
fn an_unknown_response_mode_is_400_and_the_runtime_is_stuck() {
    let emulator = Emulator::start().unwrap();
    let invocation = emulator.start_invocation(Event::new("{}").request_id("id")).unwrap();
    let mut http = Http::to_runtime_api(&emulator);
    http.get("/2018-06-01/runtime/invocation/next");
    let mode = "Lambda-Runtime-Function-Response-Mode: Streaming\r\n";
    let received = http.post(&path_of("id", "response"), mode, "1");
    assert_eq!((received.status, &received.json()["errorType"]), (400, &json!("InvalidFunctionResponseMode")));
    let outcome = invocation.wait().unwrap();
    assert_eq!(outcome.error().unwrap().error_type(), "Runtime.InvalidResponseModeHeader");
    assert_eq!(http.get("/2018-06-01/runtime/invocation/next").status, 403);
}

#[test]
fn an_invocation_ends_at_its_timeout_and_a_late_response_is_410() {
    let emulator = Emulator::start().unwrap();
    let mut runtime = Runtime::connect(&emulator);
    let invocation = emulator.start_invocation(Event::new("{}").timeout(Duration::from_millis(20))).unwrap();
    let id = invocation.request_id().to_owned();
    let late = runtime.next();
    let outcome = invocation.wait().unwrap();
    assert!(matches!(outcome.end(), End::TimedOut(_)));
    assert_eq!(
        outcome.error().unwrap().json().unwrap(),
        json!({
            "errorType": "Sandbox.Timedout",
            "errorMessage": format!("RequestId: {id} Error: Task timed out after 0.02 seconds"),
        })
    );
    assert_eq!(runtime.respond(late, "1").kind(), ReplyKind::TooLate);

    let invocation = emulator.start_invocation("{}").unwrap();
    let event = runtime.next();
    runtime.respond(event, "2");
    assert_eq!(invocation.wait().unwrap().text(), "2");
}

#[test]
fn an_event_that_is_never_requested_is_an_error() {
    let emulator = Emulator::builder().claim_timeout(Duration::from_millis(20)).start().unwrap();
    let error = emulator.invoke("{}").unwrap_err();
    assert!(matches!(error, Error::Unclaimed { .. }));
    assert!(error.to_string().contains(emulator.endpoint()), "{error}");
}

#[test]
fn two_invocations_cannot_have_one_id_at_the_same_time() {
    let emulator = Emulator::start().unwrap();
    let _first = emulator.start_invocation(Event::new("{}").request_id("id")).unwrap();
    let again = || emulator.start_invocation(Event::new("{}").request_id("id")).unwrap_err();
    assert_eq!(again(), Error::DuplicateRequestId("id".to_owned()));
    Runtime::connect(&emulator).next();
    assert_eq!(again(), Error::DuplicateRequestId("id".to_owned()));
}

#[test]
fn a_runtime_that_repeats_the_request_before_it_responds_gets_the_same_event_again() {
    let emulator = Emulator::start().unwrap();
    let invocation = emulator.start_invocation("1").unwrap();
    let _other = emulator.start_invocation("2").unwrap();
    let first = Runtime::connect(&emulator).next();
    let mut runtime = Runtime::connect(&emulator);
    let again = runtime.next();
    assert_eq!(again.request_id(), first.request_id());
    assert_eq!(again.deadline(), first.deadline());
    runtime.respond(again, "3");
    assert_eq!(invocation.wait().unwrap().text(), "3");
}

#[test]
fn a_path_outside_the_runtime_api_is_404() {
    let emulator = Emulator::start().unwrap();
    let mut http = Http::to_runtime_api(&emulator);
    assert_eq!(http.get("/").status, 404);
    assert_eq!(http.post("/2018-06-01/runtime/invocation/next", "", "").status, 404);
    assert_eq!(http.post("/2015-03-31/functions/function/invocations", "", "{}").status, 404);
}

#[test]
fn bytes_that_are_not_http_get_400_and_the_connection_is_closed() {
    let emulator = Emulator::start().unwrap();
    let mut http = Http::to_runtime_api(&emulator);
    http.write("\x16\x03\x01\r\n\r\n");
    assert_eq!(http.read().status, 400);
    assert!(http.is_over());
    assert!(emulator.wait_until(LIMIT, |observed| observed.open_connections == 0));
}

#[test]
fn the_environment_names_the_endpoint_and_the_function() {
    let emulator = Emulator::builder().function_name("greet").memory(512).concurrency(4).start().unwrap();
    let environment = emulator.environment();
    let value = |name: &str| environment.iter().find(|(found, _)| *found == name).map(|(_, value)| value.as_str());
    assert_eq!(value("AWS_LAMBDA_RUNTIME_API"), Some(emulator.endpoint()));
    assert_eq!(value("AWS_LAMBDA_FUNCTION_NAME"), Some("greet"));
    assert_eq!(value("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"), Some("512"));
    assert_eq!(value("AWS_LAMBDA_MAX_CONCURRENCY"), Some("4"));
}

#[test]
fn an_acknowledgement_does_not_wait_for_an_event_that_was_requested_in_the_same_write() {
    let emulator = Emulator::start().unwrap();
    let invocation = emulator.start_invocation(Event::new("{}").request_id("id")).unwrap();
    let mut http = Http::to_runtime_api(&emulator);
    http.get("/2018-06-01/runtime/invocation/next");
    http.write(format!(
        "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n1\
         GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: localhost\r\n\r\n",
        path_of("id", "response")
    ));
    assert_eq!(http.read().status, 202);
    assert!(invocation.wait().unwrap().is_complete());
    let _next = emulator.start_invocation(Event::new("{}").request_id("next")).unwrap();
    assert_eq!(http.read().header("lambda-runtime-aws-request-id"), Some("next"));
}
