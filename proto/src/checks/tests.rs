//! The checks, on random input; a failure prints its seed.

use proptest::prelude::*;

use super::{client_bytes, duplex, headers, prelude, server_bytes, splits};

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
    with_random_bytes(3000, 3000, duplex);
}

#[test]
fn random_scripts_have_one_trace_however_they_are_split() {
    with_random_bytes(300, 120, splits);
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
