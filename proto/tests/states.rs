//! Names and digests of states, on which the model checker relies: digests are equal only for equal states.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::collections::HashSet;

use common::*;
use lambda_runtime_proto::client::{Client, Response, StreamHead};
use lambda_runtime_proto::server::{Reply, Server};
use lambda_runtime_proto::{Limits, Output};

/// A client in each state of `docs/protocol.md`, with the name of the state.
fn clients() -> Vec<(Client, &'static str)> {
    let mut starting = client();
    starting.init_error(failure()).unwrap();

    let mut waiting = client();
    waiting.next_invocation().unwrap();

    let (in_hand_client, invocation) = in_hand(client());
    std::mem::forget(invocation);

    let (mut idle, invocation) = in_hand(client());
    idle.abandon(invocation.into_token()).unwrap();

    let (mut streaming, invocation) = in_hand(client());
    std::mem::forget(streaming.stream(invocation.into_token(), StreamHead::Http { prelude: "{}".into() }).unwrap());

    let responded = || {
        let (mut client, invocation) = in_hand(Client::new(config().pipelining(true)));
        client.respond(invocation.into_token(), Response::json("1")).unwrap();
        client
    };
    let mut partly_sent = responded();
    partly_sent.sent(1);
    let mut pipelined = responded();
    pipelined.next_invocation().unwrap();
    let mut pipelined_and_partly_sent = responded();
    pipelined_and_partly_sent.next_invocation().unwrap();
    pipelined_and_partly_sent.sent(1);

    vec![
        (client(), "Init"),
        (starting, "Init, with an outstanding request"),
        (waiting, "Waiting"),
        (in_hand_client, "In hand"),
        (idle, "Idle"),
        (streaming, "Streaming"),
        (responded(), "AwaitingAck, nothing written"),
        (partly_sent, "AwaitingAck"),
        (pipelined, "AwaitingAck and /next, nothing written"),
        (pipelined_and_partly_sent, "AwaitingAck and /next"),
    ]
}

#[test]
fn the_state_of_a_client_has_its_documented_name() {
    for (client, state) in clients() {
        assert_eq!(client.documented_state(), state);
    }
}

#[test]
fn clients_have_equal_digests_if_they_are_in_equal_states() {
    let digests = || clients().iter().map(|(client, _)| client.digest()).collect::<Vec<_>>();
    assert_eq!(digests(), digests());
    assert_eq!(digests().iter().collect::<HashSet<_>>().len(), clients().len());
}

#[test]
fn servers_have_equal_digests_if_they_are_in_equal_states() {
    let server = |bytes: &[u8]| {
        let mut server = Server::new(Limits::default());
        server.receive(bytes);
        while let Output::Event(_) = server.poll_output() {}
        server
    };
    let servers = || {
        let request = b"GET / HTTP/1.1\r\n\r\n";
        let mut replied = server(request);
        replied.reply(Reply::accepted()).unwrap();
        let mut closed = server(b"");
        closed.disconnected();
        [server(b""), server(b"GET / HT"), server(request), replied, closed]
    };
    let digests = || servers().map(|server| server.digest());
    assert_eq!(digests(), digests());
    assert_eq!(digests().iter().collect::<HashSet<_>>().len(), servers().len());
}
