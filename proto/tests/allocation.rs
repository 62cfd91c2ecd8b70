//! What the machine allocates: one piece of memory an event, and nothing else once it is warm.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use allocation_counter::{AllocationInfo, measure};
use bytes::Bytes;
use common::*;
use lambda_runtime_proto::Output;
use lambda_runtime_proto::client::{Client, Event, Invocation, Response};

/// Has the machine write everything, as if the socket took it.
fn write(client: &mut Client) {
    while let Output::Transmit(slices) = client.poll_output() {
        let n = slices.iter().map(|slice| slice.len()).sum();
        client.sent(n);
        if !client.awaits_acknowledgement() {
            return;
        }
    }
}

fn next(client: &mut Client, message: &[u8]) -> Invocation {
    client.next_invocation().unwrap();
    write(client);
    receive(client, message);
    match client.poll_output() {
        Output::Event(Event::Invocation(invocation)) => invocation,
        other => panic!("{other:?}"),
    }
}

/// Feeds the machine as a socket would: as much as it has room for.
fn receive(client: &mut Client, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        assert!(matches!(client.poll_output(), Output::Receive | Output::Transmit(_)));
        let space = client.space();
        let n = space.len().min(bytes.len());
        let (piece, rest) = bytes.split_at(n);
        space[..n].copy_from_slice(piece);
        client.filled(n);
        bytes = rest;
    }
}

fn respond(client: &mut Client, invocation: Invocation) {
    client.respond(invocation.into_token(), Response::json(Bytes::from_static(b"\"hello\""))).unwrap();
    write(client);
    client.receive(ACCEPTED);
    assert!(matches!(client.poll_output(), Output::Event(Event::Reply(_))));
}

#[test]
fn a_warm_invocation_allocates_the_event_and_nothing_else() {
    let mut client = client();
    for _ in 0..3 {
        let invocation = next(&mut client, EVENT);
        respond(&mut client, invocation);
    }
    let AllocationInfo { count_total, bytes_total, .. } = measure(|| {
        let invocation = next(&mut client, EVENT);
        respond(&mut client, invocation);
    });
    assert_eq!((count_total, bytes_total), (1, u64::try_from(EVENT.len()).unwrap()));
}

#[test]
fn a_large_event_lands_in_one_allocation_that_is_grown_no_more_than_needed() {
    const LENGTH: usize = 6 * 1024 * 1024;
    let head = format!("HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: id\r\nContent-Length: {LENGTH}\r\n\r\n");
    let message = [head.as_bytes(), &vec![b'x'; LENGTH]].concat();
    let mut client = client();
    let invocation = next(&mut client, EVENT);
    respond(&mut client, invocation);
    let mut body = Bytes::new();
    let info = measure(|| {
        let invocation = next(&mut client, &message);
        body = invocation.body();
        respond(&mut client, invocation);
    });
    assert_eq!(body.len(), LENGTH);
    // One buffer that doubles as bytes come, never beyond the message; while it moves, the old one is there too.
    let whole = u64::try_from(message.len()).unwrap();
    assert!(info.bytes_max < whole * 2, "{info:?}");
    assert!(info.bytes_current <= i64::try_from(whole).unwrap() + 1024, "{info:?}");
    assert!(info.count_total < 16, "{info:?}");
}

#[test]
fn what_is_held_of_an_unfinished_event_is_at_most_twice_what_came() {
    const CLAIMED: usize = 6_000_000;
    let head = format!("HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: id\r\nContent-Length: {CLAIMED}\r\n\r\n");
    for largest_read in [1_000, 100_000, usize::MAX] {
        let mut client = client();
        let (mut came, mut held) = (0, 0);
        client.next_invocation().unwrap();
        write(&mut client);
        client.receive(head.as_bytes());
        while came < CLAIMED - largest_read.min(1_000_000) {
            let info = measure(|| {
                assert!(matches!(client.poll_output(), Output::Receive));
                // Reads of one byte in between are the worst case for whoever doubles.
                for read in [largest_read, 1] {
                    let n = client.space().len().min(read);
                    client.filled(n);
                    came += n;
                    assert!(matches!(client.poll_output(), Output::Receive));
                }
            });
            held += usize::try_from(info.bytes_current).unwrap_or_default();
            assert!(held <= 2 * came + 128 * 1024, "{held} bytes are held of {came}");
        }
    }
}

#[test]
fn nothing_is_allocated_for_what_a_header_merely_claims() {
    let mut client = client();
    let claim = b"HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: id\r\nContent-Length: 6000000\r\n\r\n{";
    let info = measure(|| {
        client.next_invocation().unwrap();
        write(&mut client);
        receive(&mut client, claim);
        assert!(matches!(client.poll_output(), Output::Receive));
        assert!(!client.space().is_empty());
    });
    assert!(info.bytes_max < 200_000, "{info:?}");
}
