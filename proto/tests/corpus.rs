//! Every committed fuzzing input, on stable Rust: what a fuzzer once found stays found.

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
fn any_bytes_from_the_api_are_survived() {
    replay("client_bytes", checks::client_bytes);
}

#[test]
fn any_bytes_from_a_runtime_are_survived() {
    replay("server_bytes", checks::server_bytes);
}

#[test]
fn scripts_have_one_trace_however_they_are_split() {
    replay("splits", checks::splits);
}

#[test]
fn every_invocation_ends_once() {
    replay("duplex", checks::duplex);
}

#[test]
fn request_ids_are_neither_lost_nor_unsafe() {
    replay("headers", checks::headers);
}

#[test]
fn preludes_are_sent_literally_or_refused() {
    replay("prelude", checks::prelude);
}
