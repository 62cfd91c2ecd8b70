//! Streamed responses, and how they end.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::net::Shutdown;
use std::time::{Duration, Instant};

use bytes::Bytes;
use common::{Http, LIMIT, Runtime, failure};
use http::HeaderValue;
use lambda_runtime_emulator::{Emulator, End, Event, Outcome, Prelude};
use lambda_runtime_proto::client::{ReplyKind, StreamHead};

#[test]
fn chunks_reach_the_caller_while_the_stream_is_open() {
    let emulator = Emulator::start().unwrap();
    let mut invocation = emulator.start_invocation("{}").unwrap();
    let mut runtime = Runtime::connect(&emulator);
    let event = runtime.next();
    let stream = runtime.stream(event);
    assert!(invocation.head().unwrap().is_streamed());

    let mut before = Instant::now();
    for word in ["one", "two", "three"] {
        runtime.chunk(&stream, word);
        let chunk = invocation.next().unwrap();
        assert_eq!(chunk.data, word);
        assert!(chunk.at >= before);
        before = chunk.at;
    }
    runtime.client.finish(stream).unwrap();
    assert_eq!(runtime.reply().status(), 202);
    assert!(invocation.next().is_none());
    let outcome = invocation.wait().unwrap();
    assert!(outcome.is_complete() && outcome.is_streamed() && outcome.body().is_empty());
    assert_eq!(outcome.content_type(), Some("text/plain"));
}

#[test]
fn a_stream_that_is_not_read_as_it_arrives_is_collected() {
    let emulator = Emulator::start().unwrap();
    let invocation = emulator.start_invocation("{}").unwrap();
    let mut runtime = Runtime::connect(&emulator);
    let event = runtime.next();
    let stream = runtime.stream(event);
    runtime.chunk(&stream, "one ");
    runtime.chunk(&stream, "two");
    runtime.client.finish(stream).unwrap();
    runtime.reply();
    assert_eq!(invocation.wait().unwrap().text(), "one two");
}

#[test]
fn a_prelude_is_separated_from_the_payload() {
    let emulator = Emulator::start().unwrap();
    let invocation = emulator.start_invocation("{}").unwrap();
    let mut runtime = Runtime::connect(&emulator);
    let event = runtime.next();
    let prelude = Bytes::from_static(br#"{"statusCode":201}"#);
    let stream = runtime.client.stream(event.into_token(), StreamHead::Http { prelude: prelude.clone() }).unwrap();
    runtime.chunk(&stream, "Hello");
    runtime.client.finish(stream).unwrap();
    runtime.reply();
    let outcome = invocation.wait().unwrap();
    assert_eq!(outcome.prelude(), Some(prelude));
    assert_eq!(outcome.payload(), "Hello");
    assert!(outcome.body().len() > outcome.payload().len());
}

#[test]
fn a_prelude_is_found_however_the_body_is_split() {
    let body = Bytes::from_static(b"{\"a\":1}\0\0\0\0\0\0\0\0\0payload");
    for step in 1..body.len() {
        let mut prelude = Prelude::default();
        let pieces = (0..body.len()).step_by(step).map(|at| body.slice(at..body.len().min(at + step)));
        let payload: Vec<u8> = pieces.filter_map(|piece| prelude.take(piece)).flatten().collect();
        assert_eq!(prelude.json().unwrap(), r#"{"a":1}"#, "{step} at a time");
        assert_eq!(payload, b"\0payload", "{step} at a time");
        assert!(prelude.rest().is_empty());
    }
}

#[test]
fn a_body_without_the_delimiter_is_all_payload() {
    let mut prelude = Prelude::default();
    assert_eq!(prelude.take(Bytes::from_static(b"short")), None);
    assert_eq!(prelude.json(), None);
    assert_eq!(prelude.rest(), "short");

    let mut prelude = Prelude::default();
    let long = Bytes::from(vec![b'x'; Prelude::LIMIT]);
    assert_eq!(prelude.take(long.clone()), Some(long));
    assert_eq!(prelude.take(Bytes::from_static(&[0; 8])), Some(Bytes::from_static(&[0; 8])));
}

#[test]
fn a_stream_that_fails_midway_has_the_error_in_its_trailers() {
    let emulator = Emulator::start().unwrap();
    let invocation = emulator.start_invocation("{}").unwrap();
    let mut runtime = Runtime::connect(&emulator);
    let event = runtime.next();
    let stream = runtime.stream(event);
    runtime.chunk(&stream, "part");
    runtime.client.abort(stream, failure("Function.Midway", "it broke")).unwrap();
    assert_eq!(runtime.reply().status(), 202);

    let outcome = invocation.wait().unwrap();
    assert_eq!(outcome.text(), "part");
    assert!(matches!(outcome.end(), End::Failed(_)));
    let error = outcome.error().unwrap();
    assert_eq!((error.error_type(), error.message().as_str()), ("Function.Midway", "it broke"));
    assert_eq!(outcome.trailers()["lambda-runtime-function-error-type"], "Function.Midway");
    assert!(outcome.trailers().contains_key("lambda-runtime-function-error-body"));
}

#[test]
fn trailers_of_a_response_are_recorded() {
    let outcome = streamed("4\r\npart\r\n0\r\nX-Checksum: 7\r\nX-Checksum: 8\r\n\r\n", 202);
    assert!(outcome.is_complete());
    assert_eq!(outcome.trailers().get_all("x-checksum").iter().collect::<Vec<_>>(), ["7", "8"]);
}

#[test]
fn a_stream_whose_connection_is_closed_is_truncated() {
    let emulator = Emulator::start().unwrap();
    let invocation = emulator.start_invocation("{}").unwrap();
    let mut runtime = Runtime::connect(&emulator);
    let event = runtime.next();
    let stream = runtime.stream(event);
    runtime.chunk(&stream, "part");
    runtime.socket.shutdown(Shutdown::Both).unwrap();
    drop(stream);
    let outcome = invocation.wait().unwrap();
    assert_eq!(outcome.text(), "part");
    assert!(matches!(outcome.end(), End::Truncated(_)), "{outcome:?}");
    assert_eq!(outcome.error().unwrap().error_type(), "Runtime.TruncatedResponse");
}

/// The outcome of a streamed response with these bytes as its body, to which the API replies with this status.
fn streamed(body: &str, status: u16) -> Outcome {
    let emulator = Emulator::start().unwrap();
    let invocation = emulator.start_invocation(Event::new("{}").request_id("id")).unwrap();
    let mut http = Http::to_runtime_api(&emulator);
    http.get("/2018-06-01/runtime/invocation/next");
    http.write(format!(
        "POST /2018-06-01/runtime/invocation/id/response HTTP/1.1\r\nHost: localhost\r\n\
         Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n\r\n{body}"
    ));
    assert_eq!(http.read().status, status);
    invocation.wait().unwrap()
}

#[test]
fn a_stream_with_invalid_framing_is_truncated() {
    let outcome = streamed("4\r\npart\r\nnot a chunk size\r\n", 400);
    assert_eq!(outcome.text(), "part");
    assert!(matches!(outcome.end(), End::Truncated(_)));
    assert!(outcome.error().unwrap().message().contains("size of a chunk"), "{outcome:?}");
}

#[test]
fn a_stream_with_trailers_of_more_than_4_kib_is_truncated() {
    let with_trailers = |len: usize| format!("4\r\npart\r\n0\r\nX: {}\r\n\r\n", "x".repeat(len - 7));
    assert!(streamed(&with_trailers(4096), 202).is_complete());
    let outcome = streamed(&with_trailers(4097), 400);
    assert!(matches!(outcome.end(), End::Truncated(_)));
    assert!(outcome.error().unwrap().message().contains("4096"), "{outcome:?}");
}

#[test]
fn a_buffered_response_whose_connection_is_closed_is_truncated() {
    let emulator = Emulator::start().unwrap();
    let invocation = emulator.start_invocation(Event::new("{}").request_id("id")).unwrap();
    let mut http = Http::to_runtime_api(&emulator);
    http.get("/2018-06-01/runtime/invocation/next");
    http.write(
        "POST /2018-06-01/runtime/invocation/id/response HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\npart",
    );
    drop(http);
    let outcome = invocation.wait().unwrap();
    assert!(matches!(outcome.end(), End::Truncated(_)));
}

#[test]
fn the_timeout_can_pass_during_a_stream() {
    // On a busy machine the stream may not begin within a short timeout.
    let passed = [50, 500, 5000].map(Duration::from_millis).into_iter().any(|timeout| {
        let emulator = Emulator::start().unwrap();
        let mut runtime = Runtime::connect(&emulator);
        let invocation = emulator.start_invocation(Event::new("{}").timeout(timeout)).unwrap();
        let event = runtime.next();
        let stream = runtime.stream(event);
        runtime.chunk(&stream, "part");
        let outcome = invocation.wait().unwrap();
        assert!(matches!(outcome.end(), End::TimedOut(_)));
        runtime.chunk(&stream, "late");
        runtime.client.finish(stream).unwrap();
        assert_eq!(runtime.reply().kind(), ReplyKind::TooLate);
        outcome.text() == "part"
    });
    assert!(passed);
}

#[test]
fn a_stream_over_its_limit_gets_413_early() {
    let emulator = Emulator::builder().stream_limit(1024 * 1024).start().unwrap();
    let invocation = emulator.start_invocation(Event::new("{}").request_id("id")).unwrap();
    let mut http = Http::to_runtime_api(&emulator);
    http.get("/2018-06-01/runtime/invocation/next");
    http.write(
        "POST /2018-06-01/runtime/invocation/id/response HTTP/1.1\r\nHost: localhost\r\n\
         Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    let outcome = std::thread::scope(|scope| {
        scope.spawn(|| {
            // The reply arrives although the stream never ends.
            for _ in 0..32 {
                http.write(format!("10000\r\n{}\r\n", "x".repeat(0x10000)));
            }
            let received = http.read();
            assert_eq!((received.status, received.header("connection")), (413, Some("close")));
        });
        invocation.wait().unwrap()
    });
    assert_eq!(outcome.error().unwrap().error_type(), "Function.ResponseSizeTooLarge");
    assert!(outcome.body().len() <= 1024 * 1024);
}

#[test]
fn a_caller_that_does_not_read_makes_the_function_wait() {
    const SIZE: usize = 64 * 1024;
    let emulator = Emulator::start().unwrap();
    let mut invocation = emulator.start_invocation("{}").unwrap();
    let mut runtime = Runtime::connect(&emulator);
    let event = runtime.next();
    let stream = runtime.stream(event);
    runtime.socket.set_nonblocking(true).unwrap();
    // Until neither the emulator nor the sockets accept more: their buffers are bounded.
    let mut written = 0;
    let mut refused = 0;
    while refused < 100 {
        if runtime.client.queued() == 0 {
            runtime.client.chunk(&stream, vec![b'x'; SIZE]).unwrap();
            written += SIZE;
        }
        let lambda_runtime_proto::Output::Transmit(slices) = runtime.client.poll_output() else { panic!() };
        match std::io::Write::write_vectored(&mut &runtime.socket, &slices) {
            Ok(n) => {
                runtime.client.sent(n);
                refused = 0;
            }
            Err(_) => {
                refused += 1;
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        assert!(written < 256 * 1024 * 1024, "buffers are not bounded");
    }
    runtime.socket.set_nonblocking(false).unwrap();
    // When the caller reads, everything arrives.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            runtime.flush();
            runtime.client.finish(stream).unwrap();
            assert_eq!(runtime.reply().status(), 202);
        });
        let read: usize = invocation.by_ref().map(|chunk| chunk.data.len()).sum();
        assert_eq!(read, written);
    });
    assert!(invocation.wait().unwrap().is_complete());
}

#[test]
fn a_caller_that_disconnects_does_not_delay_the_function() {
    let emulator = Emulator::start().unwrap();
    let invocation = emulator.start_invocation("{}").unwrap();
    let mut runtime = Runtime::connect(&emulator);
    let event = runtime.next();
    let stream = runtime.stream(event);
    drop(invocation);
    for _ in 0..100 {
        runtime.chunk(&stream, vec![b'x'; 1024 * 1024]);
    }
    runtime.client.finish(stream).unwrap();
    assert_eq!(runtime.reply().status(), 202);
    assert!(emulator.wait_until(LIMIT, |observed| observed.queued == 0));
}

#[test]
fn a_stream_for_an_unknown_invocation_is_refused_before_its_end() {
    let emulator = Emulator::start().unwrap();
    let mut http = Http::to_runtime_api(&emulator);
    http.write(
        "POST /2018-06-01/runtime/invocation/unknown/response HTTP/1.1\r\nHost: localhost\r\n\
         Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    for _ in 0..5 {
        http.write(format!("10000\r\n{}\r\n", "x".repeat(0x10000)));
    }
    let received = http.read();
    assert_eq!((received.status, received.header("connection")), (400, Some("close")));
}

#[test]
fn trailers_that_are_not_base64_are_shown_as_they_are() {
    let outcome = streamed(
        "0\r\nLambda-Runtime-Function-Error-Type: Function.X_\r\nLambda-Runtime-Function-Error-Body: {}\r\n\r\n",
        202,
    );
    assert_eq!(outcome.error().unwrap().error_type(), "Function.Unknown");
    assert_eq!(outcome.error().unwrap().body(), "{}");
    assert!(outcome.head().unwrap().headers().get("host") == Some(&HeaderValue::from_static("localhost")));
}
