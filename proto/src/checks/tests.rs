//! The checks with random input. A failure prints its seed.

use proptest::prelude::*;

use super::{
    Command, Entry, Side, Step, check_splits, client_bytes, duplex, headers, heads, prelude, server_bytes, splits,
    trace,
};
use crate::Limits;

/// The environment variable `FUZZ_ROUNDS` replaces the number of rounds.
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
fn every_invocation_ends_once_in_spite_of_faults() {
    with_random_bytes(1000, 3000, duplex);
}

#[test]
fn random_scripts_have_the_same_trace_with_all_splits() {
    with_random_bytes(100, 120, splits);
}

proptest! {
    #[test]
    fn arbitrary_bytes_have_the_same_trace_with_all_splits(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        client_bytes(&bytes);
        server_bytes(&bytes);
    }

    #[test]
    fn bytes_that_resemble_http_have_the_same_trace_with_all_splits(text in "(HTTP/1\\.[01] [1-5][0-9]{2} OK\r\n)?((Content-Length|Transfer-Encoding|Connection|A): ?[a-z0-9]{0,3}\r?\n){0,3}(\r\n)?[0-9a-f\r\n;]{0,40}") {
        client_bytes(text.as_bytes());
    }

    /// Heads with the same names and separators, and other values, which the parser trims or refuses.
    #[test]
    fn comparing_a_head_with_earlier_ones_is_parsing_it(
        start in "HTTP/1\\.[01] (200 OK|204 No Content)\r\n",
        fields in proptest::collection::vec("(A|Date|Content-Length|Connection|Expect|Transfer-Encoding):( |  )?", 1..4),
        values in proptest::collection::vec(proptest::array::uniform3("[0-9]{1,2}|close|chunked|[!-~]{1,3}|[!-~]? [!-~]?|[ a\x00-\x1f\x7f\u{e9}]{0,2}"), 2..6),
    ) {
        let head = |values: &[String; 3]| {
            let lines = fields.iter().zip(values).map(|(field, value)| format!("{field}{value}\r\n"));
            format!("{start}{}\r\n", lines.collect::<String>())
        };
        heads(values.iter().map(head).collect::<Vec<_>>().join("\0").as_bytes());
    }

    #[test]
    fn a_request_id_is_preserved_and_safe(fields in "([A-Za-z-]{1,12}: ?[ -~]{0,12}\r\n){0,3}(?i:Lambda-Runtime-Aws-Request-Id): ?[!-~]{0,20}") {
        headers(fields.as_bytes());
    }

    #[test]
    fn a_prelude_is_sent_unchanged_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..20_000)) {
        prelude(&bytes);
    }
}

/// The events of a dialogue in which several messages arrive together.
#[test]
fn a_known_dialogue_has_the_same_events_with_all_splits() {
    let receive = |bytes: &str| Step::Receive(bytes.as_bytes().to_vec());
    let script = [
        Step::Command(Command::Next),
        receive(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: a\r\n\
             Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n1\r\nd\r\n0\r\nT: v\r\n\r\n",
        ),
        Step::Command(Command::Respond),
        Step::Command(Command::Next),
        // The acknowledgement, and the next event.
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
        // Both over their limits.
        receive("HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: c\r\nContent-Length: 17\r\n\r\n{"),
        Step::Reconnect,
        Step::Command(Command::Fail),
        receive("HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\n12345"),
        Step::Reconnect,
        Step::Command(Command::Next),
        receive("HTTP/1.1 204 No Content\r\n\r\n"),
        Step::EndOfInput,
    ];
    let trace = check_splits(Side::Client, &Limits::default().body(16).reply_body(4), &script);
    let events: Vec<&str> = trace
        .iter()
        .filter_map(|entry| if let Entry::Event(event) = entry { Some(event.as_str()) } else { None })
        .collect();
    let starts = [
        "Next: ok",
        "invocation a ",
        "Respond: ok",
        "Next: ok",
        "reply to /2018-06-01/runtime/invocation/{id}/response: 202 Accepted b\"\"",
        "invocation b ",
        "Stream: ok",
        "Chunk: ok",
        "Drop: ok",
        "reply to /2018-06-01/runtime/invocation/{id}/response: 413 TooLarge b\"{}\"",
        "closed: closed as the last message requested",
        "reset",
        "Next: ok",
        "too large c ",
        "closed: closed in an event of more than 16 bytes",
        "reset",
        "Fail: ok",
        "reply to /2018-06-01/runtime/invocation/{id}/error: 413 TooLarge b\"1234\" truncated",
        "closed: closed in a reply of more than 4 bytes",
        "reset",
        "Next: ok",
        "no invocation: 204 No Content",
        "closed: closed by the peer",
    ];
    assert_eq!(events.len(), starts.len(), "{events:#?}");
    for (event, start) in events.iter().zip(starts) {
        assert!(event.starts_with(start), "{event} does not start with {start}");
    }
}

#[test]
fn every_call_of_poll_output_makes_progress() {
    // `trace` fails if a machine repeats itself, or has output after the end of its connection.
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
fn extreme_limits_have_the_same_effect_with_all_splits() {
    let body = |chunks: &str| {
        let head = "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: id\r\nTransfer-Encoding: chunked\r\n\r\n";
        [Step::Command(Command::Next), Step::Receive(format!("{head}{chunks}").into_bytes())]
    };
    for trailers in 0..4 {
        let limits = Limits::default().trailers(trailers);
        let trace = check_splits(Side::Client, &limits, &body("1\r\nx\r\n0\r\n\r\n"));
        let arrived = |entry: &Entry| matches!(entry, Entry::Event(event) if event.starts_with("invocation id"));
        assert!(trace.iter().any(arrived), "{trace:?}");
        check_splits(Side::Client, &limits, &body("1\r\nx\r\n0\r\nA: b\r\n\r\n"));
    }
    for chunk_extension in [0, 1, 2, usize::MAX] {
        let limits = Limits::default().chunk_extension(chunk_extension);
        check_splits(Side::Client, &limits, &body("1;a\r\nx\r\n0\r\n\r\n"));
    }
}
