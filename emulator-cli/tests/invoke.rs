//! The Invoke API, which AWS's command line and SDKs call.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "../../emulator/tests/common/mod.rs"]
mod common;
#[path = "support/served.rs"]
mod served;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use common::{Http, LIMIT, Runtime, failure};
use lambda_emulator::front::Settings;
use lambda_runtime_emulator::{Emulator, MAX_EVENT, MAX_RESPONSE};
use serde_json::{Value, json};
use served::{INVOKE, Served};

#[test]
fn a_response_has_the_content_type_of_the_function() {
    let served = Served::start();
    let mut caller = served.call(INVOKE, "", r#"{"name":"World"}"#);
    let mut runtime = Runtime::connect(&served);
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
    let served = Served::start();
    let mut caller = served.call(INVOKE, "", "{}");
    let mut runtime = Runtime::connect(&served);
    let event = runtime.next();
    runtime.fail(event, failure("Function.Oops", "no such name"));
    let received = caller.read();
    assert_eq!((received.status, received.header("x-amz-function-error")), (200, Some("Unhandled")));
    assert_eq!(received.json()["errorMessage"], "no such name");
}

#[test]
fn a_connection_serves_several_calls() {
    let served = Served::start();
    let mut runtime = Runtime::connect(&served);
    let mut caller = served.connect();
    for n in 0..10 {
        let body = n.to_string();
        caller.write(format!(
            "POST {INVOKE} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        let event = runtime.next();
        let payload = event.body();
        runtime.respond(event, payload);
        assert_eq!(caller.read().text(), body);
    }
}

#[test]
fn headers_of_the_call_reach_the_function() {
    let served = Served::start();
    let headers =
        "X-Amz-Client-Context: eyJjdXN0b20iOnsiYSI6MX19\r\nX-Amzn-Trace-Id: Root=1-2-3\r\nX-Amz-Tenant-Id: blue\r\n";
    let _caller = served.call(INVOKE, headers, "{}");
    let event = Runtime::connect(&served).next();
    assert_eq!(event.headers().get("lambda-runtime-client-context"), Some(br#"{"custom":{"a":1}}"#.as_slice()));
    assert_eq!(event.headers().get("lambda-runtime-trace-id"), Some(b"Root=1-2-3".as_slice()));
    assert_eq!(event.headers().get("lambda-runtime-aws-tenant-id"), Some(b"blue".as_slice()));
}

#[test]
fn a_caller_that_expects_100_continue_gets_it() {
    let served = Served::start();
    let mut caller = served.connect();
    caller.write(format!(
        "POST {INVOKE} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    ));
    assert_eq!(caller.read_head().status, 100);
    caller.write("{}");
    let mut runtime = Runtime::connect(&served);
    let event = runtime.next();
    runtime.respond(event, "1");
    assert_eq!(caller.read().text(), "1");
}

#[test]
fn an_asynchronous_call_is_accepted_at_once() {
    let served = Served::start();
    assert_eq!(served.call(INVOKE, "X-Amz-Invocation-Type: Event\r\n", "{}").read().status, 202);
    assert_eq!(served.call(INVOKE, "X-Amz-Invocation-Type: DryRun\r\n", "{}").read().status, 204);
    assert!(served.wait_until(LIMIT, |observed| observed.queued == 1));
}

#[test]
fn an_invalid_call_is_rejected() {
    let served = Served::start();
    assert_eq!(served.call(INVOKE, "X-Amz-Client-Context: no base64\r\n", "{}").read().status, 400);
    assert_eq!(served.call(INVOKE, "X-Amz-Invocation-Type: Sometimes\r\n", "{}").read().status, 400);
    let too_large = " ".repeat(MAX_EVENT + 1);
    assert_eq!(served.call(INVOKE, "", &too_large).read().status, 413);
    assert_eq!(served.connect().get(INVOKE).status, 404);
    assert_eq!(served.connect().get("/2018-06-01/runtime/invocation/next").status, 404);
    assert_eq!(served.observed().queued, 0);
}

#[test]
fn a_call_without_a_payload_is_an_empty_object() {
    let served = Served::start();
    let mut caller = served.call(INVOKE, "", "");
    let mut runtime = Runtime::connect(&served);
    let event = runtime.next();
    assert_eq!(event.body(), "{}");
    runtime.respond(event, "null");
    assert_eq!(caller.read().json(), json!(null));
}

#[test]
fn a_payload_that_is_not_json_is_rejected() {
    let served = Served::start();
    for payload in ["{", "{} {}", "'a'", "NaN"] {
        for kind in ["RequestResponse", "Event", "DryRun"] {
            let received = served.call(INVOKE, &format!("X-Amz-Invocation-Type: {kind}\r\n"), payload).read();
            assert_eq!(
                (received.status, received.header("x-amzn-errortype")),
                (400, Some("InvalidRequestContentException"))
            );
        }
    }
    assert_eq!(served.observed().queued, 0);
}

#[test]
fn a_payload_of_6_mib_is_accepted_and_one_byte_more_is_413() {
    let served = Served::start();
    let json = |len: usize| format!("\"{}\"", "x".repeat(len - 2));
    let received = served.call(INVOKE, "", &json(MAX_EVENT + 1)).read();
    assert_eq!((received.status, received.header("x-amzn-errortype")), (413, Some("RequestTooLargeException")));
    // The limit for an asynchronous call is smaller.
    let asynchronous = |len| served.call(INVOKE, "X-Amz-Invocation-Type: Event\r\n", &json(len)).read().status;
    assert_eq!((asynchronous(1024 * 1024 + 1), asynchronous(1024 * 1024)), (413, 202));
    let mut runtime = Runtime::connect(&served);
    let event = runtime.next();
    runtime.respond(event, "1");
    let _caller = served.call(INVOKE, "", &json(MAX_EVENT));
    assert_eq!(runtime.next().body().len(), MAX_EVENT);
}

#[test]
fn an_upload_without_an_end_gets_a_reply() {
    let served = Served::start();
    for (path, status) in [(INVOKE, 413), ("/elsewhere", 413), ("/2015-03-31/elsewhere", 404)] {
        let mut caller = served.connect();
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
    let served = Served::start();
    let pretty = "{\r\n\t\"custom\" : { \"a b\": \"\\n \u{7f}\" }\n}";
    let encoded = base64::engine::general_purpose::STANDARD.encode(pretty);
    let _caller = served.call(INVOKE, &format!("X-Amz-Client-Context: {encoded}\r\n"), "{}");
    let event = Runtime::connect(&served).next();
    let context = event.headers().get("lambda-runtime-client-context").unwrap();
    assert_eq!(context, br#"{"custom":{"a b":"\n \u007f"}}"#);

    for invalid in ["{", "1", "[{}]", ""] {
        let encoded = base64::engine::general_purpose::STANDARD.encode(invalid);
        let received = served.call(INVOKE, &format!("X-Amz-Client-Context: {encoded}\r\n"), "{}").read();
        assert_eq!(
            (received.status, received.header("x-amzn-errortype")),
            (400, Some("InvalidRequestContentException"))
        );
    }
}

const STREAM: &str = "/2021-11-15/functions/function/response-streaming-invocations";

/// A frame of an event stream: its type and its payload.
fn frame(bytes: &[u8]) -> (String, Vec<u8>) {
    let number = |at: usize| u32::from_be_bytes(bytes.get(at..at + 4).unwrap().try_into().unwrap());
    let (total, headers) = (usize::try_from(number(0)).unwrap(), usize::try_from(number(4)).unwrap());
    assert_eq!(total, bytes.len());
    assert_eq!(number(8), crc32fast::hash(bytes.get(..8).unwrap()));
    assert_eq!(number(total - 4), crc32fast::hash(bytes.get(..total - 4).unwrap()));
    let mut rest = bytes.get(12..12 + headers).unwrap();
    let mut event_type = String::new();
    while let [name, ..] = rest {
        let (name, value) = rest.get(1..).unwrap().split_at((*name).into());
        assert_eq!(value.first(), Some(&7));
        let length = u16::from_be_bytes(value.get(1..3).unwrap().try_into().unwrap());
        let (value, others) = value.get(3..).unwrap().split_at(length.into());
        if name == b":event-type" {
            event_type = String::from_utf8(value.to_vec()).unwrap();
        }
        rest = others;
    }
    (event_type, bytes.get(12 + headers..total - 4).unwrap().to_vec())
}

fn complete(bytes: &[u8]) -> Value {
    let (event_type, payload) = frame(bytes);
    assert_eq!(event_type, "InvokeComplete");
    serde_json::from_slice(&payload).unwrap()
}

#[test]
fn a_streamed_response_is_collected_by_invoke() {
    for fails in [false, true] {
        let served = Served::start();
        let mut caller = served.call(INVOKE, "", "{}");
        let mut runtime = Runtime::connect(&served);
        let event = runtime.next();
        let stream = runtime.stream(event);
        runtime.chunk(&stream, "one ");
        runtime.chunk(&stream, "two");
        match fails {
            false => runtime.client.finish(stream).unwrap(),
            true => runtime.client.abort(stream, failure("Function.Midway", "it broke")).unwrap(),
        }
        runtime.flush();
        let received = caller.read();
        assert!(received.is_complete());
        match fails {
            false => {
                assert_eq!((received.text(), received.header("content-type")), ("one two", Some("text/plain")));
                assert_eq!(received.header("x-amz-function-error"), None);
            }
            true => {
                assert_eq!(received.header("x-amz-function-error"), Some("Unhandled"));
                assert_eq!(received.json()["errorMessage"], "it broke");
            }
        }
    }
}

#[test]
fn a_streamed_response_that_is_too_large_for_invoke_is_an_error() {
    let served = Served::start();
    let mut caller = served.call(INVOKE, "", "{}");
    let mut runtime = Runtime::connect(&served);
    let event = runtime.next();
    let stream = runtime.stream(event);
    for _ in 0..=MAX_RESPONSE / 100_000 {
        runtime.chunk(&stream, vec![b'x'; 100_000]);
    }
    runtime.client.finish(stream).unwrap();
    runtime.reply();
    let received = caller.read();
    assert_eq!(received.header("x-amz-function-error"), Some("Unhandled"));
    assert_eq!(received.json()["errorType"], "Function.ResponseSizeTooLarge");
}

#[test]
fn an_event_stream_has_a_frame_for_each_chunk_as_it_is_written() {
    let served = Served::start();
    let mut caller = served.call(STREAM, "", "{}");
    let mut runtime = Runtime::connect(&served);
    let event = runtime.next();
    let stream = runtime.stream(event);
    let head = caller.read_head();
    assert_eq!((head.status, head.header("content-type")), (200, Some("application/vnd.amazon.eventstream")));
    assert_eq!(head.header("x-amzn-remapped-content-type"), Some("text/plain"));
    for word in ["one", "two"] {
        runtime.chunk(&stream, word);
        let (event_type, payload) = frame(&caller.read_chunk().unwrap());
        assert_eq!((event_type.as_str(), payload.as_slice()), ("PayloadChunk", word.as_bytes()));
    }
    runtime.client.finish(stream).unwrap();
    runtime.flush();
    assert_eq!(complete(&caller.read_chunk().unwrap()), json!({}));
    assert_eq!(caller.read_chunk().unwrap(), b"");
}

#[test]
fn an_event_stream_ends_with_the_error_of_a_stream_that_fails_midway() {
    let served = Served::start();
    let mut caller = served.call(STREAM, "", "{}");
    let mut runtime = Runtime::connect(&served);
    let event = runtime.next();
    let stream = runtime.stream(event);
    runtime.chunk(&stream, "part");
    runtime.client.abort(stream, failure("Function.Midway", "it broke")).unwrap();
    runtime.flush();
    caller.read_head();
    assert_eq!(frame(&caller.read_chunk().unwrap()).1, b"part");
    let complete = complete(&caller.read_chunk().unwrap());
    assert_eq!(complete["ErrorCode"], "Function.Midway");
    let details: Value = serde_json::from_str(complete["ErrorDetails"].as_str().unwrap()).unwrap();
    assert_eq!(details["errorMessage"], "it broke");
}

#[test]
fn an_event_stream_carries_buffered_responses_and_errors_before_the_stream() {
    let served = Served::start();
    let mut runtime = Runtime::connect(&served);
    let mut caller = served.call(STREAM, "", "{}");
    let event = runtime.next();
    runtime.respond(event, "[1]");
    assert_eq!(caller.read_head().header("x-amzn-remapped-content-type"), Some("application/json"));
    assert_eq!(frame(&caller.read_chunk().unwrap()).1, b"[1]");
    assert_eq!(complete(&caller.read_chunk().unwrap()), json!({}));

    let mut caller = served.call(STREAM, "", "{}");
    let event = runtime.next();
    runtime.fail(event, failure("Function.Oops", "no such name"));
    assert_eq!(caller.read_head().status, 200);
    assert_eq!(complete(&caller.read_chunk().unwrap())["ErrorCode"], "Function.Oops");

    let received = served.call(STREAM, "", "{").read();
    assert_eq!((received.status, received.header("x-amzn-errortype")), (400, Some("InvalidRequestContentException")));
    assert_eq!(served.call(STREAM, "X-Amz-Invocation-Type: Event\r\n", "{}").read().status, 400);
    assert_eq!(served.call(STREAM, "X-Amz-Invocation-Type: DryRun\r\n", "{}").read().status, 204);
}

#[test]
fn a_qualifier_is_in_the_arn_that_the_function_gets() {
    let served = Served::start();
    let mut runtime = Runtime::connect(&served);
    let arn = "arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Aother%3Aprod";
    for (function, expected) in [
        ("function", "arn:aws:lambda:us-east-1:012345678912:function:function"),
        ("any", "arn:aws:lambda:us-east-1:012345678912:function:function"),
        ("function%3A7", "arn:aws:lambda:us-east-1:012345678912:function:function:7"),
        (arn, "arn:aws:lambda:eu-west-1:123456789012:function:other:prod"),
    ] {
        let mut caller = served.call(&format!("/2015-03-31/functions/{function}/invocations"), "", "{}");
        let event = runtime.next();
        assert_eq!(event.headers().get_str("lambda-runtime-invoked-function-arn"), Some(expected));
        runtime.respond(event, "1");
        assert_eq!(caller.read().header("x-amz-executed-version"), Some("$LATEST"));
    }
    let mut caller = served.call(&format!("{INVOKE}?Qualifier=%24LATEST"), "", "{}");
    let event = runtime.next();
    let arn = event.headers().get_str("lambda-runtime-invoked-function-arn").unwrap();
    assert!(arn.ends_with(":function:$LATEST"), "{arn}");
    runtime.respond(event, "1");
    caller.read();
}

#[test]
fn with_a_name_other_names_do_not_exist() {
    let settings = Settings { function_name: Some("mine".to_owned()), ..Settings::default() };
    let served = Served::with(Emulator::builder(), settings);
    let call = |name: &str| {
        let path = format!("/2015-03-31/functions/{name}/invocations");
        served.call(&path, "X-Amz-Invocation-Type: DryRun\r\n", "{}").read()
    };
    assert_eq!(call("mine").status, 204);
    assert_eq!(call("mine%3Aprod").status, 204);
    let received = call("other");
    assert_eq!((received.status, received.header("x-amzn-errortype")), (404, Some("ResourceNotFoundException")));
    assert_eq!(call("not%20valid").header("x-amzn-errortype"), Some("ValidationException"));
}

fn asynchronous(on_failure: Option<&Path>) -> Served {
    let on_failure = on_failure.map(Path::to_path_buf);
    let settings = Settings { retry_delay: Duration::ZERO, on_failure, ..Settings::default() };
    Served::with(Emulator::builder(), settings)
}

#[test]
fn an_asynchronous_invocation_that_fails_is_repeated_twice_and_then_reported() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("on-failure-{}", std::process::id()));
    let served = asynchronous(Some(&file));
    let mut runtime = Runtime::connect(&served);
    let received = served.call(INVOKE, "X-Amz-Invocation-Type: Event\r\n", "{\"a\":\n1}").read();
    let id = received.header("x-amzn-requestid").unwrap();
    for attempt in 1..=3 {
        let event = runtime.next();
        assert_eq!(event.request_id(), id, "attempt {attempt}");
        runtime.fail(event, failure("Function.Oops", "no such name"));
    }
    let until = std::time::Instant::now() + LIMIT;
    while !fs::read_to_string(&file).is_ok_and(|text| text.ends_with('\n')) {
        assert!(std::time::Instant::now() < until, "nothing is reported");
    }
    let text = fs::read_to_string(&file).unwrap();
    fs::remove_file(&file).unwrap();
    let record: Value = serde_json::from_str(text.trim_end()).unwrap();
    assert_eq!(text.lines().count(), 1);
    assert_eq!(record["requestContext"]["requestId"], id);
    assert_eq!(record["requestContext"]["condition"], "RetriesExhausted");
    assert_eq!(record["requestContext"]["approximateInvokeCount"], 3);
    assert_eq!(record["requestPayload"], json!({"a": 1}));
    assert_eq!(record["responseContext"]["functionError"], "Unhandled");
    assert_eq!(record["responsePayload"]["errorMessage"], "no such name");
}

#[test]
fn an_asynchronous_invocation_that_succeeds_is_not_repeated() {
    let served = asynchronous(None);
    let mut runtime = Runtime::connect(&served);
    served.call(INVOKE, "X-Amz-Invocation-Type: Event\r\n", "1").read();
    let event = runtime.next();
    runtime.fail(event, failure("Function.Oops", "once"));
    let event = runtime.next();
    runtime.respond(event, "1");
    // The next event is another one.
    served.call(INVOKE, "X-Amz-Invocation-Type: Event\r\n", "2").read();
    assert_eq!(runtime.next().body(), "2");
}
