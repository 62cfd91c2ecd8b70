//! The texts of errors and of other values, which end up in logs: each names what failed, the value and the limit.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::error::Error as _;

use common::*;
use lambda_runtime_proto::client::{
    BasePath, Client, Host, MAX_PRELUDE, MAX_TRAILERS, NoInvocation, Response, StreamHead,
};
use lambda_runtime_proto::{CloseReason, HeadElement, Misuse, Part, PeerError};

#[test]
fn the_message_of_a_peer_error_names_the_element_that_is_wrong() {
    for (error, message) in [
        (PeerError::NotHttp(b"SSH\r".to_vec()), "the reply is not HTTP/1: it starts with \"SSH\\r\""),
        (PeerError::MalformedHead(HeadElement::RequestLine), "malformed HTTP head: invalid request line"),
        (PeerError::MalformedHead(HeadElement::Version), "malformed HTTP head: invalid HTTP version"),
        (PeerError::MalformedHead(HeadElement::Status), "malformed HTTP head: invalid status line"),
        (PeerError::MalformedHead(HeadElement::FieldName), "malformed HTTP head: invalid field name"),
        (PeerError::MalformedHead(HeadElement::FieldValue), "malformed HTTP head: invalid field value"),
        (PeerError::MalformedHead(HeadElement::LineEnding), "malformed HTTP head: invalid line ending"),
        (PeerError::UnexpectedEnd(Part::Head), "the connection ended in the head of a message"),
        (PeerError::UnexpectedEnd(Part::Body), "the connection ended in the body of a message"),
        (PeerError::UnexpectedEnd(Part::Trailers), "the connection ended in the trailer section of a message"),
    ] {
        assert_eq!(error.to_string(), message);
        assert_eq!(CloseReason::Peer(error).to_string(), message);
    }
}

#[test]
fn the_message_of_a_close_reason_names_the_limit() {
    assert!(CloseReason::EventTooLarge(10).to_string().contains("10 bytes (Limits::body)"));
    assert!(CloseReason::ReplyBodyTooLarge(10).to_string().contains("10 bytes (Limits::reply_body)"));
}

#[test]
fn a_reply_without_an_invocation_is_described() {
    for (none, message) in [
        (NoInvocation::NoContent, "204 No Content"),
        (NoInvocation::NoRequestId, "no header Lambda-Runtime-Aws-Request-Id"),
        (NoInvocation::UnsafeRequestId(b"a\n".to_vec()), "the request id \"a\\n\" is not safe in a path"),
    ] {
        assert_eq!(none.to_string(), message);
    }
}

#[test]
fn the_message_of_a_misuse_contains_the_value_and_the_limit() {
    for (misuse, parts) in [
        (Misuse::WrongState("a response is being streamed"), ["not possible now", "a response is being streamed"]),
        (Misuse::ForeignToken, ["token", "another machine"]),
        (Misuse::StreamOver, ["the API replied", "connection was lost"]),
        (Misuse::PreludeTooLong(16_400), ["16400 bytes", "at most 16384"]),
        (Misuse::TrailersTooLong(5_000), ["5000 bytes", "at most 4096"]),
    ] {
        let message = misuse.to_string();
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    }
    assert_eq!((MAX_PRELUDE, MAX_TRAILERS), (16 * 1024, 4 * 1024));
}

#[test]
fn a_refused_command_has_the_message_and_the_source_of_its_misuse() {
    let (mut one, _invocation) = in_hand(client());
    let (_, foreign) = in_hand(client());
    let refused = one.respond(foreign.into_token(), Response::json("1")).unwrap_err();
    assert_eq!(refused.to_string(), Misuse::ForeignToken.to_string());
    assert_eq!(refused.source().unwrap().downcast_ref(), Some(&Misuse::ForeignToken));
}

#[test]
fn a_host_and_a_base_path_are_displayed_as_they_are_sent() {
    assert_eq!("127.0.0.1:9001".parse::<Host>().unwrap().to_string(), "127.0.0.1:9001");
    assert_eq!("/.rt/".parse::<BasePath>().unwrap().to_string(), "/.rt");
}

/// A client in each state in which the next invocation cannot be requested, and the state as the refusal names it.
fn busy_clients() -> Vec<(Client, &'static str)> {
    let mut starting = client();
    starting.init_error(failure()).unwrap();

    let mut waiting = client();
    waiting.next_invocation().unwrap();

    let (in_hand_client, _) = in_hand(client());

    let (mut streaming, invocation) = in_hand(client());
    std::mem::forget(streaming.stream(invocation.into_token(), StreamHead::Http { prelude: "{}".into() }).unwrap());

    let (mut responded, invocation) = in_hand(client());
    responded.respond(invocation.into_token(), Response::json("1")).unwrap();

    vec![
        (starting, "the last request has no reply"),
        (waiting, "the last request has no reply"),
        (in_hand_client, "an invocation is in hand and has no outcome"),
        (streaming, "a response is being streamed"),
        (responded, "the last outcome is not acknowledged"),
    ]
}

#[test]
fn a_refused_next_names_the_state_of_the_client() {
    for (mut client, state) in busy_clients() {
        assert_eq!(client.next_invocation(), Err(Misuse::WrongState(state)));
    }
}

#[test]
fn a_start_up_request_is_refused_in_every_state_after_the_first_next() {
    let (mut idle, invocation) = in_hand(client());
    idle.abandon(invocation.into_token()).unwrap();
    let clients = busy_clients().into_iter().chain([(idle, "no invocation is in hand")]);
    for (mut client, state) in clients {
        let value = http::HeaderValue::from_static("x");
        for refused in [
            client.init_error(failure()),
            client.restore_next(),
            client.restore_error(failure()),
            client.register_extension(&value, "{}"),
            client.next_extension_event(&value),
            client.metadata(&value),
        ] {
            assert_eq!(refused, Err(Misuse::WrongState(state)));
        }
    }
}
