//! Allocations: one for each event, and no other once the machine is warm.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use allocation_counter::{AllocationInfo, measure};
use bytes::Bytes;
use common::*;
use lambda_runtime_proto::Output;
use lambda_runtime_proto::client::{Client, Event, Invocation, Response};

/// Writes everything.
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

/// Reads as from a socket: as much as fits into `space`.
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
fn a_warm_invocation_allocates_only_its_event() {
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
fn a_large_event_is_read_into_one_allocation_that_does_not_grow_beyond_it() {
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
    // The buffer doubles up to the size of the message, and the old one is freed after the copy.
    let length = u64::try_from(message.len()).unwrap();
    assert!(info.bytes_max < length * 2, "{info:?}");
    assert!(info.bytes_current <= i64::try_from(length).unwrap() + 1024, "{info:?}");
    assert!(info.count_total < 16, "{info:?}");
}

#[test]
fn the_buffer_of_an_incomplete_event_is_at_most_twice_what_has_arrived() {
    const ANNOUNCED: usize = 6_000_000;
    let head = format!("HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: id\r\nContent-Length: {ANNOUNCED}\r\n\r\n");
    for largest_read in [1_000, 100_000, usize::MAX] {
        let mut client = client();
        let (mut arrived, mut allocated) = (0, 0);
        client.next_invocation().unwrap();
        write(&mut client);
        client.receive(head.as_bytes());
        while arrived < ANNOUNCED - largest_read.min(1_000_000) {
            let info = measure(|| {
                assert!(matches!(client.poll_output(), Output::Receive));
                // Reads of one byte in between are the worst case for a buffer that doubles.
                for read in [largest_read, 1] {
                    let n = client.space().len().min(read);
                    client.filled(n);
                    arrived += n;
                    assert!(matches!(client.poll_output(), Output::Receive));
                }
            });
            allocated += usize::try_from(info.bytes_current).unwrap_or_default();
            assert!(allocated <= 2 * arrived + 128 * 1024, "{allocated} bytes are allocated for {arrived}");
        }
    }
}

#[test]
fn nothing_is_allocated_for_a_length_that_a_header_announces() {
    let mut client = client();
    let message = b"HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: id\r\nContent-Length: 6000000\r\n\r\n{";
    let info = measure(|| {
        client.next_invocation().unwrap();
        write(&mut client);
        receive(&mut client, message);
        assert!(matches!(client.poll_output(), Output::Receive));
        assert!(!client.space().is_empty());
    });
    assert!(info.bytes_max < 200_000, "{info:?}");
}

#[test]
fn an_event_of_many_chunks_that_arrive_together_is_one_allocation() {
    let head = "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: id\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = format!("3e8\r\n{}\r\n", "x".repeat(1000));
    let message = format!("{head}{}0\r\n\r\n", chunk.repeat(30)).into_bytes();
    let mut client = client();
    let mut invoke = || {
        client.next_invocation().unwrap();
        write(&mut client);
        client.receive(&message);
        let Output::Event(Event::Invocation(invocation)) = client.poll_output() else { panic!() };
        assert_eq!(invocation.body().len(), 30_000);
        respond(&mut client, invocation);
    };
    invoke();
    let info = measure(invoke);
    assert_eq!(info.count_total, 2, "the event and its reference count: {info:?}");
    assert!(info.bytes_total < u64::try_from(message.len()).unwrap() + 1000, "{info:?}");
}
