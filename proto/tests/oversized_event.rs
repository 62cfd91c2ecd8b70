//! An event over `Limits::body` can still be reported on /error: its request id is in the head.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::*;
use lambda_runtime_proto::client::{Client, Event, NoInvocation};
use lambda_runtime_proto::{CloseReason, Limits, Output};

const LIMIT: u64 = 10;

fn waiting() -> Client {
    let mut client = Client::new(config().limits(Limits::default().body(LIMIT)));
    client.next_invocation().unwrap();
    written(&mut client);
    client
}

fn message(id: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\n{id}Lambda-Runtime-Trace-Id: Root=1\r\n{body}").into_bytes()
}

const ID: &str = "Lambda-Runtime-Aws-Request-Id: id-9\r\n";

#[test]
fn an_event_over_the_limit_is_reported_by_the_id_in_its_head() {
    for (body, stated) in [
        ("Content-Length: 11\r\n\r\n", Some(11)),
        ("Content-Length: 9999999999\r\n\r\n{", Some(9_999_999_999)),
        ("Transfer-Encoding: chunked\r\n\r\n6\r\n123456\r\n5\r\n12345\r\n", None),
        ("Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", None),
        ("\r\n12345678901", None),
    ] {
        let mut client = waiting();
        client.receive(&message(ID, body));
        let Event::EventTooLarge { invocation, length, limit, .. } = event(&mut client) else { panic!("{body}") };
        assert_eq!((length, limit), (stated, LIMIT));
        assert_eq!((invocation.request_id(), client.request_id()), ("id-9", "id-9"));
        assert_eq!(invocation.trace_id(), Some(b"Root=1".as_slice()));
        assert!(invocation.body().is_empty());
        assert_eq!(closed(&mut client), CloseReason::EventTooLarge(LIMIT));

        client.reset();
        assert!(matches!(client.poll_output(), Output::Idle), "/next has its reply");
        client.fail(invocation.into_token(), failure()).unwrap();
        assert!(written(&mut client).starts_with("POST /2018-06-01/runtime/invocation/id-9/error HTTP/1.1\r\n"));
        client.receive(ACCEPTED);
        assert!(matches!(event(&mut client), Event::Reply(_)));
        client.next_invocation().unwrap();
    }
}

#[test]
fn the_report_may_be_queued_before_the_connection_is_replaced() {
    let mut client = waiting();
    client.receive(&message(ID, "Content-Length: 11\r\n\r\n"));
    let Event::EventTooLarge { invocation, .. } = event(&mut client) else { panic!() };
    client.fail(invocation.into_token(), failure()).unwrap();
    assert_eq!(closed(&mut client), CloseReason::EventTooLarge(LIMIT));
    client.reset();
    assert!(written(&mut client).starts_with("POST /2018-06-01/runtime/invocation/id-9/error HTTP/1.1\r\n"));
}

#[test]
fn an_event_of_exactly_the_limit_is_an_invocation() {
    let mut client = waiting();
    client.receive(&message(ID, "Content-Length: 10\r\n\r\n1234567890"));
    assert!(matches!(event(&mut client), Event::Invocation(invocation) if invocation.body() == "1234567890"));
}

#[test]
fn an_event_over_the_limit_without_a_usable_id_is_not_an_invocation() {
    for (id, expected) in [
        ("", NoInvocation::NoRequestId),
        ("Lambda-Runtime-Aws-Request-Id: a/b\r\n", NoInvocation::UnsafeRequestId(b"a/b".to_vec())),
    ] {
        let mut client = waiting();
        client.receive(&message(id, "Content-Length: 11\r\n\r\n"));
        assert!(matches!(event(&mut client), Event::NoInvocation(none) if none == expected));
        assert_eq!(closed(&mut client), CloseReason::EventTooLarge(LIMIT));
        client.reset();
        client.next_invocation().unwrap();
    }
}
