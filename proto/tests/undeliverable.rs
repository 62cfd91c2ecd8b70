//! Outcomes that cannot be delivered, and replies that mean that the request can be repeated.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::*;
use lambda_runtime_proto::client::{Client, Event, Response, StreamHead};
use lambda_runtime_proto::{CloseReason, Misuse, Output};

/// A client whose connection was lost after parts of a response were written.
fn interrupted(client: Client) -> Client {
    let (mut client, invocation) = in_hand(client);
    client.respond(invocation.into_token(), Response::json(vec![b'x'; 1000])).unwrap();
    client.sent(300);
    client.disconnected();
    assert_eq!(closed(&mut client), CloseReason::TransportFailed);
    client
}

#[test]
fn a_response_that_cannot_be_delivered_can_be_replaced_by_an_error() {
    let mut client = interrupted(client());
    assert!(client.outstanding().next().unwrap().is_started);
    assert!(client.withdraw().is_none(), "parts of it are on the connection");
    client.reset();
    assert!(!client.outstanding().next().unwrap().is_started);
    let token = client.withdraw().unwrap();
    assert!(matches!(client.poll_output(), Output::Idle));
    assert!(matches!(client.next_invocation(), Err(Misuse::WrongState(_))), "the invocation is in hand again");
    client.fail(token, failure()).unwrap();
    let request = written(&mut client);
    assert!(request.starts_with("POST ") && request.contains("/error HTTP/1.1"), "{request}");
    assert!(!request.contains("xxx"), "{request}");
}

#[test]
fn an_invocation_can_be_abandoned() {
    let mut client = interrupted(client());
    client.reset();
    let token = client.withdraw().unwrap();
    client.abandon(token).unwrap();
    client.next_invocation().unwrap();
    assert!(written(&mut client).starts_with("GET "));

    let (mut other, _invocation) = in_hand(common::client());
    let (_, foreign) = in_hand(common::client());
    let refused = other.abandon(foreign.into_token()).unwrap_err();
    assert_eq!(refused.misuse, Misuse::ForeignToken);
}

#[test]
fn a_pipelined_request_is_withdrawn_with_the_response_that_precedes_it() {
    let (mut client, invocation) = in_hand(Client::new(config().pipelining(true)));
    client.respond(invocation.into_token(), Response::json("1")).unwrap();
    client.next_invocation().unwrap();
    let token = client.withdraw().unwrap();
    assert_eq!(client.outstanding().count(), 0);
    client.fail(token, failure()).unwrap();
    client.next_invocation().unwrap();
    assert_eq!(client.outstanding().count(), 2);
}

#[test]
fn only_a_buffered_outcome_can_be_withdrawn() {
    let mut waiting = client();
    assert!(waiting.withdraw().is_none());
    waiting.next_invocation().unwrap();
    assert!(waiting.withdraw().is_none());

    let (mut streaming, invocation) = in_hand(client());
    let _stream = streaming.stream(invocation.into_token(), StreamHead::Http { prelude: "{}".into() }).unwrap();
    assert!(streaming.withdraw().is_none());
}

#[test]
fn a_request_that_timed_out_is_repeated() {
    let timeout = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 7\r\n\r\ntimeout";
    let mut waiting = client();
    waiting.next_invocation().unwrap();
    written(&mut waiting);
    waiting.receive(timeout);
    assert_eq!(closed(&mut waiting), CloseReason::RequestTimeout);
    waiting.reset();
    assert!(written(&mut waiting).starts_with("GET "));

    let (mut responded, invocation) = in_hand(client());
    responded.respond(invocation.into_token(), Response::json("1")).unwrap();
    written(&mut responded);
    responded.receive(timeout);
    assert_eq!(closed(&mut responded), CloseReason::RequestTimeout);
    responded.reset();
    assert!(written(&mut responded).starts_with("POST "));

    let (mut streaming, invocation) = in_hand(client());
    let _stream = streaming.stream(invocation.into_token(), StreamHead::Http { prelude: "{}".into() }).unwrap();
    written(&mut streaming);
    streaming.receive(timeout);
    assert_eq!(closed(&mut streaming), CloseReason::RequestTimeout);
    streaming.reset();
    assert!(matches!(event(&mut streaming), Event::StreamInterrupted));
}
