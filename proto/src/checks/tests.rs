//! The checks, on random input; a failure prints its seed.

use proptest::prelude::*;

use super::{
    Command, Entry, Side, Step, check_splits, client_bytes, duplex, headers, prelude, server_bytes, splits, trace,
};
use crate::Limits;

/// `FUZZ_ROUNDS` makes it longer.
fn rounds(usual: u64) -> u64 {
    std::env::var("FUZZ_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(usual)
}

fn with_random_bytes(usual: u64, most: usize, check: fn(&[u8])) {
    for _ in 0..rounds(usual) {
        let seed = fastrand::u64(..);
        let mut random = fastrand::Rng::with_seed(seed);
        let mut bytes = vec![0; random.usize(..most)];
        random.fill(&mut bytes);
        if let Err(panic) = std::panic::catch_unwind(|| check(&bytes)) {
            eprintln!("seed {seed}, input {bytes:?}");
            std::panic::resume_unwind(panic);
        }
    }
}

#[test]
fn every_invocation_ends_once_through_any_faults() {
    with_random_bytes(1000, 3000, duplex);
}

#[test]
fn random_scripts_have_one_trace_however_they_are_split() {
    with_random_bytes(100, 120, splits);
}

proptest! {
    #[test]
    fn any_bytes_from_the_api_have_one_trace(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        client_bytes(&bytes);
        server_bytes(&bytes);
    }

    #[test]
    fn bytes_that_look_like_http_have_one_trace(text in "(HTTP/1\\.[01] [1-5][0-9]{2} OK\r\n)?((Content-Length|Transfer-Encoding|Connection|A): ?[a-z0-9]{0,3}\r?\n){0,3}(\r\n)?[0-9a-f\r\n;]{0,40}") {
        client_bytes(text.as_bytes());
    }

    #[test]
    fn a_request_id_is_never_lost_nor_unsafe(fields in "([A-Za-z-]{1,12}: ?[ -~]{0,12}\r\n){0,3}(?i:Lambda-Runtime-Aws-Request-Id): ?[!-~]{0,20}") {
        headers(fields.as_bytes());
    }

    #[test]
    fn any_prelude_is_sent_literally_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..20_000)) {
        prelude(&bytes);
    }
}

/// A dialogue of usual and unusual messages, one behind the other, and what must be heard of it.
#[test]
fn known_dialogues_have_one_trace_with_other_messages_behind() {
    let receive = |bytes: &str| Step::Receive(bytes.as_bytes().to_vec());
    let script = [
        Step::Command(Command::Next),
        receive(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: a\r\n\
             Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n1\r\nd\r\n0\r\nT: v\r\n\r\n",
        ),
        Step::Command(Command::Respond),
        Step::Command(Command::Next),
        // The acknowledgement, and the next event right behind it.
        receive(
            "HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nOKHTTP/1.1 200 OK\r\n\
             Lambda-Runtime-Aws-Request-Id: b\r\nContent-Length: 2\r\n\r\n{}",
        ),
        Step::Command(Command::Stream),
        Step::Command(Command::Chunk),
        Step::Command(Command::Drop),
        receive("HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"),
        Step::Reconnect,
        Step::Command(Command::Next),
        receive("HTTP/1.1 204 No Content\r\n\r\n"),
        Step::EndOfInput,
    ];
    let trace = check_splits(Side::Client, &Limits::default(), &script);
    let said: Vec<&str> = trace
        .iter()
        .filter_map(|entry| if let Entry::Said(said) = entry { Some(said.as_str()) } else { None })
        .collect();
    let starts = [
        "Next: ok",
        "invocation a ",
        "Respond: ok",
        "Next: ok",
        "answered /2018-06-01/runtime/invocation/{id}/response 202 Accepted b\"\"",
        "invocation b ",
        "Stream: ok",
        "Chunk: ok",
        "Drop: ok",
        "answered /2018-06-01/runtime/invocation/{id}/response 413 TooLarge b\"{}\"",
        "closed: the last message asked to close it",
        "reconnected",
        "Next: ok",
        "no invocation: 204 No Content",
        "closed: closed by the peer",
    ];
    assert_eq!(said.len(), starts.len(), "{said:#?}");
    for (said, start) in said.iter().zip(starts) {
        assert!(said.starts_with(start), "{said} does not start with {start}");
    }
}

#[test]
fn every_call_of_poll_output_makes_progress() {
    // `trace` fails when a machine wants nothing done and yet wants no input, or does the same for ever.
    for side in [Side::Client, Side::Server] {
        for first in Command::ALL {
            for second in Command::ALL {
                let script = [
                    Step::Command(first),
                    Step::Receive(b"HTTP/1.1 200 OK\r\n".to_vec()),
                    Step::Command(second),
                    Step::EndOfInput,
                    Step::Command(first),
                    Step::Reconnect,
                    Step::Command(second),
                ];
                trace(side, &Limits::default(), &script, &mut |_| 1);
            }
        }
    }
}

#[test]
fn limits_at_their_ends_hold_for_pieces_of_any_size() {
    let body = |chunks: &str| {
        let head = "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: id\r\nTransfer-Encoding: chunked\r\n\r\n";
        [Step::Command(Command::Next), Step::Receive(format!("{head}{chunks}").into_bytes())]
    };
    for trailers in 0..4 {
        let limits = Limits::default().trailers(trailers);
        let trace = check_splits(Side::Client, &limits, &body("1\r\nx\r\n0\r\n\r\n"));
        let arrived = |entry: &Entry| matches!(entry, Entry::Said(said) if said.starts_with("invocation id"));
        assert!(trace.iter().any(arrived), "{trace:?}");
        check_splits(Side::Client, &limits, &body("1\r\nx\r\n0\r\nA: b\r\n\r\n"));
    }
    for chunk_extension in [0, 1, 2, usize::MAX] {
        let limits = Limits::default().chunk_extension(chunk_extension);
        check_splits(Side::Client, &limits, &body("1;a\r\nx\r\n0\r\n\r\n"));
    }
}
