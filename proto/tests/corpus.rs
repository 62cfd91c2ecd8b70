//! Replays the committed fuzzing inputs on stable Rust.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use lambda_runtime_proto::checks;

fn replay(target: &str, check: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let inputs: Vec<_> = std::fs::read_dir(&corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!inputs.is_empty(), "{} is empty", corpus.display());
    for input in inputs {
        // Shown only if the test fails.
        println!("{}", input.display());
        check(&std::fs::read(&input).unwrap());
    }
}

#[test]
fn bytes_from_the_api_pass_their_check() {
    replay("client_bytes", checks::client_bytes);
}

#[test]
fn bytes_from_a_runtime_pass_their_check() {
    replay("server_bytes", checks::server_bytes);
}

#[test]
fn scripts_have_the_same_trace_with_all_splits() {
    replay("splits", checks::splits);
}

#[test]
fn every_invocation_ends_once() {
    replay("duplex", checks::duplex);
}

#[test]
fn request_ids_are_preserved_and_safe() {
    replay("headers", checks::headers);
}

#[test]
fn heads_that_resemble_earlier_ones_are_the_same_as_parsed_ones() {
    replay("heads", checks::heads);
}

#[test]
fn preludes_are_sent_unchanged_or_refused() {
    replay("prelude", checks::prelude);
}
