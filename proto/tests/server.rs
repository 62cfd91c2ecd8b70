//! The API's side, and both sides together.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::*;
use http::{HeaderName, HeaderValue};
use lambda_runtime_proto::client::{Event as ClientEvent, Response, StreamHead};
use lambda_runtime_proto::server::{Event, Reply, Route, Server};
use lambda_runtime_proto::{CloseReason, Endpoint, Limits, Misuse, Output, Part, PeerError};

fn written(server: &mut Server) -> String {
    let mut written = Vec::new();
    for _ in 0..1000 {
        let Output::Transmit(slices) = server.poll_output() else { return String::from_utf8(written).unwrap() };
        let before = written.len();
        slices.iter().for_each(|slice| written.extend_from_slice(slice));
        server.sent(written.len() - before);
    }
    panic!("the output does not end");
}

fn events(server: &mut Server, bytes: &str) -> Vec<Event> {
    server.receive(bytes.as_bytes());
    let mut events = Vec::new();
    while let Output::Event(event) = server.poll_output() {
        events.push(event);
    }
    events
}

#[test]
fn both_sides_agree_on_a_complete_invocation() {
    let mut pair = Pair::new();
    pair.client.next_invocation().unwrap();
    let events = pair.transfer_to_server();
    let [Event::Request(request), Event::End(_)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(request.route(), Route::Api(Endpoint::Next, ""));
    pair.server.reply(Reply::event("id-7", Duration::from_millis(5), "{}")).unwrap();
    pair.transfer_to_client();
    let ClientEvent::Invocation(invocation) = event(&mut pair.client) else { panic!() };
    assert_eq!((invocation.request_id(), invocation.deadline()), ("id-7", Some(Duration::from_millis(5))));
    pair.client.respond(invocation.into_token(), Response::json("\"done\"")).unwrap();
    let events = pair.transfer_to_server();
    let Event::Request(request) = &events[0] else { panic!("{events:?}") };
    assert_eq!(request.route(), Route::Api(Endpoint::Response, "id-7"));
    assert!(!request.is_streaming());
    assert_eq!(body(&events), "\"done\"");
    pair.server.reply(Reply::accepted()).unwrap();
    pair.transfer_to_client();
    assert!(matches!(event(&mut pair.client), ClientEvent::Reply(_)));
}

#[test]
fn the_trailers_of_an_aborted_stream_arrive() {
    let mut pair = Pair::new();
    pair.client.next_invocation().unwrap();
    pair.transfer_to_server();
    pair.server.reply(Reply::event("id", Duration::ZERO, "{}")).unwrap();
    pair.transfer_to_client();
    let ClientEvent::Invocation(invocation) = event(&mut pair.client) else { panic!() };
    let prelude = Bytes::from_static(b"{}");
    let stream = pair.client.stream(invocation.into_token(), StreamHead::Http { prelude }).unwrap();
    pair.client.chunk(&stream, "half").unwrap();
    let events = pair.transfer_to_server();
    assert!(matches!(&events[0], Event::Request(request) if request.is_streaming()));
    assert_eq!(body(&events), "{}\0\0\0\0\0\0\0\0half");
    pair.client.abort(stream, failure()).unwrap();
    let events = pair.transfer_to_server();
    let Some(Event::End(trailers)) = events.last() else { panic!("{events:?}") };
    assert_eq!(trailers.fields().get("lambda-runtime-function-error-type"), Some(b"Function.Test".as_slice()));
}

#[test]
fn one_request_is_read_at_a_time() {
    let mut server = Server::new(Limits::default());
    let two = "GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n";
    let first = events(&mut server, two);
    assert!(matches!(&first[..], [Event::Request(request), Event::End(_)] if request.path() == "/a"));
    assert!(matches!(server.poll_output(), Output::Idle));
    server.reply(Reply::new(204)).unwrap();
    let Output::Transmit(slices) = server.poll_output() else { panic!("the reply is written first") };
    let n = slices.iter().map(|slice| slice.len()).sum();
    server.sent(n);
    match server.poll_output() {
        Output::Event(Event::Request(request)) => assert_eq!(request.path(), "/b"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_empty_line_before_a_request_is_skipped() {
    let mut server = Server::new(Limits::default());
    let events = events(&mut server, "\r\nGET /a HTTP/1.1\r\nLambda-Runtime-Function-Response-Mode: streaming\r\n\r\n");
    assert!(matches!(&events[0], Event::Request(request) if request.is_streaming()));
}

#[test]
fn a_reply_to_head_has_no_body() {
    let mut server = Server::new(Limits::default());
    events(&mut server, "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(matches!(server.stream(Reply::new(200)), Err(Misuse::WrongState(_))));
    server.reply(Reply::new(404).body("nothing here")).unwrap();
    assert_eq!(written(&mut server), "HTTP/1.1 404 Not Found\r\nContent-Length: 12\r\n\r\n");
}

#[test]
fn only_a_reply_to_head_leaves_out_its_length() {
    for (method, head) in [("HEAD", "HTTP/1.1 200 OK\r\n\r\n"), ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")]
    {
        let mut server = Server::new(Limits::default());
        events(&mut server, &format!("{method} / HTTP/1.1\r\nHost: x\r\n\r\n"));
        server.reply(Reply::new(200).omit_length_for_head()).unwrap();
        assert_eq!(written(&mut server), head);
    }
}

#[test]
fn an_expectation_of_100_continue_is_met() {
    let mut server = Server::new(Limits::default());
    events(&mut server, "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    assert_eq!(written(&mut server), "HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(body(&events(&mut server, "{}")), "{}");

    // Neither another value, nor another field, nor a client of HTTP/1.0 is one (RFC 9110 section 10.1.1).
    for (version, field) in [("1.1", "Expect: x"), ("1.1", "Except: 100-continue"), ("1.0", "Expect: 100-continue")] {
        let mut server = Server::new(Limits::default());
        events(&mut server, &format!("POST / HTTP/{version}\r\n{field}\r\nContent-Length: 2\r\n\r\n"));
        assert!(matches!(server.poll_output(), Output::Receive), "{field}");
    }
}

#[test]
fn a_reply_can_be_streamed_with_trailers() {
    let mut server = Server::new(Limits::default());
    events(&mut server, "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n");
    server.stream(Reply::new(200).body("a")).unwrap();
    server.chunk("bc").unwrap();
    server.finish([(&HeaderName::from_static("x-checksum"), &HeaderValue::from_static("y"))]).unwrap();
    assert_eq!(
        written(&mut server),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\nX-Checksum: y\r\n\r\n"
    );
    assert!(matches!(server.chunk("late"), Err(Misuse::WrongState(_))));
}

#[test]
fn a_reply_that_is_closed_abruptly_is_incomplete() {
    let mut server = Server::new(Limits::default());
    events(&mut server, "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n");
    server.stream(Reply::new(200).body("a")).unwrap();
    server.close_abruptly();
    assert!(written(&mut server).ends_with("\r\n\r\n1\r\na\r\n"));
    assert!(matches!(server.poll_output(), Output::Closed(CloseReason::Aborted)));
}

#[test]
fn an_early_reply_closes_the_connection() {
    let mut server = Server::new(Limits::default());
    events(&mut server, "POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\nabc");
    server.reply(Reply::new(413).json("{}")).unwrap();
    assert!(written(&mut server).contains("\r\nConnection: close\r\n"));
    assert!(matches!(server.poll_output(), Output::Closed(CloseReason::RepliedEarly)));
}

#[test]
fn the_reply_to_an_invalid_request_contains_the_error() {
    let mut server = Server::new(Limits::default());
    events(&mut server, "POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n");
    let reply = written(&mut server);
    assert!(reply.starts_with("HTTP/1.1 400 Bad Request\r\n") && reply.contains("Content-Length"), "{reply}");
    assert!(matches!(server.poll_output(), Output::Closed(CloseReason::Peer(PeerError::BadContentLength))));
}

#[test]
fn commands_without_a_request_are_refused() {
    let mut server = Server::new(Limits::default());
    assert!(matches!(server.reply(Reply::accepted()), Err(Misuse::WrongState("no request was received"))));
    events(&mut server, "GET / HTTP/1.1\r\n\r\n");
    server.reply(Reply::accepted()).unwrap();
    assert!(matches!(server.reply(Reply::accepted()), Err(Misuse::WrongState(_))));
    assert_eq!(written(&mut server).matches("HTTP/1.1").count(), 1);
}

#[test]
fn a_status_that_forbids_a_body_sends_none() {
    let mut server = Server::new(Limits::default());
    events(&mut server, "GET / HTTP/1.1\r\n\r\n");
    assert!(matches!(server.stream(Reply::new(204)), Err(Misuse::WrongState(_))));
    server.reply(Reply::new(204).body("HTTP/1.1 200 OK\r\n\r\n")).unwrap();
    assert_eq!(written(&mut server), "HTTP/1.1 204 No Content\r\n\r\n");
}

#[test]
fn a_body_over_the_limit_is_refused_after_the_head() {
    for body in ["Content-Length: 11\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\nb\r\n"] {
        let mut server = Server::new(Limits::default().body(10));
        let events = events(&mut server, &format!("POST / HTTP/1.1\r\n{body}"));
        assert!(matches!(&events[..], [Event::Request(_)]), "{events:?}");
        assert!(written(&mut server).starts_with("HTTP/1.1 400 Bad Request\r\n"));
        assert!(matches!(server.poll_output(), Output::Closed(CloseReason::Peer(PeerError::BodyTooLong(10)))));
    }
}

#[test]
fn pipelined_requests_are_limited() {
    let limits = Limits::default().head(1024).body(1024);
    let mut server = Server::new(limits);
    events(&mut server, "GET / HTTP/1.1\r\n\r\n");
    server.receive(&[b'x'; 2048]);
    assert!(matches!(server.poll_output(), Output::Idle));
    server.receive(b"x");
    assert!(matches!(server.poll_output(), Output::Closed(CloseReason::Peer(PeerError::Unsolicited))));
}

#[test]
fn a_request_is_read_into_space() {
    let mut server = Server::new(Limits::default());
    let mut rest = "POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello".as_bytes();
    let mut events = Vec::new();
    while !rest.is_empty() {
        // A socket fills only a part of the buffer.
        let space = server.space();
        let n = space.len().min(7).min(rest.len());
        space[..n].copy_from_slice(&rest[..n]);
        server.filled(n);
        rest = &rest[n..];
        while let Output::Event(event) = server.poll_output() {
            events.push(event);
        }
    }
    assert!(matches!(&events[0], Event::Request(request) if request.path() == "/a"));
    assert_eq!(body(&events), "hello");
    assert!(matches!(events.last(), Some(Event::End(_))));
}

#[test]
fn a_request_addresses_an_operation() {
    let invoke = |function| Route::Invoke { function };
    for (line, route) in [
        ("GET /2018-06-01/runtime/invocation/next?a=b", Route::Api(Endpoint::Next, "")),
        ("POST /2015-03-31/functions/f/invocations", invoke("f")),
        ("POST /2015-03-31/functions/f/invocations?Qualifier=1", invoke("f")),
        ("GET /2015-03-31/functions/f/invocations", Route::Unknown),
        ("POST /2015-03-31/functions//invocations", Route::Unknown),
        ("POST /2015-03-31/functions/a/b/invocations", Route::Unknown),
        ("POST /2015-03-31/functions/f/invoke-async", Route::Unknown),
        (
            "POST /2021-11-15/functions/f/response-streaming-invocations",
            Route::InvokeWithResponseStream { function: "f" },
        ),
        ("POST /2021-11-15/functions/f/invocations", Route::Unknown),
        ("POST /", Route::Unknown),
    ] {
        let mut server = Server::new(Limits::default());
        let events = events(&mut server, &format!("{line} HTTP/1.1\r\n\r\n"));
        let Event::Request(request) = &events[0] else { panic!("{events:?}") };
        assert_eq!(request.route(), route, "{line}");
        assert_eq!(request.method().as_str(), line.split(' ').next().unwrap());
    }
}

#[test]
fn the_query_follows_the_first_question_mark() {
    for (target, path, query) in
        [("/a", "/a", None), ("/a?", "/a", Some("")), ("/a?b=c", "/a", Some("b=c")), ("/?b?c", "/", Some("b?c"))]
    {
        let mut server = Server::new(Limits::default());
        let events = events(&mut server, &format!("GET {target} HTTP/1.1\r\n\r\n"));
        let Event::Request(request) = &events[0] else { panic!("{events:?}") };
        assert_eq!((request.path(), request.query()), (path, query), "{target}");
    }
}

#[test]
fn one_write_may_end_in_any_of_several_queued_messages() {
    let request = "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}";
    let expected = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";
    for first in 1..=expected.len() {
        let mut server = Server::new(Limits::default());
        events(&mut server, request);
        server.reply(Reply::new(204)).unwrap();
        let Output::Transmit(slices) = server.poll_output() else { panic!("both messages are written together") };
        assert_eq!(slices.iter().map(|slice| slice.len()).sum::<usize>(), expected.len());
        server.sent(first);
        assert_eq!(written(&mut server), expected.split_at(first).1, "after {first} bytes");
    }
}

#[test]
fn a_lost_connection_is_over() {
    let mut server = Server::new(Limits::default());
    events(&mut server, "GET / HTTP/1.1\r\n\r\n");
    server.disconnected();
    assert!(matches!(server.poll_output(), Output::Closed(CloseReason::TransportFailed)));
}

#[test]
fn an_incomplete_request_has_no_reply() {
    let mut server = Server::new(Limits::default());
    server.receive(b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{");
    server.end_of_input();
    assert!(matches!(server.poll_output(), Output::Event(Event::Request(_))));
    assert!(matches!(server.poll_output(), Output::Event(Event::Data(_))));
    let end = CloseReason::Peer(PeerError::UnexpectedEnd(Part::Body));
    assert!(matches!(server.poll_output(), Output::Closed(reason) if reason == end));
}

#[test]
fn an_error_in_a_request_does_not_interrupt_its_reply() {
    let mut server = Server::new(Limits::default());
    events(&mut server, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
    server.stream(Reply::new(200).body("a")).unwrap();
    assert!(written(&mut server).ends_with("\r\n\r\n1\r\na\r\n"));
    server.receive(b"not a size\r\n");
    assert!(matches!(server.poll_output(), Output::Closed(CloseReason::Peer(PeerError::BadChunkSize))));
}

/// The connection after a complete reply: whether the head announces its end, and what the server does.
#[test]
fn a_connection_is_kept_unless_the_request_or_the_reply_closes_it() {
    type Send = fn(&mut Server, Reply);
    let buffered: Send = |server, reply| server.reply(reply).unwrap();
    let streamed: Send = |server, reply| {
        server.stream(reply).unwrap();
        assert!(written(server).contains("\r\nTransfer-Encoding: chunked\r\n"));
        server.finish([]).unwrap();
    };
    for send in [buffered, streamed] {
        for (field, closes) in [("", false), ("Connection: close\r\n", true)] {
            for (reply, reply_closes) in [(Reply::new(200), false), (Reply::new(200).close(), true)] {
                let mut server = Server::new(Limits::default());
                events(&mut server, &format!("GET / HTTP/1.1\r\n{field}\r\n"));
                send(&mut server, reply);
                written(&mut server);
                match server.poll_output() {
                    Output::Closed(CloseReason::CloseRequested) => assert!(closes || reply_closes, "{field:?}"),
                    Output::Receive => assert!(!closes && !reply_closes, "{field:?}"),
                    other => panic!("{other:?}"),
                }
            }
        }
    }
}

#[test]
fn the_head_of_a_reply_announces_that_the_connection_closes() {
    let complete = "GET / HTTP/1.1\r\n\r\n";
    let closing = "GET / HTTP/1.1\r\nConnection: close\r\n\r\n";
    let incomplete = "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n";
    for (request, reply, closes) in [
        (complete, Reply::new(200), false),
        (complete, Reply::new(200).close(), true),
        (closing, Reply::new(200), true),
        (incomplete, Reply::new(200), true),
    ] {
        for streamed in [false, true] {
            let mut server = Server::new(Limits::default());
            events(&mut server, request);
            let reply = reply.clone();
            if streamed {
                server.stream(reply).unwrap()
            } else {
                server.reply(reply).unwrap()
            }
            let head = written(&mut server);
            assert_eq!(head.contains("\r\nConnection: close\r\n"), closes, "{request:?}: {head:?}");
        }
    }
}

#[test]
fn unwritten_chunks_are_counted() {
    let mut server = Server::new(Limits::default());
    assert_eq!(server.queued(), 0);
    events(&mut server, "GET / HTTP/1.1\r\n\r\n");
    server.stream(Reply::new(200).body("hello")).unwrap();
    assert_eq!(server.queued(), "5\r\nhello\r\n".len());
    server.chunk("ab").unwrap();
    assert_eq!(server.queued(), "5\r\nhello\r\n2\r\nab\r\n".len());
    written(&mut server);
    assert_eq!(server.queued(), 0);
}
