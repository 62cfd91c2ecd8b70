//! The Invoke API, which AWS's command line and SDKs call.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::io::Write as _;

use base64::Engine as _;
use common::{Http, LIMIT, Runtime, failure};
use lambda_runtime_emulator::{Emulator, MAX_EVENT};
use serde_json::json;

const PATH: &str = "/2015-03-31/functions/function/invocations";

fn start() -> Emulator {
    Emulator::builder().invoke_address(([127, 0, 0, 1], 0).into()).start().unwrap()
}

/// A call with these headers and this body, without waiting for its reply.
fn call(emulator: &Emulator, headers: &str, body: &str) -> Http {
    let mut http = Http::to_function(emulator);
    http.write(format!(
        "POST {PATH} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    http
}

#[test]
fn a_response_comes_back_with_the_function_s_content_type() {
    let emulator = start();
    let mut caller = call(&emulator, "", r#"{"name":"World"}"#);
    let mut runtime = Runtime::connect(&emulator);
    let event = runtime.next();
    assert_eq!(event.body(), r#"{"name":"World"}"#);
    let id = event.request_id().to_owned();
    runtime.respond(event, r#""Hello""#);
    let received = caller.read();
    assert_eq!((received.status, received.text()), (200, r#""Hello""#));
    assert_eq!(received.header("content-type"), Some("application/json"));
    assert_eq!(received.header("x-amz-executed-version"), Some("$LATEST"));
    assert_eq!(received.header("x-amzn-requestid"), Some(id.as_str()));
    assert_eq!(received.header("x-amz-function-error"), None);
}

#[test]
fn an_error_is_200_with_a_header() {
    let emulator = start();
    let mut caller = call(&emulator, "", "{}");
    let mut runtime = Runtime::connect(&emulator);
    let event = runtime.next();
    runtime.fail(event, failure("Function.Oops", "no such name"));
    let received = caller.read();
    assert_eq!((received.status, received.header("x-amz-function-error")), (200, Some("Unhandled")));
    assert_eq!(received.json()["errorMessage"], "no such name");
}

#[test]
fn a_connection_serves_several_calls() {
    let emulator = start();
    let mut runtime = Runtime::connect(&emulator);
    let mut caller = Http::to_function(&emulator);
    for n in 0..10 {
        let body = n.to_string();
        caller
            .write(format!("POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
        let event = runtime.next();
        let payload = event.body();
        runtime.respond(event, payload);
        assert_eq!(caller.read().text(), body);
    }
}

#[test]
fn headers_of_the_call_reach_the_function() {
    let emulator = start();
    let headers =
        "X-Amz-Client-Context: eyJjdXN0b20iOnsiYSI6MX19\r\nX-Amzn-Trace-Id: Root=1-2-3\r\nX-Amz-Tenant-Id: blue\r\n";
    let _caller = call(&emulator, headers, "{}");
    let event = Runtime::connect(&emulator).next();
    assert_eq!(event.headers().get("lambda-runtime-client-context"), Some(br#"{"custom":{"a":1}}"#.as_slice()));
    assert_eq!(event.headers().get("lambda-runtime-trace-id"), Some(b"Root=1-2-3".as_slice()));
    assert_eq!(event.headers().get("lambda-runtime-aws-tenant-id"), Some(b"blue".as_slice()));
}

#[test]
fn a_streamed_response_is_streamed_to_the_caller() {
    let emulator = start();
    let mut caller = call(&emulator, "", "{}");
    let mut runtime = Runtime::connect(&emulator);
    let event = runtime.next();
    let stream = runtime.stream(event);
    let head = caller.read_head();
    assert_eq!((head.status, head.header("content-type")), (200, Some("text/plain")));
    for word in ["one", "two"] {
        runtime.chunk(&stream, word);
        assert_eq!(caller.read_chunk().unwrap(), word.as_bytes());
    }
    runtime.client.finish(stream).unwrap();
    assert_eq!(runtime.reply().status(), 202);
    assert_eq!(caller.read_chunk().unwrap(), b"");
}

#[test]
fn a_stream_that_fails_midway_is_closed_abruptly_or_ends_in_trailers_if_the_caller_accepts_them() {
    for takes_trailers in [false, true] {
        let emulator = start();
        let te = if takes_trailers { "TE: trailers\r\n" } else { "" };
        let mut caller = call(&emulator, te, "{}");
        let mut runtime = Runtime::connect(&emulator);
        let event = runtime.next();
        let stream = runtime.stream(event);
        runtime.chunk(&stream, "part");
        runtime.client.abort(stream, failure("Function.Midway", "it broke")).unwrap();
        runtime.flush();
        let received = caller.read();
        assert_eq!(received.text(), "part");
        assert_eq!(received.is_complete(), takes_trailers);
        if let Some(trailers) = received.trailers {
            let error_type = trailers.iter().find(|(name, _)| name == "lambda-runtime-function-error-type");
            assert_eq!(error_type.unwrap().1, "Function.Midway");
        }
    }
}

#[test]
fn a_truncated_stream_looks_incomplete_to_the_caller() {
    let emulator = start();
    let mut caller = call(&emulator, "TE: trailers\r\n", "{}");
    let mut runtime = Runtime::connect(&emulator);
    let event = runtime.next();
    let stream = runtime.stream(event);
    runtime.chunk(&stream, "part");
    runtime.socket.shutdown(std::net::Shutdown::Both).unwrap();
    drop(stream);
    let received = caller.read();
    assert_eq!(received.text(), "part");
    assert!(!received.is_complete());
}

#[test]
fn a_caller_that_expects_100_continue_gets_it() {
    let emulator = start();
    let mut caller = Http::to_function(&emulator);
    caller
        .write(format!("POST {PATH} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"));
    assert_eq!(caller.read_head().status, 100);
    caller.write("{}");
    let mut runtime = Runtime::connect(&emulator);
    let event = runtime.next();
    runtime.respond(event, "1");
    assert_eq!(caller.read().text(), "1");
}

#[test]
fn an_asynchronous_call_is_accepted_at_once() {
    let emulator = start();
    assert_eq!(call(&emulator, "X-Amz-Invocation-Type: Event\r\n", "{}").read().status, 202);
    assert_eq!(call(&emulator, "X-Amz-Invocation-Type: DryRun\r\n", "{}").read().status, 204);
    assert!(emulator.wait_until(LIMIT, |observed| observed.queued == 1));
}

#[test]
fn an_invalid_call_is_rejected() {
    let emulator = start();
    assert_eq!(call(&emulator, "X-Amz-Client-Context: no base64\r\n", "{}").read().status, 400);
    assert_eq!(call(&emulator, "X-Amz-Invocation-Type: Sometimes\r\n", "{}").read().status, 400);
    let too_large = " ".repeat(MAX_EVENT + 1);
    assert_eq!(call(&emulator, "", &too_large).read().status, 413);
    assert_eq!(Http::to_function(&emulator).get(PATH).status, 404);
    assert_eq!(Http::to_function(&emulator).get("/2018-06-01/runtime/invocation/next").status, 404);
    assert_eq!(emulator.observed().queued, 0);
}

#[test]
fn a_call_without_a_payload_is_an_empty_object() {
    let emulator = start();
    let mut caller = call(&emulator, "", "");
    let mut runtime = Runtime::connect(&emulator);
    let event = runtime.next();
    assert_eq!(event.body(), "{}");
    runtime.respond(event, "null");
    assert_eq!(caller.read().json(), json!(null));
}

#[test]
fn a_payload_that_is_not_json_is_rejected() {
    let emulator = start();
    for payload in ["{", "{} {}", "'a'", "NaN"] {
        for kind in ["RequestResponse", "Event", "DryRun"] {
            let received = call(&emulator, &format!("X-Amz-Invocation-Type: {kind}\r\n"), payload).read();
            assert_eq!(
                (received.status, received.header("x-amzn-errortype")),
                (400, Some("InvalidRequestContentException"))
            );
        }
    }
    assert_eq!(emulator.observed().queued, 0);
}

#[test]
fn a_payload_of_6_mib_is_accepted_and_one_byte_more_is_413() {
    let emulator = start();
    let json = |len: usize| format!("\"{}\"", "x".repeat(len - 2));
    let received = call(&emulator, "", &json(MAX_EVENT + 1)).read();
    assert_eq!((received.status, received.header("x-amzn-errortype")), (413, Some("RequestTooLargeException")));
    let _caller = call(&emulator, "", &json(MAX_EVENT));
    assert_eq!(Runtime::connect(&emulator).next().body().len(), MAX_EVENT);
}

#[test]
fn an_upload_without_an_end_gets_a_reply() {
    let emulator = start();
    for (path, status) in [(PATH, 413), ("/elsewhere", 404)] {
        let mut caller = Http::to_function(&emulator);
        caller.write(format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"));
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        // Until the emulator stops reading.
        while caller.reader.get_mut().write_all(chunk.as_bytes()).is_ok() && !has_bytes(&caller) {}
        let received = caller.read();
        assert_eq!((received.status, received.header("connection")), (status, Some("close")));
    }
}

/// Whether some of the reply has come.
fn has_bytes(http: &Http) -> bool {
    let socket = http.reader.get_ref();
    socket.set_nonblocking(true).unwrap();
    let has_bytes = socket.peek(&mut [0]).is_ok();
    socket.set_nonblocking(false).unwrap();
    has_bytes
}

#[test]
fn a_client_context_may_be_pretty_printed() {
    let emulator = start();
    let pretty = "{\r\n\t\"custom\" : { \"a b\": \"\\n \u{7f}\" }\n}";
    let encoded = base64::engine::general_purpose::STANDARD.encode(pretty);
    let _caller = call(&emulator, &format!("X-Amz-Client-Context: {encoded}\r\n"), "{}");
    let event = Runtime::connect(&emulator).next();
    let context = event.headers().get("lambda-runtime-client-context").unwrap();
    assert_eq!(context, br#"{"custom":{"a b":"\n \u007f"}}"#);

    for invalid in ["{", "1", "[{}]", ""] {
        let encoded = base64::engine::general_purpose::STANDARD.encode(invalid);
        let received = call(&emulator, &format!("X-Amz-Client-Context: {encoded}\r\n"), "{}").read();
        assert_eq!(
            (received.status, received.header("x-amzn-errortype")),
            (400, Some("InvalidRequestContentException"))
        );
    }
}
