//! The runtime's side, as its documentation describes it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;
use common::*;
use http::{HeaderMap, HeaderName, HeaderValue};
use lambda_runtime_proto::client::{
    Client, Event, Failure, MAX_PRELUDE, MAX_TRAILERS, NoInvocation, ReplyKind, Response, ResponseStream, StreamHead,
};
use lambda_runtime_proto::{CloseReason, Endpoint, Limits, Misuse, Output, Part, PeerError};

#[test]
fn an_invocation_goes_from_next_to_its_acknowledgement() {
    let mut client = client();
    assert!(matches!(client.poll_output(), Output::Idle));
    client.next_invocation().unwrap();
    let user_agent = format!("lambda-runtime-proto/{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(
        written(&mut client),
        format!(
            "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: 127.0.0.1:9001\r\nUser-Agent: {user_agent}\r\n\r\n"
        )
    );
    assert!(matches!(client.poll_output(), Output::Receive));
    client.receive(EVENT);
    let Event::Invocation(invocation) = event(&mut client) else { panic!() };
    assert_eq!(invocation.request_id(), "id-1");
    assert_eq!(invocation.deadline().unwrap().as_millis(), 1_542_409_706_888);
    assert_eq!(invocation.headers().get("LAMBDA-RUNTIME-AWS-REQUEST-ID"), Some(b"id-1".as_slice()));
    assert_eq!(invocation.body(), r#"{"name":"World"}"#);
    assert!(matches!(client.poll_output(), Output::Idle));
    client.respond(invocation.into_token(), Response::json("\"hi\"")).unwrap();
    assert_eq!(
        written(&mut client),
        format!(
            "POST /2018-06-01/runtime/invocation/id-1/response HTTP/1.1\r\nHost: 127.0.0.1:9001\r\nUser-Agent: \
             {user_agent}\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\n\"hi\""
        )
    );
    client.receive(ACCEPTED);
    let Event::Reply(reply) = event(&mut client) else { panic!() };
    assert_eq!((reply.endpoint(), reply.status(), reply.kind()), (Endpoint::Response, 202, ReplyKind::Accepted));
    assert!(matches!(client.poll_output(), Output::Idle));
}

#[test]
fn a_failure_is_posted_with_its_type_and_json() {
    let (mut client, invocation) = in_hand(client());
    let failure = failure().xray_cause(HeaderValue::from_static("{\"paths\":[]}"));
    client.fail(invocation.into_token(), failure).unwrap();
    let request = written(&mut client);
    assert!(request.starts_with("POST /2018-06-01/runtime/invocation/id-1/error HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("\r\nLambda-Runtime-Function-Error-Type: Function.Test\r\n"), "{request}");
    assert!(request.contains("\r\nLambda-Runtime-Function-XRay-Error-Cause: {\"paths\":[]}\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\n{\"errorMessage\":\"m\",\"errorType\":\"Function.Test\"}"), "{request}");
}

#[test]
fn the_base_path_precedes_every_path() {
    let mut client = Client::new(config().base_path("/.rt/".parse().unwrap()));
    client.next_invocation().unwrap();
    assert!(written(&mut client).starts_with("GET /.rt/2018-06-01/runtime/invocation/next HTTP/1.1\r\n"));
    client.receive(EVENT);
    let Event::Invocation(invocation) = event(&mut client) else { panic!() };
    client.respond(invocation.into_token(), Response::json("1")).unwrap();
    assert!(written(&mut client).starts_with("POST /.rt/2018-06-01/runtime/invocation/id-1/response HTTP/1.1\r\n"));
}

#[test]
fn the_invocation_id_is_echoed_if_and_only_if_it_was_sent() {
    for (field, expected) in [
        ("Lambda-Runtime-Invocation-Id: inv/1\r\n", Some("\r\nLambda-Runtime-Invocation-Id: inv/1\r\n")),
        ("Lambda-Runtime-Invocation-Id:\r\n", None),
        ("", None),
    ] {
        let mut client = client();
        client.next_invocation().unwrap();
        written(&mut client);
        let message =
            format!("HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: a\r\n{field}Content-Length: 0\r\n\r\n");
        client.receive(message.as_bytes());
        let Event::Invocation(invocation) = event(&mut client) else { panic!() };
        client.respond(invocation.into_token(), Response::json("1")).unwrap();
        let request = written(&mut client);
        match expected {
            Some(expected) => assert!(request.contains(expected), "{request}"),
            None => assert!(!request.contains("Lambda-Runtime-Invocation-Id"), "{request}"),
        }
    }
}

#[test]
fn a_streamed_response_has_prelude_delimiter_chunks_and_end() {
    let (mut client, invocation) = in_hand(client());
    let prelude = Bytes::from_static(b"{\"statusCode\":200}");
    let stream = client.stream(invocation.into_token(), StreamHead::Http { prelude }).unwrap();
    client.chunk(&stream, "hello").unwrap();
    let request = written(&mut client);
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    for field in [
        "Content-Type: application/vnd.awslambda.http-integration-response",
        "Lambda-Runtime-Function-Response-Mode: streaming",
        "Transfer-Encoding: chunked",
        "Trailer: Lambda-Runtime-Function-Error-Type",
        "Trailer: Lambda-Runtime-Function-Error-Body",
    ] {
        assert!(head.split("\r\n").any(|line| line == field), "{field} is missing in {head}");
    }
    assert_eq!(body, "12\r\n{\"statusCode\":200}\r\n8\r\n\0\0\0\0\0\0\0\0\r\n5\r\nhello\r\n");
    client.chunk(&stream, Bytes::new()).unwrap();
    assert!(matches!(client.poll_output(), Output::Receive), "an empty chunk would end the body");
    client.finish(stream).unwrap();
    assert_eq!(written(&mut client), "0\r\n\r\n");
}

fn plain_stream() -> (Client, ResponseStream) {
    let (mut client, invocation) = in_hand(client());
    let head = StreamHead::Plain { content_type: HeaderValue::from_static("text/plain") };
    let stream = client.stream(invocation.into_token(), head).unwrap();
    (client, stream)
}

fn trailers<'t>(fields: impl IntoIterator<Item = (&'t str, &'t str)>) -> HeaderMap {
    fields.into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

#[test]
fn trailers_that_frame_or_that_report_a_failure_to_lambda_are_removed_and_named() {
    let reserved = [
        ("transfer-encoding", "chunked"),
        ("content-length", "7"),
        ("trailer", "x"),
        ("lambda-runtime-function-error-type", "Function.Forged"),
        ("lambda-runtime-function-error-body", "e30="),
    ];
    let (mut client, stream) = plain_stream();
    let fields = trailers([("x-checksum", "1")].into_iter().chain(reserved));
    let removed = client.finish_with_trailers(stream, &fields).unwrap();
    assert!(written(&mut client).ends_with("\r\n\r\n0\r\nx-checksum: 1\r\n\r\n"));
    let removed: HashSet<&str> = removed.iter().map(HeaderName::as_str).collect();
    assert_eq!(removed, reserved.map(|(name, _)| name).into());

    let (mut client, stream) = plain_stream();
    assert_eq!(client.finish_with_trailers(stream, &trailers([("x-checksum", "1")])).unwrap(), [] as [HeaderName; 0]);
}

#[test]
fn a_trailer_section_over_the_limit_is_refused_and_the_stream_stays_open() {
    // `a: ` and three line endings.
    let value = "x".repeat(MAX_TRAILERS - 7);
    let (mut client, stream) = plain_stream();
    let longer = value.clone() + "x";
    let refused = client.finish_with_trailers(stream, &trailers([("a", longer.as_str())])).unwrap_err();
    assert_eq!(refused.misuse, Misuse::TrailersTooLong(MAX_TRAILERS + 1));
    client.chunk(&refused.token, "more").unwrap();
    client.finish_with_trailers(refused.token, &trailers([("a", value.as_str())])).unwrap();
    let request = written(&mut client);
    let (_, section) = request.split_once("\r\n4\r\nmore\r\n0\r\n").unwrap();
    assert_eq!(section.len(), MAX_TRAILERS);

    let (mut client, stream) = plain_stream();
    let report = Failure::new(HeaderValue::from_static("Function.Test"), vec![b' '; MAX_TRAILERS]);
    let refused = client.abort(stream, report).unwrap_err();
    assert!(matches!(refused.misuse, Misuse::TrailersTooLong(length) if length > MAX_TRAILERS));
    client.abort(refused.token, failure()).unwrap();
    assert!(written(&mut client).contains("\r\n0\r\nLambda-Runtime-Function-Error-Type: Function.Test\r\n"));
}

#[test]
fn an_aborted_stream_has_its_failure_in_the_trailers() {
    let (mut client, invocation) = in_hand(client());
    let head = StreamHead::Plain { content_type: HeaderValue::from_static("text/plain") };
    let stream = client.stream(invocation.into_token(), head).unwrap();
    client.chunk(&stream, "half").unwrap();
    client.abort(stream, failure()).unwrap();
    let request = written(&mut client);
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("\r\nContent-Type: text/plain\r\n"), "{head}");
    assert_eq!(
        body,
        "4\r\nhalf\r\n0\r\nLambda-Runtime-Function-Error-Type: Function.Test\r\nLambda-Runtime-Function-Error-Body: \
         eyJlcnJvck1lc3NhZ2UiOiJtIiwiZXJyb3JUeXBlIjoiRnVuY3Rpb24uVGVzdCJ9\r\n\r\n"
    );
}

#[test]
fn dropping_a_stream_aborts_it() {
    let (mut client, invocation) = in_hand(client());
    let prelude = Bytes::from_static(b"{}");
    let stream = client.stream(invocation.into_token(), StreamHead::Http { prelude }).unwrap();
    client.chunk(&stream, "half").unwrap();
    drop(stream);
    let request = written(&mut client);
    assert!(request.contains("\r\n0\r\nLambda-Runtime-Function-Error-Type: Runtime.StreamDropped\r\n"), "{request}");
    client.receive(ACCEPTED);
    assert!(matches!(event(&mut client), Event::Reply(reply) if reply.kind() == ReplyKind::Accepted));
    client.next_invocation().unwrap();
}

#[test]
fn misuse_is_refused_and_changes_nothing() {
    let mut idle = client();
    idle.next_invocation().unwrap();
    assert!(matches!(idle.next_invocation(), Err(Misuse::WrongState(_))));
    assert!(matches!(idle.init_error(failure()), Err(Misuse::WrongState(_))));
    assert_eq!(written(&mut idle).matches("GET ").count(), 1);

    let (mut one, invocation_of_one) = in_hand(client());
    let (mut other, _invocation_of_other) = in_hand(client());
    assert!(matches!(one.next_invocation(), Err(Misuse::WrongState("an invocation is in hand and has no outcome"))));
    let refused = other.respond(invocation_of_one.into_token(), Response::json("1")).unwrap_err();
    assert_eq!(refused.misuse, Misuse::ForeignToken);
    assert!(matches!(other.poll_output(), Output::Idle), "nothing is written");
    one.respond(refused.token, Response::json("1")).unwrap();
}

#[test]
fn the_void_handle_of_an_earlier_stream_has_no_effect_on_a_later_one() {
    let plain = || StreamHead::Plain { content_type: HeaderValue::from_static("text/plain") };
    let (mut client, invocation) = in_hand(client());
    let void = client.stream(invocation.into_token(), plain()).unwrap();
    written(&mut client);
    client.receive(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
    assert!(matches!(event(&mut client), Event::Reply(_)));
    client.reset();

    let (mut client, invocation) = in_hand(client);
    let stream = client.stream(invocation.into_token(), plain()).unwrap();
    assert_eq!(client.chunk(&void, "void"), Err(Misuse::StreamOver));
    client.chunk(&stream, "chunk").unwrap();
    drop(stream);
    let request = written(&mut client);
    assert!(request.contains("\r\n\r\n5\r\nchunk\r\n0\r\n"), "the drop is noticed although {void:?} exists: {request}");
}

#[test]
fn a_prelude_and_its_delimiter_must_fit_into_the_limit() {
    let (mut client, invocation) = in_hand(client());
    let prelude = Bytes::from(vec![b' '; MAX_PRELUDE - 7]);
    let refused = client.stream(invocation.into_token(), StreamHead::Http { prelude }).unwrap_err();
    assert_eq!(refused.misuse, Misuse::PreludeTooLong(MAX_PRELUDE - 7));
    let prelude = Bytes::from(vec![b' '; MAX_PRELUDE - 8]);
    assert!(client.stream(refused.token, StreamHead::Http { prelude }).is_ok());
}

#[test]
fn a_peer_error_poisons_the_connection() {
    let mut client = client();
    client.next_invocation().unwrap();
    written(&mut client);
    client.receive(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n");
    let reason = CloseReason::Peer(PeerError::BadContentLength);
    for _ in 0..3 {
        assert_eq!(closed(&mut client), reason);
        client.receive(EVENT);
    }
    client.reset();
    assert!(written(&mut client).starts_with("GET "), "/next is repeated");
}

#[test]
fn an_unsolicited_reply_is_refused() {
    let mut early = client();
    early.receive(ACCEPTED);
    assert_eq!(closed(&mut early), CloseReason::Peer(PeerError::Unsolicited));

    let mut doubled = client();
    doubled.next_invocation().unwrap();
    written(&mut doubled);
    doubled.receive(&[EVENT, ACCEPTED].concat());
    assert!(matches!(event(&mut doubled), Event::Invocation(_)));
    assert_eq!(closed(&mut doubled), CloseReason::Peer(PeerError::Unsolicited));
}

#[test]
fn a_connection_ends_with_the_right_reason() {
    let waiting = || {
        let mut client = client();
        client.next_invocation().unwrap();
        written(&mut client);
        client
    };
    let mut ended = waiting();
    ended.end_of_input();
    assert_eq!(closed(&mut ended), CloseReason::ClosedByPeer);

    let mut failed = waiting();
    failed.disconnected();
    assert_eq!(closed(&mut failed), CloseReason::TransportFailed);

    let mut truncated = waiting();
    truncated.receive(&EVENT[..EVENT.len() - 1]);
    truncated.end_of_input();
    assert_eq!(closed(&mut truncated), CloseReason::Peer(PeerError::UnexpectedEnd(Part::Body)));

    let mut announced = waiting();
    announced.receive(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    assert!(matches!(event(&mut announced), Event::NoInvocation(NoInvocation::NoContent)));
    assert_eq!(closed(&mut announced), CloseReason::CloseRequested);
}

#[test]
fn outstanding_requests_are_resent_except_for_a_partly_sent_stream() {
    let mut waiting = client();
    waiting.next_invocation().unwrap();
    written(&mut waiting);
    waiting.disconnected();
    let outstanding: Vec<_> = waiting.outstanding().map(|request| (request.endpoint, request.can_be_resent)).collect();
    assert_eq!(outstanding, [(Endpoint::Next, true)]);
    waiting.reset();
    assert!(written(&mut waiting).starts_with("GET "));

    let (mut buffered, invocation) = in_hand(client());
    buffered.respond(invocation.into_token(), Response::json("\"response\"")).unwrap();
    let first = written(&mut buffered);
    buffered.disconnected();
    buffered.reset();
    assert_eq!(written(&mut buffered), first);

    let (mut streamed, invocation) = in_hand(client());
    let prelude = Bytes::from_static(b"{}");
    let stream = streamed.stream(invocation.into_token(), StreamHead::Http { prelude }).unwrap();
    streamed.disconnected();
    streamed.reset();
    assert!(written(&mut streamed).starts_with("POST "), "no part of it was sent before");
    streamed.disconnected();
    assert!(streamed.outstanding().all(|request| !request.can_be_resent));
    streamed.reset();
    assert!(matches!(event(&mut streamed), Event::StreamInterrupted));
    assert_eq!(streamed.chunk(&stream, "more"), Err(Misuse::StreamOver));
    assert_eq!(streamed.finish(stream), Err(Misuse::StreamOver));
    streamed.next_invocation().unwrap();
    assert!(written(&mut streamed).starts_with("GET "));
}

#[test]
fn a_token_outlives_its_connection() {
    let (mut client, invocation) = in_hand(client());
    client.end_of_input();
    assert_eq!(closed(&mut client), CloseReason::ClosedByPeer);
    client.reset();
    client.respond(invocation.into_token(), Response::json("1")).unwrap();
    assert!(written(&mut client).starts_with("POST "));
}

#[test]
fn a_next_can_be_pipelined_if_configured() {
    let (mut plain, invocation) = in_hand(client());
    plain.respond(invocation.into_token(), Response::json("1")).unwrap();
    assert!(matches!(plain.next_invocation(), Err(Misuse::WrongState("the last outcome is not acknowledged"))));

    let (mut pipelined, invocation) = in_hand(Client::new(config().pipelining(true)));
    pipelined.respond(invocation.into_token(), Response::json("1")).unwrap();
    pipelined.next_invocation().unwrap();
    let Output::Transmit(slices) = pipelined.poll_output() else { panic!() };
    assert_eq!(slices.len(), 3, "head, body and the next request in one write");
    written(&mut pipelined);
    pipelined.receive(&[ACCEPTED, EVENT].concat());
    assert!(matches!(event(&mut pipelined), Event::Reply(_)));
    assert!(matches!(event(&mut pipelined), Event::Invocation(_)));
}

#[test]
fn a_pipelined_next_that_was_not_read_is_resent() {
    let (mut client, invocation) = in_hand(Client::new(config().pipelining(true)));
    client.respond(invocation.into_token(), Response::json("1")).unwrap();
    client.next_invocation().unwrap();
    written(&mut client);
    client.receive(b"HTTP/1.1 202 Accepted\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    assert!(matches!(event(&mut client), Event::Reply(_)));
    assert_eq!(closed(&mut client), CloseReason::CloseRequested);
    client.reset();
    let again = written(&mut client);
    assert!(again.starts_with("GET ") && !again.contains("POST "), "{again}");
}

#[test]
fn a_refusal_of_an_incomplete_request_is_reported_immediately() {
    let (mut client, invocation) = in_hand(client());
    let prelude = Bytes::from_static(b"{}");
    let stream = client.stream(invocation.into_token(), StreamHead::Http { prelude }).unwrap();
    client.chunk(&stream, "too much").unwrap();
    client.sent(10);
    client.receive(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\n{}");
    let Event::Reply(reply) = event(&mut client) else { panic!() };
    assert_eq!((reply.kind(), reply.body()), (ReplyKind::TooLarge, Bytes::from_static(b"{}")));
    assert_eq!(closed(&mut client), CloseReason::RepliedEarly);
    assert_eq!(client.chunk(&stream, "more"), Err(Misuse::StreamOver));
    client.reset();
    client.next_invocation().unwrap();
    assert!(written(&mut client).starts_with("GET "));
}

#[test]
fn a_request_that_is_accepted_early_is_sent_completely() {
    let (mut client, invocation) = in_hand(client());
    let body = vec![b'x'; 100_000];
    client.respond(invocation.into_token(), Response::json(body)).unwrap();
    client.sent(1000);
    client.receive(ACCEPTED);
    let Output::Transmit(slices) = client.poll_output() else { panic!("there is more to send") };
    let rest = slices.iter().map(|slice| slice.len()).sum();
    assert!(rest > 99_000);
    client.sent(rest);
    assert!(matches!(event(&mut client), Event::Reply(_)));
    client.next_invocation().unwrap();
}

#[test]
fn a_reply_is_read_after_a_failed_write() {
    let (mut client, invocation) = in_hand(client());
    client.respond(invocation.into_token(), Response::json("1")).unwrap();
    client.sent(5);
    client.end_of_output();
    assert!(matches!(client.poll_output(), Output::Receive));
    client.receive(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\n{}");
    assert!(matches!(event(&mut client), Event::Reply(reply) if reply.kind() == ReplyKind::TooLarge));
}

#[test]
fn statuses_have_the_meaning_that_the_runtime_api_defines() {
    let kind = |status: u16| {
        let (mut client, invocation) = in_hand(client());
        client.respond(invocation.into_token(), Response::json("1")).unwrap();
        written(&mut client);
        client.receive(format!("HTTP/1.1 {status} X\r\nContent-Length: 2\r\n\r\n{{}}").as_bytes());
        let Event::Reply(reply) = event(&mut client) else { panic!() };
        reply.kind()
    };
    assert_eq!(kind(200), ReplyKind::Accepted);
    assert_eq!(kind(202), ReplyKind::Accepted);
    assert_eq!(kind(400), ReplyKind::Rejected);
    assert_eq!(kind(403), ReplyKind::Rejected);
    assert_eq!(kind(410), ReplyKind::TooLate);
    assert_eq!(kind(413), ReplyKind::TooLarge);
    assert_eq!(kind(500), ReplyKind::Fatal);
    for status in [403, 500] {
        let bytes = format!("HTTP/1.1 {status} X\r\nContent-Length: 2\r\n\r\n{{}}");
        let Ok(Event::Reply(reply)) = reply_to_next(bytes.as_bytes(), Limits::default()) else { panic!() };
        assert_eq!((reply.endpoint(), reply.kind()), (Endpoint::Next, ReplyKind::Fatal));
    }
}

#[test]
fn a_reply_to_next_without_a_safe_id_is_not_an_invocation() {
    let next = |fields: &str| {
        let message = format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 0\r\n\r\n");
        match reply_to_next(message.as_bytes(), Limits::default()) {
            Ok(Event::NoInvocation(none)) => none,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(next(""), NoInvocation::NoRequestId);
    assert_eq!(next("Lambda-Runtime-Aws-Request-Id: \r\n"), NoInvocation::NoRequestId);
    for id in ["a/../b", "..", "a b", "a?b", "\u{e9}"] {
        let fields = format!("Lambda-Runtime-Aws-Request-Id: {id}\r\n");
        assert_eq!(next(&fields), NoInvocation::UnsafeRequestId(id.as_bytes().to_vec()));
    }
}

#[test]
fn start_up_and_snapstart_requests_precede_the_first_next() {
    let mut failed = client();
    failed.init_error(failure()).unwrap();
    assert!(written(&mut failed).starts_with("POST /2018-06-01/runtime/init/error HTTP/1.1\r\n"));
    failed.receive(ACCEPTED);
    let Event::Reply(reply) = event(&mut failed) else { panic!() };
    assert_eq!((reply.endpoint(), reply.kind()), (Endpoint::InitError, ReplyKind::Accepted));

    let mut restored = client();
    restored.restore_next().unwrap();
    assert!(written(&mut restored).starts_with("GET /2018-06-01/runtime/restore/next HTTP/1.1\r\n"));
    restored.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert!(matches!(event(&mut restored), Event::Reply(reply) if reply.endpoint() == Endpoint::RestoreNext));
    restored.restore_error(failure()).unwrap();
    assert!(written(&mut restored).starts_with("POST /2018-06-01/runtime/restore/error HTTP/1.1\r\n"));
}

#[test]
fn an_extension_registers_and_requests_events() {
    let mut client = client();
    client.register_extension(&HeaderValue::from_static("name"), "{\"events\":[]}").unwrap();
    let request = written(&mut client);
    assert!(request.starts_with("POST /2020-01-01/extension/register HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("\r\nLambda-Extension-Name: name\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\n{\"events\":[]}"), "{request}");
    client.receive(b"HTTP/1.1 200 OK\r\nLambda-Extension-Identifier: abc\r\nContent-Length: 2\r\n\r\n{}");
    let Event::Reply(reply) = event(&mut client) else { panic!() };
    let identifier = HeaderValue::from_bytes(reply.headers().get("lambda-extension-identifier").unwrap()).unwrap();
    client.next_extension_event(&identifier).unwrap();
    let request = written(&mut client);
    assert!(request.starts_with("GET /2020-01-01/extension/event/next HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("\r\nLambda-Extension-Identifier: abc\r\n"), "{request}");
}

#[test]
fn the_callers_bytes_are_not_copied() {
    let (mut client, invocation) = in_hand(client());
    let body = Bytes::from(vec![b'x'; 1000]);
    client.respond(invocation.into_token(), Response::json(body.clone())).unwrap();
    let Output::Transmit(slices) = client.poll_output() else { panic!() };
    assert_eq!(slices.len(), 2, "a head and the body, in one write");
    assert_eq!(slices[1].as_ptr(), body.as_ptr());

    let (mut client, invocation) = in_hand(common::client());
    let stream = client.stream(invocation.into_token(), StreamHead::Http { prelude: "{}".into() }).unwrap();
    let chunk = Bytes::from(vec![b'x'; 64 * 1024]);
    client.chunk(&stream, chunk.clone()).unwrap();
    let Output::Transmit(slices) = client.poll_output() else { panic!() };
    // The prelude is small, and copied.
    assert_eq!(slices.len(), 4, "a head, framing, the chunk and framing, in one write");
    assert_eq!(slices[2].as_ptr(), chunk.as_ptr());
}

#[test]
fn reporting_too_many_bytes_as_sent_has_no_effect() {
    let (mut client, invocation) = in_hand(client());
    let head = StreamHead::Plain { content_type: HeaderValue::from_static("text/plain") };
    let stream = client.stream(invocation.into_token(), head).unwrap();
    client.chunk(&stream, "x").unwrap();
    client.sent(5);
    client.sent(usize::MAX);
    assert_eq!(client.queued(), 0);
    client.finish(stream).unwrap();
    assert_eq!(written(&mut client), "0\r\n\r\n");
}

#[test]
fn every_documented_header_of_an_event_has_a_method() {
    let head = "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: id\r\nlambda-runtime-deadline-ms: 7\r\n\
                Lambda-Runtime-Invoked-Function-Arn: arn\r\nLAMBDA-RUNTIME-TRACE-ID: Root=1\r\n\
                Lambda-Runtime-Client-Context: {}\r\nLambda-Runtime-Cognito-Identity: []\r\n\
                Lambda-Runtime-Aws-Tenant-Id: blue\r\nLambda-Runtime-Invocation-Id: inv\r\n\
                Content-Type: application/json\r\nLambda-Runtime-New: 1\r\nX-Other: 2\r\n\
                Lambda-Runtime-: 3\r\nLambda-Runtime: 4\r\nContent-Length: 2\r\n\r\n";
    let bytes = format!("{head}{{}}");
    let Ok(Event::Invocation(invocation)) = reply_to_next(bytes.as_bytes(), Limits::default()) else { panic!() };
    assert_eq!(invocation.request_id(), "id");
    assert_eq!(invocation.deadline(), Some(Duration::from_millis(7)));
    for (value, expected) in [
        (invocation.function_arn(), "arn"),
        (invocation.trace_id(), "Root=1"),
        (invocation.client_context(), "{}"),
        (invocation.cognito_identity(), "[]"),
        (invocation.tenant_id(), "blue"),
        (invocation.content_type(), "application/json"),
    ] {
        assert_eq!(value, Some(expected.as_bytes()));
    }
    let others: Vec<_> = invocation.other_headers().collect();
    assert_eq!(others, [("Lambda-Runtime-New", b"1".as_slice()), ("Lambda-Runtime-", b"3".as_slice())]);
    assert_eq!((invocation.status(), invocation.headers().iter().count()), (200, 14));
    assert_eq!(invocation.bytes(), (&Bytes::from(bytes.clone()), head.len()));
    let (_token, event) = invocation.into_parts();
    assert_eq!(event, "{}");
}

#[test]
fn a_header_of_an_event_may_be_absent_empty_or_repeated() {
    let parse = |fields: &str| {
        let bytes =
            format!("HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: id\r\n{fields}Content-Length: 0\r\n\r\n");
        match reply_to_next(bytes.as_bytes(), Limits::default()) {
            Ok(Event::Invocation(invocation)) => invocation,
            other => panic!("{fields:?}: {other:?}"),
        }
    };
    for fields in ["", "Lambda-Runtime-Deadline-Ms:\r\nLambda-Runtime-Trace-Id:\r\nContent-Type: \r\n"] {
        let invocation = parse(fields);
        assert_eq!((invocation.deadline(), invocation.trace_id(), invocation.content_type()), (None, None, None));
        assert_eq!((invocation.function_arn(), invocation.client_context()), (None, None));
        assert_eq!((invocation.cognito_identity(), invocation.tenant_id()), (None, None));
        assert_eq!(invocation.other_headers().count(), 0);
    }
    for deadline in ["soon", "-1", "1.5", "18446744073709551616", "\u{e9}"] {
        assert_eq!(parse(&format!("Lambda-Runtime-Deadline-Ms: {deadline}\r\n")).deadline(), None, "{deadline}");
    }
    let repeated = parse("Lambda-Runtime-Trace-Id: a\r\nLambda-Runtime-Trace-Id: b\r\n");
    assert_eq!(repeated.trace_id(), Some(b"a".as_slice()));
}

#[test]
fn a_request_names_the_configured_host_and_user_agent() {
    let mut client = Client::new(config().user_agent(HeaderValue::from_static("test/1")));
    client.next_invocation().unwrap();
    let request = written(&mut client);
    assert!(request.ends_with("\r\nHost: 127.0.0.1:9001\r\nUser-Agent: test/1\r\n\r\n"), "{request}");
}

#[test]
fn metadata_is_requested_with_its_authorization() {
    let mut client = client();
    client.metadata(&HeaderValue::from_static("Bearer secret")).unwrap();
    let request = written(&mut client);
    assert!(request.starts_with("GET /2026-01-15/metadata/execution-environment HTTP/1.1\r\n"), "{request}");
    assert!(request.ends_with("\r\nAuthorization: Bearer secret\r\n\r\n"), "{request}");
}

#[test]
fn unwritten_chunks_are_counted() {
    let (mut client, stream) = plain_stream();
    assert_eq!(client.queued(), 0);
    client.chunk(&stream, "hello").unwrap();
    assert_eq!(client.queued(), "5\r\nhello\r\n".len());
    written(&mut client);
    assert_eq!(client.queued(), 0);
}
