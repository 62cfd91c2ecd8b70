//! Refuses what RFC 9112 forbids or calls ambiguous, and enforces every limit.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::*;
use lambda_runtime_proto::client::{Client, Event};
use lambda_runtime_proto::{CloseReason, Limits, Output, Part, PeerError};

fn refusal(bytes: impl AsRef<[u8]>) -> PeerError {
    refusal_with(bytes, Limits::default())
}

fn refusal_with(bytes: impl AsRef<[u8]>, limits: Limits) -> PeerError {
    let bytes = bytes.as_ref();
    // An event over the limit is not an error: `oversized_event.rs`.
    match reply_to(Client::restore_next, bytes, limits) {
        Err(CloseReason::Peer(error)) => error,
        Err(reason) => panic!("{reason}"),
        Ok(event) => panic!("{:?} was accepted: {event:?}", bytes.escape_ascii().to_string()),
    }
}

fn accepted_body(bytes: &str) -> String {
    match reply_to_next(bytes.as_bytes(), Limits::default()) {
        Ok(Event::Invocation(invocation)) => String::from_utf8(invocation.body().to_vec()).unwrap(),
        other => panic!("{bytes:?}: {other:?}"),
    }
}

/// The event that these bytes become as the reply to /next, if they arrive one at a time.
fn bytewise(bytes: &str, limits: Limits) -> Result<Event, CloseReason> {
    let mut client = Client::new(config().limits(limits));
    client.next_invocation().unwrap();
    written(&mut client);
    for byte in bytes.bytes() {
        client.receive(&[byte]);
        match client.poll_output() {
            Output::Event(event) => return Ok(event),
            Output::Closed(reason) => return Err(reason),
            _ => {}
        }
    }
    client.end_of_input();
    Ok(event(&mut client))
}

/// A response with these fields and this body.
fn response(fields: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: id\r\n{fields}\r\n{body}")
}

#[test]
fn a_content_length_is_one_decimal_number() {
    assert_eq!(accepted_body(&response("Content-Length: 2\r\n", "{}")), "{}");
    assert_eq!(accepted_body(&response("content-length:02\r\n", "{}")), "{}");
    for value in ["", "-1", "+2", "2.0", "0x2", "2, 2", "2 2", "two", "18446744073709551616", "2;"] {
        assert_eq!(
            refusal(response(&format!("Content-Length: {value}\r\n"), "{}")),
            PeerError::BadContentLength,
            "{value}"
        );
    }
    for (first, second) in [(2, 2), (2, 3)] {
        let fields = format!("Content-Length: {first}\r\nContent-Length: {second}\r\n");
        assert_eq!(refusal(response(&fields, "{}")), PeerError::RepeatedContentLength);
    }
}

#[test]
fn a_length_together_with_chunked_is_refused() {
    let chunked = "2\r\n{}\r\n0\r\n\r\n";
    for fields in
        ["Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n"]
    {
        assert_eq!(refusal(response(fields, chunked)), PeerError::LengthAndChunked);
    }
}

#[test]
fn chunked_is_the_only_transfer_coding() {
    let chunked = "2\r\n{}\r\n0\r\n\r\n";
    assert_eq!(accepted_body(&response("Transfer-Encoding: Chunked\r\n", chunked)), "{}");
    for value in
        ["gzip", "gzip, chunked", "chunked, gzip", "chunked, chunked", "identity", "", "xchunked", "chunked;a=b"]
    {
        let fields = format!("Transfer-Encoding: {value}\r\n");
        assert_eq!(refusal(response(&fields, chunked)), PeerError::UnsupportedTransferEncoding, "{value}");
    }
    let twice = "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n";
    assert_eq!(refusal(response(twice, chunked)), PeerError::UnsupportedTransferEncoding);
    let old = response("Transfer-Encoding: chunked\r\n", chunked).replace("HTTP/1.1", "HTTP/1.0");
    assert_eq!(refusal(old), PeerError::UnsupportedTransferEncoding);
}

#[test]
fn a_line_that_does_not_end_in_crlf_is_refused() {
    for bytes in [
        "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\n\nHTTP/1.1 200 OK\r\n\r\n",
    ] {
        assert_eq!(refusal(bytes), PeerError::BareLineEnding, "{bytes:?}");
    }
    for bytes in
        ["HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n", "HTTP/1.1 200 O\rK\r\n\r\n", "HTTP/1.1 200 OK\r\nA\r: b\r\n\r\n"]
    {
        assert!(matches!(refusal(bytes), PeerError::MalformedHead(_)), "{bytes:?}");
    }
}

#[test]
fn a_head_that_violates_the_grammar_is_refused() {
    for bytes in [
        "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
        "HTTP/1.1 200 OK\r\n A: b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\x1fc\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\x7fc\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA\0: b\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/1.1 200 O\0K\r\n\r\n",
        "HTTP/1.2 200 OK\r\n\r\n",
        "HTTP/1.10 200 OK\r\n\r\n",
    ] {
        assert!(matches!(refusal(bytes), PeerError::MalformedHead(_)), "{bytes:?}");
    }
}

#[test]
fn another_protocol_is_reported_with_its_first_bytes() {
    for (bytes, shown) in [
        ("SSH-2.0-OpenSSH\r\n", "S"),
        ("HTTP/2 200 OK\r\n\r\n", "HTTP/2"),
        ("\r\nHTTP/1.1 200 OK\r\n\r\n", "\r"),
        ("http/1.1 200 OK\r\n\r\n", "h"),
    ] {
        assert_eq!(refusal(bytes), PeerError::NotHttp(shown.into()), "{bytes:?}");
    }
}

#[test]
fn a_body_of_http_1_0_lasts_until_the_connection_ends() {
    assert_eq!(accepted_body(&response("", "until the end").replace("HTTP/1.1", "HTTP/1.0")), "until the end");
}

#[test]
fn invalid_framing_of_a_chunk_is_refused() {
    let chunked = |body: &str| response("Transfer-Encoding: chunked\r\n", body);
    assert_eq!(accepted_body(&chunked("2;a=b\r\n{}\r\n000\r\nT: v\r\n\r\n")), "{}");
    for size in ["+2", "-2", " 2", "2 ", "0x2", "", "g", "\t2", "00000000000000002"] {
        assert_eq!(refusal(chunked(&format!("{size}\r\n{{}}\r\n0\r\n\r\n"))), PeerError::BadChunkSize, "{size:?}");
    }
    for body in ["2\n{}\r\n0\r\n\r\n", "2\r{}\r\n0\r\n\r\n", "2;a\nb\r\n{}\r\n0\r\n\r\n"] {
        assert_eq!(refusal(chunked(body)), PeerError::BadChunkSize, "{body:?}");
    }
    for body in ["2\r\n{}\n0\r\n\r\n", "2\r\n{}x\r\n0\r\n\r\n", "2\r\n{}0\r\n\r\n"] {
        assert_eq!(refusal(chunked(body)), PeerError::BadChunkEnd, "{body:?}");
    }
    assert_eq!(refusal(chunked("2\r\n{}\r\n0\r\nA: b\nC: d\r\n\r\n")), PeerError::BareLineEnding);
    assert!(matches!(refusal(chunked("2\r\n{}\r\n0\r\nA: b\r\n c\r\n\r\n")), PeerError::MalformedHead(_)));
    assert_eq!(refusal(chunked("ffffffffffffffff\r\n")), PeerError::BodyTooLong(Limits::default().body));
}

#[test]
fn an_incomplete_message_is_reported_with_the_part_that_is_incomplete() {
    for (bytes, part) in [
        ("HTTP/1.1 200 OK\r\nA: b\r\n".to_owned(), Part::Head),
        ("HTTP/1.1 100 Continue\r\n\r\n".to_owned(), Part::Head),
        (response("Content-Length: 3\r\n", "{}"), Part::Body),
        (response("Transfer-Encoding: chunked\r\n", "2\r\n{}\r\n"), Part::Body),
        (response("Transfer-Encoding: chunked\r\n", "2\r\n{"), Part::Body),
        (response("Transfer-Encoding: chunked\r\n", "0\r\nA: b\r\n"), Part::Trailers),
        (response("Transfer-Encoding: chunked\r\n", "0\r\n"), Part::Trailers),
    ] {
        assert_eq!(refusal(&bytes), PeerError::UnexpectedEnd(part), "{bytes:?}");
    }
}

#[test]
fn every_limit_is_enforced_and_in_the_message() {
    let limits = Limits::default().head(100).headers(3).body(4).chunk_extension(4).trailers(12).interim(20);
    let with =
        |fields: &str, body: &str| format!("HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: i\r\n{fields}\r\n{body}");
    let chunked = |body: &str| with("Transfer-Encoding: chunked\r\n", body);
    for (bytes, expected) in [
        (with(&format!("A: {}\r\n", "x".repeat(100)), ""), PeerError::HeadTooLong(100)),
        ("HTTP/1.1 200 ".to_owned() + &"x".repeat(100), PeerError::HeadTooLong(100)),
        (with("A: 1\r\nB: 2\r\nC: 3\r\n", ""), PeerError::TooManyHeaders(3)),
        (with("Content-Length: 5\r\n", "12345"), PeerError::BodyTooLong(4)),
        (chunked("5\r\n12345\r\n0\r\n\r\n"), PeerError::BodyTooLong(4)),
        (chunked("2\r\n12\r\n3\r\n345\r\n0\r\n\r\n"), PeerError::BodyTooLong(4)),
        (with("", "12345"), PeerError::BodyTooLong(4)),
        (chunked("1;12345\r\nx\r\n0\r\n\r\n"), PeerError::ChunkExtensionTooLong(4)),
        (chunked("0\r\nA: 123456789\r\n\r\n"), PeerError::TrailersTooLong(12)),
        ("HTTP/1.1 100 C\r\n\r\n".repeat(2), PeerError::InterimTooLong(20)),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n".to_owned(), PeerError::SwitchingProtocols),
    ] {
        let error = refusal_with(&bytes, limits.clone());
        assert_eq!(error, expected, "{bytes:?}");
    }
    for (error, value) in [
        (PeerError::HeadTooLong(100), "100"),
        (PeerError::TooManyHeaders(3), "3"),
        (PeerError::BodyTooLong(4), "4"),
        (PeerError::ChunkExtensionTooLong(5), "5"),
        (PeerError::TrailersTooLong(12), "12"),
        (PeerError::InterimTooLong(20), "20"),
    ] {
        assert!(error.to_string().contains(value), "{error}");
    }
}

#[test]
fn interim_replies_are_skipped_and_limited_by_their_bytes() {
    let interim = "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
    let last = response("Content-Length: 2\r\n", "{}");
    assert_eq!(accepted_body(&(interim.repeat(1000) + &last)), "{}");
    let limits = Limits::default().interim(10 * interim.len());
    assert!(reply_to_next((interim.repeat(10) + &last).as_bytes(), limits.clone()).is_ok());
    assert_eq!(refusal_with(interim.repeat(11) + &last, limits), PeerError::InterimTooLong(10 * interim.len()));
}

#[test]
fn a_status_that_forbids_a_body_has_none_even_if_a_length_is_announced() {
    let bytes = "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n";
    assert!(matches!(reply_to_next(bytes.as_bytes(), Limits::default()), Ok(Event::NoInvocation(_))));
}

#[test]
fn a_message_of_exactly_a_limit_is_accepted() {
    let chunked = |body: &str| response("Transfer-Encoding: chunked\r\n", body);
    let length = response("Content-Length: 4\r\n", "1234");
    let defaults = Limits::default;
    for (bytes, limits) in [
        (length.clone(), defaults().head(length.len() - 4)),
        (length.clone(), defaults().headers(2)),
        (length, defaults().body(4)),
        (chunked("4\r\n1234\r\n0\r\n\r\n"), defaults().body(4)),
        (chunked("1\r\n1\r\n3\r\n234\r\n0\r\n\r\n"), defaults().body(4)),
        (response("", "1234"), defaults().body(4)),
        (chunked("4;abcd\r\n1234\r\n0\r\n\r\n"), defaults().chunk_extension(4)),
        (chunked("4\r\n1234\r\n0\r\nA: b\r\n\r\n"), defaults().trailers(8)),
        (chunked("4\r\n1234\r\n0\r\nA: b\r\nC: d\r\n\r\n"), defaults().headers(2)),
    ] {
        let at_once = reply_to_next(bytes.as_bytes(), limits.clone());
        let (Ok(Event::Invocation(at_once)), Ok(Event::Invocation(bytewise))) = (at_once, bytewise(&bytes, limits))
        else {
            panic!("{bytes:?} is refused")
        };
        assert_eq!((at_once.body(), bytewise.body()), ("1234".into(), "1234".into()));
    }
    let refused = chunked("4\r\n1234\r\n0\r\nA: b\r\nC: d\r\nE: f\r\n\r\n");
    assert_eq!(refusal_with(refused, defaults().headers(2)), PeerError::TooManyHeaders(2));
}

#[test]
fn a_field_whose_name_is_as_long_as_that_of_a_framing_field_is_another_field() {
    let fields = "Content-Lengt_: x\r\nTransfer-Encodin_: gzip\r\nConnectio_: close\r\nContent-Length: 2\r\n";
    for bytes in [response(fields, "{}"), response(&fields.to_uppercase(), "{}")] {
        let mut client = common::client();
        client.next_invocation().unwrap();
        written(&mut client);
        // The second reply is compared with the first.
        for _ in 0..2 {
            client.receive(bytes.as_bytes());
            let Event::Invocation(invocation) = event(&mut client) else { panic!("{bytes:?}") };
            client.abandon(invocation.into_token()).unwrap();
            client.next_invocation().unwrap();
            assert!(written(&mut client).starts_with("GET "));
        }
    }
}
