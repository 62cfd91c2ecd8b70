//! The status of a reply is known from its head: an outcome that was accepted or refused is not resent, whatever happens
//! to the body of the reply.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use bytes::Bytes;
use common::*;
use http::HeaderValue;
use lambda_runtime_proto::client::{Client, Event, Reply, ReplyKind, Response, StreamHead};
use lambda_runtime_proto::{CloseReason, Endpoint, Limits, Misuse, Output, Part, PeerError};

const LIMIT: u64 = 100;
const ACCEPTED_HEAD: &[u8] = b"HTTP/1.1 202 Accepted\r\nContent-Length: 16\r\n\r\n";

/// A client that has sent a response and waits for the acknowledgement.
fn responded() -> Client {
    let client = Client::new(config().limits(Limits::default().reply_body(LIMIT)));
    let (mut client, invocation) = in_hand(client);
    client.respond(invocation.into_token(), Response::json("\"response\"")).unwrap();
    written(&mut client);
    client
}

/// A client that has sent the first bytes of a response.
fn responding() -> Client {
    let client = Client::new(config().limits(Limits::default().reply_body(LIMIT)));
    let (mut client, invocation) = in_hand(client);
    client.respond(invocation.into_token(), Response::json(vec![b'x'; 1000])).unwrap();
    client.sent(300);
    client
}

fn reply(client: &mut Client) -> Reply {
    match event(client) {
        Event::Reply(reply) => reply,
        other => panic!("{other:?}"),
    }
}

fn refusal(length: usize, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 413 Too Large\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
}

/// After a new connection, the only request is a new /next.
fn assert_nothing_is_resent(client: &mut Client) {
    client.reset();
    assert!(matches!(client.poll_output(), Output::Idle), "nothing is outstanding");
    client.next_invocation().unwrap();
    let request = written(client);
    assert!(request.starts_with("GET ") && !request.contains("POST "), "{request}");
}

#[test]
fn an_acknowledgement_is_an_event_as_soon_as_its_head_has_arrived() {
    let mut client = responded();
    client.receive(ACCEPTED_HEAD);
    assert!(client.awaits_acknowledgement());
    let reply = reply(&mut client);
    assert_eq!((reply.kind(), reply.endpoint(), reply.body()), (ReplyKind::Accepted, Endpoint::Response, Bytes::new()));
    assert!(!client.awaits_acknowledgement());
    assert!(client.is_draining());
    assert!(matches!(client.poll_output(), Output::Idle), "the next request may be queued");
}

#[test]
fn the_next_reply_follows_the_body_of_the_acknowledgement() {
    let mut client = responded();
    client.receive(ACCEPTED_HEAD);
    reply(&mut client);
    client.next_invocation().unwrap();
    assert!(written(&mut client).starts_with("GET "));
    client.receive(b"HTTP/1.1 200 OK");
    assert!(matches!(client.poll_output(), Output::Receive));
    assert!(client.is_draining());
    client.receive(b"\n");
    assert!(matches!(client.poll_output(), Output::Receive));
    assert!(!client.is_draining());
    client.receive(EVENT);
    assert!(matches!(event(&mut client), Event::Invocation(invocation) if invocation.request_id() == "id-1"));
}

#[test]
fn nothing_is_resent_if_the_connection_ends_during_a_drain() {
    type End = fn(&mut Client);
    let ends: [(End, CloseReason); 3] = [
        (Client::end_of_input, CloseReason::Peer(PeerError::UnexpectedEnd(Part::Body))),
        (Client::disconnected, CloseReason::TransportFailed),
        (Client::end_of_output, CloseReason::TransportFailed),
    ];
    for (end, reason) in ends {
        let mut client = responded();
        client.receive(ACCEPTED_HEAD);
        reply(&mut client);
        end(&mut client);
        assert_eq!(closed(&mut client), reason);
        assert!(!client.is_draining());
        assert_nothing_is_resent(&mut client);
    }
}

#[test]
fn a_next_that_was_queued_during_an_incomplete_drain_is_resent_alone() {
    let mut client = responded();
    client.receive(ACCEPTED_HEAD);
    reply(&mut client);
    client.next_invocation().unwrap();
    let first = written(&mut client);
    client.disconnected();
    assert_eq!(closed(&mut client), CloseReason::TransportFailed);
    client.reset();
    assert_eq!(written(&mut client), first);
}

#[test]
fn an_acknowledgement_with_a_body_over_the_limit_closes_the_connection_and_resends_nothing() {
    let long = "x".repeat(101);
    for body in [
        "Content-Length: 7340032\r\n\r\n".to_owned(),
        format!("Transfer-Encoding: chunked\r\n\r\n32\r\n{}\r\n33\r\n", "x".repeat(50)),
        format!("Content-Length: 101\r\n\r\n{long}"),
    ] {
        let mut client = responded();
        client.receive(format!("HTTP/1.1 202 Accepted\r\n{body}").as_bytes());
        assert_eq!(reply(&mut client).kind(), ReplyKind::Accepted);
        assert_eq!(closed(&mut client), CloseReason::ReplyBodyTooLarge(LIMIT), "{body}");
        assert_nothing_is_resent(&mut client);
    }
    let mut client = responded();
    client.receive(format!("HTTP/1.1 202 Accepted\r\nContent-Length: 100\r\n\r\n{}", "x".repeat(100)).as_bytes());
    assert_eq!(reply(&mut client).kind(), ReplyKind::Accepted);
    assert!(matches!(client.poll_output(), Output::Idle));
}

#[test]
fn an_acknowledgement_that_ends_the_connection_is_not_drained() {
    for message in [
        "HTTP/1.1 202 Accepted\r\nConnection: close\r\nContent-Length: 16\r\n\r\n",
        "HTTP/1.1 202 Accepted\r\n\r\nuntil the end",
    ] {
        let mut client = responded();
        client.receive(message.as_bytes());
        assert_eq!(reply(&mut client).kind(), ReplyKind::Accepted);
        assert_eq!(closed(&mut client), CloseReason::CloseRequested);
        assert_nothing_is_resent(&mut client);
    }
}

#[test]
fn a_refusal_is_an_event_once_its_message_is_complete() {
    let mut client = responded();
    client.receive(&refusal(2, "{"));
    assert!(matches!(client.poll_output(), Output::Receive));
    assert!(client.is_draining(), "the status is known, and the message is not worth a long wait");
    client.receive(b"}");
    let reply = reply(&mut client);
    assert_eq!((reply.kind(), reply.body(), reply.is_truncated()), (ReplyKind::TooLarge, "{}".into(), false));
    assert!(!client.is_draining());
}

#[test]
fn a_refusal_over_the_limit_is_truncated_and_closes_the_connection() {
    let first = "x".repeat(100);
    for message in [
        refusal(7_340_032, &format!("{first}y")),
        format!("HTTP/1.1 413 Too Large\r\nTransfer-Encoding: chunked\r\n\r\n800\r\n{first}yyy").into_bytes(),
        format!("HTTP/1.1 413 Too Large\r\n\r\n{first}y").into_bytes(),
    ] {
        let mut client = responded();
        client.receive(&message);
        let reply = reply(&mut client);
        assert_eq!((reply.kind(), reply.body()), (ReplyKind::TooLarge, first.clone().into()));
        assert!(reply.is_truncated());
        assert_eq!(closed(&mut client), CloseReason::ReplyBodyTooLarge(LIMIT));
        assert_nothing_is_resent(&mut client);
    }
}

#[test]
fn a_refusal_with_an_incomplete_message_is_a_refusal() {
    type End = fn(&mut Client);
    for end in [Client::end_of_input as End, Client::disconnected, Client::reset] {
        let mut client = responded();
        client.receive(&refusal(20, "{\"errorMessage\""));
        assert!(matches!(client.poll_output(), Output::Receive));
        end(&mut client);
        let reply = reply(&mut client);
        assert_eq!((reply.kind(), reply.body()), (ReplyKind::TooLarge, "{\"errorMessage\"".into()));
        assert!(reply.is_truncated());
        assert_nothing_is_resent(&mut client);
    }
}

#[test]
fn a_refusal_of_next_with_an_incomplete_message_is_fatal() {
    let bytes = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 10\r\n\r\nabc";
    let Ok(Event::Reply(reply)) = reply_to_next(bytes, Limits::default()) else { panic!() };
    assert_eq!((reply.kind(), reply.body(), reply.is_truncated()), (ReplyKind::Fatal, "abc".into(), true));
}

#[test]
fn an_early_acknowledgement_is_reported_when_the_request_is_sent() {
    let mut client = responding();
    client.receive(ACCEPTED_HEAD);
    let Output::Transmit(slices) = client.poll_output() else { panic!("the rest is sent first") };
    let rest = slices.iter().map(|slice| slice.len()).sum();
    assert!(!client.is_draining(), "no timeout applies while the request is being sent");
    client.sent(rest);
    assert_eq!(reply(&mut client).kind(), ReplyKind::Accepted);
    assert!(client.is_draining());
    client.receive(b"{\"status\":\"OK\"}\n");
    assert!(matches!(client.poll_output(), Output::Idle));
}

#[test]
fn an_early_acknowledgement_counts_if_the_connection_ends() {
    type End = fn(&mut Client);
    let failed_write: End = |client| {
        client.end_of_output();
    };
    for acknowledgement in [ACCEPTED_HEAD, ACCEPTED] {
        for end in [Client::end_of_input as End, Client::disconnected, Client::reset, failed_write] {
            let mut client = responding();
            client.receive(acknowledgement);
            assert!(matches!(client.poll_output(), Output::Transmit(_)));
            end(&mut client);
            assert_eq!(reply(&mut client).kind(), ReplyKind::Accepted);
            assert_nothing_is_resent(&mut client);
        }
    }
}

#[test]
fn an_early_acknowledgement_with_a_body_over_the_limit_counts() {
    let mut client = responding();
    client.receive(b"HTTP/1.1 202 Accepted\r\nContent-Length: 7340032\r\n\r\n");
    assert_eq!(reply(&mut client).kind(), ReplyKind::Accepted);
    assert_eq!(closed(&mut client), CloseReason::ReplyBodyTooLarge(LIMIT));
    assert_nothing_is_resent(&mut client);
}

#[test]
fn a_stream_that_was_accepted_early_and_not_sent_completely_is_interrupted() {
    let (mut client, invocation) = in_hand(client());
    let head = StreamHead::Plain { content_type: HeaderValue::from_static("text/plain") };
    let stream = client.stream(invocation.into_token(), head).unwrap();
    client.chunk(&stream, "half").unwrap();
    written(&mut client);
    client.receive(ACCEPTED);
    assert!(matches!(client.poll_output(), Output::Receive));
    client.end_of_input();
    assert_eq!(closed(&mut client), CloseReason::ClosedByPeer);
    client.reset();
    assert!(matches!(event(&mut client), Event::StreamInterrupted));
    assert_eq!(client.finish(stream), Err(Misuse::StreamOver));
}

#[test]
fn a_stream_that_is_refused_midway_is_refused_if_the_connection_ends() {
    let (mut client, invocation) = in_hand(client());
    let head = StreamHead::Plain { content_type: HeaderValue::from_static("text/plain") };
    let stream = client.stream(invocation.into_token(), head).unwrap();
    client.chunk(&stream, "too much").unwrap();
    written(&mut client);
    client.receive(&refusal(20, "{"));
    assert!(matches!(client.poll_output(), Output::Receive));
    client.disconnected();
    assert_eq!(reply(&mut client).kind(), ReplyKind::TooLarge);
    assert_eq!(client.finish(stream), Err(Misuse::StreamOver));
    assert_nothing_is_resent(&mut client);
}

#[test]
fn a_refusal_of_exactly_the_limit_is_complete() {
    let message = "x".repeat(100);
    let chunked = format!("HTTP/1.1 413 Too Large\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n{message}\r\n0\r\n\r\n");
    for bytes in [refusal(100, &message), chunked.into_bytes()] {
        let mut client = responded();
        client.receive(&bytes);
        let reply = reply(&mut client);
        assert_eq!((reply.body(), reply.is_truncated()), (message.clone().into(), false));
        assert!(matches!(client.poll_output(), Output::Idle), "the connection stays open");
    }
}
